// The disks of a machine on the host's side: images, what the guest wrote over them, and the answers to the engine.
import { LapwingError, messageOf } from "../errors";
import type { DoorCalls } from "../engine/door";
import type { DiskSource } from "./disk_source";
import { Overlay } from "./overlay";

export interface DriveOptions {
  id: string;
  interface: "ide" | "nvme" | "virtio" | "none";
  /** IDE: 0 and 1 are the primary master and slave, 2 and 3 the secondary. */
  index?: number;
  isCd?: boolean;
  isReadOnly?: boolean;
  serial?: string;
  /** overlay (default): the image is never written. direct: the guest writes the image itself. */
  mode?: "overlay" | "direct";
}

/** How much of an image its fingerprint covers: partition table, first superblock, and the end. */
const headBytes = 5 * 256 * 1024;
const tailBytes = 64 * 1024;

export class Disk {
  readonly options;
  readonly source;
  readonly #overlay = new Overlay();
  #error: LapwingError | undefined;

  /** Without a source: a CD drive without a disc. */
  constructor(options: DriveOptions, source: DiskSource | undefined) {
    this.options = options;
    this.source = source;
    if (!source) {
      if (!options.isCd) throw new LapwingError("bad_option", `Drive ${options.id} needs an image.`);
      return;
    }
    checkSize(source, options.isCd ? 2048 : 512, options.isCd);
    if (options.mode === "direct" && !options.isReadOnly && !source.write)
      throw new LapwingError("bad_option", `The disk image ${source.name} cannot be written where it is.`);
  }

  get isDirect(): boolean {
    return this.options.mode === "direct" && !this.options.isReadOnly && !this.options.isCd;
  }
  get overlay(): Overlay {
    return this.#overlay;
  }
  /** The first failure of reading or writing; the guest saw it as an error of the disk. */
  get error(): LapwingError | undefined {
    return this.#error;
  }

  ready(offset: number, size: number): boolean {
    return this.#overlay.covers(offset, size) || this.source!.ready(offset, size);
  }
  read(offset: number, into: Uint8Array): boolean {
    return this.#try(() => {
      if (!this.#overlay.covers(offset, into.length)) this.source!.read(offset, into);
      this.#overlay.patch(offset, into);
    });
  }
  write(offset: number, bytes: Uint8Array): boolean {
    return this.#try(() => {
      if (this.isDirect) this.source!.write!(offset, bytes);
      else this.#overlay.write(offset, bytes);
    });
  }
  flush(): boolean {
    return this.#try(() => {
      if (this.isDirect) this.source!.flush?.();
    });
  }

  /** The engine's `drive=` line; its image= tells this image from another. */
  async configLine(): Promise<string> {
    const { id, interface: on, index, isCd, isReadOnly, serial } = this.options;
    const parts = [`id=${id}`, `if=${on}`];
    if (index !== undefined) parts.push(`index=${index}`);
    if (isCd) parts.push("media=cdrom");
    parts.push(`size=${this.source?.size ?? 0}`);
    if (isReadOnly) parts.push("readonly=on");
    if (serial) parts.push(`serial=${serial}`);
    if (this.source) parts.push(`image=${await fingerprint(this.source)}`);
    return parts.join(",");
  }

  #try(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      this.#error ??= error instanceof LapwingError ? error : new LapwingError("bad_file", messageOf(error));
      return false;
    }
  }
}

function checkSize({ name, size }: DiskSource, granule: number, isCd = false): void {
  if (size === 0) throw new LapwingError("bad_file", `The disk image ${name} is empty.`);
  if (size % granule === 0) return;
  const hint = isCd ? "it is cut short or no CD image" : `pad it: truncate -s %${granule} FILE`;
  throw new LapwingError(
    "bad_file",
    `The disk image ${name} has ${size} bytes, which is not a multiple of ${granule}; ${hint}.`,
  );
}

/** Size, first 1.25 MiB and last 64 KiB as 16 hexadecimal digits. */
export async function fingerprint(source: DiskSource): Promise<string> {
  const head = await readAll(source, 0, Math.min(headBytes, source.size));
  const tail = await readAll(source, Math.max(0, source.size - tailBytes), Math.min(tailBytes, source.size));
  const size = new Uint8Array(new Float64Array([source.size]).buffer);
  const halves = [0x811c9dc5, 0x2545f491].map((seed) =>
    [size, head, tail].reduce((hash, bytes) => hashWords(bytes, hash), seed),
  );
  return halves.map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}

async function readAll(source: DiskSource, offset: number, size: number): Promise<Uint8Array> {
  while (!source.ready(offset, size)) await source.settled();
  const bytes = new Uint8Array(size);
  source.read(offset, bytes);
  return bytes;
}

