// A million random instruction sequences on this machine's own processor and in the interpreter, without a difference.
// LAPWING_SEED chooses others; a report names the seed of its sequence (build/native/differential --sequence SEED).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const program = path.join(root, "build/native/differential");
const cannotRunHere = 2;

function run(t, ...args) {
  const seed = process.env.LAPWING_SEED ?? "1";
  const result = spawnSync(program, ["--seed", seed, ...args], { encoding: "utf8", maxBuffer: 64 << 20 });
  if (result.status === cannotRunHere) return t.skip(result.stderr.trim());
  assert.equal(result.status, 0, `${result.stdout}${result.stderr}`);
  t.diagnostic(result.stdout.trim().split("\n").at(-1));
}

const skip = fs.existsSync(program) ? false : "needs an x86-64 host";
for (const [name, families, count] of [
  ["integer sequences equal the host's", "i", 400_000],
  ["x87 sequences equal the host's", "x", 200_000],
  ["SSE sequences equal the host's", "s", 200_000],
  ["mixed sequences equal the host's", "ixs", 200_000],
]) {
  test(name, { skip }, (t) => run(t, "--families", families, "--count", String(count)));
}
