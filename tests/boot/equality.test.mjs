// The equality check: one long run hashes the same native (under sanitizers where that build exists), in Node,
// (Chromium: tests/browser) however it is cut into pieces, with tracing on or off, and across snapshot and restore.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { guestFlags, guests, lapwing, root } from "./support.mjs";

const instructions = 200_000_000;
const every = 40_000_000;
const stops = Array.from({ length: instructions / every }, (_, i) => every * (i + 1));
const timeout = 900_000;
const guest = guests[0];
const sanitized = path.join(root, "build/asan/lapwing_native");

let reference;
test.before(async () => {
  reference = await hashes("-accel", "interp");
  assert.equal(reference.length, stops.length, "the reference run printed too few hashes");
});

async function hashes(...extra) {
  const flags = [
    ...guestFlags(guest),
    "--hash-every",
    String(every),
    "--timeout-virtual",
    "100",
    "--expect",
    "no such text",
  ];
  const { stderr } = await lapwing([...flags, ...extra]);
  const lines = stderr
    .split("\n")
    .map((line) => /^(\d+) ([0-9a-f]{16})$/.exec(line))
    .filter(Boolean);
  const found = new Map(lines.map(([, count, hash]) => [Number(count), hash]));
  return stops.map((stop) => found.get(stop)).filter(Boolean);
}

async function compare(other, environment = {}) {
  const flags = [
    "-m",
    guest.memory,
    "-kernel",
    guest.kernel,
    "-initrd",
    guest.initrd,
    "-append",
    guest.append,
  ];
  Object.assign(process.env, environment);
  const { status, stdout, stderr } = await lapwing([
    "compare",
    "wasm",
    other,
    "--instructions",
    String(instructions),
    "--",
    ...flags,
  ]);
  assert.equal(status, 0, stdout.slice(-4000) + stderr);
  assert.ok(stdout.includes(`hash ${reference.at(-1)}`), `${stdout} against ${reference.at(-1)}`);
}

test("random patience and tracing do not change a run", { timeout }, async () => {
  const seed = String(1 + Math.floor(Math.random() * 1e6));
  const trace = path.join(root, "build/equality_trace.ndjson");
  assert.deepEqual(await hashes("--patience", seed, "--trace-irq", trace), reference, `patience ${seed}`);
  fs.rmSync(trace);
});

test("a restored snapshot goes on like the machine it came from", { timeout }, () => compare("restored"));

test("the native engine runs the same", { timeout }, () =>
  compare("native", fs.existsSync(sanitized) ? { LAPWING_NATIVE: sanitized } : {}),
);

const translators = [
  "jit",
  "jit,threshold=10,batch=3,blocks=4",
  "jit,threshold=20,batch=5,patience=0,instructions=60",
];
for (const accel of translators) {
  test(`generated code runs the same (${accel})`, { timeout }, async () => {
    assert.deepEqual(await hashes("-accel", accel), reference);
  });
}

test("generated code runs the same with random patience", { timeout }, async () => {
  const seed = String(1 + Math.floor(Math.random() * 1e6));
  assert.deepEqual(await hashes("-accel", "jit", "--patience", seed), reference, `patience ${seed}`);
});
