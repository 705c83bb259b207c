import { DoorStop } from "./door";
import type { Engine } from "./engine";

const uarts = [0, 1];
const drainedRecords = 4096;

/**
 * Runs in virtual time to an exact instruction count, without inputs; false when the machine ended before. Each call
 * of `patience` gives the most instructions of the next piece: however it is cut, the run is the same.
 */
export async function runTo(
  engine: Engine,
  instructions: number,
  patience: () => number = () => Infinity,
): Promise<boolean> {
  while (engine.instructions < instructions) {
    const stop = engine.run(Math.min(instructions - engine.instructions, patience()), Infinity);
    for (const port of uarts) engine.serialOutput(port);
    if (stop === DoorStop.TraceFull) engine.takeTrace(drainedRecords);
    else if (stop === DoorStop.MissingData) await engine.disksSettled();
    else if (stop !== DoorStop.Patience && stop !== DoorStop.Halted)
      return engine.instructions >= instructions;
  }
  return true;
}

/** The hash at each of the ascending counts; "end COUNT HASH" for those that the machine did not reach. */
export async function hashesAt(
  engine: Engine,
  stops: readonly number[],
  patience?: () => number,
): Promise<string[]> {
  const hashes: string[] = [];
  for (const stop of stops) {
    const isReached = await runTo(engine, stop, patience);
    hashes.push(isReached ? engine.hash() : `end ${engine.instructions} ${engine.hash()}`);
  }
  return hashes;
}

/** A small generator (xorshift) of pieces from 1 to 100,000 instructions. */
export function randomPatience(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return 1 + (state % 100_000);
  };
}
