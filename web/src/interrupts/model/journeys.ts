import { intxLine, messageLine, type IrqRecord } from "../records";
import { lvtName, vectorText } from "./names";

/** What became of a journey. */
export type Outcome =
  | "under way"
  | "pending"
  | "in service"
  | "served"
  | "accepted"
  | "coalesced"
  | "masked"
  | "dropped"
  | "not served";

/** One vector at one processor: IRR, ISR, handler, EOI. */
export interface Delivery {
  cpu: number;
  vector: number;
  controller: "lapic" | "pic";
  requested?: IrqRecord;
  acknowledged?: IrqRecord;
  entered?: IrqRecord;
  ended?: IrqRecord;
}

/** Everything that carries one cause id, raise to EOI. */
export interface Journey {
  id: number;
  hops: IrqRecord[];
  /** The device, or "lapic0 timer", or "ipi lapic0". */
  source: string;
  gsi: number | undefined;
  pin: { ioapic: number; pin: number } | undefined;
  picInput: number | undefined;
  deliveries: Delivery[];
  wasCoalesced: boolean;
  maskedAt: string[];
  droppedBy: string | undefined;
  /** INIT, SIPI, NMI or SMI taken by a processor. */
  accepted: string | undefined;
  lineIsHigh: boolean;
  /** The journey that held the shared line already when this one's device raised it. */
  sharedWith: Journey | undefined;
  /** Its device let go of the shared line before it was this journey's turn: the other one's handler served both. */
  wasServedByOther: boolean;
}

export interface Position {
  instructions: number;
  ns: number;
}

/** In a halt time goes on without instructions. */
export const isAfter = (a: Position, b: Position): boolean =>
  a.instructions > b.instructions || (a.instructions === b.instructions && a.ns > b.ns);

const mostKept = 20_000;

/** Ties the records of the stream together into journeys by their cause ids. */
export class Journeys {
  readonly #byId = new Map<number, Journey>();
  readonly #onChange: ((journey: Journey) => void) | undefined;
  #picEoi = new Map<number, Delivery>();

  constructor(onChange?: (journey: Journey) => void) {
    this.#onChange = onChange;
  }

