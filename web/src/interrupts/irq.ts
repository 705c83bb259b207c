import { LapwingError } from "../errors";
import type { Client } from "../engine/client";
import { traceHeader } from "./lwtrace";
import {
  explain,
  gateAddress,
  handlerEntered,
  gateBytes,
  bytesOfDump,
  handlerOf,
  hex,
  hopCounts,
  InterruptModel,
  isOver,
  outcomeOf,
  parseState,
  pathOf,
  raisedAt,
  raiseToEoi,
  sentence,
  Symbols,
  type CpuState,
  type Explanation,
  type HopCounts,
  type InterruptState,
  type Journey,
  type Outcome,
  type Position,
  type Question,
} from "./model";
import { PerfettoWriter } from "./perfetto";
import { decodeRecords, toNdjson, type IrqRecord } from "./records";

/** Which journeys are meant; what is left out does not matter. */
export interface JourneyFilter {
  gsi?: number;
  vector?: number;
  cpu?: number;
  /** "i8042", "uart" ... */
  source?: string;
}

/** One interrupt, from its raise to its EOI or to what else became of it. */
export interface Interrupt {
  /** ["i8042", "gsi1", "ioapic0:1", "lapic0", "vector 0x31", "eoi"]. */
  path: string[];
  outcome: Outcome;
  gsi: number | undefined;
  vector: number | undefined;
  cpu: number | undefined;
  /** The address of the handler that was entered (before that, the one in the IDT), and its name if known. */
  handler: bigint | undefined;
  symbol: string | undefined;
  raisedAt: Position;
  /** How long it took, raise to EOI: virtual ns and instructions. */
  raiseToEoi: Position | undefined;
  hops: IrqRecord[];
  /** One line for a person. */
  text: string;
}

export type TraceFormat = "perfetto" | "ndjson" | "lwtrace";

/** Of records for export(): 2.8 million of them. */
const mostBytes = 128 << 20;

/** Interrupts as they travel. Recording starts with the first call of start(), next() or explain(). */
export class Irq {
  readonly #client: Client;
  readonly #endOf: () => LapwingError | undefined;
  readonly #waiting = new Set<(journey: Journey | undefined) => void>();
  readonly #gates = new Map<string, bigint | undefined>();
  #model = new InterruptModel((journey) => this.#changed(journey));
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** All bytes that came, also those dropped since. */
  #taken = 0;
  readonly #marks = new Map<number, number>();
  #start: Promise<void> | undefined;
  #symbols = new Symbols();

  constructor(client: Client, endOf: () => LapwingError | undefined) {
    this.#client = client;
    this.#endOf = endOf;
  }

