import fs from "node:fs";
import { LapwingError } from "../src/errors";
import type { Engine } from "../src/engine/engine";
import { traceHeader } from "../src/interrupts/lwtrace";
import { PerfettoWriter } from "../src/interrupts/perfetto";
import { decodeRecords, recordBytes, toNdjson, toText, type IrqRecord } from "../src/interrupts/records";
import { Symbols } from "../src/interrupts/model";
import { openOutput, readInput, writeFully } from "./files";
import type { LogOptions, Options } from "./options";

const ringRecords = 1 << 16;
const recordsAtOnce = 4096;

/** Drains the engine's event ring and the translator's listings into the files that --trace-irq and -d name, losing nothing. */
export class TraceFiles {
  readonly #engine: Engine;
  readonly #descriptors: number[] = [];
  readonly #sinks: ((records: IrqRecord[], bytes: Uint8Array) => void)[] = [];
  readonly #finishers: (() => void)[] = [];

  readonly #symbols: Symbols | undefined;
  #drainListing: (() => void) | undefined;

  constructor(engine: Engine, options: Options) {
    this.#engine = engine;
    this.#symbols = options.symbols === undefined ? undefined : readSymbols(options.symbols);
    if (options.traceIrq) this.#addFile(options.traceIrq);
    if (options.log) this.#addLog(options.log);
    if (this.#sinks.length > 0) engine.startTrace(ringRecords, false);
  }

  get isActive(): boolean {
    return this.#sinks.length > 0;
  }

  drain(): void {
    this.#drainListing?.();
    if (!this.isActive) return;
    for (;;) {
      const bytes = this.#engine.takeTrace(recordsAtOnce);
      if (bytes.length > 0) {
        const records = decodeRecords(bytes);
        for (const sink of this.#sinks) sink(records, bytes);
      }
      if (bytes.length < recordsAtOnce * recordBytes) return;
    }
  }

  close(): void {
    this.drain();
    for (const finish of this.#finishers) finish();
    for (const descriptor of this.#descriptors.splice(0)) fs.closeSync(descriptor);
    this.#sinks.length = 0;
  }

  #open(what: string, path: string): (data: string | Uint8Array) => void {
    const descriptor = openOutput(what, path);
    this.#descriptors.push(descriptor);
    return (data) => void writeFully(descriptor, data);
  }
  #addFile(path: string): void {
    const write = this.#open("the trace", path);
    if (path.endsWith(".ndjson")) {
      this.#sinks.push((records) => write(records.map((record) => toNdjson(record, this.#symbols)).join("")));
      return;
    }
    if (path.endsWith(".lwtrace")) {
      write(traceHeader());
      this.#sinks.push((_, bytes) => write(bytes));
      return;
    }
    const perfetto = new PerfettoWriter(write, this.#symbols);
    this.#sinks.push((records) => records.forEach((record) => perfetto.add(record)));
    this.#finishers.push(() => perfetto.end());
  }
  #addLog({ path, interrupts, listing }: LogOptions): void {
    const write = path ? this.#open("the log", path) : (text: string) => void writeFully(2, text);
    if (listing) this.#drainListing = () => write(this.#engine.query("generated"));
    if (!interrupts) return;
    this.#sinks.push((records) => write(records.map((record) => toText(record, this.#symbols)).join("")));
  }
}

/** Names for the guest's code: a System.map or a vmlinux. */
export function readSymbols(path: string): Symbols {
  const symbols = new Symbols(readInput("the symbols", path));
  if (symbols.size > 0) return symbols;
  throw new LapwingError("bad_file", `${path} holds no symbols; give a System.map or an unstripped vmlinux.`);
}
