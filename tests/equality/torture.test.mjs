// torture.asm with every kind of translator: the same hashes as the interpreter's at every 5,000 instructions, also cut
// at random, traced, restored from a snapshot and replayed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { lapwing, root } from "../boot/support.mjs";

const every = 5000;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-torture-"));
const image = path.join(folder, "torture.bin");
const source = path.join(root, "tests/equality/torture.asm");
const nasm = spawnSync("nasm", ["-f", "bin", "-w-zeroing", "-o", image, source], { encoding: "utf8" });
const skip = nasm.error ? "needs nasm" : false;
const machine = [
  "-bios",
  image,
  "-vga",
  "none",
  "-m",
  "16",
  "-smp",
  "2",
  "-serial",
  "null",
  "--clock",
  "virtual",
];
const seed = String(1 + Math.floor(Math.random() * 1e6));

test.after(() => fs.rmSync(folder, { recursive: true }));

/** "instructions hash" of each stop. */
async function hashes(...extra) {
  const hashing = ["--hash-every", String(every), "--timeout-virtual", "0.2"];
  const { stderr } = await lapwing([...machine, ...hashing, ...extra]);
  return stderr.split("\n").filter((line) => /^\d+ [0-9a-f]{16}$/.test(line));
}

let reference;
test.before(async () => {
  if (skip) return;
  assert.equal(nasm.status, 0, nasm.stderr);
  reference = await hashes("-accel", "interp");
  assert.ok(reference.length > 200, `only ${reference.length} hashes`);
});

function sameAs(found) {
  const at = reference.findIndex((line, i) => line !== found[i]);
  assert.equal(at, -1, `interpreted ${reference[at]}, else ${found[at]}; before ${reference[at - 1]}`);
  assert.equal(found.length, reference.length);
}

for (const [name, flags] of [
  ["at once, one block each", ["-accel", "jit,threshold=1,batch=1,blocks=1,patience=0"]],
  ["at once, small regions", ["-accel", "jit,threshold=2,batch=1,blocks=4,patience=0"]],
  ["large regions", ["-accel", "jit,threshold=5,batch=2,patience=0"]],
  ["few live modules", ["-accel", "jit,threshold=2,batch=1,patience=0,modules=3"]],
  ["random patience", ["-accel", "jit,threshold=3,batch=3,patience=0", "--patience", seed]],
  [
    "traced",
    ["-accel", "jit,threshold=3,batch=2,patience=0", "--trace-irq", path.join(folder, "trace.ndjson")],
  ],
]) {
  test(`generated code runs the same: ${name}`, { skip }, async (t) => {
    t.diagnostic(flags.join(" "));
    sameAs(await hashes(...flags));
  });
}

test("a machine restored into generated code goes on alike", { skip }, async () => {
  const snapshot = path.join(folder, "half");
  const accel = ["-accel", "jit,threshold=2,batch=1,patience=0"];
  await lapwing([...machine, ...accel, "--timeout-virtual", "0.003", "--save-snapshot", snapshot]);
  const restored = await hashes(...accel, "--load-snapshot", snapshot);
  const wanted = new Map(reference.map((line) => line.split(" ")));
  const compared = restored.map((line) => line.split(" ")).filter(([count]) => wanted.has(count));
  for (const [count, hash] of compared) assert.equal(hash, wanted.get(count), `at ${count}`);
  assert.ok(compared.length > 50, `only ${compared.length} stops in common`);
});

test("a recorded run replays alike with generated code", { skip }, async () => {
  const log = path.join(folder, "inputs");
  await lapwing([...machine, "-accel", "interp", "--timeout-virtual", "0.2", "--log-input", log]);
  assert.ok(!fs.readFileSync(log).includes("accel="));
  const { stderr } = await lapwing([
    ...["-bios", image, "--replay", log, "-serial", "null", "--hash-every", String(every)],
    ...["-accel", "jit,threshold=2,batch=1,patience=0", "--timeout-virtual", "0.2"],
  ]);
  sameAs(stderr.split("\n").filter((line) => /^\d+ [0-9a-f]{16}$/.test(line)));
});
