// SeaBIOS, unmodified: its POST on 1 to 8 CPUs, what it finds in fw_cfg, its menu, every reset through it, and BIOS
// images of the user.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { firmwarePath } from "../../assets/guests.mjs";
import { lapwing, root } from "./support.mjs";

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-firmware-"));
test.after(() => fs.rmSync(temporary, { recursive: true }));
const inTemporary = (name, content) => {
  const file = path.join(temporary, name);
  if (content !== undefined) fs.writeFileSync(file, content);
  return file;
};

function assemble(name) {
  const file = inTemporary(`${name}.bin`);
  execFileSync("nasm", ["-f", "bin", "-o", file, path.join(root, "tests/boot/firmware", `${name}.asm`)]);
  return file;
}

/** An option ROM's bytes add up to 0. */
function withChecksum(file) {
  const bytes = fs.readFileSync(file);
  bytes[bytes.length - 1] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  fs.writeFileSync(file, bytes);
  return file;
}

const boot = (args, { seconds = 10 } = {}) =>
  lapwing(["-m", "64M", "--timeout-virtual", String(seconds), ...args], { wallSeconds: 120 });

test("without anything to boot from, SeaBIOS says so on the serial port, and the run is the same twice", async () => {
  const args = ["--expect", "No bootable device", "--hash-every", "1000000"];
  const [first, second] = [await boot(args), await boot(args)];
  assert.equal(first.status, 0, first.stdout + first.stderr);
  assert.match(first.stdout, /SeaBIOS \(version/);
  assert.match(first.stderr, /^1000000 [0-9a-f]{16}$/m);
  assert.equal(first.stderr, second.stderr);
});

for (const cpus of [1, 4, 8]) {
  test(`SeaBIOS finds ${cpus} CPUs and our ACPI tables, and copies its tables`, async () => {
    const debug = inTemporary(`debug${cpus}`);
    const { status, stdout, stderr } = await boot([
      ...["-smp", String(cpus), "--expect", "No bootable device"],
      ...["-debugcon", `file:${debug}`, "-global", "isa-debugcon.iobase=0x402"],
    ]);
    assert.equal(status, 0, stdout + stderr);
    const text = fs.readFileSync(debug, "latin1");
    assert.match(text, new RegExp(`Found ${cpus} cpu\\(s\\) max supported ${cpus} cpu\\(s\\)`));
    assert.match(text, /QEMU fw_cfg DMA interface supported/);
    assert.match(text, /ACPI: parse DSDT/);
    for (const what of ["PIR", "MPTABLE", "SMBIOS"]) assert.match(text, new RegExp(`Copying ${what}`));
  });
}

test("a teaching kernel finds every CPU in SeaBIOS's MP table, and its UART interrupts", async () => {
  const image = assemble("teaching");
  const { status, stdout, stderr } = await boot([
    ...[image, "-snapshot", "-smp", "4", "-device", "isa-debug-exit"],
    ...["--send", "^4$=>yq"],
  ]);
  assert.equal(status, 67, stdout + stderr);
  assert.match(stdout, /^4\nyq/m);
});

test("the boot menu opens with Escape typed on the serial port", async () => {
  const args = ["-boot", "menu=on,splash-time=2000", "--send", "Press ESC=>\\e"];
  const { status, stdout, stderr } = await boot([...args, "--expect", "Select boot device"]);
  assert.equal(status, 0, stdout + stderr);
});

test("every reset goes through SeaBIOS as on hardware: 40:67, triple fault, port 92, S3, 0xCF9", async () => {
  const rom = withChecksum(assemble("resets"));
  const { status, stdout, stderr } = await boot([
    ...["-fw_cfg", `name=genroms/resets.rom,file=${rom}`, "--fail", "FAILED"],
    ...["start", "i8042", "triple fault", "port 92", "S3", "all done"].flatMap((place) => [
      "--expect",
      `resets: ${place}`,
    ]),
  ]);
  assert.equal(status, 0, stdout + stderr);
});

test("a run through SeaBIOS is the same when it goes on from a snapshot", async () => {
  const snapshot = inTemporary("post.lws");
  const saved = await boot(["--save-snapshot", `${snapshot}@SeaBIOS`, "--hash-every", "4000000"]);
  const restored = await boot(["--load-snapshot", snapshot, "--hash-every", "4000000"]);
  const hashes = (text) => [...text.matchAll(/^\d+ [0-9a-f]{16}$/gm)].map(([line]) => line);
  const [all, later] = [hashes(saved.stderr), hashes(restored.stderr)];
  assert.ok(later.length > 0, restored.stderr);
  assert.deepEqual(all.slice(-later.length), later);
});

test("a BIOS image of the user runs at the reset vector; each debug console has its file", async () => {
  const post = [inTemporary("post80"), inTemporary("post190")];
  const { status, stdout, stderr } = await boot([
    ...["-bios", assemble("hello"), "-device", "isa-debug-exit"],
    ...["-chardev", `file,id=a,path=${post[0]}`, "-device", "isa-debugcon,iobase=0x80,chardev=a"],
    ...["-chardev", `file,id=b,path=${post[1]}`, "-device", "isa-debugcon,iobase=0x190,chardev=b"],
  ]);
  assert.equal(stdout, "hello from F000\r\n", stderr);
  assert.equal(status, 0x43);
  for (const file of post) assert.equal(fs.readFileSync(file, "latin1"), "B");
});

const badImages = [
  ["empty", "", /empty/],
  ["of odd size", Buffer.alloc(70_000), /multiple of 64 KiB/],
  ["too big", Buffer.alloc(2 << 20), /at most 1 MiB/],
];
for (const [what, content, pattern] of badImages) {
  test(`a BIOS image that is ${what}: one line and status 2`, async () => {
    const { status, stdout, stderr } = await boot(["-bios", inTemporary("bad", content)]);
    assert.equal(status, 2, stdout + stderr);
    assert.match(stderr, pattern);
    assert.equal(stderr.trim().split("\n").length, 1);
  });
}

test("boot options that make no sense: one line and status 2", async () => {
  for (const args of [
    ["-boot", "order=x"],
    ["-boot", "menu=perhaps"],
    ["-uuid", "1-2-3"],
    ["-fw_cfg", "name=opt/a"],
    ["-fw_cfg", "name=etc/e820,string=x"],
    ["-bios", inTemporary("none")],
    ["-bios", firmwarePath("bios-256k.bin"), "-kernel", "x"],
  ]) {
    const { status, stderr } = await boot(args);
    assert.equal(status, 2, args.join(" ") + stderr);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});
