// Child processes for the set-up: quiet by default, one-line errors.
import fs from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { SetupError } from "./cache.mjs";

export function findProgram(name) {
  for (const directory of (process.env.PATH ?? "").split(path.delimiter)) {
    if (!directory) continue;
    const candidate = path.join(directory, name);
    try {
      fs.accessSync(candidate, fs.constants.X_OK);
      if (fs.statSync(candidate).isFile()) return candidate;
    } catch {
      // not in this directory
    }
  }
  return undefined;
}

/** Runs a program and returns its stdout; failure is a SetupError that ends with the last line it said. */
export function capture(program, args, options = {}) {
  const result = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 256 << 20,
    stdio: ["ignore", "pipe", "pipe"],
    ...options,
  });
  if (result.error) throw new SetupError(`cannot run ${program}: ${result.error.message}`);
  if (result.status !== 0) {
    throw new SetupError(`${path.basename(program)} ${args[0] ?? ""} failed: ${lastWords(result)}`);
  }
  return result.stdout;
}

function lastWords(result) {
  const lines = `${result.stdout ?? ""}\n${result.stderr ?? ""}`.split("\n").filter((line) => line.trim());
  const telling = lines.filter((line) => /^(E:|W:|error|fatal)/i.test(line.trim()));
  return (telling.at(-1) ?? lines.at(-1) ?? `status ${result.status}`).trim();
}

/** Runs a program whose output the user should see. */
export function show(program, args, options = {}) {
  const result = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"], ...options });
  if (result.error) throw new SetupError(`cannot run ${program}: ${result.error.message}`);
  if (result.status !== 0) {
    throw new SetupError(
      `${path.basename(program)} ${args.join(" ")} ended with ${result.status ?? result.signal}`,
    );
  }
}
