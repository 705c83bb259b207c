import { LapwingError, messageOf } from "../src/errors";
import { compare } from "./compare";
import { writeFully } from "./files";
import { helpText, parseFlags, type ParsedFlags } from "./flags";
import { cpuModels, devices, optionsFrom } from "./options";
import { exitStatus, run } from "./run";
import { stdinKind } from "./terminal";

/** The questions that are answered without a machine. */
function answer(flags: ParsedFlags): string | undefined {
  const asksHelp = (name: string) => flags.get(name)?.some((value) => value === "help" || value === "?");
  if (flags.has("-help")) return helpText();
  if (flags.has("-version")) return `Lapwing ${lapwingVersion}\n`;
  if (asksHelp("-cpu")) return cpuModels.map((name) => `${name}\n`).join("");
  if (asksHelp("-machine")) return "pc    i440FX and PIIX (default)\n";
  if (asksHelp("-accel")) return "jit\ninterp\ntcg (the fastest there is: jit)\n";
  if (asksHelp("-device"))
    return Object.entries(devices)
      .map(([name, text]) => `name "${name}", ${text}\n`)
      .join("");
  return undefined;
}

function statusOf(error: unknown): number {
  if (!(error instanceof LapwingError)) return exitStatus.engine;
  return error.code === "engine" ? exitStatus.engine : exitStatus.usage;
}

export async function main(args: readonly string[]): Promise<number> {
  try {
    if (args[0] === "compare") return await compare(args.slice(1));
    const flags = parseFlags(args.length === 0 ? ["-help"] : args);
    const text = answer(flags);
    if (text !== undefined) {
      writeFully(1, text);
      return exitStatus.ok;
    }
    return await run(optionsFrom(flags, stdinKind() !== "other"));
  } catch (error) {
    const status = statusOf(error);
    writeFully(2, `lapwing: ${messageOf(error)}\n`);
    if (status === exitStatus.engine) {
      writeFully(2, "lapwing: please report this with the command line and the kernel used.\n");
    }
    return status;
  }
}
