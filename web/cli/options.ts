// From parsed flags to what a run needs; every mistake is one sentence.
import { LapwingError } from "../src/errors";
import { defaultMemory, parseMemory } from "../src/memory_size";
import type { MachineConfig } from "../src/engine/engine";
import { drivesFrom, type CliDrive } from "./drives";
import type { ParsedFlags } from "./flags";
import { parseGdbAddress, type GdbAddress } from "./gdb";

export type SerialTarget = { kind: "stdio" } | { kind: "null" } | { kind: "file"; path: string };

export interface Send {
  pattern: RegExp;
  bytes: Uint8Array;
}

export interface FileAtRegex {
  path: string;
  pattern?: RegExp;
}

export interface LogOptions {
  /** stderr when absent. */
  path?: string;
  interrupts: boolean;
  /** What to show of the translator's regions: bits of its option `list`. */
  listing: number;
}

export interface Options {
  config: MachineConfig;
  kernel?: string;
  /** Firmware; without one and without a kernel it is SeaBIOS. */
  bios?: string;
  fwCfgFiles: { name: string; path: string }[];
  initrds: { path: string; args: string }[];
  drives: CliDrive[];
  serial: SerialTarget[];
  /** Where the bytes of each debug console go. */
  debugConsoles: (SerialTarget | undefined)[];
  clock: "virtual" | "realtime";
  expect: RegExp[];
  fail: RegExp[];
  send: Send[];
  timeoutNs: number;
  timeoutVirtualNs: number;
  stats?: string;
  hashEvery: number;
  logInput?: string;
  replay?: string;
  saveSnapshot?: FileAtRegex;
  screenshot?: FileAtRegex;
  loadSnapshot?: string;
  traceIrq?: string;
  symbols?: string;
  log?: LogOptions;
  patience?: number;
  startPaused: boolean;
  noShutdown: boolean;
  /** Where a debugger may connect. */
  gdb?: GdbAddress;
  /** What is typed goes to the monitor until Ctrl-A C. */
  monitorFirst: boolean;
}

const second = 1e9;
const bad = (message: string): LapwingError => new LapwingError("bad_option", message);
const later = (what: string): LapwingError =>
  new LapwingError("not_supported", `${what} is not supported yet.`);

/** The engine knows these models and devices, and explains mistakes itself; here they are listed for `help`. */
export const cpuModels = [
  "max",
  "base",
  "qemu64",
  "qemu32",
  "kvm64",
  "kvm32",
  "Skylake-Client",
  "Haswell",
  "IvyBridge",
  "Westmere",
  "Nehalem",
  "Conroe",
  "core2duo",
  "EPYC",
  "Opteron_G1",
  "pentium3",
  "pentium",
  "486",
] as const;
export const devices: Record<string, string> = {
  "isa-debug-exit": "iobase=PORT (0x501), iosize=BYTES (2): a write of v ends with status (v << 1) | 1",
  "isa-debugcon": "iobase=PORT (0xe9)",
  "pc-testdev": "test ports of QEMU's PC",
  "pci-testdev": "PCI function that counts accesses to its BARs",
  nvme: "drive=ID, serial=TEXT, id=NAME, addr=SLOT, bootindex=N: an NVMe controller with that -drive if=none",
  "nvme-ns": "drive=ID, bus=NAME, nsid=N: another namespace of an NVMe controller",
  "ide-hd": "drive=ID, bus=ide.0|ide.1, unit=0|1, bootindex=N",
  "ide-cd": "drive=ID, bus=ide.0|ide.1, unit=0|1, bootindex=N",
};
const laterDevices = /^(virtio-|scsi-|usb-|e1000|rtl8139|ne2k|VGA|vga|AC97|intel-)/;

