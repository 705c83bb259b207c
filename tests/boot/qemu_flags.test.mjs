// Flags that scripts written for QEMU use, each shown by a boot sector under SeaBIOS.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { commandPath, lapwing } from "./support.mjs";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-flags-"));
test.after(() => fs.rmSync(folder, { recursive: true }));

/** A disk whose boot sector is this code. */
function disk(name, ...code) {
  // A cylinder at least: SeaBIOS reads an NVMe disk by cylinder, head and sector.
  const image = Buffer.alloc(1024 * 1024);
  image.set(code);
  image.set([0x55, 0xaa], 510);
  const file = path.join(folder, name);
  fs.writeFileSync(file, image);
  return file;
}
/** mov al, value; out 0xF4, al; hlt */
const exits = (value) => [0xb0, value, 0xe6, 0xf4, 0xf4];
const statusOf = (value) => (value << 1) | 1;
const exitPort = ["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "--timeout-virtual", "60"];
const one = disk("one.img", ...exits(1));
const two = disk("two.img", ...exits(2));
/** mov dx, PM1_CNT; mov ax, SLP_EN with S5; out dx, ax; hlt */
const powersOff = disk("off.img", 0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4);

/** Runs with lines for the monitor on standard input, which stays open. */
const withMonitor = (args, lines) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [commandPath, "-monitor", "stdio", ...args]);
    const guard = setTimeout(() => child.kill("SIGKILL"), 120_000);
    let output = "";
    const say = (text) => {
      output += text;
      while (lines.length > 0 && new RegExp(lines[0][0]).test(output)) child.stdin.write(lines.shift()[1]);
    };
    child.stdout.setEncoding("utf8").on("data", say);
    child.stderr.setEncoding("utf8").on("data", say);
    child.on("close", (status) => (clearTimeout(guard), resolve({ status, output })));
    say("");
  });

const drive = (file, id) => ["-drive", `file=${file},format=raw,if=none,id=${id}`];
for (const [what, indexes, expected] of [
  ["the NVMe disk", [2, 1], 2],
  ["the IDE disk", [0, 1], 1],
]) {
  test(`bootindex: the firmware starts ${what}, whose number is lower`, { timeout: 120_000 }, async () => {
    const { status, stderr } = await lapwing([
      ...[...drive(one, "a"), "-device", `ide-hd,drive=a,bootindex=${indexes[0]}`],
      ...[...drive(two, "b"), "-device", `nvme,drive=b,serial=x,bootindex=${indexes[1]}`],
      ...exitPort,
    ]);
    assert.equal(status, statusOf(expected), stderr);
  });
}

test("a CPU feature that does not exist is left out with a warning", { timeout: 120_000 }, async () => {
  const { status, stderr } = await lapwing([
    "-cpu",
    "max,+vmx,nosuch=on",
    "-hda",
    one,
    "-snapshot",
    ...exitPort,
  ]);
  assert.equal(status, statusOf(1), stderr);
  assert.match(stderr, /warning: .*no 'vmx'; it is left out/);
  assert.match(stderr, /warning: .*no feature 'nosuch'/);
});

test("-S waits for the monitor's cont", { timeout: 120_000 }, async () => {
  const lines = [
    ["", "info registers\n"],
    ["RIP=0{12}fff0", "cont\n"],
  ];
  const { status, output } = await withMonitor(["-S", "-hda", one, "-snapshot", ...exitPort], lines);
  assert.equal(status, statusOf(1), output);
  assert.equal(lines.length, 0, output);
});

test("-no-shutdown keeps a machine that is off until quit", { timeout: 120_000 }, async () => {
  const lines = [["the guest is off", "quit\n"]];
  const { status, output } = await withMonitor(["-no-shutdown", "-hda", powersOff, "-snapshot"], lines);
  assert.equal(status, 0, output);
  assert.equal(lines.length, 0, output);
});

for (const [args, pattern] of [
  [["-fda", one], /-fda: there is no floppy controller; give .* -hda/],
  [["-S", "-hda", one], /nobody could say cont/],
]) {
  test(`${args[0]} ${args.length > 2 ? "alone" : ""}: one line that says what to do`, async () => {
    const { status, stderr } = await lapwing(args, { wallSeconds: 60 });
    assert.equal(status, 2, stderr);
    assert.match(stderr, pattern);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  });
}
