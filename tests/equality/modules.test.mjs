// What becomes of the modules that the engine makes: all of a boot's are valid to another tool than V8, and a host that
// makes none gets the same machine, interpreted, and one sentence.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { guestFlags, guests, lapwing, root } from "../boot/support.mjs";

const timeout = 900_000;
const limits = ["--hash-every", "50000000", "--timeout-virtual", "1", "--expect", "no such text"];

async function boot(preload, ...extra) {
  const before = process.env.NODE_OPTIONS;
  if (preload) process.env.NODE_OPTIONS = `--import ${path.join(root, "tests/equality", preload)}`;
  try {
    const { status, stderr } = await lapwing([...guestFlags(guests[0]), ...limits, ...extra]);
    return { status, stderr, hashes: stderr.split("\n").filter((line) => /^\d+ [0-9a-f]{16}$/.test(line)) };
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
}

test("binaryen accepts every module of a boot", { timeout }, async (t) => {
  const { status, stderr } = await boot("validate_modules.mjs", "-accel", "jit,threshold=200");
  assert.notEqual(status, 99, stderr.slice(-5000));
  const count = Number(/(\d+) modules are valid/.exec(stderr)?.[1]);
  assert.ok(count > 10, stderr.slice(-500));
  t.diagnostic(`${count} modules`);
});

test("-d lists guest code, IR and WebAssembly of each region", { timeout }, async () => {
  const file = path.join(os.tmpdir(), `lapwing-listing-${process.pid}.txt`);
  const listed = ["-accel", "jit,threshold=500", "-d", "in_asm,op,out_asm", "-D", file];
  await lapwing([...guestFlags(guests[0]), "--timeout-virtual", "0.1", ...listed]);
  const text = fs.readFileSync(file, "utf8");
  fs.rmSync(file);
  const regions = text.split(/^region at physical /m).slice(1);
  assert.ok(regions.length > 10, `${regions.length} regions`);
  for (const region of regions)
    assert.match(region, /^IN:\nb0:\n(.|\n)*^OP:\nb0:\n(.|\n)*^OUT:\n(.|\n)*\$cpu/m);
});

test("a host that refuses modules runs the same machine, and is told once", { timeout }, async () => {
  const reference = await boot(undefined, "-accel", "interp");
  const refused = await boot("refuse_modules.mjs", "-accel", "jit");
  assert.ok(reference.hashes.length > 2);
  assert.deepEqual(refused.hashes, reference.hashes);
  assert.equal(
    refused.stderr.match(/generated code is off, the machine runs slower: this host refuses/g).length,
    1,
  );
});
