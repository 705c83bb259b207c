import { LapwingError, toPlain } from "../errors";
import type { DiskSet } from "../io/disk";
import { DoorStop } from "./door";
import { Engine } from "./engine";
import { fetchFile, readSource } from "./files";
import { checkInitrd } from "./initrd";
import type { FetchProgress } from "../io/disk_source";
import { History, type RunPosition } from "./history";
import { hostLoop } from "./host_loop";
import { compileEngine, instantiateEngine, requireWebAssembly } from "./instantiate";
import { openDisks } from "./open_disks";
import { Pump } from "./pump";
import { hashesAt, randomPatience } from "./run_to";
import { ScreenFeed } from "./screen_feed";
import { recordBytes, stepToInterrupt } from "./step";
import type {
  BootFile,
  BootRequest,
  EndReason,
  FileSource,
  ReplyOf,
  RequestName,
  RequestOf,
  SessionEvent,
  Statistics,
} from "./protocol";

const uarts = 2;
const traceRecords = 1 << 16;
const recordsAtOnce = 4096;

const endReasons: Partial<Record<DoorStop, EndReason>> = {
  [DoorStop.PowerOff]: "power-off",
  [DoorStop.Reset]: "reset",
  [DoorStop.TripleFault]: "triple-fault",
  [DoorStop.ExitRequest]: "exit",
  [DoorStop.IdleForever]: "idle",
  [DoorStop.ReplayEnd]: "replay-end",
  [DoorStop.Breakpoint]: "breakpoint",
};

interface Running {
  engine: Engine;
  pump: Pump;
  screen: ScreenFeed;
  history: History;
}

/** One machine with its pump, answering requests. Lives in a Worker in a page, in process in Node. */
export class Session {
  readonly #emit: (event: SessionEvent) => void;
  #running: Running | undefined;
  #waiters: { ns: number; resolve: () => void }[] = [];
  #isTracing = false;
  #isOverwriting = false;
  #leds = 0;
  #isWaiting = false;
  #latestFetch: FetchProgress | undefined;

  constructor(emit: (event: SessionEvent) => void) {
    this.#emit = emit;
  }

  handle<N extends RequestName>(name: N, argument: RequestOf<N>): Promise<ReplyOf<N>> | ReplyOf<N> {
    const handlers: { [K in RequestName]: (argument: RequestOf<K>) => Promise<ReplyOf<K>> | ReplyOf<K> } = {
      boot: (request) => this.#boot(request),
      run: () => this.#setRunning(true),
      pause: () => this.#setRunning(false),
      reset: () => this.#input((engine) => engine.reset()),
      powerButton: () => this.#input((engine) => engine.powerButton()),
      changeDisc: ({ drive, disc }) => this.#input((engine) => engine.changeDisc(drive, disc)),
      serialInput: ({ port, bytes }) => this.#input((engine) => engine.serialInput(port, bytes)),
      key: ({ code, isPressed }) => this.#input((engine) => engine.key(code, isPressed)),
      mouse: (mouse) => this.#input((engine) => engine.mouse(mouse)),
      query: (question) => this.#query(question),
      screenshot: () => this.#machine.screen.screenshot(),
      watchScreen: (isWatched) => this.#machine.screen.watch(isWatched),
      screenShown: () => this.#machine.screen.shown(),
      readMemory: ({ address, size, isVirtual }) => this.#machine.engine.readMemory(address, size, isVirtual),
      saveSnapshot: () => this.#machine.engine.saveSnapshot(),
      loadSnapshot: (bytes) => this.#loadSnapshot(bytes),
      statistics: () => this.#statistics(),
      hashesAt: (request) => this.#hashesAt(request),
      untilVirtual: (ns) => this.#untilVirtual(ns),
      trace: (mode) => this.#trace(mode),
      stepToInterrupt: ({ vector }) => this.#step(vector),
      startHistory: () => this.#machine.history.begin(),
      reverseTo: (position) => this.#reverseTo(position),
    };
    return handlers[name](argument);
  }

  dispose(): void {
    this.#running?.pump.pause();
    this.#running?.screen.watch(false);
    this.#running?.engine.disposeDisks();
    this.#running = undefined;
  }

