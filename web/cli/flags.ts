// The one table of flags: parsing, -help and the "not supported yet" answers all come from it.
import { LapwingError } from "../src/errors";

export interface Flag {
  name: string;
  /** The placeholder of its value; absent for a switch. */
  value?: string;
  help: string;
  group: GroupName;
  /** "yes" is the default; "later": in the interface but not built; "ignored": harmless here. */
  support?: "later" | "ignored";
  alias?: string[];
  repeatable?: boolean;
  /** Refused with this sentence: what to do instead. */
  instead?: string;
}

export const groups = {
  machine: "The machine",
  boot: "What it boots",
  console: "Console and devices",
  run: "Running",
  automate: "Automation (console text, exit statuses)",
  inspect: "Inspection",
  other: "Other",
} as const;
export type GroupName = keyof typeof groups;

type Row = [name: string, value: string | undefined, help: string, extra?: Partial<Flag>];

const noFloppy =
  "there is no floppy controller; give a raw disk image with -hda, or a CD that holds the floppy's image with -cdrom.";

const rows: Record<GroupName, Row[]> = {
  machine: [
    ["-m", "SIZE", "guest memory: 256M, 1G, or MiB without a unit (default 256M)"],
    ["-smp", "N[,...]", "number of CPUs (default 1); cores=N: CPUs of a package"],
    ["-cpu", "NAME[,+f,-f]", "CPU model; `help` lists them. hv=kvm shows a KVM signature"],
    ["-machine", "TYPE", "pc, the only one", { alias: ["-M"] }],
    ["-accel", "NAME", "jit (default, also what tcg means): generated code; interp: none"],
    ["-rtc", "base=utc|DATE", "start of the real-time clock"],
    [
      "-bios",
      "FILE",
      "firmware: a raw image of 64 KiB or a multiple (default: SeaBIOS, when there is no -kernel)",
    ],
    [
      "-boot",
      "order=LETTERS,menu=on",
      "a floppy, c disk, d CD, n network; splash-time=MS, reboot-timeout=MS, strict=on",
    ],
    ["-fw_cfg", "name=N,string=T|file=F", "a file for firmware and guest, by name", { repeatable: true }],
    ["-uuid", "UUID", "the machine's UUID"],
    ["-name", "TEXT", "a name for the machine", { support: "ignored" }],
    ["-nodefaults", undefined, "no default devices", { support: "ignored" }],
    ["-no-user-config", undefined, "no configuration files", { support: "ignored" }],
    ["-no-hpet", undefined, "no HPET", { support: "later" }],
    ["-enable-kvm", undefined, "there is no KVM here; asks for the fastest engine", { support: "ignored" }],
  ],
  boot: [
    ["-kernel", "FILE", "Linux bzImage or multiboot ELF"],
    ["-initrd", "FILE[,FILE ARGS]", "initial RAM disk, or multiboot modules"],
    ["-append", "TEXT", "the kernel's command line"],
    ["-fda", "FILE", "floppy", { instead: noFloppy }],
    ["-fdb", "FILE", "second floppy", { instead: noFloppy }],
    ["-hda", "FILE", "raw image of the first IDE disk; the guest's writes are kept in memory only"],
    ["-hdb", "FILE", "the second (primary slave)"],
    ["-hdc", "FILE", "the third (secondary master, where -cdrom is too)"],
    ["-hdd", "FILE", "the fourth (secondary slave)"],
    ["-cdrom", "FILE", "CD image (ISO)"],
    [
      "-drive",
      "file=FILE,if=ide|nvme|none,...",
      "format=raw, index=, media=disk|cdrom, id=, serial=, readonly=on; snapshot=off writes the image",
      { repeatable: true },
    ],
    ["-snapshot", undefined, "write no image, also with snapshot=off"],
  ],
  console: [
    ["-nographic", undefined, "serial port and monitor on this terminal (the default)"],
    ["-serial", "DEVICE", "stdio, mon:stdio, file:PATH, null or chardev:ID", { repeatable: true }],
    ["-chardev", "stdio|file,id=,path=", "a character device for -serial", { repeatable: true }],
    ["-display", "none", "no window"],
    ["-vnc", "none", "no VNC server"],
    ["-parallel", "none", "no parallel port"],
    ["-vga", "std|none", "graphics card: std (the default of firmware), none (with -kernel)"],
    [
      "-monitor",
      "none|stdio",
      "stdio: what is typed goes to the monitor first (Ctrl-A C changes over in any case)",
    ],
    ["-device", "NAME,...", "isa-debug-exit,iobase=,iosize=; `help` lists devices", { repeatable: true }],
    ["-debugcon", "DEVICE", "debug console at port 0xe9: stdio, file:PATH, null or chardev:ID"],
    ["-global", "isa-debugcon.iobase=PORT", "another port for -debugcon", { repeatable: true }],
    ["-nic", "none|user", "network card: none so far", { repeatable: true }],
    ["-net", "none", "network: none so far", { repeatable: true }],
    ["-netdev", "...", "network back end", { support: "later", repeatable: true }],
    ["-usb", undefined, "USB controller", { support: "later" }],
    ["-audiodev", "...", "sound back end", { support: "later" }],
    ["-k", "LAYOUT", "keyboard layout of a window", { support: "ignored" }],
  ],
  run: [
    ["-no-reboot", undefined, "end when the guest resets itself"],
    ["-no-shutdown", undefined, "stay when the guest powers off, until Ctrl-A X or the monitor's quit"],
    ["-icount", "...", "time always follows instructions here", { support: "ignored" }],
    ["-S", undefined, "start paused: the monitor's cont, or a debugger, lets it run"],
    ["-s", undefined, "-gdb tcp::1234"],
    ["-gdb", "tcp:[HOST]:PORT", "wait for GDB there (host 127.0.0.1); it reads, breaks and steps"],
    ["--clock", "virtual|realtime", "virtual: the same command gives the same run (default for automation)"],
    ["--seed", "N", "seed of RDRAND (default 0)"],
    ["--timeout", "SECONDS", "end with 124 after this wall time"],
    ["--timeout-virtual", "SECONDS", "end with 124 after this guest time"],
    ["--log-input", "FILE", "record every input with its position"],
    ["--replay", "FILE", "replay a recorded input log"],
    ["--save-snapshot", "FILE[@REGEX]", "save the machine at the end, or when REGEX appears"],
    ["--load-snapshot", "FILE", "start from a saved machine"],
  ],
  automate: [
    ["--expect", "REGEX", "end with 0 once all were seen, in order", { repeatable: true }],
    ["--fail", "REGEX", "end with 1 when it is seen", { repeatable: true }],
    ["--send", "REGEX=>TEXT", "type TEXT when REGEX appears (\\n is Enter)", { repeatable: true }],
    [
      "--screenshot",
      "FILE.png[@REGEX]",
      "save the screen at the end, or when REGEX appears on console or screen",
    ],
  ],
  inspect: [
    ["-d", "ITEM,...", "log items: int; in_asm, op, out_asm (generated code)"],
    ["-D", "FILE", "where -d writes"],
    ["--stats", "FILE.json", "instructions, times, MIPS, memory at the end"],
    ["--hash-every", "N", "print a hash of the whole state every N instructions"],
    ["--trace-irq", "FILE", "every hop of every interrupt: .json (Perfetto), .ndjson or .lwtrace"],
    ["--symbols", "FILE", "System.map or vmlinux: names of handlers and of code in traces and logs"],
    ["--patience", "SEED", "return to the host at random moments (the run must not change)"],
  ],
  other: [
    ["-version", undefined, "print the version", { alias: ["--version"] }],
    ["-help", undefined, "print this", { alias: ["-h", "--help"] }],
  ],
};

