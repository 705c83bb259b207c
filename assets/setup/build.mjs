// node assets/setup/build.mjs PRESET [target...]: configures once, then builds with CMake.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError, runMain } from "./cache.mjs";
import { ensureEmscripten } from "./emscripten.mjs";
import { ensureHostPackages } from "./host_packages.mjs";
import { show } from "./process.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

export async function configure(preset) {
  ensureHostPackages(["build"]);
  if (preset === "wasm") await ensureEmscripten(() => ensureHostPackages(["toolchain"]));
  const folder = path.join(kRoot, "build", preset);
  if (!fs.existsSync(path.join(folder, "build.ninja"))) {
    show("cmake", ["--preset", preset, "--log-level=WARNING"], {
      cwd: kRoot,
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  return folder;
}

export async function build(preset, targets = []) {
  const folder = await configure(preset);
  const jobs = String(os.availableParallelism());
  show("cmake", ["--build", folder, "-j", jobs, ...(targets.length ? ["--target", ...targets] : [])]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    const [preset, ...targets] = process.argv.slice(2);
    if (!preset) throw new SetupError("which preset? native, asan or wasm");
    await build(preset, targets);
  });
}