  add(record: IrqRecord): void {
    if (record.cause === 0) return;
    let journey = this.#byId.get(record.cause);
    if (!journey) {
      journey = begin(record);
      this.#byId.set(record.cause, journey);
      if (this.#byId.size > mostKept) this.#byId.delete(this.#byId.keys().next().value!);
    }
    journey.hops.push(record);
    this.#apply(journey, record);
    this.#onChange?.(journey);
  }

  forgetAfter(position: Position): void {
    const all = [...this.#byId.values()];
    this.#byId.clear();
    this.#picEoi.clear();
    for (const { hops } of all) for (const hop of hops) if (!isAfter(hop, position)) this.add(hop);
  }

  get(id: number): Journey | undefined {
    return this.#byId.get(id);
  }
  /** Oldest first. */
  all(): IterableIterator<Journey> {
    return this.#byId.values();
  }
  latest(count: number): Journey[] {
    return [...this.#byId.values()].slice(-count);
  }

  #apply(journey: Journey, record: IrqRecord): void {
    const steps: Record<string, (() => void) | undefined> = {
      "device raise": () => {
        if (record.line < intxLine) journey.gsi ??= record.line;
      },
      "line raised": () => {
        journey.gsi = record.line;
        journey.lineIsHigh = true;
      },
      "line lowered": () => (journey.lineIsHigh = false),
      "line joined": () => {
        journey.gsi = record.line;
        journey.lineIsHigh = true;
        journey.sharedWith = this.#byId.get(Number(record.data));
      },
      "line kept": () => {
        journey.gsi = record.line;
        journey.lineIsHigh = true;
        const before = this.#byId.get(Number(record.data));
        if (before) before.lineIsHigh = false;
      },
      "device lower": () => {
        journey.lineIsHigh = false;
        const { sharedWith, deliveries } = journey;
        if (!sharedWith || deliveries.length > 0) return;
        journey.wasServedByOther = sharedWith.deliveries.some(({ entered }) => entered);
      },
      "pic latched": () => (journey.picInput = record.line),
      "pic masked": () => journey.maskedAt.push(`pic:${record.line}`),
      "pic acknowledged": () => this.#picAcknowledged(journey, record),
      "pic eoi": () => {
        const delivery = this.#picEoi.get(record.line);
        if (delivery) delivery.ended ??= record;
      },
      "ioapic latched": () => (journey.pin = { ioapic: record.instance, pin: record.line }),
      "ioapic masked": () => journey.maskedAt.push(`ioapic${record.instance}:${record.line}`),
      "msi masked": () => journey.maskedAt.push(`msi of ${record.device}${record.instance}`),
      "lapic masked": () => journey.maskedAt.push(`lapic${record.cpu ?? 0} ${lvtName(record.line)}`),
      "message dropped": () => (journey.droppedBy = "no local APIC accepts the message"),
      "lapic disabled": () => (journey.droppedBy = `lapic${record.cpu ?? 0} is disabled`),
      "lapic irr set": () =>
        journey.deliveries.push({
          cpu: record.cpu ?? 0,
          vector: record.vector ?? 0,
          controller: "lapic",
          requested: record,
        }),
      "lapic coalesced": () => (journey.wasCoalesced = true),
      "lapic isr": () => mark(journey, record, "acknowledged"),
      "lapic eoi": () => mark(journey, record, "ended"),
      "cpu vector": () => mark(journey, record, "entered"),
      init: () => (journey.accepted = `cpu${record.cpu ?? 0} INIT`),
      sipi: () => (journey.accepted = `cpu${record.cpu ?? 0} starts at page ${record.vector}`),
      nmi: () => (journey.accepted = `cpu${record.cpu ?? 0} NMI`),
      smi: () => (journey.accepted = `cpu${record.cpu ?? 0} SMI`),
    };
    steps[record.kind]?.();
  }

  /** A slave's request is acknowledged twice, at the cascade input first: the second one has the vector that counts. */
  #picAcknowledged(journey: Journey, record: IrqRecord): void {
    const cascaded = journey.deliveries.find(({ controller, entered }) => controller === "pic" && !entered);
    const delivery: Delivery = cascaded ?? { cpu: record.cpu ?? 0, vector: 0, controller: "pic" };
    if (!cascaded) journey.deliveries.push(delivery);
    delivery.vector = record.vector ?? 0;
    delivery.acknowledged = record;
    delivery.requested ??= journey.hops.find(({ kind }) => kind === "pic latched") ?? record;
    journey.picInput = record.line;
    this.#picEoi.set(record.line, delivery);
  }
}

/** "nvme0 msi 1", "nvme1 INTA of slot 5", or the device's name alone. */
function raiser({ kind, device, instance, line }: IrqRecord): string {
  if (kind !== "device raise" || line < intxLine) return device;
  if (line >= messageLine) return `${device}${instance} msi ${line - messageLine}`;
  const pin = line - intxLine;
  return `${device}${instance} INT${"ABCD"[pin % 4]} of slot ${pin >> 2}`;
}

function begin(record: IrqRecord): Journey {
  const from = `lapic${record.cpu ?? record.instance}`;
  const sources: Record<string, string> = {
    "ipi sent": `ipi ${from}`,
    "lvt fired": `${from} ${lvtName(record.line)}`,
    "lapic masked": `${from} ${lvtName(record.line)}`,
  };
  return {
    id: record.cause,
    hops: [],
    source: sources[record.kind] ?? raiser(record),
    gsi: undefined,
    pin: undefined,
    picInput: undefined,
    deliveries: [],
    wasCoalesced: false,
    maskedAt: [],
    droppedBy: undefined,
    accepted: undefined,
    lineIsHigh: false,
    sharedWith: undefined,
    wasServedByOther: false,
  };
}

function mark(journey: Journey, record: IrqRecord, step: "acknowledged" | "entered" | "ended"): void {
  const delivery = journey.deliveries.find(
    (candidate) =>
      candidate.vector === record.vector &&
      (candidate.controller === "pic" || candidate.cpu === record.cpu) &&
      !candidate[step],
  );
  if (!delivery) return;
  delivery[step] = record;
  if (step === "entered" && record.cpu !== undefined) delivery.cpu = record.cpu;
}

/** The address of the handler that the processor entered; undefined before that, or when a fault came instead. */
export const handlerEntered = ({ entered }: Delivery): bigint | undefined => entered?.data || undefined;

export function outcomeOf(journey: Journey): Outcome {
  const { deliveries } = journey;
  if (deliveries.some(({ acknowledged, ended }) => acknowledged && !ended)) return "in service";
  if (deliveries.some(({ acknowledged }) => !acknowledged)) return "pending";
  if (deliveries.length > 0 || journey.wasServedByOther) return "served";
  if (journey.accepted !== undefined) return "accepted";
  if (journey.wasCoalesced) return "coalesced";
  if (journey.droppedBy !== undefined) return "dropped";
  if (journey.picInput !== undefined && journey.lineIsHigh) return "pending";
  if (journey.maskedAt.length > 0) return "masked";
  return journey.lineIsHigh ? "under way" : "not served";
}

/** Nothing more is to be expected of it. */
export const isOver = (journey: Journey): boolean =>
  !["under way", "pending", "in service"].includes(outcomeOf(journey));

export const raisedAt = (journey: Journey): Position => journey.hops[0]!;

/** From raise to the last EOI; undefined while one is missing. */
export function raiseToEoi(journey: Journey): Position | undefined {
  const ends = journey.deliveries.map(({ ended }) => ended);
  const last = ends.at(-1);
  if (!last || ends.includes(undefined)) return undefined;
  const first = raisedAt(journey);
  return { instructions: last.instructions - first.instructions, ns: last.ns - first.ns };
}

/** Its stations: ["i8042", "gsi1", "ioapic0:1", "lapic0", "vector 0x31", "eoi"]. */
export function pathOf(journey: Journey): string[] {
  const path = [journey.source];
  if (journey.gsi !== undefined) path.push(`gsi${journey.gsi}`);
  if (journey.pin) path.push(`ioapic${journey.pin.ioapic}:${journey.pin.pin}`);
  else if (journey.picInput !== undefined) path.push(`pic:${journey.picInput}`);
  for (const { cpu, vector, controller, ended } of journey.deliveries) {
    if (controller === "lapic") path.push(`lapic${cpu}`);
    else path.push(`cpu${cpu}`);
    path.push(vectorText(vector));
    if (ended) path.push("eoi");
  }
  if (journey.wasServedByOther) path.push("shared line");
  else if (journey.deliveries.length === 0) path.push(journey.accepted ?? outcomeOf(journey));
  return path;
}
