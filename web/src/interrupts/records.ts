import { deviceNames, eventKinds } from "./event_names";

/** One hop of an interrupt: IrqEvent of core/irq_trace.h. */
export interface IrqRecord {
  instructions: number;
  ns: number;
  rip: bigint;
  data: bigint;
  /** Ties the hops of one journey together; 0 = unknown. */
  cause: number;
  line: number;
  vector: number | undefined;
  kind: string;
  cpu: number | undefined;
  device: string;
  instance: number;
}

export const recordBytes = 48;
const noVector = 0xffff;
const noCpu = 0xff;

export function decodeRecords(bytes: Uint8Array): IrqRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: IrqRecord[] = [];
  for (let at = 0; at + recordBytes <= bytes.byteLength; at += recordBytes) records.push(decode(view, at));
  return records;
}

function decode(view: DataView, at: number): IrqRecord {
  const vector = view.getUint16(at + 40, true);
  const kind = view.getUint8(at + 42);
  const cpu = view.getUint8(at + 43);
  const device = view.getUint8(at + 44);
  return {
    instructions: Number(view.getBigUint64(at, true)),
    ns: Number(view.getBigUint64(at + 8, true)),
    rip: view.getBigUint64(at + 16, true),
    data: view.getBigUint64(at + 24, true),
    cause: view.getUint32(at + 32, true),
    line: view.getUint32(at + 36, true),
    vector: vector === noVector ? undefined : vector,
    kind: eventKinds[kind] ?? `kind ${kind}`,
    cpu: cpu === noCpu ? undefined : cpu,
    device: deviceNames[device] ?? `device ${device}`,
    instance: view.getUint8(at + 45),
  };
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** One event as a line of NDJSON. */
export const toNdjson = (record: IrqRecord): string =>
  JSON.stringify({ ...record, rip: hex(record.rip), data: hex(record.data) }) + "\n";

/** One event for a person. */
export function toText(record: IrqRecord): string {
  const vector = record.vector === undefined ? "" : ` vector 0x${record.vector.toString(16)}`;
  const cpu = record.cpu === undefined ? "" : ` cpu${record.cpu}`;
  const where = `${(record.ns / 1e9).toFixed(9)}s ${record.instructions}`;
  return (
    `${where}${cpu} ${record.device}${record.instance}: ${record.kind} line ${record.line}${vector} ` +
    `data ${hex(record.data)} rip ${hex(record.rip)} cause ${record.cause}\n`
  );
}

/** Events for the Perfetto / Chrome trace viewer: one track a device, and arrows along each journey. */
export class PerfettoWriter {
  readonly #write: (text: string) => void;
  readonly #tracks = new Map<string, number>();
  readonly #journeys = new Set<number>();
  #isFirst = true;

  constructor(write: (text: string) => void) {
    this.#write = write;
    write('{"displayTimeUnit":"ns","traceEvents":[');
  }

  add(record: IrqRecord): void {
    const ts = record.ns / 1000;
    const tid = this.#track(record);
    const args = {
      line: record.line,
      vector: record.vector,
      cause: record.cause,
      instructions: record.instructions,
      rip: hex(record.rip),
      data: hex(record.data),
    };
    this.#event({ name: record.kind, cat: "irq", ph: "X", ts, dur: 0.1, pid: 1, tid, args });
    if (record.cause === 0) return;
    const ph = this.#journeys.has(record.cause) ? "t" : "s";
    this.#journeys.add(record.cause);
    this.#event({ name: "journey", cat: "irq", ph, id: record.cause, ts, pid: 1, tid });
  }

  end(): void {
    this.#write("\n]}\n");
  }

  #track(record: IrqRecord): number {
    const onCpu = record.device === "cpu" || record.device === "lapic";
    const name = onCpu ? `cpu${record.cpu ?? 0}` : `${record.device}${record.instance}`;
    let tid = this.#tracks.get(name);
    if (tid === undefined) {
      tid = this.#tracks.size + 1;
      this.#tracks.set(name, tid);
      this.#event({ name: "thread_name", ph: "M", pid: 1, tid, args: { name } });
    }
    return tid;
  }
  #event(event: object): void {
    this.#write((this.#isFirst ? "\n" : ",\n") + JSON.stringify(event));
    this.#isFirst = false;
  }
}
