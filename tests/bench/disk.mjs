// What reading a disk costs: Linux of the small guest reads an image sequentially (128 KiB a request) and at random (4 KiB,
// one request at a time), past its page cache, on IDE and on NVMe, in Lapwing and in QEMU (TCG). v86 is left out: it runs no
// 64-bit kernel, and its guest's initramfs has no disk drivers. Wall and CPU seconds of the whole process.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { findGuest } from "../../assets/guests.mjs";
import { findProgram } from "../../assets/setup/process.mjs";
import { Session } from "./session.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kSeconds = 600;
const kImageMiB = 64;
const kRandomReads = 400;
const kPrompt = /~ # (\x1b\[6n)?$/;
const kDisks = { ide: "/dev/sda", nvme: "/dev/nvme0n1" };

const peers = (command, accel) => ({
  lapwing: [process.execPath, command, "--clock", "realtime", ...(accel ? ["-accel", accel] : [])],
  qemu: ["qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-nic", "none", "-cpu", "qemu64"],
});

function driveFlags(disk, file) {
  const drive = `file=${file},format=raw,snapshot=on`;
  if (disk === "ide") return ["-drive", `${drive},if=ide,index=0`];
  return ["-drive", `${drive},if=none,id=d`, "-device", "nvme,drive=d,serial=bench"];
}

async function timed(session, command, word) {
  const before = session.cpuSeconds();
  const began = performance.now();
  session.send(`${command}; echo ${word.slice(0, 2)}""${word.slice(2)}\n`);
  const { at } = await session.waitFor(new RegExp(`^${word}`, "m"), kSeconds);
  await session.waitFor(kPrompt, kSeconds);
  return { wall: (at - began) / 1000, cpu: session.cpuSeconds() - before };
}

async function measure(name, command, disk, file) {
  const guest = findGuest("small");
  const machine = ["-m", "128", "-nographic", "-kernel", guest.kernel, "-initrd", guest.initrd];
  const append = ["-append", "console=ttyS0 mitigations=off quiet"];
  const session = new Session(`${name} with ${disk}`, [
    ...command,
    ...machine,
    ...append,
    ...driveFlags(disk, file),
  ]);
  const device = kDisks[disk];
  try {
    await session.waitFor(kPrompt, kSeconds);
    const dd = `dd if=${device} of=/dev/null iflag=direct`;
    const sequential = await timed(session, `${dd} bs=128k 2> /dev/null`, "sequential_end");
    // The same loop without reading is what the shell itself costs.
    const loop = (what) => `i=0; while [ $i -lt ${kRandomReads} ]; do i=$((i+1)); ${what} 2> /dev/null; done`;
    const place = `skip=$((i * 7919 % ${kImageMiB * 256}))`;
    const random = await timed(session, loop(`${dd} bs=4k count=1 ${place}`), "random_end");
    const empty = await timed(
      session,
      loop(`dd if=/dev/null of=/dev/null bs=4k count=1 ${place}`),
      "empty_end",
    );
    return {
      peer: name,
      disk,
      sequentialMiBps: kImageMiB / sequential.wall,
      sequentialCpu: sequential.cpu,
      randomMicroseconds: ((random.wall - empty.wall) / kRandomReads) * 1e6,
      randomCpu: random.cpu - empty.cpu,
    };
  } finally {
    session.stop();
  }
}

/** Rows { peer, disk, sequentialMiBps, sequentialCpu, randomMicroseconds, randomCpu }; none without the small guest. */
export async function measureDisks(command = path.join(kRoot, "web/cli/lapwing.mjs"), accel) {
  if (!findGuest("small")) return [];
  const file = path.join(os.tmpdir(), `lapwing-bench-${process.pid}.img`);
  fs.writeFileSync(file, Buffer.alloc(kImageMiB << 20, "lapwing"));
  try {
    const rows = [];
    for (const [name, start] of Object.entries(peers(command, accel))) {
      if (name === "qemu" && !findProgram(start[0])) continue;
      for (const disk of Object.keys(kDisks)) rows.push(await measure(name, start, disk, file));
    }
    return rows;
  } finally {
    fs.rmSync(file);
  }
}

export function diskTable(rows) {
  const cells = rows.map((row) => [
    row.peer,
    row.disk,
    row.sequentialMiBps.toFixed(1),
    row.sequentialCpu.toFixed(2),
    row.randomMicroseconds.toFixed(0),
    row.randomCpu.toFixed(2),
  ]);
  const head = [
    "",
    "",
    "seq MiB/s",
    `CPU s of ${kImageMiB} MiB`,
    "us per random 4K",
    `CPU s of ${kRandomReads}`,
  ];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
  return [head, ...cells]
    .map((row) => row.map((cell, i) => cell.padStart(widths[i])).join("  ") + "\n")
    .join("");
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.stdout.write(diskTable(await measureDisks(process.argv[2])));
