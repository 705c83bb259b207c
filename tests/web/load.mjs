// Imports TypeScript modules of web/ into tests.
import { fileURLToPath } from "node:url";
import path from "node:path";
import { runnerImport } from "vite";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

export async function load(file) {
  const options = {
    configFile: false,
    root,
    logLevel: "error",
    define: { lapwingBuild: '"test"', lapwingVersion: '"test"' },
  };
  return (await runnerImport(path.join(root, file), options)).module;
}