export function optionsFrom(flags: ParsedFlags, inputIsInteractive: boolean): Options {
  const one = (name: string): string | undefined => flags.get(name)?.at(-1);
  const all = (name: string): string[] => flags.get(name) ?? [];
  checkFixedChoices(flags);
  const automated = ["--expect", "--fail", "--send", "--timeout-virtual", "--replay"].some((name) =>
    flags.has(name),
  );
  const clock = one("--clock") ?? (automated || !inputIsInteractive ? "virtual" : "realtime");
  if (clock !== "virtual" && clock !== "realtime")
    throw bad(`--clock is virtual or realtime, not '${clock}'.`);
  const expect = all("--expect").map((text) => regex("--expect", text));
  const options: Options = {
    config: machineConfig(flags, clock),
    kernel: one("-kernel"),
    bios: one("-bios"),
    fwCfgFiles: all("-fw_cfg").flatMap((text) => fwCfgFile(text) ?? []),
    initrds: initrds(one("-initrd")),
    drives: drivesFrom(flags),
    serial: serialTargets(all("-serial"), all("-chardev")),
    debugConsoles: debugConsoles(flags),
    clock,
    expect,
    fail: all("--fail").map((text) => regex("--fail", text)),
    send: all("--send").map(parseSend),
    timeoutNs: seconds("--timeout", one("--timeout")),
    timeoutVirtualNs: seconds("--timeout-virtual", one("--timeout-virtual")),
    stats: one("--stats"),
    hashEvery: flags.has("--hash-every") ? positiveInteger("--hash-every", one("--hash-every")!) : Infinity,
    logInput: one("--log-input"),
    replay: one("--replay"),
    saveSnapshot: fileAtRegex("--save-snapshot", one("--save-snapshot")),
    loadSnapshot: one("--load-snapshot"),
    screenshot: screenshotFile(flags),
    traceIrq: traceFile(one("--trace-irq")),
    symbols: one("--symbols"),
    log: logItems(one("-d"), one("-D")),
    startPaused: flags.has("-S"),
    noShutdown: flags.has("-no-shutdown"),
    gdb: gdbAddress(flags),
    monitorFirst: one("-monitor") === "stdio",
    patience: flags.has("--patience") ? positiveInteger("--patience", one("--patience")!) : undefined,
  };
  if (options.kernel && options.bios)
    throw bad("-kernel and -bios exclude each other: -kernel starts the kernel without firmware.");
  if (options.replay && options.logInput) throw bad("--replay and --log-input exclude each other.");
  return options;
}

function gdbAddress(flags: ParsedFlags): GdbAddress | undefined {
  const text = flags.get("-gdb")?.at(-1) ?? (flags.has("-s") ? "tcp::1234" : undefined);
  return text === undefined ? undefined : parseGdbAddress(text);
}

/** Firmware wants a screen; a kernel that is started directly talks to the serial port; a snapshot tells itself. */
function hasScreen(flags: ParsedFlags): boolean {
  const chosen = flags.get("-vga")?.at(-1);
  if (chosen) return chosen === "std";
  const hasFirmware = flags.has("-bios") || !(flags.has("-kernel") || flags.has("--load-snapshot"));
  return hasFirmware || flags.has("--screenshot");
}

function screenshotFile(flags: ParsedFlags): FileAtRegex | undefined {
  const file = fileAtRegex("--screenshot", flags.get("--screenshot")?.at(-1));
  if (!file) return undefined;
  if (!file.path.endsWith(".png")) throw bad(`--screenshot ${file.path}: the name must end in .png.`);
  if (!hasScreen(flags)) throw bad("--screenshot needs a screen, and -vga none leaves it out.");
  return file;
}

