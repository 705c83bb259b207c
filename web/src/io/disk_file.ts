// A disk image in a file of Node's file system. `fs` is handed in, so that bundles for browsers do not ask for it.
import type Fs from "node:fs";
import { LapwingError } from "../errors";
import type { DiskSource } from "./disk_source";

type FileSystem = Pick<
  typeof Fs,
  "openSync" | "closeSync" | "fstatSync" | "readSync" | "writeSync" | "fsyncSync"
>;

const reasons: Record<string, string> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  EIO: "the host cannot read it",
  ENOSPC: "the host's disk is full",
};
const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ""] ?? message;
};

export class FileSource implements DiskSource {
  readonly name;
  readonly size: number;
  readonly write?: (offset: number, bytes: Uint8Array) => void;
  readonly flush?: () => void;
  readonly #fs;
  readonly #file: number;
  readonly #mtimeMs: number;
  #isWritable = false;

  constructor(fs: FileSystem, path: string, isWritable: boolean) {
    this.#fs = fs;
    this.name = `'${path}'`;
    this.#isWritable = isWritable;
    try {
      this.#file = fs.openSync(path, isWritable ? "r+" : "r");
    } catch (error) {
      throw this.#failure(isWritable ? "opened for writing" : "opened", error);
    }
    const stat = fs.fstatSync(this.#file);
    if (!stat.isFile()) {
      fs.closeSync(this.#file);
      throw new LapwingError("bad_file", `The disk image ${this.name} cannot be used: it is not a file.`);
    }
    this.size = stat.size;
    this.#mtimeMs = stat.mtimeMs;
    if (!isWritable) return;
    this.write = (offset, bytes) => this.#write(offset, bytes);
    this.flush = () => this.#guard("written", () => fs.fsyncSync(this.#file));
  }

  ready(): boolean {
    return true;
  }
  settled(): Promise<void> {
    return Promise.resolve();
  }

  read(offset: number, into: Uint8Array): void {
    this.#guard("read", () => {
      this.#checkUnchanged();
      for (let at = 0; at < into.length;) {
        const count = this.#fs.readSync(this.#file, into, at, into.length - at, offset + at);
        if (count === 0) throw new Error("it has become shorter while it was in use");
        at += count;
      }
    });
  }

  dispose(): void {
    this.#fs.closeSync(this.#file);
  }

  /** Somebody else's writes would mix two states of a file system. */
  #checkUnchanged(): void {
    if (this.#isWritable) return;
    const { size, mtimeMs } = this.#fs.fstatSync(this.#file);
    if (size !== this.size || mtimeMs !== this.#mtimeMs)
      throw new Error("it has changed while it was in use");
  }

  #write(offset: number, bytes: Uint8Array): void {
    this.#guard("written", () => {
      for (let at = 0; at < bytes.length;)
        at += this.#fs.writeSync(this.#file, bytes, at, bytes.length - at, offset + at);
    });
  }

  #guard(what: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      throw this.#failure(what, error);
    }
  }
  #failure(what: string, error: unknown): LapwingError {
    return new LapwingError("bad_file", `The disk image ${this.name} cannot be ${what}: ${reasonOf(error)}.`);
  }
}
