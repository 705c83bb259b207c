// Writes docs/COMMAND.md from the table of flags; `--check` only compares.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { runnerImport } from "vite";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const commandDocPath = path.join(root, "docs/COMMAND.md");

export async function generateCommandDoc() {
  const { module } = await runnerImport(path.join(root, "web/cli/flags.ts"), {
    configFile: false,
    logLevel: "error",
  });
  const ignored = module.flags
    .filter(({ support }) => support === "ignored")
    .map(({ name }) => `\`${name}\``);
  return `# The command

Generated from \`web/cli/flags.ts\` by \`npm run build:door\`. The same text comes from \`npx lapwing -help\`.

\`\`\`
${module.helpText().trimEnd()}
\`\`\`

Accepted without effect, because they are harmless here: ${ignored.join(", ")}. A flag that is not in this list is
refused, with the nearest known one named.

\`-cpu NAME,+f\` with a feature that this processor does not have goes on without it, after a warning.

\`-gdb\` speaks GDB's remote protocol (\`target remote :PORT\`): registers (without ST(0) to ST(7)), memory, breakpoints, steps,
Ctrl-C, a thread for each CPU, \`monitor\`. Registers and memory are read, never written; there are no watchpoints. While a
breakpoint is set every instruction is interpreted and looked at, which is much slower. With \`-S\` the machine stands at
its first instruction. \`-monitor stdio\` and a pipe on standard input give the monitor a command a line.

\`--hash-every\` prints its lines on stderr, so that the console on stdout stays as it is. \`--expect\` and \`--send\` are
each used in the order given; a pattern looks only at text that came after the one before it, and never at terminal control
sequences. In \`--send\`, \`\\n\` is
Enter, and \`\\t\`, \`\\e\`, \`\\xNN\` and \`\\\\\` are known. \`--replay\` builds the machine that was recorded; kernel
and initrd must be the same files.
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(commandDocPath, await generateCommandDoc());
}
