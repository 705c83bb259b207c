// Builds dist/ (the page, the element, the API, the Worker) and build/cli/ (the command). Everything is relative, so
// dist/ works under any path of any web server.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { firmwarePath } from "../assets/guests.mjs";
import { copyGuests } from "./tools/guest_files.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const web = path.join(root, "web");
const dist = path.join(root, "dist");
const { version } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));

const define = {
  lapwingBuild: JSON.stringify(Date.now().toString(36)),
  lapwingVersion: JSON.stringify(version),
};
const common = { configFile: false, root: web, base: "./", logLevel: "warn", define };

/** `replacements`: modules to build in place of others (tests put a simulated engine in). */
export async function buildWeb({ outDir = dist, replacements = {}, withGuests = true } = {}) {
  const plugins = [replace(replacements)];
  await build({
    ...common,
    plugins,
    publicDir: false,
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2022",
      modulePreload: false,
      chunkSizeWarningLimit: 1000,
      rolldownOptions: {
        input: {
          index_page: path.join(web, "index.html"),
          embed_page: path.join(web, "embed.html"),
          element: path.join(web, "src/element/element.ts"),
          index: path.join(web, "src/index.ts"),
        },
        preserveEntrySignatures: "exports-only",
        // One folder for all scripts: each finds the Worker and the engine beside itself.
        output: {
          entryFileNames: "lapwing/[name].js",
          chunkFileNames: "lapwing/[name]-[hash].js",
          assetFileNames: "lapwing/[name]-[hash][extname]",
        },
      },
    },
  });
  await build({
    ...common,
    plugins,
    publicDir: false,
    build: {
      outDir: path.join(outDir, "lapwing"),
      emptyOutDir: false,
      target: "es2022",
      lib: {
        entry: path.join(web, "src/engine/worker.ts"),
        formats: ["iife"],
        name: "lapwing",
        fileName: () => "worker.js",
      },
    },
  });
  emitTypes(path.join(outDir, "lapwing/types"));
  const wasm = path.join(root, "build/wasm/lapwing.wasm");
  if (fs.existsSync(wasm)) fs.copyFileSync(wasm, path.join(outDir, "lapwing/lapwing.wasm"));
  copyFirmware(path.join(outDir, "lapwing/firmware"));
  if (withGuests) copyGuests(path.join(outDir, "guests"));
}

/** Declarations for those who import the public interface or the element. */
function emitTypes(outDir) {
  const compiler = path.join(root, "node_modules/.bin/tsc");
  const entries = ["src/index.ts", "src/element/element.ts", "vite-env.d.ts"].map((file) =>
    path.join(web, file),
  );
  const flags = [
    "--declaration",
    "--emitDeclarationOnly",
    "--noEmit",
    "false",
    "--stripInternal",
    "--ignoreConfig",
  ];
  const options = [
    "--target",
    "es2022",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
    "--strict",
    "--skipLibCheck",
  ];
  const libraries = ["--lib", "es2023,dom,dom.iterable,esnext.disposable", "--types", "node,vite/client"];
  const places = ["--rootDir", path.join(web, "src"), "--outDir", outDir];
  execFileSync(compiler, [...flags, ...options, ...libraries, ...places, ...entries], {
    cwd: root,
    stdio: "inherit",
  });
}

export async function buildCli({ outDir = path.join(root, "build/cli"), replacements = {} } = {}) {
  await build({
    ...common,
    plugins: [replace(replacements)],
    publicDir: false,
    build: {
      outDir,
      emptyOutDir: true,
      target: "node20",
      minify: false,
      ssr: path.join(web, "cli/main.ts"),
      rolldownOptions: { output: { entryFileNames: "lapwing.mjs" } },
    },
    ssr: { noExternal: true },
  });
  copyFirmware(path.join(outDir, "firmware"));
}

/** SeaBIOS and its VGA BIOS, where the set-up has fetched them. */
function copyFirmware(outDir) {
  fs.mkdirSync(outDir, { recursive: true });
  for (const name of ["bios-256k.bin", "vgabios-stdvga.bin"]) {
    if (fs.existsSync(firmwarePath(name))) fs.copyFileSync(firmwarePath(name), path.join(outDir, name));
  }
}

function replace(replacements) {
  return {
    name: "replace",
    enforce: "pre",
    load(id) {
      const relative = path.relative(web, id);
      return relative in replacements ? fs.readFileSync(replacements[relative], "utf8") : null;
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildCli();
  if (!process.argv.includes("--cli-only"))
    await buildWeb({ withGuests: !process.argv.includes("--no-guests") });
}
