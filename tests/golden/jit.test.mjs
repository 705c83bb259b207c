// tests/golden/jit/*.asm through the translator: guest code, IR and WebAssembly as their .txt says.
// LAPWING_UPDATE_GOLDEN=1 writes the files anew; read the difference.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { Probe, root } from "../lockstep/host.mjs";

const folder = path.join(root, "tests/golden/jit");
const skip = spawnSync("nasm", ["-v"]).error ? "needs nasm" : false;

/** Addresses of decoded instructions and, beyond 1 MiB in the engine, of tables differ from build to build. */
const steady = (text) =>
  text
    .replace(
      /i32\.const \d+\n(\s+)i32\.const \d+\n(\s+)call \$call_handler/g,
      "block\n$1instruction\n$2call $call_handler",
    )
    .replace(/const32 0x1[\da-f]{5}\n/g, "table\n")
    .replace(/i32\.const 1[01]\d{5}\n/g, "table\n");

function assemble(source) {
  const output = path.join(os.tmpdir(), `lapwing-golden-${process.pid}.bin`);
  const bits = /^; bits: (\d+)/.exec(fs.readFileSync(source, "utf8"))[1];
  const { status, stderr } = spawnSync("nasm", [
    `-dBITS=${bits}`,
    "-f",
    "bin",
    "-P",
    prelude(bits),
    "-o",
    output,
    source,
  ]);
  assert.equal(status, 0, String(stderr));
  const code = fs.readFileSync(output);
  fs.rmSync(output);
  return { code, codeSize: bits / 8 };
}

function prelude(bits) {
  const file = path.join(os.tmpdir(), `lapwing-golden-${process.pid}-${bits}.inc`);
  fs.writeFileSync(file, `bits ${bits}\n`);
  return file;
}

for (const name of fs.readdirSync(folder).filter((file) => file.endsWith(".asm"))) {
  test(`translation of ${name}`, { skip }, () => {
    const { code, codeSize } = assemble(path.join(folder, name));
    const probe = new Probe();
    probe.exports.ls_listing(codeSize, probe.give(code), code.length);
    const text = steady(probe.text());
    assert.match(text, /^OUT:$/m);
    const file = path.join(folder, name.replace(".asm", ".txt"));
    if (process.env.LAPWING_UPDATE_GOLDEN === "1") fs.writeFileSync(file, text);
    assert.equal(text, fs.readFileSync(file, "utf8"));
  });
}