function machineConfig(flags: ParsedFlags, clock: "virtual" | "realtime"): MachineConfig {
  const one = (name: string): string | undefined => flags.get(name)?.at(-1);
  const memory = one("-m");
  const config: MachineConfig = {
    memory: memory === undefined ? defaultMemory : parseMemory(memory.split(",")[0]!.replace(/^size=/, "")),
    append: one("-append"),
    clock,
  };
  const accel = one("-accel");
  // tcg, QEMU's name for its translator, and nothing mean ours.
  if (accel && !accel.startsWith("tcg")) config.accel = accel;
  const listing = logItems(one("-d"), undefined)?.listing;
  if (listing) {
    if (config.accel === "interp")
      throw bad("-d in_asm, op and out_asm show generated code: take -accel jit.");
    config.accel = `${config.accel ?? "jit"},list=${listing}`;
  }
  if (flags.has("-smp")) Object.assign(config, topology(one("-smp")!));
  if (flags.has("-cpu")) config.cpu = one("-cpu")!.replace(/^host(?=,|$)/, "max");
  if (flags.has("--seed")) config.seed = naturalInteger("--seed", one("--seed")!);
  if (flags.has("-rtc")) config.rtc = rtcStart(one("-rtc")!, clock);
  else if (clock === "realtime") config.rtc = Math.floor(Date.now() / 1000);
  if (flags.has("-no-reboot")) config.noReboot = true;
  if (hasScreen(flags)) config.vga = "std";
  else if (one("-vga")) config.vga = "none";
  if (flags.has("-boot")) config.boot = one("-boot");
  if (flags.has("-uuid")) config.uuid = one("-uuid");
  const fwCfg = (flags.get("-fw_cfg") ?? []).filter((text) => !fwCfgFile(text));
  if (fwCfg.length > 0) config.fwCfg = fwCfg;
  const wanted = [...(flags.get("-device") ?? [])];
  if (flags.has("-debugcon")) wanted.push(`isa-debugcon,iobase=${debugPort(flags.get("-global") ?? [])}`);
  for (const device of wanted) if (laterDevices.test(device)) throw later(`-device ${device.split(",")[0]}`);
  if (wanted.length > 0) config.devices = wanted;
  return config;
}

function checkFixedChoices(flags: ParsedFlags): void {
  const choices: Record<string, { yes: RegExp; later?: RegExp; words: string }> = {
    // Properties alone leave the type as it is.
    "-machine": {
      yes: /^((type=)?(pc|pc-i440fx-[\w.]+)|(accel|kernel[-_]irqchip|usb|vmport|smm|hpet|graphics)=[^,]*)(,.*)?$/,
      later: /q35|microvm/,
      words: "pc",
    },
    "-vnc": { yes: /^none$/, later: /./, words: "none" },
    "-parallel": { yes: /^(none|null)$/, later: /./, words: "none" },
    "-accel": { yes: /^((tcg|jit)(,.*)?|interp)$/, words: "jit, interp, tcg" },
    "-display": { yes: /^none$/, later: /./, words: "none" },
    "-vga": { yes: /^(std|none)$/, later: /^(cirrus|virtio|qxl|vmware)$/, words: "std, none" },
    "-monitor": { yes: /^(none|stdio|null)$/, later: /^(tcp|unix|telnet|vc|pty)/, words: "none, stdio" },
    "-nic": { yes: /^none$/, later: /./, words: "none" },
    "-net": { yes: /^none$/, later: /./, words: "none" },
  };
  for (const [name, { yes, later: notYet, words }] of Object.entries(choices)) {
    for (const value of flags.get(name) ?? []) {
      if (yes.test(value)) continue;
      if (notYet?.test(value)) throw later(`${name} ${value}`);
      throw bad(`${name} ${value}: there is only ${words}.`);
    }
  }
}