/** A hash over little-endian words of 32 bits, the last one filled with zeros. */
export function hashWords(bytes: Uint8Array, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

/** All disks of one machine, in the order of its `drive=` lines. */
export class DiskSet {
  readonly disks: readonly Disk[];
  readonly #onError: (error: LapwingError, disk: Disk) => void;
  readonly #reported = new Set<Disk>();

  constructor(disks: readonly Disk[], onError: (error: LapwingError, disk: Disk) => void = () => {}) {
    this.disks = disks;
    this.#onError = onError;
  }

  configLines(): Promise<string[]> {
    return Promise.all(this.disks.map((disk) => disk.configLine()));
  }

  /** Resolves when what the engine asked for is here. */
  async settled(): Promise<void> {
    await Promise.all(this.disks.map((disk) => disk.source?.settled()));
  }

  doorCalls(memory: WebAssembly.Memory): DoorCalls {
    const view = (at: number, size: number) => new Uint8Array(memory.buffer, at >>> 0, size >>> 0);
    const done = (drive: number, isGood: boolean): number => {
      const disk = this.disks[drive]!;
      if (disk.error && !this.#reported.has(disk)) {
        this.#reported.add(disk);
        this.#onError(disk.error, disk);
      }
      return isGood ? 0 : 1;
    };
    return {
      disk_ready: (drive, offset, size) => (this.disks[drive]!.ready(offset, size >>> 0) ? 1 : 0),
      disk_read: (drive, offset, data, size) =>
        done(drive, this.disks[drive]!.read(offset, view(data, size))),
      disk_write: (drive, offset, data, size) =>
        done(drive, this.disks[drive]!.write(offset, view(data, size))),
      disk_flush: (drive) => done(drive, this.disks[drive]!.flush()),
    };
  }

  /** A snapshot of the engine with the overlays behind it. */
  attachOverlays(snapshot: Uint8Array): Uint8Array {
    if (this.disks.length === 0) return snapshot;
    const direct = this.disks.find((disk) => disk.isDirect);
    if (direct) {
      throw new LapwingError(
        "bad_option",
        `A snapshot cannot hold drive ${direct.options.id}, whose image is written directly (snapshot=off).`,
      );
    }
    const overlays = this.disks.map((disk) => disk.overlay.save());
    return joinTrailer(snapshot, overlays);
  }

  /** Takes a snapshot apart; `apply` sets the overlays, to be called once the engine has accepted its part. */
  detachOverlays(bytes: Uint8Array): { snapshot: Uint8Array; apply: () => void } {
    const { snapshot, overlays } = splitTrailer(bytes);
    if (overlays.length !== this.disks.length) {
      throw new LapwingError(
        "bad_file",
        `The snapshot holds ${overlays.length} disks, this machine has ${this.disks.length}.`,
      );
    }
    const loaded = overlays.map((saved) => Overlay.parse(saved));
    return { snapshot, apply: () => this.disks.forEach((disk, i) => disk.overlay.replaceWith(loaded[i]!)) };
  }

  dispose(): void {
    for (const disk of this.disks) disk.source?.dispose();
  }
}

// After the engine's bytes: per disk {u32 size, bytes}, then u32 disks, u32 hash of what precedes it behind the
// engine's bytes, f64 size of the engine's bytes, "LWDISKS1".
const magic = new TextEncoder().encode("LWDISKS1");
const footerBytes = 24;

function joinTrailer(snapshot: Uint8Array, overlays: Uint8Array[]): Uint8Array {
  const size = overlays.reduce((sum, overlay) => sum + 4 + overlay.length, 0);
  const result = new Uint8Array(snapshot.length + size + footerBytes);
  result.set(snapshot);
  const view = new DataView(result.buffer);
  let at = snapshot.length;
  for (const overlay of overlays) {
    view.setUint32(at, overlay.length, true);
    result.set(overlay, at + 4);
    at += 4 + overlay.length;
  }
  view.setUint32(at, overlays.length, true);
  view.setUint32(at + 4, hashWords(result.subarray(snapshot.length, at + 4)), true);
  view.setFloat64(at + 8, snapshot.length, true);
  result.set(magic, at + 16);
  return result;
}

function splitTrailer(bytes: Uint8Array): { snapshot: Uint8Array; overlays: Uint8Array[] } {
  const footer = bytes.length - footerBytes;
  if (footer < 0 || magic.some((byte, i) => bytes[footer + 16 + i] !== byte))
    return { snapshot: bytes, overlays: [] };
  const damaged = new LapwingError("bad_file", "the snapshot is damaged in its disks; save it again");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const begin = view.getFloat64(footer + 8, true);
  if (!(begin >= 0 && begin <= footer)) throw damaged;
  if (hashWords(bytes.subarray(begin, footer + 4)) !== view.getUint32(footer + 4, true)) throw damaged;
  const overlays: Uint8Array[] = [];
  let at = begin;
  for (let left = view.getUint32(footer, true); left > 0; left--) {
    if (at + 4 > footer) throw damaged;
    const size = view.getUint32(at, true);
    at += 4;
    if (at + size > footer) throw damaged;
    overlays.push(bytes.subarray(at, at + size));
    at += size;
  }
  return { snapshot: bytes.subarray(0, begin), overlays };
}
