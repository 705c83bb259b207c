// Writes web/src/interrupts/event_names.ts from the enums of core/irq_trace.h; `--check` only compares.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const eventNamesPath = path.join(root, "web/src/interrupts/event_names.ts");

function enumerators(source, name) {
  const body = new RegExp(`enum class ${name}[^{]*\\{([^}]*)\\}`).exec(source)[1];
  const names = [];
  let next = 0;
  for (const [, key, value] of body.matchAll(/k(\w+)\s*(?:=\s*(\d+))?/g)) {
    next = value === undefined ? next : Number(value);
    names[next++] = key;
  }
  return names;
}

const words = (name) => name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();

export function generateEventNames() {
  const source = readFileSync(path.join(root, "core/irq_trace.h"), "utf8").replace(/\/\/[^\n]*/g, "");
  const list = (name, names) =>
    `export const ${name} = [\n${names.map((n) => `  "${n}",`).join("\n")}\n] as const;\n`;
  return (
    "// Generated from core/irq_trace.h by `npm run build:door`: do not edit.\n" +
    list("eventKinds", enumerators(source, "IrqEventKind").map(words)) +
    "\n" +
    list(
      "deviceNames",
      enumerators(source, "DeviceId").map((name) => name.toLowerCase()),
    )
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = generateEventNames();
  if (!process.argv.includes("--check")) {
    writeFileSync(eventNamesPath, text);
  } else if (readFileSync(eventNamesPath, "utf8") !== text) {
    console.error("web/src/interrupts/event_names.ts is out of date: run `npm run build:door`.");
    process.exit(1);
  }
}