export const flags: Flag[] = (Object.keys(rows) as GroupName[]).flatMap((group) =>
  rows[group].map(([name, value, help, extra]) => ({ name, value, help, group, ...extra }) as Flag),
);

const byName = new Map(
  flags.flatMap((flag) => [flag.name, ...(flag.alias ?? [])].map((name) => [name, flag] as const)),
);

/** QEMU takes -flag and --flag alike. */
const findFlag = (name: string): Flag | undefined =>
  byName.get(name) ?? byName.get(name.replace(/^--/, "-")) ?? byName.get(name.replace(/^-(?!-)/, "--"));

export type ParsedFlags = Map<string, string[]>;

/** Turns arguments into values by flag; throws one sentence about the first that cannot be used. */
export function parseFlags(args: readonly string[]): ParsedFlags {
  const parsed: ParsedFlags = new Map();
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = splitInline(args[i]!);
    const flag = findFlag(name);
    if (!flag && !name.startsWith("-")) {
      addBareImage(parsed, name);
      continue;
    }
    if (!flag) throw unknownFlag(args[i]!);
    if (flag.instead) throw new LapwingError("not_supported", `${name}: ${flag.instead}`);
    if (flag.support === "later") throw new LapwingError("not_supported", `${name} is not supported yet.`);
    if (flag.value === undefined) {
      if (inline !== undefined) throw new LapwingError("bad_option", `${name} takes no value.`);
      if (!flag.support) parsed.set(flag.name, []);
      continue;
    }
    const value = inline ?? args[++i];
    if (value === undefined)
      throw new LapwingError("bad_option", `${name} needs a value: ${name} ${flag.value}`);
    if (flag.support) continue;
    parsed.set(flag.name, flag.repeatable ? [...(parsed.get(flag.name) ?? []), value] : [value]);
  }
  return parsed;
}

