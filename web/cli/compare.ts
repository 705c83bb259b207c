// `lapwing compare A B -- FLAGS`: runs two engines on the same machine and bisects to the first differing instruction.
import { LapwingError } from "../src/errors";
import { writeFully } from "./files";
import { parseFlags } from "./flags";
import { optionsFrom } from "./options";
import { makeSubject, subjectNames, type Subject } from "./subjects";

const defaultInstructions = 200_000_000;
const pointsPerRound = 20;

const say = (line: string): void => void writeFully(1, `${line}\n`);

interface CompareRequest {
  names: [string, string];
  instructions: number;
  flags: string[];
}

function parse(args: readonly string[]): CompareRequest {
  const separator = args.indexOf("--");
  const own = [...(separator < 0 ? args : args.slice(0, separator))];
  let instructions = defaultInstructions;
  const at = own.indexOf("--instructions");
  if (at >= 0) instructions = Number(own.splice(at, 2)[1]);
  if (own.length !== 2 || separator < 0 || !(instructions >= 1)) {
    throw new LapwingError(
      "bad_option",
      `usage: lapwing compare A B [--instructions N] -- FLAGS, where A and B are of ${subjectNames.join(", ")}.`,
    );
  }
  return {
    names: [own[0]!, own[1]!],
    instructions: Math.floor(instructions),
    flags: args.slice(separator + 1) as string[],
  };
}

/** Ascending whole numbers from just above `low` to `high`, at most so many. */
export function stopsBetween(low: number, high: number, count: number): number[] {
  const stops = new Set<number>();
  for (let i = 1; i <= count; i++) stops.add(low + Math.ceil(((high - low) * i) / count));
  return [...stops];
}

/** The first stop at which the hashes differ, and the last at which they do not; undefined when all are equal. */
async function firstDifference(a: Subject, b: Subject, low: number, high: number) {
  const stops = stopsBetween(low, high, pointsPerRound);
  const hashesA = await a.hashes(stops);
  const hashesB = await b.hashes(stops);
  const at = stops.findIndex((_, i) => hashesA[i] !== hashesB[i]);
  if (at < 0) {
    const last = hashesA.at(-1)!;
    return { equal: true as const, last };
  }
  return { equal: false as const, low: at === 0 ? low : stops[at - 1]!, high: stops[at]! };
}

/** The lines in which two states differ, each with its value on both sides. */
export function differingLines(a: string, b: string): string[] {
  const linesA = a.split("\n");
  const linesB = b.split("\n");
  const result: string[] = [];
  for (let i = 0; i < Math.max(linesA.length, linesB.length); i++) {
    if (linesA[i] !== linesB[i]) result.push(`- ${linesA[i] ?? ""}`, `+ ${linesB[i] ?? ""}`);
  }
  return result;
}

async function showStates(a: Subject, b: Subject, stop: number): Promise<void> {
  const [stateA, stateB] = [await a.state(stop), await b.state(stop)];
  const differing = differingLines(stateA, stateB);
  say(`state after instruction ${stop}: - ${a.name}, + ${b.name}`);
  for (const line of differing.slice(0, 200)) say(line);
  if (differing.length === 0)
    say("(what the state listing shows is equal: the difference lies in memory or a hidden field)");
}

export async function compare(args: readonly string[]): Promise<number> {
  const { names, instructions, flags } = parse(args);
  const options = optionsFrom(parseFlags([...flags, "--clock", "virtual"]), false);
  const [a, b] = [makeSubject(names[0], options), makeSubject(names[1], options)];
  let low = 0;
  let high = instructions;
  for (;;) {
    const result = await firstDifference(a, b, low, high);
    if (result.equal) {
      if (low === 0 && high === instructions) {
        say(`equal: ${a.name} and ${b.name} after ${instructions} instructions, hash ${result.last}`);
        return 0;
      }
      throw new LapwingError(
        "engine",
        `compare: a difference below ${high} did not appear again: a run does not repeat itself.`,
      );
    }
    if (result.high - result.low <= 1) {
      say(`first difference: instruction ${result.high} (equal after ${result.low})`);
      await showStates(a, b, result.high);
      for (const { name, region } of [a, b]) {
        if (region)
          say(
            `the last region that ${name} entered before, and with which registers:\n${await region(result.high)}`,
          );
      }
      return 1;
    }
    ({ low, high } = result);
    say(`differ between ${low} and ${high}`);
  }
}
