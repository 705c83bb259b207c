// debian-installer's netboot kernel and initrd, as the package brings them: its first question on the serial port, and on
// the screen, where Linux's bochs-drm driver has taken over the VGA.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { decode } from "fast-png";
import { installerPath } from "../../assets/guests.mjs";
import { lapwing, troubles } from "./support.mjs";

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-installer-"));
test.after(() => fs.rmSync(temporary, { recursive: true }));

const install = (append, ...flags) =>
  lapwing(
    [
      ...["-m", "1G", "-accel", "jit", "-vga", "std", "--fail", troubles.source],
      ...[
        "-kernel",
        installerPath("linux"),
        "-initrd",
        installerPath("initrd.gz"),
        "-append",
        append,
        ...flags,
      ],
    ],
    { wallSeconds: 1100 },
  );

test("the installer asks for a language on the serial port", { timeout: 1_200_000 }, async () => {
  const { status, stdout, stderr } = await install(
    "console=tty0 console=ttyS0",
    ...["--expect", "Select a language", "--expect", "English", "--timeout-virtual", "120"],
  );
  assert.equal(status, 0, stdout.slice(-3000) + stderr);
});

test("the installer asks on the screen, a frame buffer of 1024x768", { timeout: 1_200_000 }, async () => {
  const file = path.join(temporary, "installer.png");
  const { stdout, stderr } = await install(
    "console=ttyS0 console=tty0",
    ...["--screenshot", file, "--timeout-virtual", "100"],
  );
  assert.match(stdout, /bochs-drm .* frame buffer device/);
  const { width, height, data, channels } = decode(fs.readFileSync(file));
  assert.deepEqual([width, height], [1024, 768], stderr);
  // newt's colours: a grey window on blue, the selected line red.
  const shareOf = (...colour) => {
    let count = 0;
    for (let i = 0; i < data.length; i += channels) if (colour.every((c, k) => data[i + k] === c)) count++;
    return count / (width * height);
  };
  assert.ok(shareOf(0xaa, 0xaa, 0xaa) > 0.7, `grey: ${shareOf(0xaa, 0xaa, 0xaa)}`);
  assert.ok(shareOf(0, 0, 0xaa) > 0.02, `blue: ${shareOf(0, 0, 0xaa)}`);
  assert.ok(shareOf(0xaa, 0, 0) > 0.003, `red: ${shareOf(0xaa, 0, 0)}`);
});
