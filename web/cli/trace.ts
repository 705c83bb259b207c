import fs from "node:fs";
import type { Engine } from "../src/engine/engine";
import { decodeRecords, PerfettoWriter, toNdjson, toText } from "../src/interrupts/records";
import { openOutput, writeFully } from "./files";
import type { Options } from "./options";

const ringRecords = 1 << 16;
const recordsAtOnce = 4096;

/** Drains the engine's event ring into the files that --trace-irq and -d int name, losing nothing. */
export class TraceFiles {
  readonly #engine: Engine;
  readonly #descriptors: number[] = [];
  readonly #sinks: ((records: ReturnType<typeof decodeRecords>) => void)[] = [];
  readonly #finishers: (() => void)[] = [];

  constructor(engine: Engine, options: Options) {
    this.#engine = engine;
    if (options.traceIrq) this.#addFile(options.traceIrq);
    if (options.logInterrupts) this.#addLog(options.logInterrupts.path);
    if (this.#sinks.length > 0) engine.startTrace(ringRecords, false);
  }

  get isActive(): boolean {
    return this.#sinks.length > 0;
  }

  drain(): void {
    if (!this.isActive) return;
    for (;;) {
      const records = decodeRecords(this.#engine.takeTrace(recordsAtOnce));
      if (records.length > 0) for (const sink of this.#sinks) sink(records);
      if (records.length < recordsAtOnce) return;
    }
  }

  close(): void {
    this.drain();
    for (const finish of this.#finishers) finish();
    for (const descriptor of this.#descriptors.splice(0)) fs.closeSync(descriptor);
    this.#sinks.length = 0;
  }

  #open(what: string, path: string): (text: string) => void {
    const descriptor = openOutput(what, path);
    this.#descriptors.push(descriptor);
    return (text) => void writeFully(descriptor, text);
  }
  #addFile(path: string): void {
    const write = this.#open("the trace", path);
    if (path.endsWith(".ndjson")) {
      this.#sinks.push((records) => write(records.map(toNdjson).join("")));
      return;
    }
    const perfetto = new PerfettoWriter(write);
    this.#sinks.push((records) => records.forEach((record) => perfetto.add(record)));
    this.#finishers.push(() => perfetto.end());
  }
  #addLog(path: string | undefined): void {
    const write = path ? this.#open("the log", path) : (text: string) => void writeFully(2, text);
    this.#sinks.push((records) => write(records.map(toText).join("")));
  }
}
