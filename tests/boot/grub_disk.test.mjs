// GRUB from a disk, by SeaBIOS's own drivers for IDE and NVMe: the rescue CD's image is a disk image as well.
// (What is typed at once has to fit the BIOS's keyboard buffer of 15 keys.)
import assert from "node:assert/strict";
import test from "node:test";
import { discPath } from "../../assets/guests.mjs";
import { lapwing } from "./support.mjs";

for (const [name, options] of [
  ["IDE", "if=ide"],
  ["NVMe", "if=nvme"],
]) {
  test(`SeaBIOS boots GRUB from ${name}, which reads its folders`, { timeout: 300_000 }, async () => {
    const file = discPath("grub-rescue");
    const { status, stdout, stderr } = await lapwing(
      [
        ...["-m", "128M", "-drive", `file=${file},format=raw,readonly=on,${options}`],
        ...[
          "--send",
          "highlighted entry=>c",
          "--send",
          "grub>=>ls (hd0)/boot\\n",
          "--send",
          "grub>=>halt\\n",
        ],
        ...["--expect", "GNU GRUB {2}version 2", "--expect", "grub/", "--timeout-virtual", "60"],
      ],
      { wallSeconds: 240 },
    );
    assert.equal(status, 0, stderr + stdout.slice(-2000));
  });
}
