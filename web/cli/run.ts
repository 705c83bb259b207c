// Runs one machine in this process until it ends, and says with which exit status.
import fs from "node:fs";
import { DoorStop } from "../src/engine/door";
import { configText, Engine, type MachineConfig } from "../src/engine/engine";
import { hostLoop } from "../src/engine/host_loop";
import { checkInitrd } from "../src/engine/initrd";
import { snapshotSections } from "../src/engine/snapshot";
import { instantiateEngine } from "../src/engine/instantiate";
import { Pump } from "../src/engine/pump";
import { randomPatience } from "../src/engine/run_to";
import { takeFrame } from "../src/engine/screen_feed";
import { LapwingError, messageOf } from "../src/errors";
import { framePng } from "../src/io/png";
import { createMachine } from "./create";
import { compileEngineFile, firmwarePath } from "./engine_file";
import { openDrives, overlayNote } from "./drives";
import { checkOutput, openOutput, readInput, saveOutput, writeFully } from "./files";
import { GdbServer, type GdbAddress } from "./gdb";
import type { Architecture } from "./gdb_registers";
import { DebuggedMachine, longMode } from "./gdb_target";
import { monitorLine } from "./monitor";
import type { Options, SerialTarget } from "./options";
import { saveStatistics } from "./statistics";
import { stdinKind, Terminal } from "./terminal";
import { TraceFiles } from "./trace";
import { ConsoleWatcher } from "./watcher";

export const exitStatus = { ok: 0, failed: 1, usage: 2, tripleFault: 3, engine: 70, timeout: 124 } as const;

/** Guest time between two looks at the screen's text. */
const lookNs = 20e6;

interface InputFiles {
  kernel?: Uint8Array;
  bios?: Uint8Array;
  vgaBios?: Uint8Array;
  fwCfg: { name: string; bytes: Uint8Array }[];
  initrds: { bytes: Uint8Array; args: string }[];
  snapshot?: Uint8Array;
  replay?: Uint8Array;
}

export async function run(options: Options): Promise<number> {
  requireSomebodyToStart(options);
  const files = readFiles(options);
  await checkInitrds(options, files);
  const disks = openDrives(options.drives, say);
  const drives = await disks.configLines();
  const wanted = files.replay
    ? `accel=${options.config.accel ?? "jit"}\n${recordedConfig(files.replay)}`
    : configText({ ...options.config, drives, vga: screenOf(options, files) });
  if (files.replay) requireSameDisks(wanted, drives);
  const memory = Number(/^memory=(\d+)$/m.exec(wanted)?.[1] ?? options.config.memory);
  const engine = new Engine(instantiateEngine(await compileEngineFile(), memory, disks));
  const text = createMachine(engine, wanted, say);
  if (files.replay) engine.replayInputs(files.replay);
  if (options.logInput) engine.recordInputs();
  const hasScreen = /^vga=std$/m.test(text);
  startMachine(engine, { ...files, vgaBios: hasScreen ? (files.vgaBios ?? readVideoBios()) : undefined });
  const note = overlayNote(options.drives);
  if (note) say(note);
  return new Promise((resolve, reject) => {
    new Run(engine, options, resolve).start(longMode(text)).catch(reject);
  });
}

/** -S without anybody who could say `cont` would wait for ever. */
function requireSomebodyToStart({ startPaused, monitorFirst, gdb }: Options): void {
  const kind = stdinKind();
  if (!startPaused || gdb || kind === "terminal" || (kind === "pipe" && monitorFirst)) return;
  throw new LapwingError(
    "bad_option",
    "-S starts paused, and nobody could say cont: run it in a terminal, or give -gdb, or -monitor stdio with a pipe.",
  );
}

/** A saved machine has the graphics card that it was saved with. */
function screenOf({ config }: Options, { snapshot }: InputFiles): MachineConfig["vga"] {
  return config.vga ?? (snapshot && snapshotSections(snapshot).includes("vga") ? "std" : undefined);
}

/** A log belongs to the images that it was recorded with. */
function requireSameDisks(recorded: string, drives: readonly string[]): void {
  const wanted = [...recorded.matchAll(/^drive=(.*)$/gm)].map(([, line]) => line!);
  if (wanted.length === drives.length && wanted.every((line, i) => line === drives[i])) return;
  throw new LapwingError(
    "bad_file",
    `the input log was recorded with other disk images or drive flags: ${wanted.join("; ") || "none"}.`,
  );
}

