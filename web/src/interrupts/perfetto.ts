import type { Symbols } from "./model";
import type { IrqRecord } from "./records";

const devicesProcess = 1;
const controllersProcess = 2;
const processorsProcess = 3;
const processNames: Record<number, string> = {
  [devicesProcess]: "devices",
  [controllersProcess]: "interrupt controllers",
  [processorsProcess]: "processors",
};
const controllers = new Set(["pic", "ioapic", "lapic", "router"]);

/** In microseconds: a hop takes no time, but must be wide enough to be clicked. */
const longestHop = 0.1;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/**
 * Events for the Perfetto / Chrome trace viewer: a lane for each device, controller and processor, arrows along each
 * journey (flow events, tied by the cause), and a handler's time, entry to EOI, as a slice of its processor.
 */
export class PerfettoWriter {
  readonly #write: (text: string) => void;
  readonly #lanes = new Map<string, number>();
  readonly #processes = new Set<number>();
  readonly #journeys = new Set<number>();
  /** Handlers entered and not ended yet, by processor. */
  readonly #open = new Map<number, { cause: number; vector: number }[]>();
  /** The last hop of each lane: it lasts until the next one, since slices of a lane must not overlap. */
  readonly #held = new Map<number, { event: object; ts: number }>();
  readonly #symbols: Symbols | undefined;
  #isFirst = true;

  constructor(write: (text: string) => void, symbols?: Symbols) {
    this.#write = write;
    this.#symbols = symbols;
    write('{"displayTimeUnit":"ns","traceEvents":[');
  }

  add(record: IrqRecord): void {
    const ts = record.ns / 1000;
    const lane = this.#lane(record);
    const args = {
      line: record.line,
      vector: record.vector,
      cause: record.cause,
      instructions: record.instructions,
      rip: hex(record.rip),
      data: hex(record.data),
    };
    if (record.kind === "cpu vector") this.#enter(record, ts);
    this.#release(lane.tid, ts);
    this.#held.set(lane.tid, { event: { name: nameOf(record), cat: "irq", ph: "X", ts, ...lane, args }, ts });
    if (record.cause !== 0) {
      const ph = this.#journeys.has(record.cause) ? "t" : "s";
      this.#journeys.add(record.cause);
      this.#event({ name: "journey", cat: "irq", ph, id: record.cause, ts, ...lane });
    }
    if (record.kind === "lapic eoi" || record.kind === "pic eoi") this.#leave(record, ts);
  }

  end(): void {
    for (const tid of [...this.#held.keys()]) this.#release(tid, Infinity);
    this.#write("\n]}\n");
  }

  #release(tid: number, until: number): void {
    const held = this.#held.get(tid);
    if (!held) return;
    this.#held.delete(tid);
    this.#event({ ...held.event, dur: Math.min(longestHop, until - held.ts) });
  }

  #enter(record: IrqRecord, ts: number): void {
    const cpu = record.cpu ?? 0;
    const open = this.#open.get(cpu) ?? [];
    this.#open.set(cpu, open);
    open.push({ cause: record.cause, vector: record.vector ?? 0 });
    const symbol = this.#symbols?.find(record.data);
    const name = symbol ?? `handler of vector 0x${(record.vector ?? 0).toString(16)}`;
    const args = { cause: record.cause, interrupted: hex(record.rip), handler: hex(record.data) };
    const lane = this.#processorLane(cpu);
    this.#release(lane.tid, ts);
    this.#event({ name, cat: "handler", ph: "B", ts, ...lane, args });
  }

  /** Handlers nest, so the one that ends is the one entered last; a stream that starts inside one has no begin. */
  #leave(record: IrqRecord, ts: number): void {
    for (const [cpu, open] of this.#open) {
      const index = open.findIndex(({ cause }) => cause === record.cause);
      if (index < 0) continue;
      open.splice(index, 1);
      const lane = this.#processorLane(cpu);
      this.#release(lane.tid, ts);
      this.#event({ cat: "handler", ph: "E", ts, ...lane });
      return;
    }
  }

  #lane(record: IrqRecord): { pid: number; tid: number } {
    if (record.device === "cpu") return this.#processorLane(record.cpu ?? 0);
    const instance = record.device === "lapic" ? (record.cpu ?? record.instance) : record.instance;
    const pid = controllers.has(record.device) ? controllersProcess : devicesProcess;
    return this.#named(pid, `${record.device}${instance}`);
  }
  #processorLane(cpu: number): { pid: number; tid: number } {
    return this.#named(processorsProcess, `cpu${cpu}`);
  }
  #named(pid: number, name: string): { pid: number; tid: number } {
    let tid = this.#lanes.get(name);
    if (tid === undefined) {
      tid = this.#lanes.size + 1;
      this.#lanes.set(name, tid);
      if (!this.#processes.has(pid)) {
        this.#processes.add(pid);
        this.#event({ name: "process_name", ph: "M", pid, args: { name: processNames[pid] } });
      }
      this.#event({ name: "thread_name", ph: "M", pid, tid, args: { name } });
    }
    return { pid, tid };
  }
  #event(event: object): void {
    this.#write((this.#isFirst ? "\n" : ",\n") + JSON.stringify(event));
    this.#isFirst = false;
  }
}

function nameOf(record: IrqRecord): string {
  const vector = record.vector === undefined ? "" : ` 0x${record.vector.toString(16)}`;
  return `${record.kind}${vector}`;
}
