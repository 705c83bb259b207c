// Writes web/src/engine/door.ts, the TypeScript twin of the one door, from web/engine/door.inc (functions) and
// web/engine/door.h (enums and structs). `--check` only compares and exits with 1 when the twin is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const twinPath = path.join(root, "web/src/engine/door.ts");

const sizes = { u8: 1, u16: 2, u32: 4, u64: 8, i32: 4, i64: 8, double: 8 };

const withoutComments = (text) => text.replace(/\/\/[^\n]*/g, "");
const camel = (name) => name.replace(/_(\w)/g, (_, c) => c.toUpperCase());
const withoutK = (name) => name.replace(/^k(?=[A-Z])/, "");

/** The rows of one macro: DOOR (what the engine exports) or DOOR_CALL (what it asks of its host). */
export function parseFunctions(text, macro = "DOOR") {
  const functions = [];
  const pattern = new RegExp(
    `^${macro}\\((\\w+),\\s*(\\w+),\\s*\\(([^)]*)\\),\\s*((?:"(?:[^"\\\\]|\\\\.)*"\\s*)+)\\)`,
    "gm",
  );
  for (const [, result, name, parameters, meaning] of text.matchAll(pattern)) {
    functions.push({
      result,
      name,
      parameters: parameters
        .split(",")
        .map((p) => p.trim())
        .filter(Boolean)
        .map((p) => p.split(/\s+/).at(-1)),
      meaning: [...meaning.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]).join(""),
    });
  }
  const rows = (text.match(new RegExp(`^${macro}\\(`, "gm")) ?? []).length;
  if (rows !== functions.length) throw new Error(`door.inc: understood ${functions.length} of ${rows} rows`);
  return functions;
}

export function parseTypes(text) {
  const source = withoutComments(text);
  const version = Number(/kDoorVersion\s*=\s*(\d+)/.exec(source)[1]);
  const enums = [...source.matchAll(/enum class (\w+)[^{]*\{([^}]*)\}/g)].map(([, name, body]) => ({
    name,
    values: [...body.matchAll(/(\w+)\s*=\s*(\d+)/g)].map(([, key, value]) => [withoutK(key), Number(value)]),
  }));
  const structs = [...source.matchAll(/struct (\w+)\s*\{([^}]*)\}/g)].map(([, name, body]) => {
    let offset = 0;
    const fields = [...body.matchAll(/(\w+)\s+(\w+)(?:\[(\d+)\])?;/g)].map(([, type, field, count]) => {
      const size = sizes[type];
      if (!size) throw new Error(`door.h: ${name}.${field} has the unknown type ${type}`);
      offset = Math.ceil(offset / size) * size;
      const at = offset;
      offset += size * Number(count ?? 1);
      return [camel(field), at];
    });
    return { name, fields, size: Math.ceil(offset / 8) * 8 };
  });
  return { version, enums, structs };
}

export function generate(functionsText, typesText) {
  const functions = parseFunctions(functionsText);
  const { version, enums, structs } = parseTypes(typesText);
  const lines = [
    "// Generated from web/engine/door.inc and web/engine/door.h by `npm run build:door`: do not edit.",
    `export const doorVersion = ${version};`,
    "",
  ];
  for (const { name, values } of enums) {
    lines.push(`export const ${name} = {`);
    for (const [key, value] of values) lines.push(`  ${key}: ${value},`);
    lines.push("} as const;", `export type ${name} = (typeof ${name})[keyof typeof ${name}];`, "");
  }
  for (const { name, fields, size } of structs) {
    lines.push(`/** Byte offsets in ${name}; arrays: of their first element. */`);
    lines.push(`export const ${name[0].toLowerCase()}${name.slice(1)} = {`);
    for (const [field, offset] of fields) lines.push(`  ${field}: ${offset},`);
    lines.push(`  size: ${size},`, "} as const;", "");
  }
  const addInterface = (interfaceName, rows) => {
    lines.push(`export interface ${interfaceName} {`);
    for (const { result, name, parameters, meaning } of rows) {
      lines.push(`  /** ${meaning} */`);
      const list = parameters.map((p) => `${camel(p)}: number`).join(", ");
      lines.push(`  ${name}(${list}): ${result === "void" ? "void" : "number"};`);
    }
    lines.push("}", "");
  };
  addInterface("DoorCalls", parseFunctions(functionsText, "DOOR_CALL"));
  addInterface("DoorFunctions", functions);
  lines.push("export const doorNames = [");
  for (const { name } of functions) lines.push(`  "${name}",`);
  lines.push("] as const satisfies readonly (keyof DoorFunctions)[];", "");
  return lines.join("\n");
}

export function generateFromSources() {
  const read = (name) => readFileSync(path.join(root, "web/engine", name), "utf8");
  return generate(read("door.inc"), read("door.h"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = generateFromSources();
  if (!process.argv.includes("--check")) {
    writeFileSync(twinPath, text);
  } else if (readFileSync(twinPath, "utf8") !== text) {
    console.error("web/src/engine/door.ts is out of date: run `npm run build:door`.");
    process.exit(1);
  }
}
