// Building the machine: a CPU feature that it cannot have is left out with a warning, as in QEMU.
import type { Engine } from "../src/engine/engine";
import { LapwingError, messageOf } from "../src/errors";

/** Gives back the configuration that the engine took. */
export function createMachine(engine: Engine, text: string, warn: (sentence: string) => void): string {
  for (;;) {
    try {
      engine.createFromText(text);
      return text;
    } catch (error) {
      const message = messageOf(error);
      const shorter = withoutFeature(text, message);
      if (!(error instanceof LapwingError) || shorter === undefined) throw error;
      warn(`warning: ${message}; it is left out.`);
      text = shorter;
    }
  }
}

/** undefined: the engine does not complain about a feature, or not about one that was asked for. */
export function withoutFeature(text: string, complaint: string): string | undefined {
  const refused = /^-cpu: (?:this processor has no|no feature) '([^']+)'/.exec(complaint)?.[1];
  const line = /^cpu=(.*)$/m.exec(text)?.[1];
  if (refused === undefined || line === undefined) return undefined;
  const [model, ...words] = line.split(",");
  const bare = (word: string) => word.replace(/^[+-]/, "").replace(/=.*$/, "").replace(/[_.]/g, "-");
  const kept = words.filter((word) => bare(word) !== bare(refused));
  if (kept.length === words.length) return undefined;
  return text.replace(/^cpu=.*$/m, `cpu=${[model, ...kept].join(",")}`);
}
