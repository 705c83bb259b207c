// The public API. Everything else in this package may change without notice.
import { LapwingError } from "./errors";
import { diskRequests, type DiskInputs } from "./disk_options";
import { workerClient, type Client } from "./engine/client";
import type { MachineConfig } from "./engine/engine";
import type { RunPosition } from "./engine/history";
import type { BootFile, EndReason, FileSource, SessionEvent, Statistics } from "./engine/protocol";
import { PlainText } from "./io/plain_text";
import { framePng } from "./io/png";
import { strokesFor } from "./io/typed_keys";
import { Irq } from "./interrupts/irq";
import { scanCode } from "./io/scan_codes";
import { defaultMemory, parseMemory } from "./memory_size";

export { LapwingError, type ErrorCode } from "./errors";
export type { RunPosition } from "./engine/history";
export type { EndReason, Statistics } from "./engine/protocol";
export type { DiskInputs, DiskOptions } from "./disk_options";
export { Irq, type Interrupt, type JourneyFilter, type TraceFormat } from "./interrupts/irq";
export type { Explanation, HopCounts, InterruptState, Question } from "./interrupts/model";

/** A path (Node), a URL, or the bytes themselves. */
export type Input = string | URL | Uint8Array | ArrayBuffer | Blob;

export interface BootOptions extends DiskInputs<Input> {
  /** A kernel to start directly; without one the firmware boots. */
  kernel?: Input;
  initrd?: Input;
  /** The firmware, a raw image of 64 KiB or a multiple; SeaBIOS when not given. */
  bios?: Input;
  /** As `-boot`: "order=dc,menu=on". */
  boot?: string;
  /** Files that firmware and guest find in fw_cfg, by name. */
  fwCfg?: Record<string, string | Uint8Array>;
  uuid?: string;
  append?: string;
  /** "256M", or bytes. */
  memory?: string | number;
  cpus?: number;
  cpu?: string;
  /** "std" (default when firmware boots): a VGA; "none" (default with a kernel): no screen. */
  vga?: "std" | "none";
  /** "jit" (default): hot guest code becomes WebAssembly; "interp": it is interpreted. */
  accel?: "interp" | "jit";
  /** Seeds what the guest may see as random. */
  seed?: number;
  /** virtual (default): the same run every time; realtime: guest seconds are wall seconds. */
  clock?: "virtual" | "realtime";
  noReboot?: boolean;
  devices?: readonly string[];
  /** Start paused at the first instruction. */
  paused?: boolean;
  /** Where the engine is, if not beside this script. */
  engineUrl?: string | URL;
}

export interface Exit {
  reason: EndReason;
  /** As the command line's: 0 after power-off, 3 after a triple fault, else what isa-debug-exit gave. */
  status: number;
}

export interface PCEvents {
  serial: (text: string) => void;
  exit: (exit: Exit) => void;
  error: (error: LapwingError) => void;
  progress: (progress: Extract<SessionEvent, { event: "progress" }>) => void;
  /** Pieces of a disk image come; while `isWaiting` the guest stands still for them. */
  disk: (progress: Extract<SessionEvent, { event: "disk" }>) => void;
  /** An image could not be read or written; the guest saw an error of its disk and goes on. */
  diskError: (error: LapwingError) => void;
}

const isNode =
  typeof process === "object" && typeof process.versions?.node === "string" && typeof window === "undefined";
const ownFile = (name: string): string => new URL(name, import.meta.url).href;
const tripleFaultStatus = 3;
const mostKept = 1 << 20;
/** Between the bytes of typed keys, so that the keyboard's small buffer never overflows. */
const keyStrokeNs = 2e6;