/** --flag=value, for our own flags only: QEMU has no such form. */
function splitInline(arg: string): [string, string | undefined] {
  const at = arg.startsWith("--") ? arg.indexOf("=") : -1;
  return at > 0 && findFlag(arg.slice(0, at)) ? [arg.slice(0, at), arg.slice(at + 1)] : [arg, undefined];
}

/** As in QEMU, an argument without a flag is the first disk. */
function addBareImage(parsed: ParsedFlags, path: string): void {
  const first = parsed.get("-hda");
  if (first)
    throw new LapwingError(
      "bad_option",
      `'${path}' is not a flag, and there is a first disk, '${first[0]}'.`,
    );
  parsed.set("-hda", [path]);
}

function unknownFlag(arg: string): LapwingError {
  return new LapwingError(
    "bad_option",
    `unknown flag ${arg}; the nearest is ${nearest(arg, [...byName.keys()])} (-help lists all).`,
  );
}

export function nearest(word: string, candidates: readonly string[]): string {
  const bare = (text: string) => text.replace(/^-+/, "");
  let best = candidates[0]!;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const distance = editDistance(bare(word), bare(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

export function helpText(): string {
  const lines = [
    "usage: lapwing -kernel FILE [-initrd FILE] [-append TEXT] [flags]",
    "       lapwing [-bios FILE] [flags] [IMAGE of the first disk]",
    "       lapwing compare A B -- FLAGS",
    "Flags with one dash are QEMU's.",
    "",
  ];
  for (const group of Object.keys(groups) as GroupName[]) {
    lines.push(`${groups[group]}:`);
    for (const flag of flags.filter((f) => f.group === group)) {
      const names = [flag.name, ...(flag.alias ?? [])].join(", ");
      const left = `  ${names}${flag.value ? ` ${flag.value}` : ""}`;
      const note =
        flag.support === "later" || flag.instead
          ? " (not supported yet)"
          : flag.support === "ignored"
            ? " (accepted, no effect)"
            : "";
      lines.push(`${left.padEnd(32)} ${flag.help}${note}`);
    }
    lines.push("");
  }
  lines.push(
    "Exit status: isa-debug-exit value v: (v << 1) | 1; guest power-off or all --expect seen 0; --fail seen 1;",
    "bad usage or unusable file 2; triple fault under -no-reboot 3; engine error 70; timeout 124.",
    "In the terminal: Ctrl-A X ends, Ctrl-A C monitor, Ctrl-A Ctrl-A sends Ctrl-A.",
  );
  return lines.join("\n") + "\n";
}
