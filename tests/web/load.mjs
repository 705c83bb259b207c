// Imports TypeScript modules of web/ into tests.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, runnerImport } from "vite";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

const options = {
  configFile: false,
  root,
  logLevel: "error",
  define: { lapwingBuild: '"test"', lapwingVersion: '"test"' },
};

export async function load(file) {
  return (await runnerImport(path.join(root, file), options)).module;
}

/** The same from a bundle; `replacements` (paths below the root): modules that take the place of others. */
export async function loadBundle(file, replacements) {
  const replace = {
    name: "replace",
    enforce: "pre",
    resolveId: (id, importer) => {
      const wanted = importer && id.startsWith(".") && path.resolve(path.dirname(importer), id);
      const target = wanted && replacements[path.relative(root, wanted)];
      return target ? path.join(root, target) : null;
    },
  };
  const outDir = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-bundle-"));
  try {
    const target = {
      outDir,
      ssr: path.join(root, file),
      minify: false,
      target: "node20",
      rolldownOptions: {},
    };
    target.rolldownOptions.output = { entryFileNames: "entry.mjs", codeSplitting: false };
    const ssr = { noExternal: true };
    await build({ ...options, publicDir: false, plugins: [replace], build: target, ssr });
    return await import(pathToFileURL(path.join(outDir, "entry.mjs")).href);
  } finally {
    fs.rmSync(outDir, { recursive: true });
  }
}