/** Each CPU is a package of its own unless cores, threads or sockets say otherwise. */
function topology(text: string): { cpus: number; cores?: number } {
  const parts = text.split(",").map((part, i) => (i === 0 && !part.includes("=") ? `cpus=${part}` : part));
  const given = new Map(parts.map((part) => part.split("=", 2) as [string, string]));
  const count = (name: string) =>
    given.has(name) ? positiveInteger(`-smp ${name}`, given.get(name) ?? "") : undefined;
  const known = ["cpus", "sockets", "dies", "cores", "threads", "maxcpus"];
  for (const name of given.keys())
    if (!known.includes(name)) throw bad(`-smp ${text}: there is no '${name}', only ${known.join(", ")}.`);
  const sockets = count("sockets");
  const inside = ["dies", "cores", "threads"].map(count).filter((n) => n !== undefined);
  const product = inside.length > 0 ? inside.reduce((a, b) => a * b) : undefined;
  const cpus = count("cpus") ?? (sockets ?? 1) * (product ?? 1);
  if (cpus > 8) throw bad(`-smp ${cpus}: at most 8 CPUs.`);
  const cores = product ?? (sockets === undefined ? undefined : Math.ceil(cpus / sockets));
  if (cores === undefined || cores <= 1) return { cpus };
  if (cpus % cores !== 0) throw bad(`-smp ${text}: ${cpus} CPUs do not make packages of ${cores}.`);
  return { cpus, cores };
}

function rtcStart(text: string, clock: "virtual" | "realtime"): number | undefined {
  const base = /(?:^|,)base=([^,]+)/.exec(text)?.[1];
  if (base === undefined) return undefined;
  if (base === "utc" || base === "localtime") {
    if (clock === "virtual") return undefined;
    const now = Math.floor(Date.now() / 1000);
    return base === "utc" ? now : now - 60 * new Date().getTimezoneOffset();
  }
  const time = Date.parse(/[TZ ]/.test(base) ? `${base.replace(/Z?$/, "")}Z` : base);
  if (Number.isNaN(time)) throw bad(`-rtc base=${base}: give utc or a date such as 2024-02-29T12:00:00.`);
  return Math.floor(time / 1000);
}

/** name=NAME,file=PATH; undefined for an entry whose text is given. */
function fwCfgFile(text: string): { name: string; path: string } | undefined {
  const path = /(?:^|,)file=(.*)$/.exec(text)?.[1];
  if (path === undefined) return undefined;
  const name = /^(?:name=)?([^,]*),file=/.exec(text)?.[1];
  if (!name || !path) throw bad(`-fw_cfg ${text}: write it as name=NAME,file=PATH.`);
  return { name, path: path.replaceAll(",,", ",") };
}

function initrds(text: string | undefined): Options["initrds"] {
  if (!text) return [];
  return text.split(/,(?!,)/).map((part) => {
    const [path, ...args] = part.trim().split(" ");
    return { path: path!, args: args.join(" ") };
  });
}

function serialTargets(serials: string[], chardevs: string[]): SerialTarget[] {
  const named = new Map(chardevs.map(parseChardev));
  const targets = serials.map((text): SerialTarget => {
    if (text === "stdio" || text === "mon:stdio") return { kind: "stdio" };
    if (text === "null" || text === "none") return { kind: "null" };
    if (text.startsWith("file:") && text.length > 5) return { kind: "file", path: text.slice(5) };
    if (text.startsWith("chardev:")) {
      const target = named.get(text.slice(8));
      if (!target) throw bad(`-serial ${text}: there is no -chardev with id=${text.slice(8)}.`);
      return target;
    }
    if (/^(tcp|udp|unix|telnet|pty|pipe|vc|msmouse)/.test(text)) throw later(`-serial ${text}`);
    throw bad(`-serial ${text}: give stdio, mon:stdio, file:PATH, null or chardev:ID.`);
  });
  return targets.length > 0 ? targets : [{ kind: "stdio" }];
}

/** The chardev of each -device isa-debugcon, then the target of -debugcon: the order in which the machine has them. */
function debugConsoles(flags: ParsedFlags): Options["debugConsoles"] {
  const chardevs = flags.get("-chardev") ?? [];
  const devices = (flags.get("-device") ?? []).filter((name) => name.startsWith("isa-debugcon"));
  const targets = devices.map((device) => {
    const id = /,chardev=([^,]+)/.exec(device)?.[1];
    return id ? serialTargets([`chardev:${id}`], chardevs)[0] : undefined;
  });
  const text = flags.get("-debugcon")?.at(-1);
  if (text !== undefined) targets.push(serialTargets([text], chardevs)[0]);
  return targets;
}