/** A recorded log says which machine it belongs to: "LWINPUT1", u32 version, u32 length, text. */
function recordedConfig(log: Uint8Array): string {
  const header = 16;
  const length =
    log.length > header ? new DataView(log.buffer, log.byteOffset).getUint32(12, true) : Infinity;
  const isLog = new TextDecoder().decode(log.subarray(0, 8)) === "LWINPUT1" && header + length <= log.length;
  if (!isLog) throw new LapwingError("bad_file", "the input log is not one of Lapwing's, or is cut short.");
  return new TextDecoder().decode(log.subarray(header, header + length));
}

function readFiles(options: Options): InputFiles {
  for (const path of [
    options.stats,
    options.logInput,
    options.saveSnapshot?.path,
    options.screenshot?.path,
  ]) {
    if (path) checkOutput("the file", path);
  }
  return {
    ...readBootFiles(options),
    snapshot: options.loadSnapshot ? readInput("the snapshot", options.loadSnapshot) : undefined,
    replay: options.replay ? readInput("the input log", options.replay) : undefined,
  };
}

async function checkInitrds({ initrds }: Options, { kernel, initrds: contents }: InputFiles): Promise<void> {
  if (!kernel) return;
  for (const [i, { bytes }] of contents.entries())
    await checkInitrd(kernel, bytes, `the initrd '${initrds[i]!.path}'`);
}

/** What the machine boots: a kernel with its initrds, or firmware. */
export function readBootFiles(options: Options): Omit<InputFiles, "replay" | "snapshot"> {
  // A snapshot brings its own.
  const needsFirmware = !options.kernel && (options.bios !== undefined || !options.loadSnapshot);
  return {
    kernel: options.kernel ? readInput("the kernel", options.kernel) : undefined,
    bios: needsFirmware
      ? readInput("the BIOS image", options.bios ?? firmwarePath("bios-256k.bin"))
      : undefined,
    vgaBios: options.config.vga === "std" ? readVideoBios() : undefined,
    fwCfg: options.fwCfgFiles.map(({ name, path }) => ({ name, bytes: readInput("the fw_cfg file", path) })),
    initrds: options.initrds.map(({ path, args }) => ({ bytes: readInput("the initrd", path), args })),
  };
}

/** A kernel can do without: then the screen has no font until the guest loads one. */
function readVideoBios(): Uint8Array | undefined {
  try {
    return readInput("the video BIOS", firmwarePath("vgabios-stdvga.bin"));
  } catch {
    return undefined;
  }
}

export function startMachine(engine: Engine, files: Omit<InputFiles, "replay">): void {
  if (files.bios) engine.load("bios", files.bios);
  if (files.vgaBios) engine.load("vgabios", files.vgaBios);
  for (const { name, bytes } of files.fwCfg) engine.load("fw_cfg", bytes, name);
  if (files.kernel) engine.load("kernel", files.kernel);
  for (const { bytes, args } of files.initrds) engine.load("initrd", bytes, args);
  if (files.snapshot) engine.loadSnapshot(files.snapshot);
  else engine.boot();
}

class Run {
  readonly #engine: Engine;
  readonly #options: Options;
  readonly #resolve: (status: number) => void;
  readonly #pump: Pump;
  readonly #terminal: Terminal;
  readonly #trace: TraceFiles;
  readonly #watcher: ConsoleWatcher;
  readonly #serialFiles: (number | undefined)[];
  readonly #debugFiles: (number | undefined)[];
  readonly #startedAt = performance.now();
  readonly #stdinPort: number;
  #gdb: GdbServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextHash: number;
  #nextLookNs = 0;
  #isDone = false;