  /** Records from here on, without loss. */
  start(): Promise<void> {
    return (this.#start ??= this.#begin());
  }
  async #begin(): Promise<void> {
    await this.#client.request("startHistory", undefined);
    await this.#client.request("trace", "all");
  }
  async stop(): Promise<void> {
    if (!this.#start) return;
    this.#start = undefined;
    await this.#client.request("trace", "off");
  }

  /** Names for the guest's addresses: its System.map, or its vmlinux with a symbol table. */
  useSymbols(file: string | Uint8Array): void {
    this.#symbols = new Symbols(file);
    if (this.#symbols.size === 0)
      throw new LapwingError(
        "bad_file",
        "there are no symbols in it; give a System.map or an unstripped vmlinux.",
      );
  }

  /** The next journey that begins from now on and that the filter means, once it is over. */
  async next(filter: JourneyFilter = {}): Promise<Interrupt> {
    await this.start();
    const first = this.#model.journeys.latest(1)[0]?.id ?? 0;
    const journey = await new Promise<Journey>((resolve, reject) => {
      const take = (candidate: Journey | undefined): void => {
        const end = this.#endOf();
        if (candidate && candidate.id > first && isOver(candidate) && means(filter, candidate))
          resolve(candidate);
        else if (end) reject(end);
        else return;
        this.#waiting.delete(take);
      };
      this.#waiting.add(take);
      take(undefined);
    });
    return this.#describe(journey);
  }

  /** The journeys so far, the latest last. */
  async journeys(filter: JourneyFilter = {}, count = 100): Promise<Interrupt[]> {
    const found = [...this.#model.journeys.all()].filter((journey) => means(filter, journey));
    const described: Interrupt[] = [];
    for (const journey of found.slice(-count)) described.push(await this.#describe(journey));
    return described;
  }

  /** Why it is not being served, and who wrote what holds it back (if that was recorded). */
  async explain(question: Question): Promise<Explanation> {
    await this.start();
    const state = await this.state();
    await this.#readGates(state, question);
    const gate = (cpu: CpuState, vector: number): "present" | "absent" | "unknown" => {
      const known = this.#gates.has(gateKey(cpu, vector));
      return !known ? "unknown" : this.#gates.get(gateKey(cpu, vector)) === undefined ? "absent" : "present";
    };
    return explain(question, { state, writers: this.#model.writers, gate });
  }

  /** Every register of the interrupt system, by name, without side effects. */
  async state(): Promise<InterruptState> {
    return parseState(await this.#client.request("query", "state interrupts"));
  }

  /** Hops since power-on, whether recorded or not. */
  async counters(): Promise<HopCounts> {
    return hopCounts((await this.state()).counts);
  }

  /** What was recorded (of very long recordings the last 2.8 million events), as a file (Node) or as bytes. */
  async export(path?: string, { format = "perfetto" }: { format?: TraceFormat } = {}): Promise<Uint8Array> {
    const bytes = this.#encode(format);
    if (path === undefined) return bytes;
    if (typeof process !== "object" || !process.versions?.node)
      throw new LapwingError(
        "not_supported",
        "Only Node can write a file; leave the path out for the bytes.",
      );
    const fs = await import(/* @vite-ignore */ ["node", "fs/promises"].join(":"));
    await fs.writeFile(path, bytes);
    return bytes;
  }

  /** @internal */
  take(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    this.#taken += bytes.length;
    while (this.#bytes > mostBytes) this.#bytes -= this.#chunks.shift()!.length;
    this.#model.add(decodeRecords(bytes));
  }
  /** @internal The history may return here. */
  mark(id: number): void {
    this.#marks.set(id, this.#taken);
  }
  /** @internal It has returned: what was taken since then comes anew. */
  rewind(id: number): void {
    const kept = this.#marks.get(id) ?? 0;
    for (const [other, taken] of this.#marks) if (taken > kept) this.#marks.delete(other);
    while (this.#chunks.length > 0 && this.#taken > kept) {
      const { length } = this.#chunks.pop()!;
      this.#bytes -= length;
      this.#taken -= length;
    }
    this.#model = new InterruptModel((journey) => this.#changed(journey));
    for (const chunk of this.#chunks) this.#model.add(decodeRecords(chunk));
  }
  /** @internal The machine has ended: nothing more will come. */
  end(): void {
    for (const take of [...this.#waiting]) take(undefined);
  }

  #changed(journey: Journey): void {
    for (const take of [...this.#waiting]) take(journey);
  }

  #encode(format: TraceFormat): Uint8Array {
    if (format === "lwtrace") return joined([traceHeader(), ...this.#chunks]);
    const records = this.#chunks.flatMap((chunk) => decodeRecords(chunk));
    const symbols = this.#symbols.size > 0 ? this.#symbols : undefined;
    if (format === "ndjson")
      return new TextEncoder().encode(records.map((record) => toNdjson(record, symbols)).join(""));
    const parts: string[] = [];
    const writer = new PerfettoWriter((text) => void parts.push(text), symbols);
    for (const record of records) writer.add(record);
    writer.end();
    return new TextEncoder().encode(parts.join(""));
  }

  async #describe(journey: Journey): Promise<Interrupt> {
    const first = journey.deliveries[0];
    const handler = first && (handlerEntered(first) ?? (await this.#handler(first.cpu, first.vector)));
    const lookup = (): bigint | undefined => handler;
    return {
      path: pathOf(journey),
      outcome: outcomeOf(journey),
      gsi: journey.gsi,
      vector: first?.vector,
      cpu: first?.cpu,
      handler,
      symbol: handler === undefined ? undefined : this.#symbols.find(handler),
      raisedAt: { instructions: raisedAt(journey).instructions, ns: raisedAt(journey).ns },
      raiseToEoi: raiseToEoi(journey),
      hops: [...journey.hops],
      text: sentence(journey, { handler: lookup, symbols: this.#symbols }),
    };
  }

  async #handler(cpu: number, vector: number): Promise<bigint | undefined> {
    const state = await this.state();
    const found = state.cpus[cpu];
    if (!found) return undefined;
    await this.#readGate(found, vector);
    return this.#gates.get(gateKey(found, vector));
  }

  async #readGates(state: InterruptState, question: Question): Promise<void> {
    if (!("vector" in question)) return;
    for (const cpu of state.cpus) await this.#readGate(cpu, question.vector);
  }
  async #readGate(cpu: CpuState, vector: number): Promise<void> {
    const address = gateAddress(cpu, vector);
    this.#gates.delete(gateKey(cpu, vector));
    if (address === undefined) return void this.#gates.set(gateKey(cpu, vector), undefined);
    try {
      // As text: addresses of the kernel's half are too large for a number.
      const dump = await this.#client.request("query", `x /${gateBytes[cpu.mode]}xb ${hex(address)}`);
      this.#gates.set(gateKey(cpu, vector), handlerOf(bytesOfDump(dump), cpu.mode));
    } catch {
      // The processor whose turn it is does not map it: not known.
    }
  }
}

const gateKey = (cpu: CpuState, vector: number): string => `${cpu.idtBase}:${vector}`;

function means(filter: JourneyFilter, journey: Journey): boolean {
  const { gsi, vector, cpu, source } = filter;
  const delivered = (test: (delivery: Journey["deliveries"][number]) => boolean): boolean =>
    journey.deliveries.some(test);
  return (
    (gsi === undefined || journey.gsi === gsi) &&
    (source === undefined || journey.source === source) &&
    (vector === undefined || delivered((delivery) => delivery.vector === vector)) &&
    (cpu === undefined || delivered((delivery) => delivery.cpu === cpu))
  );
}

function joined(chunks: Uint8Array[]): Uint8Array {
  const result = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    result.set(chunk, at);
    at += chunk.length;
  }
  return result;
}
