// IDE disks and CD-ROM drives as Linux uses them: by DMA and by PIO, masters and slaves, what was written is on the
// image; and walk 1, the packet command that fails because there is no disc. UPDATE_GOLDEN=1 rewrites the walk.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { findGuest } from "../../assets/guests.mjs";
import { folder, hopLine } from "./hops.mjs";
import { isoImage } from "./iso_image.mjs";
import { guestFlags, lapwing, root, troubles } from "./support.mjs";

const guest = findGuest("small");
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-ide-"));
test.after(() => fs.rmSync(temporary, { recursive: true }));
const md5 = (bytes) => crypto.createHash("md5").update(bytes).digest("hex");

const content = Buffer.alloc(700_001, "Lapwings nest on the ground.\n");
const iso = path.join(temporary, "test.iso");
fs.writeFileSync(iso, isoImage("LAPWING", "TEXT.TXT", content));

function emptyDisk(name, megabytes) {
  const file = path.join(temporary, name);
  fs.writeFileSync(file, "");
  fs.truncateSync(file, megabytes << 20);
  return file;
}

/** Runs shell commands in the small guest; `words` are what they must print, in order, before the end. */
async function runInGuest(commands, words, flags, append = "") {
  const typed = [...commands, "dmesg | grep -iE 'exception|error|frozen|fail' | grep ata", 'echo all"" done'];
  const text = `~ # $=>${typed.join("; ")}\\r`;
  const expect = ["Enter 'help'", ...words, "^all done"].flatMap((word) => ["--expect", word]);
  const base = guestFlags({ ...guest, append: `${guest.append} ${append}` });
  const ends = ["--send", text, ...expect, "--fail", troubles.source, "--timeout-virtual", "120"];
  const { status, stdout, stderr } = await lapwing([...base, ...flags, ...ends]);
  assert.equal(status, 0, stdout.slice(-3000) + stderr);
  return stdout;
}

const onDisk = (device, folder_) => [
  `mke2fs ${device} > /dev/null`,
  `mkdir -p ${folder_}`,
  `mount -t ext4 ${device} ${folder_}`,
  `dd if=/dev/urandom of=${folder_}/file bs=64k count=40 2> /dev/null`,
  `md5sum ${folder_}/file > /before`,
  `umount ${folder_}`,
  "echo 3 > /proc/sys/vm/drop_caches",
  `mount -t ext4 ${device} ${folder_}`,
  `md5sum ${folder_}/file | cmp - /before && echo ${device} keeps"" files`,
  `cp /before ${folder_}/sum`,
  `umount ${folder_}`,
];
const onCd = ["mount -t iso9660 /dev/sr0 /mnt", "md5sum /mnt/text.txt", "umount /mnt", "md5sum /dev/sr0"];

function checkImage(file) {
  const image = fs.readFileSync(file);
  assert.equal(image.readUInt16LE(1024 + 56), 0xef53, "there is no file system on the image");
  assert.ok(image.includes("/file\n"), "the checksum that the guest wrote is not on the image");
  const e2fsck = spawnSync("e2fsck", ["-fn", file], { encoding: "utf8", env: { PATH: "/usr/sbin:/sbin" } });
  if (e2fsck.error === undefined) assert.equal(e2fsck.status, 0, e2fsck.stdout + e2fsck.stderr);
}

test("by DMA: a disk keeps files, a CD is mounted and read whole", async () => {
  const disk = emptyDisk("dma.img", 32);
  const drives = ["-drive", `file=${disk},format=raw,index=0,snapshot=off`, "-cdrom", iso];
  const output = await runInGuest(
    [...onDisk("/dev/sda", "/disk"), ...onCd],
    ["^/dev/sda keeps files", md5(content), md5(fs.readFileSync(iso))],
    drives,
  );
  assert.match(output, /PATA max MWDMA2 cmd 0x1f0 ctl 0x3f6 bmdma 0x[0-9a-f]+ irq 14/);
  assert.match(output, /ata1\.00: ATA-6: LAPWING HARDDISK/);
  checkImage(disk);
});

test("by PIO: two disks on one cable, and a CD-ROM drive that is a slave alone", async () => {
  const [first, second] = [emptyDisk("pio0.img", 8), emptyDisk("pio1.img", 16)];
  const drive = (file, index) => ["-drive", `file=${file},format=raw,index=${index},snapshot=off`];
  const cd = ["-drive", `file=${iso},media=cdrom,index=3`];
  const output = await runInGuest(
    [...onDisk("/dev/sdb", "/two"), ...onDisk("/dev/sda", "/one"), ...onCd],
    ["^/dev/sdb keeps files", "^/dev/sda keeps files", md5(content), md5(fs.readFileSync(iso))],
    [...drive(first, 0), ...drive(second, 1), ...cd],
    "libata.dma=0",
  );
  assert.doesNotMatch(output, /configured for (MWDMA|UDMA)/);
  checkImage(first);
  checkImage(second);
});

