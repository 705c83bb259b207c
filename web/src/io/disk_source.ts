import { LapwingError, messageOf } from "../errors";

/** The bytes of a disk image, wherever they are. */
export interface DiskSource {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** True when `read` can answer now; else the source begins to fetch the bytes. */
  ready(offset: number, size: number): boolean;
  /** Fills `into`; throws a LapwingError when the bytes cannot be read. */
  read(offset: number, into: Uint8Array): void;
  /** Resolves when everything asked for so far is here or has failed. */
  settled(): Promise<void>;
  /** Absent: the image cannot be written. */
  write?(offset: number, bytes: Uint8Array): void;
  flush?(): void;
  dispose(): void;
}

const unreadable = (name: string, why: string): LapwingError =>
  new LapwingError("bad_file", `The disk image ${name} cannot be read: ${why}.`);

/** An image in memory. */
export class BytesSource implements DiskSource {
  readonly name;
  readonly #bytes;
  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
  }
  get size(): number {
    return this.#bytes.length;
  }
  ready(): boolean {
    return true;
  }
  read(offset: number, into: Uint8Array): void {
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }
  settled(): Promise<void> {
    return Promise.resolve();
  }
  dispose(): void {}
}

export const chunkBytes = 256 * 1024;
const mostCached = 512;
/** Chunks fetched beyond one that follows the previous. */
const readAhead = 3;
const mostTries = 3;

export interface FetchProgress {
  name: string;
  /** Bytes fetched so far, over all of the run. */
  fetchedBytes: number;
  size: number;
  /** Chunks under way. */
  pending: number;
}

/** An image that comes in chunks when they are needed: the most recent 128 MiB are kept. */
export class ChunkedSource implements DiskSource {
  readonly name;
  readonly size;
  readonly #fetch;
  readonly #onProgress;
  readonly #cache = new Map<number, Uint8Array>();
  readonly #failed = new Map<number, LapwingError>();
  readonly #pending = new Map<number, Promise<void>>();
  #fetchedBytes = 0;
  #lastChunk = -2;

  constructor(
    name: string,
    size: number,
    fetchRange: (offset: number, size: number) => Promise<Uint8Array>,
    onProgress?: (progress: FetchProgress) => void,
  ) {
    this.name = name;
    this.size = size;
    this.#fetch = fetchRange;
    this.#onProgress = onProgress;
  }

  ready(offset: number, size: number): boolean {
    const first = Math.floor(offset / chunkBytes);
    const last = Math.floor((offset + Math.max(size, 1) - 1) / chunkBytes);
    const ahead = first === this.#lastChunk + 1 ? readAhead : 0;
    this.#lastChunk = last;
    let isReady = true;
    for (let chunk = first; chunk <= last; chunk++) isReady = this.#have(chunk) && isReady;
    if (!isReady) for (let chunk = last + 1; chunk <= last + ahead; chunk++) this.#have(chunk);
    return isReady;
  }

  read(offset: number, into: Uint8Array): void {
    for (let at = 0; at < into.length;) {
      const chunk = Math.floor((offset + at) / chunkBytes);
      const bytes = this.#cache.get(chunk);
      if (!bytes) {
        const error = this.#failed.get(chunk);
        // Asked for again, it is fetched again.
        this.#failed.delete(chunk);
        throw error ?? unreadable(this.name, "a part of it was not fetched");
      }
      const from = offset + at - chunk * chunkBytes;
      const part = bytes.subarray(from, from + into.length - at);
      into.set(part, at);
      at += part.length;
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#pending.values());
  }
  dispose(): void {
    this.#cache.clear();
  }

  /** Whether a chunk can be answered for; it becomes the most recent one. */
  #have(chunk: number): boolean {
    const bytes = this.#cache.get(chunk);
    if (bytes) {
      this.#cache.delete(chunk);
      this.#cache.set(chunk, bytes);
      return true;
    }
    if (this.#failed.has(chunk) || chunk * chunkBytes >= this.size) return true;
    if (!this.#pending.has(chunk)) {
      const job = this.#load(chunk).finally(() => {
        this.#pending.delete(chunk);
        this.#report();
      });
      this.#pending.set(chunk, job);
      this.#report();
    }
    return false;
  }

  async #load(chunk: number): Promise<void> {
    const offset = chunk * chunkBytes;
    const size = Math.min(chunkBytes, this.size - offset);
    for (let attempt = 1; ; attempt++) {
      try {
        const bytes = await this.#fetch(offset, size);
        if (bytes.length !== size)
          throw unreadable(this.name, `${bytes.length} bytes came instead of ${size}`);
        this.#keep(chunk, bytes);
        return;
      } catch (error) {
        if (attempt < mostTries && error instanceof LapwingError && error.code === "network") continue;
        this.#failed.set(
          chunk,
          error instanceof LapwingError ? error : unreadable(this.name, messageOf(error)),
        );
        return;
      }
    }
  }

  #keep(chunk: number, bytes: Uint8Array): void {
    this.#cache.set(chunk, bytes);
    this.#fetchedBytes += bytes.length;
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= mostCached) break;
      this.#cache.delete(oldest);
    }
  }
  #report(): void {
    this.#onProgress?.({
      name: this.name,
      fetchedBytes: this.#fetchedBytes,
      size: this.size,
      pending: this.#pending.size,
    });
  }
}

