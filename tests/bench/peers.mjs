// The emulators that the bench compares, each as a command line with the guest's serial console on stdio.
// All see the same kernel, initramfs, kernel command line, memory and (as far as their models allow) CPU features:
// i386 gets qemu32 (SSE3; v86 has one fixed model of about that kind), x86-64 gets qemu64. Mitigations are off
// everywhere, since they would depend on each model's vendor rather than on the emulator.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { firmwarePath } from "../../assets/guests.mjs";
import { SetupError } from "../../assets/setup/cache.mjs";
import { findProgram } from "../../assets/setup/process.mjs";

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kRoot = path.resolve(kHere, "../..");
const kAppend = "console=ttyS0 mitigations=off";
const kMemory = 256;
const kCpu = { i386: "qemu32", amd64: "qemu64" };

const machineFlags = (guest, initrd) => [
  ...["-m", String(kMemory), "-smp", "1", "-cpu", kCpu[guest.arch], "-nographic", "-no-reboot"],
  ...["-kernel", guest.kernel, "-initrd", initrd, "-append", kAppend],
];

function needFile(file, advice) {
  if (!fs.existsSync(file)) throw new SetupError(`${file} is missing; ${advice}`);
}

function lapwing(command) {
  return {
    name: "lapwing",
    architectures: ["i386", "amd64"],
    check: () => needFile(command, "run `npm run build`"),
    command: (guest, initrd) => [
      ...[process.execPath, command, "--clock", "realtime"],
      ...machineFlags(guest, initrd),
    ],
  };
}

const v86 = {
  name: "v86",
  architectures: ["i386"],
  check() {
    needFile(path.join(kRoot, "node_modules/v86/build/v86.wasm"), "run `npm ci`");
    for (const name of ["bios.bin", "vgabios-stdvga.bin"])
      needFile(firmwarePath(name), "run `npm run setup`");
  },
  command: (guest, initrd) => [
    ...[process.execPath, path.join(kHere, "v86_guest.mjs")],
    ...[String(kMemory), guest.kernel, initrd, kAppend],
  ],
};

const qemu = {
  name: "qemu",
  architectures: ["i386", "amd64"],
  check() {
    if (!findProgram("qemu-system-x86_64"))
      throw new SetupError("qemu-system-x86_64 is missing; run `npm run setup bench`");
  },
  command: (guest, initrd) => [
    ...["qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-nic", "none"],
    ...machineFlags(guest, initrd),
  ],
};

/** lapwingCommand: path of lapwing.mjs, this clone's if left out. */
export const listPeers = (lapwingCommand = path.join(kRoot, "web/cli/lapwing.mjs")) => [
  lapwing(lapwingCommand),
  v86,
  qemu,
];
