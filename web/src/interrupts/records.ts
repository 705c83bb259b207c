import { deviceNames, eventKinds } from "./event_names";
import type { Symbols } from "./model";

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
/** A PCI function's MSI or MSI-X vector: bit 31 of the line; its INTx pin, as slot * 4 + pin: bit 30. */
export const messageLine = 2 ** 31;
export const intxLine = 2 ** 30;
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

/** One event as a line of NDJSON; with symbols, `at` names RIP and `handler` the handler entered. */
export function toNdjson(record: IrqRecord, symbols?: Symbols): string {
  const line: Record<string, unknown> = { ...record, rip: hex(record.rip), data: hex(record.data) };
  if (symbols) line["at"] = symbols.find(record.rip);
  if (symbols && record.kind === "cpu vector") line["handler"] = symbols.find(record.data);
  return JSON.stringify(line) + "\n";
}

/** One hop for a person, without its time. */
export function toHop(record: IrqRecord, symbols?: Symbols): string {
  const { device, instance, cpu, kind, line, vector, data } = record;
  const place =
    device === "lapic" || device === "cpu" ? `${device}${cpu ?? instance}` : `${device}${instance}`;
  const parts = [`${place}: ${kind}`];
  if (line >= messageLine) parts.push(`message vector ${line - messageLine}`);
  else if (line >= intxLine) parts.push(`pin INT${"ABCD"[line % 4]} of slot ${(line - intxLine) >> 2}`);
  else if (/^(line|device)/.test(kind)) parts.push(`GSI ${line}`);
  else if (kind.startsWith("pic")) parts.push(`input ${line}`);
  else if (kind.startsWith("ioapic")) parts.push(`pin ${line}`);
  if (vector !== undefined && (vector !== 0 || kind === "sipi"))
    parts.push(`vector 0x${vector.toString(16)}`);
  if (kind === "cpu vector" && data !== 0n) parts.push(symbols?.describe(data) ?? hex(data));
  return parts.join(", ");
}

/** One event for a person. */
export function toText(record: IrqRecord, symbols?: Symbols): string {
  const vector = record.vector === undefined ? "" : ` vector 0x${record.vector.toString(16)}`;
  const cpu = record.cpu === undefined ? "" : ` cpu${record.cpu}`;
  const named = (value: bigint, isCode: boolean): string =>
    (isCode && symbols?.describe(value)) || hex(value);
  const where = `${(record.ns / 1e9).toFixed(9)}s ${record.instructions}`;
  return (
    `${where}${cpu} ${record.device}${record.instance}: ${record.kind} line ${record.line}${vector} ` +
    `data ${named(record.data, record.kind === "cpu vector")} rip ${named(record.rip, true)} cause ${record.cause}\n`
  );
}