  get #machine(): Running {
    if (!this.#running) throw new LapwingError("stopped", "No machine has been started.");
    return this.#running;
  }

  async #boot(request: BootRequest): Promise<void> {
    requireWebAssembly();
    this.dispose();
    const [module, disks, ...contents] = await Promise.all([
      this.#compile(request.wasm),
      this.#openDisks(request),
      ...request.files.map((file) => this.#fetch(file)),
    ]);
    this.#emit({ event: "progress", stage: "start" });
    this.#isTracing = false;
    const engine = new Engine(instantiateEngine(module, request.config.memory, disks));
    engine.create({ ...request.config, clock: request.clock, drives: await disks.configLines() });
    const kernel = request.files.findIndex(({ kind }) => kind === "kernel");
    const initrd = request.files.findIndex(({ kind }) => kind === "initrd");
    if (kernel >= 0 && initrd >= 0) await checkInitrd(contents[kernel]!, contents[initrd]!, "the initrd");
    request.files.forEach((file, i) => {
      const bytes = contents[i];
      if (bytes) engine.load(file.kind, bytes, file.args);
    });
    engine.boot();
    const host = hostLoop();
    const pump = new Pump(engine, host, this.#hooks(engine), { clock: request.clock });
    const screen = new ScreenFeed(engine, host, (frame) => this.#emit({ event: "screen", frame }));
    this.#leds = 0;
    const history = new History(engine, this.#historyHooks(engine));
    this.#running = { engine, pump, screen, history };
    this.#emit({ event: "progress", stage: "kernel" });
    if (!request.paused) this.#setRunning(true);
  }

  #openDisks({ disks = [] }: BootRequest): Promise<DiskSet> {
    return openDisks(disks, {
      progress: (progress) => {
        this.#latestFetch = progress;
        this.#reportFetch();
      },
      error: (error) => this.#emit({ event: "diskError", error: toPlain(error) }),
    });
  }

  #reportFetch(): void {
    if (!this.#latestFetch) return;
    const { name, fetchedBytes, size } = this.#latestFetch;
    this.#emit({ event: "disk", name, fetchedBytes, size, isWaiting: this.#isWaiting });
  }

  async #awaitDisks(engine: Engine): Promise<void> {
    this.#isWaiting = true;
    this.#reportFetch();
    await engine.disksSettled();
    this.#isWaiting = false;
    this.#reportFetch();
  }

  async #compile(source: FileSource): Promise<WebAssembly.Module> {
    if ("url" in source) return compileEngine(await fetchFile("the engine", source.url));
    return compileEngine((await readSource("the engine", source)) as Uint8Array<ArrayBuffer>);
  }

