import fs from "node:fs";
import { LapwingError } from "../src/errors";

const reasons: Record<string, string> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "the disk is full",
};

const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ""] ?? message;
};

/** The bytes of a file that the user named, or one sentence about why not. */
export function readInput(what: string, path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = fs.readFileSync(path);
  } catch (error) {
    throw new LapwingError("bad_file", `cannot read ${what} '${path}': ${reasonOf(error)}.`);
  }
  if (bytes.length === 0)
    throw new LapwingError("bad_file", `cannot use ${what} '${path}': the file is empty.`);
  return bytes;
}

function cannotWrite(what: string, path: string, error: unknown): LapwingError {
  const isLost = (error as NodeJS.ErrnoException).code === "ENOENT";
  const reason = isLost ? "there is no such folder" : reasonOf(error);
  return new LapwingError("bad_file", `cannot write ${what} '${path}': ${reason}.`);
}

/** Opens a file for output, so that a bad path is known before the machine runs. */
export function openOutput(what: string, path: string, mode: "w" | "a" = "w"): number {
  try {
    return fs.openSync(path, mode);
  } catch (error) {
    throw cannotWrite(what, path, error);
  }
}

/** For what is written at the end: is the path good? An earlier file stays as it is until then. */
export function checkOutput(what: string, path: string): void {
  fs.closeSync(openOutput(what, path, "a"));
}

/** Writes a whole file; an earlier one of that name is replaced once the new one is complete. */
export function saveOutput(what: string, path: string, data: string | Uint8Array): void {
  try {
    if (!fs.statSync(path, { throwIfNoEntry: false })?.isFile()) return fs.writeFileSync(path, data);
    const target = fs.realpathSync(path);
    fs.writeFileSync(`${target}.part`, data);
    fs.renameSync(`${target}.part`, target);
  } catch (error) {
    throw cannotWrite(what, path, error);
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes everything, also to a terminal or pipe that is momentarily full; false when nobody reads any more. */
export function writeFully(descriptor: number, data: string | Uint8Array): boolean {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE") return false;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
  return true;
}
