import { eventKinds } from "../event_names";
import type { IrqRecord } from "../records";

/** What is counted at each hop. */
export interface HopCounts {
  raised: number;
  timers: number;
  interprocessor: number;
  messages: number;
  requested: number;
  coalesced: number;
  delivered: number;
  masked: number;
  dropped: number;
  spurious: number;
  ends: number;
}

const kindsOf: Record<keyof HopCounts, readonly (typeof eventKinds)[number][]> = {
  raised: ["line raised"],
  timers: ["lvt fired"],
  interprocessor: ["ipi sent"],
  messages: ["message sent"],
  requested: ["pic latched", "lapic irr set"],
  coalesced: ["lapic coalesced"],
  delivered: ["cpu vector"],
  masked: ["pic masked", "ioapic masked", "msi masked", "lapic masked"],
  dropped: ["message dropped", "lapic disabled"],
  spurious: ["pic spurious", "lapic spurious"],
  ends: ["pic eoi", "lapic eoi"],
};

export const hopNames: Record<keyof HopCounts, string> = {
  raised: "lines raised",
  timers: "local timers and LVT fired",
  interprocessor: "interprocessor interrupts sent",
  messages: "messages routed",
  requested: "requests latched (PIC IRR, APIC IRR)",
  coalesced: "coalesced (IRR was set already)",
  delivered: "handlers entered",
  masked: "held back by a mask",
  dropped: "dropped",
  spurious: "spurious",
  ends: "EOIs",
};

/** From the engine's own counts since power-on, by event kind. */
export function hopCounts(counts: readonly number[]): HopCounts {
  const sum = (kinds: readonly string[]): number =>
    kinds.reduce((total, kind) => total + (counts[eventKinds.indexOf(kind as never)] ?? 0), 0);
  const result = {} as HopCounts;
  for (const name of Object.keys(kindsOf) as (keyof HopCounts)[]) result[name] = sum(kindsOf[name]);
  return result;
}

/** What the stream has shown since it was opened: by kind, raises by GSI, handler entries by vector and processor. */
export class StreamCounters {
  readonly byKind = new Map<string, number>();
  readonly raisedByGsi = new Map<number, number>();
  readonly sentByPin = new Map<number, number>();
  /** By vector, then processor. */
  readonly enteredByVector = new Map<number, Map<number, number>>();

  add(record: IrqRecord): void {
    count(this.byKind, record.kind);
    if (record.kind === "line raised") count(this.raisedByGsi, record.line);
    if (record.kind === "ioapic latched") count(this.sentByPin, record.line);
    if (record.kind !== "cpu vector" || record.vector === undefined) return;
    let byCpu = this.enteredByVector.get(record.vector);
    if (!byCpu) this.enteredByVector.set(record.vector, (byCpu = new Map()));
    count(byCpu, record.cpu ?? 0);
  }

  entered(vector: number, cpu?: number): number {
    const byCpu = this.enteredByVector.get(vector);
    if (!byCpu) return 0;
    return cpu === undefined ? [...byCpu.values()].reduce((sum, n) => sum + n, 0) : (byCpu.get(cpu) ?? 0);
  }
}

function count<K>(map: Map<K, number>, key: K): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

/** One row of the guest's /proc/interrupts. */
export interface GuestCount {
  /** "4", "LOC", "RES" ... */
  irq: string;
  counts: number[];
  /** As the guest says: "IO-APIC 4-edge ttyS0". */
  text: string;
  /** The I/O APIC pin, where the row names one. */
  pin: number | undefined;
}

/** Reads what `cat /proc/interrupts` of a Linux guest printed; the last table in the text counts. */
export function parseProcInterrupts(text: string): GuestCount[] {
  const lines = text.replace(/\r/g, "").split("\n");
  const head = lines.findLastIndex((line) => /^\s+CPU0\b/.test(line));
  if (head < 0) return [];
  const cpus = lines[head]!.trim().split(/\s+/).length;
  const rows: GuestCount[] = [];
  for (const line of lines.slice(head + 1)) {
    const match = /^\s*(\w+):\s+(.*)$/.exec(line);
    if (!match) break;
    const words = match[2]!.trim().split(/\s+/);
    const counts: number[] = [];
    while (counts.length < cpus && /^\d+$/.test(words[0] ?? "")) counts.push(Number(words.shift()));
    const rest = words.join(" ");
    const pin = /IO-APIC\s+(\d+)-/.exec(rest)?.[1];
    rows.push({ irq: match[1]!, counts, text: rest, pin: pin === undefined ? undefined : Number(pin) });
  }
  return rows;
}