  async #fetch(file: BootFile): Promise<Uint8Array | undefined> {
    try {
      return await readSource(file.name, file.source, (loaded, total) =>
        this.#emit({ event: "progress", stage: "download", file: file.name, loaded, total }),
      );
    } catch (error) {
      if (file.isOptional) return undefined;
      throw error;
    }
  }

  #hooks(engine: Engine) {
    return {
      atBoundary: () => this.#atBoundary(engine),
      mayWake: () => true,
      traceFull: () => this.#drainTrace(engine),
      missingData: () => this.#awaitDisks(engine),
      ended: (stop: DoorStop) => {
        this.#emit({ event: "state", isRunning: false });
        const reason = endReasons[stop] ?? "breakpoint";
        this.#emit({ event: "ended", reason, status: engine.exitStatus, ns: engine.ns });
      },
      failed: (error: unknown) => {
        this.#emit({ event: "state", isRunning: false });
        this.#emit({ event: "failed", error: toPlain(error) });
      },
    };
  }

  #atBoundary(engine: Engine): void {
    this.#drainTrace(engine);
    for (let port = 0; port < uarts; port++) {
      const bytes = engine.serialOutput(port);
      if (bytes.length > 0) this.#emit({ event: "serial", port, bytes, ns: engine.ns });
    }
    if (engine.keyboardLeds !== this.#leds) {
      this.#leds = engine.keyboardLeds;
      this.#emit({ event: "leds", leds: this.#leds });
    }
    this.#running?.screen.offer();
    this.#running?.history.atBoundary();
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter(({ ns }) => ns <= engine.ns);
    this.#waiters = this.#waiters.filter(({ ns }) => ns > engine.ns);
    for (const { resolve } of due) resolve();
  }

  #setRunning(isRunning: boolean): void {
    const { pump } = this.#machine;
    if (isRunning) pump.start();
    else pump.pause();
    this.#emit({ event: "state", isRunning });
  }

  #input(apply: (engine: Engine) => void): void {
    const { engine, pump } = this.#machine;
    pump.input(() => apply(engine));
  }

  /** The stream is brought up to date first, so that it and the answer tell of the same moment. */
  #query(question: string): string {
    const { engine } = this.#machine;
    this.#drainTrace(engine);
    return engine.query(question);
  }

  #trace(mode: RequestOf<"trace">): void {
    const { engine } = this.#machine;
    this.#drainTrace(engine);
    this.#isTracing = mode !== "off";
    this.#isOverwriting = mode === "latest";
    engine.startTrace(this.#isTracing ? traceRecords : 0, this.#isOverwriting);
  }

  #drainTrace(engine: Engine): void {
    while (this.#isTracing) {
      const bytes = engine.takeTrace(recordsAtOnce);
      // Read first: a Worker gives the bytes away.
      const isLast = bytes.length < recordsAtOnce * recordBytes;
      if (bytes.length > 0) this.#emit({ event: "trace", bytes });
      if (isLast) return;
    }
  }

  async #step(vector: number | undefined): Promise<boolean> {
    const { engine, pump } = this.#machine;
    if (pump.isRunning) throw new LapwingError("bad_option", "Pause the machine before stepping.");
    if (!this.#isTracing) throw new LapwingError("bad_option", "Tracing must be on to step to an interrupt.");
    this.#drainTrace(engine);
    const take = (bytes: Uint8Array) => this.#emit({ event: "trace", bytes });
    const isFound = await stepToInterrupt(engine, vector, take, () => this.#atBoundary(engine));
    this.#atBoundary(engine);
    return isFound;
  }

  #loadSnapshot(bytes: Uint8Array): void {
    const { engine, pump, history } = this.#machine;
    const wasRunning = pump.isRunning;
    pump.pause();
    try {
      engine.loadSnapshot(bytes);
      if (history.isOn) history.begin(true);
    } finally {
      if (wasRunning) pump.start();
    }
  }

  async #reverseTo(position: RunPosition): Promise<void> {
    const { engine, pump, history } = this.#machine;
    if (pump.isRunning) this.#setRunning(false);
    await history.reverseTo(position);
    this.#atBoundary(engine);
  }

  #historyHooks(engine: Engine) {
    return {
      opened: (id: number) => {
        this.#drainTrace(engine);
        this.#emit({ event: "historyMark", id });
      },
      rewound: (id: number, start: RunPosition) => {
        if (this.#isTracing) engine.startTrace(traceRecords, this.#isOverwriting);
        this.#emit({ event: "rewound", id, start });
      },
      // What the guest printed then has been shown.
      onTheWay: () => {
        this.#drainTrace(engine);
        for (let port = 0; port < uarts; port++) engine.serialOutput(port);
      },
    };
  }

  #statistics(): Statistics {
    const { engine, pump } = this.#machine;
    const { instructions, ns, haltedNs } = engine;
    return { instructions, ns, haltedNs, busyNs: pump.busyNs, isRunning: pump.isRunning };
  }

  async #hashesAt({ stops, patience }: RequestOf<"hashesAt">): Promise<string[]> {
    const { engine, pump } = this.#machine;
    if (pump.isRunning)
      throw new LapwingError("bad_option", "Pause the machine before hashing at positions.");
    return hashesAt(engine, stops, patience === undefined ? undefined : randomPatience(patience));
  }

  #untilVirtual(ns: number): Promise<void> | void {
    if (this.#machine.engine.ns >= ns) return;
    return new Promise((resolve) => this.#waiters.push({ ns, resolve }));
  }
}
