// Guests that program nonsense get what hardware does, and the command ends as it always does.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { lapwing, root } from "./support.mjs";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-nonsense-"));
test.after(() => fs.rmSync(folder, { recursive: true }));

const survived = (8 << 1) | 1;
const tripleFault = 3;
const timedOut = 124;
const cases = [
  ["EOI without interrupt", 1, survived],
  ["IPIs to no one", 2, survived],
  ["vectors below 16", 3, survived],
  ["BARs over other devices and over nothing", 4, survived],
  ["an IDT outside memory", 5, tripleFault],
  ["all timers at their fastest before a halted processor that does not listen", 6, timedOut],
  ["a timer that is due again before its handler ends", 7, survived],
  ["a level that nobody lowers", 8, survived],
  ["all bits of all registers", 9, survived],
];
for (const [what, number, expected] of cases) {
  test(what, { timeout: 120_000 }, async () => {
    const image = path.join(folder, `${number}.bin`);
    const source = path.join(root, "tests/boot/firmware/nonsense.asm");
    execFileSync("nasm", ["-w-number-overflow", "-f", "bin", "-D", `CASE=${number}`, "-o", image, source]);
    for (const accel of ["jit", "interp"]) {
      const { status, stderr } = await lapwing(
        [
          ...["-bios", image, "-vga", "none", "-no-reboot", "-accel", accel],
          ...["--timeout-virtual", expected === timedOut ? "0.2" : "2"],
          ...["-device", "pci-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=1"],
        ],
        { wallSeconds: 55 },
      );
      assert.equal(status, expected, `${accel}: ${stderr}`);
      assert.ok(stderr.trim().split("\n").length <= 1, stderr);
    }
  });
}
