// Journeys in words, one line each.
import { handlerEntered, outcomeOf, raisedAt, raiseToEoi, type Journey } from "./journeys";
import { duration, lineOwners, vectorText } from "./names";
import type { Symbols } from "./symbols";

/** The handler of a vector that has not been entered yet, when its IDT entry has been read. */
export type HandlerLookup = (cpu: number, vector: number) => bigint | undefined;

export interface WordOptions {
  handler?: HandlerLookup;
  symbols?: Symbols;
}

/** "i8042 raised GSI 1 (keyboard) → I/O APIC pin 1 → vector 0x22 on CPU 1 (asm_common_interrupt), EOI after 12 µs". */
export function sentence(journey: Journey, options: WordOptions = {}): string {
  const parts = [begins(journey)];
  if (journey.pin) parts.push(`I/O APIC pin ${journey.pin.pin}`);
  else if (journey.picInput !== undefined) parts.push(`8259A input ${journey.picInput}`);
  for (const delivery of journey.deliveries) {
    const { cpu, vector } = delivery;
    const address = handlerEntered(delivery) ?? options.handler?.(cpu, vector);
    const handler =
      address === undefined ? "" : ` (${options.symbols?.find(address) ?? `0x${address.toString(16)}`})`;
    parts.push(`${vectorText(vector)} on CPU ${cpu}${handler}`);
  }
  return `${parts.join(" → ")}${ends(journey)}`;
}

function begins({ source, gsi, sharedWith }: Journey): string {
  if (gsi === undefined)
    return source.startsWith("ipi ") ? `CPU ${source.slice(9)} sent an IPI` : `${source} fired`;
  const owner = lineOwners[gsi];
  const joins = sharedWith ? `, which ${sharedWith.source} holds already` : "";
  return `${source} raised GSI ${gsi}${owner ? ` (${owner})` : ""}${joins}`;
}

function ends(journey: Journey): string {
  const took = raiseToEoi(journey);
  switch (outcomeOf(journey)) {
    case "served":
      if (journey.wasServedByOther) return ", served together with another device on the line";
      return took ? `, EOI after ${duration(took.ns)} and ${took.instructions} instructions` : ", served";
    case "in service":
      return ", in service";
    case "pending":
      return ", waits";
    case "coalesced":
      return ", coalesced with one that already waits";
    case "masked":
      return `, masked at ${[...new Set(journey.maskedAt)].join(" and ")}`;
    case "dropped":
      return `, dropped: ${journey.droppedBy}`;
    case "accepted":
      return ` → ${journey.accepted}`;
    case "under way":
      return ", under way";
    case "not served":
      return ", nobody took it";
  }
}

export const when = (journey: Journey): string => `${(raisedAt(journey).ns / 1e9).toFixed(6)} s`;
