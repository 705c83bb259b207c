// A million random instruction sequences, executed by this machine's processor and by the interpreter.
import assert from "node:assert/strict";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { spawn } from "node:child_process";
import test from "node:test";

const kProgram = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  "../../build/native/differential",
);
const kSequences = 1_000_000;
const kMaxSeed = 2 ** 48;

function run(seed, count) {
  const child = spawn(kProgram, ["--seed", String(seed), "--count", String(count)], { stdio: "pipe" });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}

test(
  "random sequences end alike on the host and in the interpreter",
  { skip: process.arch !== "x64" },
  async (t) => {
    const workers = os.availableParallelism();
    const seeds = Array.from({ length: workers }, () => Math.floor(Math.random() * kMaxSeed) + 1);
    const results = await Promise.all(seeds.map((seed) => run(seed, Math.ceil(kSequences / workers))));
    for (const { status, output } of results) {
      t.diagnostic(output.trim().split("\n")[0]);
      assert.equal(status, 0, output);
      assert.match(output, / 0 differences/);
    }
  },
);