function bootSector() {
  const file = path.join(temporary, "disk_boot.bin");
  execFileSync("nasm", ["-f", "bin", "-o", file, path.join(root, "tests/boot/firmware/disk_boot.asm")]);
  return fs.readFileSync(file);
}

/** Boots from the drive through SeaBIOS; returns what COM1 said after the firmware. */
async function bootSays(flags) {
  const args = ["-m", "64M", "-device", "isa-debug-exit", "--timeout-virtual", "20", ...flags];
  const { status, stdout, stderr } = await lapwing(args, { wallSeconds: 300 });
  assert.equal(status, 0x43, stdout + stderr);
  return stdout;
}

test("SeaBIOS boots a disk; INT 13h and the ports read the same", async () => {
  const disk = path.join(temporary, "boot.img");
  fs.writeFileSync(disk, Buffer.concat([bootSector(), Buffer.alloc(2 << 20, "text of sector 1\r\n\0")]));
  const output = await bootSays(["-drive", `file=${disk},format=raw,index=0`]);
  assert.match(output, /text of sector 1\r\nthe ports agree\r\n$/);
});

test("SeaBIOS boots a CD by El Torito, before an empty disk", async () => {
  const cd = path.join(temporary, "boot.iso");
  fs.writeFileSync(cd, isoImage("BOOT", "TEXT.TXT", Buffer.from("text on the CD\r\n\0"), bootSector()));
  const output = await bootSays(["-cdrom", cd, "-hda", emptyDisk("empty.img", 1), "-boot", "d"]);
  assert.match(output, /text on the CD\r\ndone\r\n$/);
});

const kSecondaryCommand = 0x177;
const kSecondaryData = 0x170;
const kPacketCommand = 0xa0n;

/** The register writes of one packet command that failed, and the journey of its interrupt. */
function failedPacket(records, opcode) {
  const isIdeWrite = (r) => r.kind === "register write" && r.device === "ide";
  for (const [at, record] of records.entries()) {
    if (!isIdeWrite(record) || record.line !== kSecondaryCommand || record.data !== kPacketCommand) continue;
    const rest = records.slice(at);
    const raised = rest.findIndex((r) => r.kind === "line raised" && r.line === 15);
    const words = rest.slice(0, raised).filter((r) => isIdeWrite(r) && r.line === kSecondaryData);
    if (words.length === 0 || (words[0].data & 0xffn) !== opcode) continue;
    const { cause } = rest[raised];
    return { writes: [record, ...words], journey: rest.filter((r) => r.cause === cause) };
  }
  return undefined;
}

test("walk 1: a packet command without a disc travels as IRQ 15 to its handler", async () => {
  const trace = path.join(temporary, "walk.ndjson");
  const output = await runInGuest(
    ["dd if=/dev/sr0 of=/dev/null count=1", "grep ' 15:' /proc/interrupts"],
    ["No medium found", " 15: +[1-9].*ata_piix"],
    ["-drive", "if=ide,media=cdrom,index=2", "--trace-irq", trace],
  );
  assert.doesNotMatch(output, /ata\d.*exception/);
  const records = fs
    .readFileSync(trace, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map((record) => ({ ...record, data: BigInt(record.data) }));
  const opened = records.findLastIndex((r) => r.kind === "register write" && r.line === kSecondaryCommand);
  assert.ok(opened > 0);
  const kTestUnitReady = 0x00n;
  const { writes, journey } = failedPacket(records, kTestUnitReady);
  const port = (r) => `ide0: register write, port 0x${r.line.toString(16)} = 0x${r.data.toString(16)}`;
  const lines = [...writes.map(port), ...journey.map(hopLine)];
  const file = path.join(folder, "1-atapi-error.txt");
  if (process.env.UPDATE_GOLDEN === "1") fs.writeFileSync(file, lines.join("\n") + "\n");
  assert.deepEqual(lines, fs.readFileSync(file, "utf8").trimEnd().split("\n"));

  const vector = journey.find((r) => r.kind === "ioapic latched").vector;
  const hops = [
    ["line raised", { device: "ide", line: 15 }],
    ["ioapic latched", { line: 15, vector }],
    ["message sent", { vector }],
    ["lapic irr set", { vector, cpu: 0 }],
    ["lapic isr", { vector, cpu: 0 }],
    ["cpu vector", { vector, cpu: 0 }],
    // Linux acknowledges an edge before it calls the driver, which reads the status register.
    ["lapic eoi", { vector, cpu: 0 }],
    ["line lowered", { device: "ide", line: 15 }],
  ];
  let at = -1;
  for (const [kind, expected] of hops) {
    at = journey.findIndex((r, i) => i > at && r.kind === kind);
    assert.ok(at >= 0, `${kind} is missing, or out of order`);
    for (const [field, value] of Object.entries(expected))
      assert.equal(journey[at][field], value, `${kind}: ${field}`);
  }
  // The driver then asks why: REQUEST SENSE comes by the same way.
  const kRequestSense = 0x03n;
  assert.ok(failedPacket(records, kRequestSense), "the sense data was not asked for");
});
