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

/** In ns. A hop takes no time, but must be wide enough to be clicked; those of a lane follow each other. */
const longestHop = 100;
const shortestHop = 2;
/** Journeys whose next hop is awaited; of the oldest no more is expected. */
const mostAwaited = 100_000;

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const microseconds = (ns: number): number => ns / 1000;

interface Lane {
  pid: number;
  tid: number;
}

/** The last point of an arrow: whether the arrow goes on or ends here shows when the next hop comes, or none. */
interface FlowPoint {
  lane: Lane;
  /** When its hop begins. */
  ns: number;
  isFirst: boolean;
}

/**
 * Events for the Perfetto / Chrome trace viewer: a lane for each device, controller and processor, arrows along each
 * journey (flow events, tied by the cause), and a handler's time, entry to EOI, as a slice of its processor. Viewers
 * tie an arrow to the slice that is open at its time, so each point lies inside its hop's slice; hops of one instant
 * are drawn a few ns apart for that (`args.ns` has the time itself).
 */
export class PerfettoWriter {
  readonly #write: (text: string) => void;
  readonly #lanes = new Map<string, number>();
  readonly #processes = new Set<number>();
  readonly #flows = new Map<number, FlowPoint>();
  /** Handlers entered and not ended yet, by processor. */
  readonly #open = new Map<number, { cause: number; vector: number }[]>();
  /** The last hop of each lane: it lasts until the next one, since slices of a lane must not overlap. */
  readonly #held = new Map<number, { event: object; ns: number }>();
  /** When the last thing in each lane began. */
  readonly #latest = new Map<number, number>();
  readonly #symbols: Symbols | undefined;
  #isFirst = true;

  constructor(write: (text: string) => void, symbols?: Symbols) {
    this.#write = write;
    this.#symbols = symbols;
    write('{"displayTimeUnit":"ns","traceEvents":[');
  }

  add(record: IrqRecord): void {
    const lane = this.#lane(record);
    const ns = this.#place(lane, record.ns, this.#flows.get(record.cause)?.ns);
    const args = {
      line: record.line,
      vector: record.vector,
      cause: record.cause,
      instructions: record.instructions,
      ns: record.ns,
      rip: hex(record.rip),
      data: hex(record.data),
    };
    this.#release(lane.tid, ns);
    if (record.kind === "cpu vector") this.#enter(record, lane, ns);
    const ts = microseconds(ns);
    this.#held.set(lane.tid, { event: { name: nameOf(record), cat: "irq", ph: "X", ts, ...lane, args }, ns });
    if (record.cause !== 0) this.#flow(record.cause, lane, ns);
    if (record.kind === "lapic eoi" || record.kind === "pic eoi") this.#leave(record, ns);
  }

  end(): void {
    for (const cause of [...this.#flows.keys()]) this.#endFlow(cause);
    for (const [cpu, open] of this.#open) {
      const lane = this.#processorLane(cpu);
      for (const _ of open) this.#endHandler(lane, 0);
    }
    for (const tid of [...this.#held.keys()]) this.#release(tid, Infinity);
    this.#write("\n]}\n");
  }

  /** The first free time of a lane at or after the record's, and after the hop before it in its journey. */
  #place({ tid }: Lane, ns: number, after = -Infinity): number {
    const at = Math.max(ns, (this.#latest.get(tid) ?? -Infinity) + shortestHop, after + shortestHop);
    this.#latest.set(tid, at);
    return at;
  }

  #release(tid: number, until: number): void {
    const held = this.#held.get(tid);
    if (!held) return;
    this.#held.delete(tid);
    this.#event({ ...held.event, dur: microseconds(Math.min(longestHop, until - held.ns)) });
  }

  #flow(cause: number, lane: Lane, ns: number): void {
    const before = this.#flows.get(cause);
    if (before) this.#flowEvent(before.isFirst ? "s" : "t", cause, before);
    this.#flows.delete(cause);
    this.#flows.set(cause, { lane, ns, isFirst: before === undefined });
    if (this.#flows.size > mostAwaited) this.#endFlow(this.#flows.keys().next().value!);
  }
  /** An arrow needs two ends: a journey of one hop has none. */
  #endFlow(cause: number): void {
    const last = this.#flows.get(cause)!;
    this.#flows.delete(cause);
    if (!last.isFirst) this.#flowEvent("f", cause, last);
  }
  #flowEvent(ph: "s" | "t" | "f", id: number, { lane, ns }: FlowPoint): void {
    const ts = microseconds(ns + shortestHop / 2);
    const binding = ph === "f" ? { bp: "e" } : {};
    this.#event({ name: "journey", cat: "irq", ph, id, ts, ...lane, ...binding });
  }

  #enter(record: IrqRecord, lane: Lane, ns: number): void {
    const cpu = record.cpu ?? 0;
    const open = this.#open.get(cpu) ?? [];
    this.#open.set(cpu, open);
    open.push({ cause: record.cause, vector: record.vector ?? 0 });
    const symbol = this.#symbols?.find(record.data);
    const name = symbol ?? `handler of vector 0x${(record.vector ?? 0).toString(16)}`;
    const args = { cause: record.cause, interrupted: hex(record.rip), handler: hex(record.data) };
    this.#event({ name, cat: "handler", ph: "B", ts: microseconds(ns), ...lane, args });
  }

  /** Handlers nest, so the one that ends is the one entered last; a stream that starts inside one has no begin. */
  #leave(record: IrqRecord, ns: number): void {
    for (const [cpu, open] of this.#open) {
      const index = open.findIndex(({ cause }) => cause === record.cause);
      if (index < 0) continue;
      open.splice(index, 1);
      this.#endHandler(this.#processorLane(cpu), ns);
      return;
    }
  }
  #endHandler(lane: Lane, ns: number): void {
    const at = this.#place(lane, ns);
    this.#release(lane.tid, at);
    this.#event({ cat: "handler", ph: "E", ts: microseconds(at), ...lane });
  }

  #lane(record: IrqRecord): Lane {
    if (record.device === "cpu") return this.#processorLane(record.cpu ?? 0);
    const instance = record.device === "lapic" ? (record.cpu ?? record.instance) : record.instance;
    const pid = controllers.has(record.device) ? controllersProcess : devicesProcess;
    return this.#named(pid, `${record.device}${instance}`);
  }
  #processorLane(cpu: number): Lane {
    return this.#named(processorsProcess, `cpu${cpu}`);
  }
  #named(pid: number, name: string): Lane {
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
