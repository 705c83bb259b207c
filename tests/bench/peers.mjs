// The machines that the bench compares, each opened as a session (session.mjs) with the guest's serial console.
// All see the same kernel, initramfs, kernel command line, memory and (as far as their models allow) CPU features:
// i386 gets qemu32 (SSE3; v86 has one fixed model of about that kind), x86-64 gets qemu64. Mitigations are off
// everywhere, since they would depend on each model's vendor rather than on the emulator.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { firmwarePath } from "../../assets/guests.mjs";
import { SetupError } from "../../assets/setup/cache.mjs";
import { findProgram } from "../../assets/setup/process.mjs";
import { BrowserSession } from "./browser.mjs";
import { Session } from "./session.mjs";

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kRoot = path.resolve(kHere, "../..");
const kAppend = "console=ttyS0 mitigations=off";
const kCpu = { i386: "qemu32", amd64: "qemu64" };

const machineFlags = (guest, initrd, memory) => [
  ...["-m", String(memory), "-smp", "1", "-cpu", kCpu[guest.arch], "-nographic", "-no-reboot"],
  ...["-kernel", guest.kernel, "-initrd", initrd, "-append", kAppend],
];

function needFile(file, advice) {
  if (!fs.existsSync(file)) throw new SetupError(`${file} is missing; ${advice}`);
}

/** A peer that is a command; command(guest, initrd, memory) is its command line. */
const commandPeer = ({ command, ...peer }) => ({
  ...peer,
  open: async (guest, initrd, memory) =>
    new Session(`${peer.name} with ${guest.name}`, command(guest, initrd, memory)),
});

const lapwing = ({ command, accel }) =>
  commandPeer({
    name: "lapwing",
    architectures: ["i386", "amd64"],
    check: () => needFile(command, "run `npm run build`"),
    command: (guest, initrd, memory) => [
      ...[process.execPath, command, "--clock", "realtime"],
      ...(accel ? ["-accel", accel] : []),
      ...machineFlags(guest, initrd, memory),
    ],
  });

const v86 = commandPeer({
  name: "v86",
  architectures: ["i386"],
  check() {
    needFile(path.join(kRoot, "node_modules/v86/build/v86.wasm"), "run `npm ci`");
    for (const name of ["bios.bin", "vgabios-stdvga.bin"])
      needFile(firmwarePath(name), "run `npm run setup`");
  },
  command: (guest, initrd, memory) => [
    ...[process.execPath, path.join(kHere, "v86_guest.mjs")],
    ...[String(memory), guest.kernel, initrd, kAppend],
  ],
});

const qemu = commandPeer({
  name: "qemu",
  architectures: ["i386", "amd64"],
  check() {
    if (!findProgram("qemu-system-x86_64"))
      throw new SetupError("qemu-system-x86_64 is missing; run `npm run setup bench`");
  },
  command: (guest, initrd, memory) => [
    ...["qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-nic", "none"],
    ...machineFlags(guest, initrd, memory),
  ],
});

const findChromium = () =>
  process.env.CHROMIUM ?? ["chromium", "chromium-browser", "google-chrome"].map(findProgram).find(Boolean);

const browser = ({ dist, accel }) => ({
  name: "browser",
  architectures: ["i386", "amd64"],
  check() {
    needFile(path.join(dist, "lapwing/index.js"), "run `npm run build`");
    if (!findChromium()) throw new SetupError("chromium is missing; run `npm run setup test`");
  },
  open: (guest, initrd, memory) =>
    BrowserSession.open(`browser with ${guest.name}`, {
      ...{ dist, executablePath: findChromium(), accel, append: kAppend, cpu: kCpu[guest.arch] },
      ...{ kernel: guest.kernel, initrd, memory: `${memory}M` },
    }),
});

/** command: path of lapwing.mjs; dist: folder of the page; accel: of Lapwing, undefined is its default. */
export const listPeers = ({ command, dist, accel }) => [
  lapwing({ command: command ?? path.join(kRoot, "web/cli/lapwing.mjs"), accel }),
  browser({ dist: dist ?? path.join(kRoot, "dist"), accel }),
  v86,
  qemu,
];
