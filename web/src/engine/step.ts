import { DoorStop } from "./door";
import type { Engine } from "./engine";

/** Size of IrqEvent, and where its vector and kind lie (core/irq_trace.h). */
export const recordBytes = 48;
const vectorAt = 40;
const kindAt = 42;
const cpuVector = 28;

const recordsAtOnce = 4096;
const mostInstructions = 50_000_000;
const mostMs = 5000;
const instructionsPerTurn = 20_000;

/**
 * Runs one instruction at a time until a processor enters an interrupt handler (of `vector`, if given); gives back the
 * records on the way through `take`. Time of a halted machine jumps. False when nothing came for 50 million
 * instructions or a few seconds.
 */
export async function stepToInterrupt(
  engine: Engine,
  vector: number | undefined,
  take: (bytes: Uint8Array) => void,
  atTurn: () => void,
): Promise<boolean> {
  const end = engine.instructions + mostInstructions;
  const began = performance.now();
  while (engine.instructions < end && performance.now() - began < mostMs) {
    for (let i = 0; i < instructionsPerTurn; i++) {
      const stop = engine.run(1, Infinity);
      const bytes = engine.takeTrace(recordsAtOnce);
      if (bytes.length > 0) {
        // Looked at first: a Worker gives the bytes away.
        const isFound = enters(bytes, vector);
        take(bytes);
        if (isFound) return true;
      }
      if (stop === DoorStop.MissingData) await engine.disksSettled();
      else if (stop !== DoorStop.Patience && stop !== DoorStop.Halted && stop !== DoorStop.TraceFull)
        return false;
    }
    atTurn();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return false;
}

function enters(bytes: Uint8Array, vector: number | undefined): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += recordBytes) {
    if (view.getUint8(at + kindAt) !== cpuVector) continue;
    if (vector === undefined || view.getUint16(at + vectorAt, true) === vector) return true;
  }
  return false;
}