  constructor(engine: Engine, options: Options, resolve: (status: number) => void) {
    this.#engine = engine;
    this.#options = options;
    this.#resolve = resolve;
    // A restored machine has some instructions behind it.
    this.#nextHash = (Math.floor(engine.instructions / options.hashEvery) + 1) * options.hashEvery;
    this.#watcher = new ConsoleWatcher(options);
    this.#serialFiles = options.serial.map((target) => openSerial(target));
    this.#debugFiles = options.debugConsoles.map((target) => target && openSerial(target));
    this.#stdinPort = options.serial.findIndex(({ kind }) => kind === "stdio");
    this.#trace = new TraceFiles(engine, options);
    this.#pump = new Pump(engine, hostLoop(), this.#hooks(), {
      clock: options.replay ? "virtual" : options.clock,
      patience: options.patience === undefined ? undefined : randomPatience(options.patience),
    });
    const handlers = {
      input: (bytes: Uint8Array) => this.#type(bytes),
      quit: () => this.#finish(exitStatus.ok),
      monitorLine: (line: string) => monitorLine(line, engine, this.#pump, () => this.#finish(exitStatus.ok)),
      inputEnded: () => this.#inputEnded(),
    };
    this.#terminal = new Terminal(handlers, options.monitorFirst);
  }

  async start(architecture: Architecture): Promise<void> {
    if (this.#options.gdb) await this.#listen(this.#options.gdb, architecture);
    if ((this.#stdinPort >= 0 || this.#options.monitorFirst) && !this.#options.replay) this.#terminal.open();
    process.on("SIGTERM", () => this.#finish(128 + 15));
    process.on("SIGINT", () => this.#finish(128 + 2));
    if (this.#options.timeoutNs !== Infinity) {
      this.#timer = setTimeout(() => {
        this.#say(`timeout: ${this.#options.timeoutNs / 1e9} s of wall time${this.#awaited()}`);
        this.#finish(exitStatus.timeout);
      }, this.#options.timeoutNs / 1e6);
    }
    // Patterns that match before any output: --send '^=>...' types at once.
    this.#watch(0, new Uint8Array());
    if (!this.#isDone && !this.#options.startPaused) this.#pump.start();
  }

  async #listen(address: GdbAddress, architecture: Architecture): Promise<void> {
    const target = new DebuggedMachine(this.#engine, this.#pump, {
      atStop: () => this.#atBoundary(),
      ended: (stop) => this.#ended(stop),
      quit: () => this.#finish(exitStatus.ok),
    });
    this.#gdb = new GdbServer(target, architecture);
    const port = await this.#gdb.listen(address);
    this.#say(`waiting for GDB: target remote ${address.host}:${port}`);
  }

  /** Nobody can let a paused machine go on any more. */
  #inputEnded(): void {
    if (this.#pump.isRunning || this.#gdb) this.#pump.input(() => {});
    else this.#finish(exitStatus.ok);
  }

  #hooks() {
    return {
      atBoundary: () => this.#atBoundary(),
      mayWake: () => this.#terminal.mayType && this.#options.timeoutVirtualNs === Infinity,
      ended: (stop: DoorStop) => this.#ended(stop),
      traceFull: () => this.#trace.drain(),
      nextStop: () => this.#nextHash,
      atStop: () => {
        writeFully(2, `${this.#engine.instructions} ${this.#engine.hash()}\n`);
        this.#nextHash += this.#options.hashEvery;
      },
      failed: (error: unknown) => this.#failed(error),
    };
  }

  #atBoundary(): void {
    this.#trace.drain();
    for (let port = 0; port < Math.max(2, this.#options.serial.length); port++) this.#takeSerial(port);
    this.#options.debugConsoles.forEach((_, console) => this.#takeDebugConsole(console));
    this.#watchScreen();
    if (this.#isDone || this.#engine.ns < this.#options.timeoutVirtualNs) return;
    this.#say(`timeout: ${this.#options.timeoutVirtualNs / 1e9} s of guest time${this.#awaited()}`);
    this.#finish(exitStatus.timeout);
  }

  #takeDebugConsole(console: number): void {
    const target = this.#options.debugConsoles[console];
    if (!target || this.#isDone) return;
    const bytes = this.#engine.debugOutput(console);
    if (bytes.length === 0) return;
    const file = this.#debugFiles[console];
    if (file !== undefined) writeFully(file, bytes);
    else if (target.kind === "stdio" && !this.#terminal.write(bytes)) this.#finish(exitStatus.ok);
    if (target.kind === "stdio" && !this.#isDone) this.#watch(0, bytes);
  }

  #takeSerial(port: number): void {
    const bytes = this.#engine.serialOutput(port);
    const target = this.#options.serial[port];
    if (bytes.length === 0 || !target) return;
    const file = this.#serialFiles[port];
    if (file !== undefined) writeFully(file, bytes);
    else if (target.kind === "stdio" && !this.#terminal.write(bytes)) this.#finish(exitStatus.ok);
    if (!this.#isDone) this.#watch(port, bytes);
  }

  #watch(port: number, bytes: Uint8Array): void {
    const { type, snapshotDue, screenshotDue, verdict, failure } = this.#watcher.add(bytes);
    for (const text of type) this.#pump.input(() => this.#engine.serialInput(port, text));
    if (snapshotDue) this.#saveSnapshot();
    if (screenshotDue) this.#saveScreenshot();
    if (verdict === "expected") this.#finish(exitStatus.ok);
    if (verdict === "failed") {
      this.#say(`--fail '${failure}' appeared on the console`);
      this.#finish(exitStatus.failed);
    }
  }

  #type(bytes: Uint8Array): void {
    if (!this.#isDone && this.#stdinPort >= 0)
      this.#pump.input(() => this.#engine.serialInput(this.#stdinPort, bytes));
  }

  #ended(stop: DoorStop): void {
    if (stop === DoorStop.Breakpoint) {
      this.#gdb?.stopped();
      return;
    }
    const statuses: Partial<Record<DoorStop, number>> = {
      [DoorStop.ExitRequest]: this.#engine.exitStatus & 0xff,
      [DoorStop.TripleFault]: exitStatus.tripleFault,
    };
    if (stop === DoorStop.TripleFault) this.#say("the guest ended in a triple fault");
    if (stop === DoorStop.IdleForever) return this.#idleForever();
    const status = statuses[stop] ?? exitStatus.ok;
    const missed = this.#watcher.awaited;
    if (status === exitStatus.ok && missed !== undefined) {
      this.#say(`the guest ended before --expect '${missed}' appeared`);
      return this.#finish(exitStatus.failed);
    }
    if (stop === DoorStop.PowerOff && this.#options.noShutdown && this.#terminal.mayType) {
      return this.#say("the guest is off; -no-shutdown keeps it for the monitor (Ctrl-A X ends)");
    }
    this.#finish(status);
  }

  #idleForever(): void {
    const isTimed = this.#options.timeoutVirtualNs !== Infinity;
    this.#say(`the guest halted for ever: no timer runs and no input can come${this.#awaited()}`);
    if (isTimed) return this.#finish(exitStatus.timeout);
    this.#finish(this.#watcher.awaited === undefined ? exitStatus.ok : exitStatus.failed);
  }

  #failed(error: unknown): void {
    if (isUsers(error)) {
      this.#say(messageOf(error));
      return this.#finish(exitStatus.usage);
    }
    this.#say(`${messageOf(error)}\nlapwing: please report this with the command line and the kernel used.`);
    this.#finish(exitStatus.engine);
    // Also when it failed while the results of an ended run were written.
    this.#resolve(exitStatus.engine);
  }

  #awaited(): string {
    const missed = this.#watcher.awaited;
    return missed === undefined ? "" : ` (still waiting for '${missed}')`;
  }

  #saveSnapshot(): void {
    saveOutput("the snapshot", this.#options.saveSnapshot!.path, this.#engine.saveSnapshot());
  }

  #saveScreenshot(): void {
    const frame = takeFrame(this.#engine, true);
    if (frame) saveOutput("the screenshot", this.#options.screenshot!.path, framePng(frame));
  }

  /** What is on the screen counts as well as what is on the console. */
  #watchScreen(): void {
    if (!this.#watcher.awaitsScreen || this.#engine.ns < this.#nextLookNs) return;
    this.#nextLookNs = this.#engine.ns + lookNs;
    if (this.#watcher.seesOnScreen(this.#engine.screenText())) this.#saveScreenshot();
  }

  #finish(status: number): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#pump.pause();
    clearTimeout(this.#timer);
    this.#terminal.close();
    this.#gdb?.exited(status);
    this.#gdb?.close();
    try {
      if (status !== exitStatus.engine) this.#writeResults();
    } catch (error) {
      this.#say(messageOf(error));
      status = isUsers(error) ? exitStatus.usage : exitStatus.engine;
    }
    for (const file of [...this.#serialFiles, ...this.#debugFiles])
      if (file !== undefined) fs.closeSync(file);
    this.#resolve(status);
  }

  #writeResults(): void {
    const { stats, logInput, saveSnapshot, screenshot } = this.#options;
    this.#trace.close();
    if (saveSnapshot && !saveSnapshot.pattern) this.#saveSnapshot();
    if (screenshot && !screenshot.pattern) this.#saveScreenshot();
    if (this.#watcher.awaitsScreen) {
      say(`no screenshot was saved: '${screenshot!.pattern!.source}' did not appear.`);
    }
    if (logInput) saveOutput("the input log", logInput, this.#engine.takeInputLog());
    if (stats) saveStatistics(stats, this.#engine, this.#pump, performance.now() - this.#startedAt);
  }

  #say(sentence: string): void {
    say(sentence);
  }
}

/** A full disk, say: nothing to report. */
const isUsers = (error: unknown): boolean => error instanceof LapwingError && error.code === "bad_file";

const say = (sentence: string): void => void writeFully(2, `lapwing: ${sentence}\n`);

function openSerial(target: SerialTarget): number | undefined {
  return target.kind === "file" ? openOutput("the serial log", target.path) : undefined;
}
