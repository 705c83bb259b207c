import type { IrqRecord } from "../records";
import { isAfter, type Position } from "./journeys";

/** Who wrote a register last, and when. */
export interface Writer {
  rip: bigint;
  value: bigint;
  instructions: number;
  ns: number;
  cpu: number | undefined;
}

/** I/O APIC registers are recorded by index; its windows in memory, by address, say less. */
const firstAddress = 0x1000;

/** The last write of each device register that the stream has shown. */
export class LastWriters {
  readonly #writers = new Map<string, Writer>();

  add(record: IrqRecord): void {
    if (record.kind !== "register write") return;
    if (record.device === "ioapic" && record.line >= firstAddress) return;
    const of = record.device === "lapic" ? (record.cpu ?? record.instance) : record.instance;
    const { rip, data: value, instructions, ns, cpu } = record;
    this.#writers.set(key(record.device, of, record.line), { rip, value, instructions, ns, cpu });
  }

  /** What was written before a write that is forgotten is not known any more. */
  forgetAfter(position: Position): void {
    for (const [place, writer] of this.#writers) if (isAfter(writer, position)) this.#writers.delete(place);
  }

  /** `instance`: of a local APIC its processor's number. */
  find(device: string, instance: number, register: number): Writer | undefined {
    return this.#writers.get(key(device, instance, register));
  }
}

const key = (device: string, instance: number, register: number): string =>
  `${device}${instance}:${register}`;