type OnProgress = (progress: FetchProgress) => void;

/** A file that the reader chose. The browser refuses to read it once it has changed. */
export function blobSource(name: string, blob: Blob, onProgress?: OnProgress): DiskSource {
  const read = async (offset: number, size: number) => {
    try {
      return new Uint8Array(await blob.slice(offset, offset + size).arrayBuffer());
    } catch (error) {
      throw unreadable(name, `${messageOf(error)} (has the file changed?)`);
    }
  };
  return new ChunkedSource(name, blob.size, read, onProgress);
}

/** An image on a web server, read in ranges. */
export async function httpSource(name: string, url: string, onProgress?: OnProgress): Promise<DiskSource> {
  const first = await fetchRange(name, url, 0, 1, () => noRanges(name, url));
  const total = Number(/\/(\d+)$/.exec(first.headers.get("content-range") ?? "")?.[1]);
  await first.body?.cancel();
  if (!(total > 0)) throw unknownSize(name, url);
  const version = first.headers.get("etag") ?? first.headers.get("last-modified");
  const changed = () => unreadable(name, `it has changed on the server while it was in use (${url})`);
  const read = async (offset: number, size: number) => {
    // A browser whose cache holds parts of another version asks "if it is still that one", and gets all of the new.
    const response = await fetchRange(name, url, offset, size, changed);
    const now = response.headers.get("etag") ?? response.headers.get("last-modified");
    if (now !== version) {
      // A body left unread would keep one of the few connections that a browser makes to a server.
      await response.body?.cancel();
      throw changed();
    }
    try {
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw new LapwingError("network", `The download of ${name} broke off: ${messageOf(error)}.`);
    }
  };
  return new ChunkedSource(name, total, read, onProgress);
}

const rangeNotSatisfiable = 416;

const unknownSize = (name: string, url: string): LapwingError =>
  new LapwingError(
    "network",
    `The server of ${name} does not say how large it is (${url}); a server of another site has to send Access-Control-Expose-Headers: Content-Range.`,
  );

const noRanges = (name: string, url: string): LapwingError =>
  new LapwingError(
    "network",
    `The server of ${name} does not serve parts of files (no HTTP ranges at ${url}); put the image on one that does, or give it as a local file.`,
  );

/** `whole` is the error when the server sends everything instead of a part. */
async function fetchRange(
  name: string,
  url: string,
  offset: number,
  size: number,
  whole: () => LapwingError,
): Promise<Response> {
  let response: Response;
  try {
    const headers = { Range: `bytes=${offset}-${offset + size - 1}` };
    response = await fetch(url, { headers, credentials: "same-origin" });
  } catch (error) {
    throw new LapwingError("network", `Cannot download ${name} from ${url}: ${messageOf(error)}.`);
  }
  if (response.status === 206) return response;
  await response.body?.cancel();
  if (response.ok) throw whole();
  if (response.status === rangeNotSatisfiable) {
    throw offset === 0
      ? new LapwingError("bad_file", `The disk image ${name} is empty (${url}).`)
      : unreadable(name, `it has become shorter on the server while it was in use (${url})`);
  }
  throw new LapwingError(
    "network",
    `Cannot download ${name} from ${url}: the server answered ${response.status}.`,
  );
}