function debugPort(globals: string[]): string {
  let port = "0xe9";
  for (const text of globals) {
    const value = /^isa-debugcon\.iobase=(.+)$/.exec(text)?.[1];
    if (value === undefined) throw later(`-global ${text}`);
    port = value;
  }
  return port;
}

function parseChardev(text: string): [string, SerialTarget] {
  const [kind, ...rest] = text.split(",");
  const properties = new Map(rest.map((part) => part.split("=", 2) as [string, string]));
  const id = properties.get("id");
  if (!id) throw bad(`-chardev ${text}: it needs id=NAME.`);
  if (kind === "stdio") return [id, { kind: "stdio" }];
  if (kind === "null") return [id, { kind: "null" }];
  if (kind !== "file") throw later(`-chardev ${kind}`);
  const path = properties.get("path");
  if (!path) throw bad(`-chardev ${text}: it needs path=FILE.`);
  return [id, { kind: "file", path }];
}

function regex(flag: string, text: string): RegExp {
  try {
    return new RegExp(text, "m");
  } catch {
    throw bad(`${flag} '${text}' is not a regular expression.`);
  }
}

const escapes: Record<string, string> = { n: "\r", r: "\r", t: "\t", e: "\x1b", "\\": "\\" };

function parseSend(text: string): Send {
  const at = text.indexOf("=>");
  if (at < 0) throw bad(`--send '${text}': write it as 'REGEX=>TEXT'.`);
  const typed = text
    .slice(at + 2)
    .replace(/\n/g, "\r")
    .replace(/\\x([0-9a-f]{2})|\\([nrte\\])/gi, (_, hex?: string, letter?: string) =>
      hex ? String.fromCharCode(parseInt(hex, 16)) : escapes[letter!.toLowerCase()]!,
    );
  return { pattern: regex("--send", text.slice(0, at)), bytes: new TextEncoder().encode(typed) };
}

function fileAtRegex(flag: string, text: string | undefined): FileAtRegex | undefined {
  if (text === undefined) return undefined;
  const at = text.indexOf("@");
  if (at < 0) return { path: text };
  return { path: text.slice(0, at), pattern: regex(flag, text.slice(at + 1)) };
}

function traceFile(path: string | undefined): string | undefined {
  if (path === undefined || /\.(json|ndjson|lwtrace)$/.test(path)) return path;
  throw bad(`--trace-irq ${path}: the name must end in .json, .ndjson or .lwtrace.`);
}

/** The parts of the translator's listing, by the names that QEMU gives them. */
const listingParts: Record<string, number> = { in_asm: 1, op: 2, out_asm: 4 };

function logItems(items: string | undefined, path: string | undefined): LogOptions | undefined {
  if (items === undefined) return undefined;
  if (items === "help") throw bad("-d knows int, in_asm, op and out_asm.");
  const wanted = items.split(",");
  for (const item of wanted) if (item !== "int" && !listingParts[item]) throw later(`-d ${item}`);
  const listing = wanted.reduce((sum, item) => sum | (listingParts[item] ?? 0), 0);
  return { path, interrupts: wanted.includes("int"), listing };
}

function seconds(flag: string, text: string | undefined): number {
  if (text === undefined) return Infinity;
  const value = Number(text.replace(/s$/, ""));
  if (!(value > 0)) throw bad(`${flag} ${text}: give a number of seconds above 0.`);
  return value * second;
}

function naturalInteger(flag: string, text: string): number {
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(text)) throw bad(`${flag} ${text}: give a whole number.`);
  return Number(text);
}

function positiveInteger(flag: string, text: string): number {
  const value = naturalInteger(flag, text);
  if (value < 1) throw bad(`${flag} ${text}: give a whole number above 0.`);
  return value;
}
