// The per-user cache that all clones share: paths, lock, atomic directories, messages.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createHash } from "node:crypto";

/** An expected failure: shown as one line, without a stack trace. */
export class SetupError extends Error {}

export function cacheRoot() {
  const base = process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache");
  return path.join(base, "lapwing");
}

export function cachePath(...parts) {
  return path.join(cacheRoot(), ...parts);
}

export function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** Runs main; an expected failure becomes one line on stderr and exit status 1. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`setup: error: ${error.message}\n`);
    process.exit(1);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function tryLock(file) {
  try {
    fs.writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") {
      throw new SetupError(`cannot write to the cache ${cacheRoot()}: ${error.message}`);
    }
  }
  let owner = NaN;
  try {
    owner = Number(fs.readFileSync(file, "utf8"));
  } catch {
    return false;
  }
  if (owner > 0 && !isAlive(owner)) fs.rmSync(file, { force: true });
  return false;
}

/** Holds one of the cache's locks while work runs; waits for another set-up that holds it. */
export async function withLock(work, name = "lock") {
  try {
    fs.mkdirSync(cacheRoot(), { recursive: true });
  } catch (error) {
    throw new SetupError(`cannot create the cache ${cacheRoot()}: ${error.message}`);
  }
  const file = cachePath(name);
  let told = false;
  while (!tryLock(file)) {
    if (!told) say("waiting for another set-up on this machine");
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const release = () => fs.rmSync(file, { force: true });
  const onSignal = () => process.exit(130);
  process.once("exit", release);
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    return await work();
  } finally {
    release();
    process.off("exit", release);
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

/** Fills a fresh directory and moves it into place as a whole: target exists only complete. */
export async function buildDirectory(target, fill) {
  const temporary = `${target}.partial`;
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary, { recursive: true });
  const result = await fill(temporary);
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(temporary, target);
  return result;
}

export function writeAtomic(file, data) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.partial`, data);
  fs.renameSync(`${file}.partial`, file);
}

export function sha256File(file) {
  return createHash("sha256").update(fs.readFileSync(file)).digest("hex");
}
