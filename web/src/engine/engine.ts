import { LapwingError } from "../errors";
import { DoorInput, doorScreen, doorStatus, DoorStop } from "./door";
import type { Instance } from "./instantiate";

/** What the engine builds its machine from; every key is optional but `memory`. */
export interface MachineConfig {
  /** Guest RAM in bytes. */
  memory: number;
  cpus?: number;
  /** CPUs of one package, as CPUID shows them. */
  cores?: number;
  /** A model name with +feature,-feature behind it. */
  cpu?: string;
  /** "jit" (default) with options behind commas, or "interp". */
  accel?: string;
  seed?: number;
  /** Start of the real-time clock, in seconds since 1970 UTC. */
  rtc?: number;
  clock?: "virtual" | "realtime";
  noReboot?: boolean;
  /** The kernel's command line. */
  append?: string;
  /** `-device` strings, such as `isa-debug-exit,iobase=0x501,iosize=2`. */
  devices?: readonly string[];
  /** As `-boot`: "order=dc,menu=on". */
  boot?: string;
  /** "std": a VGA; "none" (default): no screen. */
  vga?: "std" | "none";
  uuid?: string;
  /** `-fw_cfg` strings: "name=opt/x,string=text". */
  fwCfg?: readonly string[];
  /** The `drive=` lines of the disks (DiskSet.configLines). */
  drives?: readonly string[];
}

export type FileKind = "kernel" | "initrd" | "bios" | "vgabios" | "fw_cfg" | "symbols";

export interface MouseInput {
  dx: number;
  dy: number;
  wheel: number;
  buttons: number;
}

export interface Picture {
  width: number;
  height: number;
  /** Of text; 0 in graphics modes. */
  columns: number;
  rows: number;
  /** Pixels are square; else the picture fills a 4:3 tube. */
  isSquare: boolean;
  bands: { y: number; height: number }[];
  /** A copy of some lines as RGBA bytes. */
  lines(y: number, height: number): Uint8Array;
}

const traceRecordBytes = 48;
/** Behind the four UARTs. */
const debugPort = 4;

/** One machine in one wasm instance: the door with JavaScript's types. Knows no host time. */
export class Engine {
  readonly #door;
  readonly #memory;
  readonly #disks;
  #statusAt = 0;

  constructor(instance: Instance) {
    this.#door = instance.door;
    this.#memory = instance.memory;
    this.#disks = instance.disks;
  }

  create(config: MachineConfig): void {
    this.createFromText(configText(config));
  }

