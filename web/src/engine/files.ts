import { LapwingError, messageOf } from "../errors";
import type { FileSource } from "./protocol";

export type OnProgress = (loaded: number, total: number | undefined) => void;

/** The bytes of a file, with progress while they arrive; the error says which file and why. */
export async function readSource(
  name: string,
  source: FileSource,
  onProgress?: OnProgress,
): Promise<Uint8Array> {
  if ("bytes" in source) return source.bytes;
  if ("blob" in source) return readBlob(name, source.blob);
  const response = await fetchFile(name, source.url);
  const bytes = await collect(name, response, onProgress);
  if (bytes.length === 0) throw new LapwingError("bad_file", `${name} is empty (${source.url}).`);
  return bytes;
}

export async function fetchFile(name: string, url: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin" });
  } catch (error) {
    throw new LapwingError("network", `Cannot download ${name} from ${url}: ${messageOf(error)}.`);
  }
  if (!response.ok) {
    throw new LapwingError(
      "network",
      `Cannot download ${name} from ${url}: the server answered ${response.status}.`,
    );
  }
  return response;
}

async function readBlob(name: string, blob: Blob): Promise<Uint8Array> {
  try {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    if (bytes.length > 0) return bytes;
  } catch (error) {
    throw new LapwingError("bad_file", `${name} cannot be read: ${messageOf(error)}`);
  }
  throw new LapwingError("bad_file", `${name} is empty.`);
}

async function collect(name: string, response: Response, onProgress?: OnProgress): Promise<Uint8Array> {
  const isEncoded = response.headers.get("content-encoding") !== null;
  const length = Number(response.headers.get("content-length"));
  const total = length > 0 && !isEncoded ? length : undefined;
  if (!response.body) return new Uint8Array(await response.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  onProgress?.(0, total);
  try {
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      chunks.push(part.value);
      loaded += part.value.length;
      onProgress?.(loaded, total);
    }
  } catch (error) {
    throw new LapwingError("network", `The download of ${name} broke off: ${messageOf(error)}.`);
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
