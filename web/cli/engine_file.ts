import fs from "node:fs";
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
