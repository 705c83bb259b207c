// npm run lint: clang-format, Prettier, tsc and clang-tidy; every tool runs, the exit status tells whether all passed.
// `-- --fast` leaves out clang-tidy; `-- --fix` rewrites what the formatters can.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";
import { configure } from "../assets/setup/build.mjs";
import { runMain } from "../assets/setup/cache.mjs";
import { setup } from "../assets/setup/setup.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const options = new Set(process.argv.slice(2));

function trackedFiles(pattern) {
  const listing = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: kRoot,
  });
  const names = listing.stdout
    .toString()
    .split("\0")
    .filter((name) => pattern.test(name));
  return names.filter((name) => fs.existsSync(path.join(kRoot, name)));
}

function run(title, program, args) {
  const start = Date.now();
  const result = spawnSync(program, args, { cwd: kRoot, encoding: "utf8", maxBuffer: 64 << 20 });
  const passed = !result.error && result.status === 0;
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${passed ? "ok    " : "FAILED"} ${title} (${seconds} s)\n`);
  if (!passed)
    process.stdout.write(result.error ? `${result.error.message}\n` : result.stdout + result.stderr);
  return passed;
}

function clangFormat() {
  const mode = options.has("--fix") ? ["-i"] : ["--dry-run", "-Werror"];
  return run("clang-format", "clang-format-19", [...mode, ...trackedFiles(/\.(cpp|h)$/)]);
}

function prettier() {
  return run("prettier", "node_modules/.bin/prettier", [
    options.has("--fix") ? "--write" : "--check",
    "--log-level=warn",
    ".",
  ]);
}

function tsc() {
  return run("tsc", "node_modules/.bin/tsc", ["--noEmit", "-p", "web/tsconfig.json"]);
}

/** Only the engine's own sources: tests are made of Catch2's macros. */
async function clangTidy() {
  const folder = await configure("native");
  const sources = trackedFiles(/^(core|devices|wasm_jit|web\/(engine|native))\/.*\.cpp$/);
  const patterns = sources.map((name) => `${path.join(kRoot, name).replaceAll(".", "\\.")}$`);
  const options = ["-quiet", "-j", String(os.availableParallelism()), "-p", folder];
  return run("clang-tidy", "run-clang-tidy-19", [
    ...options,
    "-clang-tidy-binary=clang-tidy-19",
    ...patterns,
  ]);
}

await runMain(async () => {
  await setup(["build", "npm", "test", "lint"]);
  const results = [clangFormat(), prettier(), tsc()];
  if (!options.has("--fast")) results.push(await clangTidy());
  process.exitCode = results.every(Boolean) ? 0 : 1;
});