/** A machine. `await using vm = await PC.boot({ kernel, initrd, append: "console=ttyS0" })`. */
export class PC {
  readonly serial: Serial;
  readonly keyboard: Keyboard;
  readonly mouse: Mouse;
  readonly screen: Screen;
  readonly irq: Irq;
  readonly #client: Client;
  readonly #listeners: { [K in keyof PCEvents]: Set<PCEvents[K]> } = {
    serial: new Set(),
    exit: new Set(),
    error: new Set(),
    progress: new Set(),
    disk: new Set(),
    diskError: new Set(),
  };
  #end: LapwingError | undefined;

  private constructor(client: Client) {
    this.#client = client;
    this.serial = new Serial(client, () => this.#end);
    this.keyboard = new Keyboard(client);
    this.mouse = new Mouse(client);
    this.screen = new Screen(client);
    this.irq = new Irq(client, () => this.#end);
  }

  static async boot(options: BootOptions): Promise<PC> {
    let pc: PC | undefined;
    const early: SessionEvent[] = [];
    const onEvent = (event: SessionEvent): void => {
      if (pc) pc.#take(event);
      else early.push(event);
    };
    const client = await makeClient(onEvent);
    pc = new PC(client);
    for (const event of early) pc.#take(event);
    try {
      await client.request("boot", {
        wasm: await toSource(options.engineUrl ?? ownFile("lapwing.wasm")),
        config: configFrom(options),
        files: await bootFiles(options),
        disks: await diskRequests(options, toDiskSource),
        clock: options.clock ?? "virtual",
        paused: options.paused,
      });
    } catch (error) {
      client.dispose();
      throw error;
    }
    return pc;
  }

  run(): Promise<void> {
    return this.#client.request("run", undefined);
  }
  pause(): Promise<void> {
    return this.#client.request("pause", undefined);
  }
  reset(): Promise<void> {
    return this.#client.request("reset", undefined);
  }
  /** Presses the power button; a guest with ACPI shuts down. */
  powerButton(): Promise<void> {
    return this.#client.request("powerButton", undefined);
  }
  /**
   * Opens the tray of a CD-ROM drive, or exchanges its disc for that of a drive with interface "none". Fails when the
   * guest has locked the tray; it is told then.
   */
  changeDisc(drive: string, disc?: string): Promise<void> {
    return this.#client.request("changeDisc", { drive, disc });
  }
  statistics(): Promise<Statistics> {
    return this.#client.request("statistics", undefined);
  }
  /** The whole state as bytes for `restore`. */
  snapshot(): Promise<Uint8Array> {
    return this.#client.request("saveSnapshot", undefined);
  }
  restore(snapshot: Uint8Array): Promise<void> {
    return this.#client.request("loadSnapshot", snapshot);
  }
  /** A hash of the whole state: equal states, equal hashes. */
  hash(): Promise<string> {
    return this.query("hash");
  }
  /** Runs a paused machine in virtual time to these ascending instruction counts and hashes it at each. */
  hashesAt(stops: number[], { patience }: { patience?: number } = {}): Promise<string[]> {
    return this.#client.request("hashesAt", { stops, patience });
  }
  registers(): Promise<string> {
    return this.query("registers");
  }
  disassemble(address: number | bigint, instructions: number): Promise<string> {
    return this.query(`disassemble 0x${address.toString(16)} ${instructions}`);
  }
  /** What the monitor of the command line answers: "info pic", "info registers" ... */
  async query(question: string): Promise<string> {
    return (await this.#client.request("query", question)).trimEnd();
  }
  readPhysical(address: number, size: number): Promise<Uint8Array> {
    return this.#client.request("readMemory", { address, size, isVirtual: false });
  }
  readVirtual(address: number, size: number): Promise<Uint8Array> {
    return this.#client.request("readMemory", { address, size, isVirtual: true });
  }
  /** Runs until virtual time has moved on by so many ms. */
  async runFor({ virtualMs }: { virtualMs: number }): Promise<void> {
    const { ns } = await this.statistics();
    await this.#client.request("untilVirtual", ns + virtualMs * 1e6);
  }
  /** Pauses, then runs to the next entry of an interrupt handler (of that vector); false when none came for long. */
  async runUntil({ interrupt }: { interrupt: { vector?: number } }): Promise<boolean> {
    await this.irq.start();
    await this.pause();
    return this.#client.request("stepToInterrupt", { vector: interrupt.vector });
  }
  /** Keeps from here on what reverseTo() needs: a snapshot now and then and all inputs. irq.start() begins it too. */
  startHistory(): Promise<void> {
    return this.#client.request("startHistory", undefined);
  }
  /**
   * Takes the machine back to an earlier position, such as an interrupt's `raisedAt`, and leaves it paused there, with
   * the inputs that were given at that position. What it did after that is forgotten; the same inputs lead to the same
   * future.
   */
  reverseTo({ instructions, ns }: RunPosition): Promise<void> {
    return this.#client.request("reverseTo", { instructions, ns });
  }

  /** Listens; the result stops listening. */
  on<K extends keyof PCEvents>(name: K, listener: PCEvents[K]): () => void {
    this.#listeners[name].add(listener);
    return () => void this.#listeners[name].delete(listener);
  }

  dispose(): void {
    this.#end ??= new LapwingError("stopped", "The machine was disposed of.");
    this.serial.end();
    this.irq.end();
    this.#client.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  #take(event: SessionEvent): void {
    switch (event.event) {
      case "serial": {
        const text = this.serial.take(event.port, event.bytes);
        if (event.port === 0) for (const listener of this.#listeners.serial) listener(text);
        break;
      }
      case "trace":
        this.irq.take(event.bytes);
        break;
      case "historyMark":
        this.irq.mark(event.id);
        break;
      case "rewound":
        this.irq.rewind(event.id);
        break;
      case "progress":
        for (const listener of this.#listeners.progress) listener(event);
        break;
      case "disk":
        for (const listener of this.#listeners.disk) listener(event);
        break;
      case "diskError":
        for (const listener of this.#listeners.diskError)
          listener(new LapwingError(event.error.code, event.error.message));
        break;
      case "ended": {
        const { reason } = event;
        const status = reason === "exit" ? event.status : reason === "triple-fault" ? tripleFaultStatus : 0;
        this.#stop(new LapwingError("stopped", `The guest ended: ${reason}.`));
        for (const listener of this.#listeners.exit) listener({ reason, status });
        break;
      }
      case "failed": {
        const error = new LapwingError(event.error.code, event.error.message);
        this.#stop(error);
        for (const listener of this.#listeners.error) listener(error);
      }
    }
  }
  #stop(error: LapwingError): void {
    this.#end = error;
    this.serial.end();
    this.irq.end();
  }
}

/** The first serial port, as text. */
export class Serial {
  readonly #client: Client;
  readonly #endOf: () => LapwingError | undefined;
  readonly #decoder = new TextDecoder();
  readonly #plain = new PlainText();
  readonly #checks = new Set<() => void>();
  #unread = "";

  constructor(client: Client, endOf: () => LapwingError | undefined) {
    this.#client = client;
    this.#endOf = endOf;
  }

  write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    return this.#client.request("serialInput", { port: 0, bytes });
  }

  /**
   * Waits until the pattern appears in what has not been waited for yet, terminal control sequences left out; answers
   * the text up to its end.
   */
  waitFor(pattern: RegExp | string, limit: { virtualMs?: number; ms?: number } = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        this.#checks.delete(check);
        act();
      };
      const check = (): void => {
        const found = this.#takeMatch(pattern);
        const end = this.#endOf();
        if (found !== undefined) finish(() => resolve(found));
        else if (end) finish(() => reject(end));
      };
      const timeOut = (what: string) => () => {
        if (!this.#checks.has(check)) return;
        finish(() => reject(new LapwingError("timeout", `${pattern} did not appear within ${what}.`)));
      };
      this.#checks.add(check);
      check();
      if (!this.#checks.has(check)) return;
      if (limit.ms !== undefined) timer = setTimeout(timeOut(`${limit.ms} ms`), limit.ms);
      if (limit.virtualMs !== undefined) {
        this.#untilLater(limit.virtualMs).then(timeOut(`${limit.virtualMs} ms of guest time`), () => {});
      }
    });
  }

  /** @internal */
  take(port: number, bytes: Uint8Array): string {
    if (port !== 0) return "";
    this.#unread = (this.#unread + this.#plain.take(bytes)).slice(-mostKept);
    this.end();
    return this.#decoder.decode(bytes, { stream: true });
  }
  /** @internal Lets the waiting ones look again. */
  end(): void {
    for (const check of [...this.#checks]) check();
  }

  async #untilLater(virtualMs: number): Promise<void> {
    const { ns } = await this.#client.request("statistics", undefined);
    await this.#client.request("untilVirtual", ns + virtualMs * 1e6);
  }
  #takeMatch(pattern: RegExp | string): string | undefined {
    const match = typeof pattern === "string" ? literal(this.#unread, pattern) : pattern.exec(this.#unread);
    if (!match) return undefined;
    const end = match.index + match[0].length;
    const text = this.#unread.slice(0, end);
    this.#unread = this.#unread.slice(end);
    return text;
  }
}

function literal(text: string, part: string): { index: number; 0: string } | undefined {
  const index = text.indexOf(part);
  return index < 0 ? undefined : { index, 0: part };
}

/** Keys by their KeyboardEvent.code ("KeyA", "Enter", "ArrowUp"). */
export class Keyboard {
  readonly #client: Client;
  constructor(client: Client) {
    this.#client = client;
  }

  down(code: string): Promise<void> {
    return this.#client.request("key", { code: scanCode(code), isPressed: true });
  }
  up(code: string): Promise<void> {
    return this.#client.request("key", { code: scanCode(code), isPressed: false });
  }
  async press(code: string): Promise<void> {
    await this.down(code);
    await this.up(code);
  }
  /** Types a text as on a US keyboard, no faster than the guest's controller takes it. */
  async type(text: string): Promise<void> {
    for (const { code, isPressed } of strokesFor(text)) {
      await (isPressed ? this.down(code) : this.up(code));
      const { ns, isRunning } = await this.#client.request("statistics", undefined);
      if (isRunning) await this.#client.request("untilVirtual", ns + keyStrokeNs);
    }
  }
}

/** A PS/2 mouse. */
export class Mouse {
  readonly #client: Client;
  constructor(client: Client) {
    this.#client = client;
  }

  /** Motion to the right and upwards, wheel steps towards the user, and the buttons held (1 left, 2 right, 4 middle). */
  move({ dx = 0, dy = 0, wheel = 0, buttons = 0 }): Promise<void> {
    return this.#client.request("mouse", { dx, dy, wheel, buttons });
  }
}

/** What the VGA shows. */
export class Screen {
  readonly #client: Client;
  constructor(client: Client) {
    this.#client = client;
  }

  /** The picture as a PNG file. */
  async screenshot(): Promise<Uint8Array> {
    const frame = await this.#client.request("screenshot", undefined);
    if (!frame) throw new LapwingError("bad_option", 'This machine has no screen; boot it with vga: "std".');
    return framePng(frame);
  }
  /** The characters of a text mode, a line per row; empty in graphics modes. */
  text(): Promise<string> {
    return this.#client.request("query", "screen");
  }
}

async function makeClient(onEvent: (event: SessionEvent) => void): Promise<Client> {
  if (!isNode) return workerClient(ownFile("worker.js"), onEvent);
  const { directClient } = await import("./engine/direct_client");
  return directClient(onEvent);
}

function configFrom(options: BootOptions): MachineConfig {
  const { memory, cpus, cpu, accel, seed, noReboot, devices, append, boot, uuid } = options;
  const bytes =
    memory === undefined ? defaultMemory : parseMemory(typeof memory === "number" ? `${memory}B` : memory);
  const rtc = options.clock === "realtime" ? Math.floor(Date.now() / 1000) : undefined;
  return {
    ...{ memory: bytes, cpus, cpu, accel, seed, noReboot, devices, append, boot, uuid, rtc },
    vga: vgaOf(options),
  };
}

const vgaOf = ({ kernel, vga }: BootOptions): "std" | "none" => vga ?? (kernel ? "none" : "std");

async function bootFiles(options: BootOptions): Promise<BootFile[]> {
  const { kernel, initrd, bios, fwCfg } = options;
  if (kernel && bios)
    throw new LapwingError(
      "bad_option",
      "kernel and bios exclude each other: a kernel starts without firmware.",
    );
  const files: BootFile[] = [];
  const add = async (kind: BootFile["kind"], name: string, input: Input) =>
    files.push({ kind, name, source: await toSource(input) });
  if (kernel) await add("kernel", "the kernel", kernel);
  else await add("bios", "the firmware", bios ?? ownFile("firmware/bios-256k.bin"));
  if (vgaOf(options) === "std") {
    const source = await optionalSource(ownFile("firmware/vgabios-stdvga.bin"));
    if (source) files.push({ kind: "vgabios", name: "the video BIOS", source, isOptional: true });
  }
  if (initrd) await add("initrd", "the initrd", initrd);
  for (const [name, content] of Object.entries(fwCfg ?? {})) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    files.push({ kind: "fw_cfg", name, source: { bytes }, args: name });
  }
  return files;
}

async function optionalSource(input: Input): Promise<FileSource | undefined> {
  try {
    return await toSource(input);
  } catch {
    return undefined;
  }
}

/** As toSource, but a local file is opened where it is, to be read piece by piece. */
async function toDiskSource(input: Input): Promise<FileSource | { path: string }> {
  const isPath = (typeof input === "string" || input instanceof URL) && !/^https?:/.test(String(input));
  if (!isNode || !isPath) return toSource(input);
  const text = String(input);
  return { path: text.startsWith("file:") ? decodeURIComponent(new URL(text).pathname) : text };
}

async function toSource(input: Input): Promise<FileSource> {
  if (input instanceof Uint8Array) return { bytes: input };
  if (input instanceof ArrayBuffer) return { bytes: new Uint8Array(input) };
  if (typeof Blob === "function" && input instanceof Blob) return { blob: input };
  const text = String(input);
  if (isNode && !/^https?:/.test(text)) return { bytes: await readLocal(text) };
  return { url: isNode ? text : new URL(text, document.baseURI).href };
}

async function readLocal(pathOrUrl: string): Promise<Uint8Array> {
  const fs = await import(/* @vite-ignore */ ["node", "fs/promises"].join(":"));
  try {
    const bytes = new Uint8Array(
      await fs.readFile(pathOrUrl.startsWith("file:") ? new URL(pathOrUrl) : pathOrUrl),
    );
    if (bytes.length > 0) return bytes;
  } catch {
    throw new LapwingError("bad_file", `Cannot read '${pathOrUrl}'; is the path right?`);
  }
  throw new LapwingError("bad_file", `'${pathOrUrl}' is empty.`);
}