  /** Takes the `key=value` lines themselves, such as those of a recorded run. */
  createFromText(text: string): void {
    this.#check(
      this.#withBytes(utf8(text), (at, size) => this.#door.lw_create(at, size)),
      "bad_option",
    );
    this.#statusAt = this.#door.lw_status() >>> 0;
  }

  load(kind: FileKind, data: Uint8Array, args = ""): void {
    const name = utf8(args ? `${kind} ${args}` : kind);
    const result = this.#withBytes(name, (nameAt, nameSize) =>
      this.#withBytes(data, (at, size) => this.#door.lw_load(nameAt, nameSize, at, size)),
    );
    this.#check(result, "bad_file");
  }

  boot(): void {
    this.#check(this.#door.lw_boot(), "bad_file");
  }

  run(maxInstructions: number, haltLimitNs: number): DoorStop {
    return this.#door.lw_run(maxInstructions, haltLimitNs) as DoorStop;
  }

  get instructions(): number {
    return this.#u64(doorStatus.instructions);
  }
  get ns(): number {
    return this.#u64(doorStatus.ns);
  }
  /** Infinity when no timer is armed. */
  get nextDeadlineNs(): number {
    return this.#u64(doorStatus.nextDeadlineNs);
  }
  get haltedNs(): number {
    return this.#u64(doorStatus.haltedNs);
  }
  get exitStatus(): number {
    return this.#u32(doorStatus.exitStatus);
  }
  get keyboardLeds(): number {
    return this.#u32(doorStatus.keyboardLeds);
  }
  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  setRate(nsPerInstruction: number): void {
    this.#door.lw_set_rate(nsPerInstruction);
  }
  advance(ns: number): void {
    this.#door.lw_advance(ns);
  }

  /** The bytes that a UART has sent since the last call. */
  serialOutput(port: number): Uint8Array {
    const pending = this.#u32(doorStatus.serialPending + 4 * port);
    if (pending === 0) return new Uint8Array();
    return this.#withRoom(pending, (at) => {
      const count = this.#door.lw_serial_read(port, at, pending);
      return this.#copy(at, count);
    });
  }

  /** The bytes that a debug console, by its place among them, has sent since the last call. */
  debugOutput(console = 0): Uint8Array {
    const most = 4096;
    const parts: Uint8Array[] = [];
    do {
      parts.push(
        this.#withRoom(most, (at) =>
          this.#copy(at, this.#door.lw_serial_read(debugPort + console, at, most)),
        ),
      );
    } while (parts.at(-1)!.length === most);
    return parts.length === 1 ? parts[0]! : new Uint8Array(parts.flatMap((part) => [...part]));
  }

  serialInput(port: number, bytes: Uint8Array): void {
    this.#check(
      this.#withBytes(bytes, (at, size) => this.#door.lw_input(DoorInput.Serial, port, 0, at, size)),
      "bad_option",
    );
  }
  key(code: number, isPressed: boolean): void {
    this.#door.lw_input(DoorInput.Key, code, isPressed ? 1 : 0, 0, 0);
  }
  /** Motion to the right and upwards, wheel steps towards the user, and the buttons held (bit 0 left, 1 right, 2 middle). */
  mouse({ dx, dy, wheel, buttons }: MouseInput): void {
    const motion = (dx & 0xffff) | (dy << 16);
    this.#door.lw_input(DoorInput.Mouse, motion >>> 0, (buttons & 0xff) | ((wheel & 0xff) << 8), 0, 0);
  }

  /** The picture, of which `bands` changed since the last call; undefined: there is no screen. */
  screen(timeNs: number): Picture | undefined {
    const at = this.#door.lw_screen(timeNs) >>> 0;
    if (at === 0) return undefined;
    const view = new DataView(this.#memory.buffer);
    const field = (offset: number) => view.getUint32(at + offset, true);
    const bandsAt = field(doorScreen.bands);
    const bands = Array.from({ length: field(doorScreen.bandCount) }, (_, i) => ({
      y: view.getUint32(bandsAt + 8 * i, true),
      height: view.getUint32(bandsAt + 8 * i + 4, true),
    }));
    const width = field(doorScreen.width);
    const pixelsAt = field(doorScreen.pixels);
    return {
      width,
      height: field(doorScreen.height),
      columns: field(doorScreen.columns),
      rows: field(doorScreen.rows),
      isSquare: field(doorScreen.square) !== 0,
      bands,
      lines: (y, height) => this.#copy(pixelsAt + 4 * width * y, 4 * width * height),
    };
  }
  /** The text of a text mode, a line per row; empty in graphics modes. */
  screenText(): string {
    return this.query("screen");
  }

  /** Opens the tray of a CD-ROM drive, or exchanges its disc; both by ids of drives. */
  changeDisc(drive: string, disc?: string): void {
    const text = utf8(disc === undefined ? drive : `${drive} ${disc}`);
    this.#check(
      this.#withBytes(text, (at, size) => this.#door.lw_input(DoorInput.Disc, 0, 0, at, size)),
      "bad_option",
    );
  }
  powerButton(): void {
    this.#door.lw_input(DoorInput.PowerButton, 0, 0, 0, 0);
  }
  reset(): void {
    this.#door.lw_input(DoorInput.Reset, 0, 0, 0, 0);
  }

  /** Answers a question such as "info pic"; throws when the engine does not understand it. */
  query(question: string): string {
    this.#check(
      this.#withBytes(utf8(question), (at, size) => this.#door.lw_query(at, size)),
      "bad_option",
    );
    return new TextDecoder().decode(this.#textBytes());
  }

  /** Resolves when the host has the bytes for which a run returned MissingData. */
  disksSettled(): Promise<void> {
    return this.#disks.settled();
  }

  disposeDisks(): void {
    this.#disks.dispose();
  }

  hash(): string {
    return this.query("hash").trim();
  }

  readMemory(address: number, size: number, isVirtual: boolean): Uint8Array {
    return this.#withRoom(size, (at) => {
      this.#check(this.#door.lw_read_memory(isVirtual ? 1 : 0, address, at, size), "bad_option");
      return this.#copy(at, size);
    });
  }

  saveSnapshot(): Uint8Array {
    this.#check(this.#door.lw_snapshot_save(), "engine");
    const bytes = this.#textBytes().slice();
    this.#door.lw_snapshot_done();
    return this.#disks.attachOverlays(bytes);
  }
  loadSnapshot(bytes: Uint8Array): void {
    const { snapshot, apply } = this.#disks.detachOverlays(bytes);
    this.#check(
      this.#withBytes(snapshot, (at, size) => this.#door.lw_snapshot_load(at, size)),
      "bad_file",
    );
    apply();
  }

  /** Starts recording interrupt events; 0 records ends it. */
  startTrace(records: number, overwrite: boolean): void {
    this.#door.lw_trace_start(records, overwrite ? 1 : 0);
  }
  /** Takes the oldest records, 48 bytes each. */
  takeTrace(maxRecords: number): Uint8Array {
    return this.#withRoom(maxRecords * traceRecordBytes, (at) => {
      const count = this.#door.lw_trace_read(at, maxRecords);
      return this.#copy(at, count * traceRecordBytes);
    });
  }

  recordInputs(): void {
    this.#check(this.#door.lw_log_start(0, 0, 0), "engine");
  }
  replayInputs(log: Uint8Array): void {
    this.#check(
      this.#withBytes(log, (at, size) => this.#door.lw_log_start(1, at, size)),
      "bad_file",
    );
  }
  takeInputLog(): Uint8Array {
    this.#check(this.#door.lw_log_take(), "engine");
    return this.#textBytes().slice();
  }

  #u32(offset: number): number {
    return new DataView(this.#memory.buffer).getUint32(this.#statusAt + offset, true);
  }
  #u64(offset: number): number {
    const low = this.#u32(offset);
    const high = this.#u32(offset + 4);
    return high === 0xffffffff && low === 0xffffffff ? Infinity : high * 2 ** 32 + low;
  }

  #copy(at: number, size: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at, size).slice();
  }
  /** The engine's last answer, valid until its next call. */
  #textBytes(): Uint8Array {
    const block = new DataView(this.#memory.buffer, this.#door.lw_text() >>> 0, 8);
    return new Uint8Array(this.#memory.buffer, block.getUint32(0, true), block.getUint32(4, true));
  }

  #withRoom<T>(size: number, use: (at: number) => T): T {
    // Addresses above 2 GiB come as negative numbers.
    const at = this.#door.lw_alloc(Math.max(size, 1)) >>> 0;
    if (at === 0) {
      const mebibytes = (size / 2 ** 20).toFixed(1);
      throw new LapwingError("bad_file", `The engine has no room for a file of ${mebibytes} MiB.`);
    }
    try {
      return use(at);
    } finally {
      this.#door.lw_free(at);
    }
  }
  #withBytes<T>(bytes: Uint8Array, use: (at: number, size: number) => T): T {
    return this.#withRoom(bytes.length, (at) => {
      new Uint8Array(this.#memory.buffer).set(bytes, at);
      return use(at, bytes.length);
    });
  }

  #check(result: number, code: "bad_file" | "bad_option" | "engine"): void {
    if (result === 0) return;
    const text = oneLine(new TextDecoder().decode(this.#textBytes().subarray(0, longestError)));
    throw new LapwingError(code, text || "The engine refused without saying why.");
  }
}

const longestError = 1000;

/** What an error quotes from a damaged file must not reach a terminal as it is. */
const oneLine = (text: string): string => text.trim().replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export function configText(config: MachineConfig): string {
  const lines = [`memory=${config.memory}`];
  const add = (key: string, value: string | number | undefined) => {
    if (value === undefined) return;
    if (String(value).includes("\n"))
      throw new LapwingError("bad_option", `${key} may not contain a line break.`);
    lines.push(`${key}=${value}`);
  };
  add("cpus", config.cpus);
  add("cores", config.cores);
  add("cpu", config.cpu);
  add("accel", config.accel ?? "jit");
  add("seed", config.seed);
  add("rtc", config.rtc);
  add("clock", config.clock);
  add("no_reboot", config.noReboot ? 1 : undefined);
  add("cmdline", config.append);
  for (const drive of config.drives ?? []) add("drive", drive);
  for (const device of config.devices ?? []) add("device", device);
  add("vga", config.vga);
  add("boot", config.boot);
  add("uuid", config.uuid);
  for (const entry of config.fwCfg ?? []) add("fw_cfg", entry);
  return lines.join("\n") + "\n";
}
