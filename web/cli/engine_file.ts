import fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LapwingError } from "../src/errors";
import { compileEngine } from "../src/engine/instantiate";
import { readInput } from "./files";

/** Where lapwing.wasm may lie, seen from the built command: the build folder, a packed dist. */
const places = ["../wasm/lapwing.wasm", "../../dist/lapwing/lapwing.wasm", "./lapwing.wasm"];

export function enginePath(): string {
  const chosen = process.env["LAPWING_WASM"];
  if (chosen) return chosen;
  const found = places
    .map((place) => fileURLToPath(new URL(place, import.meta.url)))
    .find((path) => fs.existsSync(path));
  if (!found)
    throw new LapwingError(
      "bad_file",
      "the engine (lapwing.wasm) has not been built; run `npm run build` first.",
    );
  return found;
}

export const compileEngineFile = (): Promise<WebAssembly.Module> =>
  compileEngine(readInput("the engine", enginePath()) as Uint8Array<ArrayBuffer>);

/** SeaBIOS and its VGA BIOS, which the build puts beside the command. */
export function firmwarePath(name: string): string {
  const folder = process.env["LAPWING_FIRMWARE"] ?? fileURLToPath(new URL("./firmware", import.meta.url));
  const path = join(folder, name);
  if (fs.existsSync(path)) return path;
  throw new LapwingError(
    "bad_file",
    `the firmware (${name}) is not there; run \`npm run build\`, or give -kernel FILE or -bios FILE.`,
  );
}
