// The trace file *.lwtrace: a header of 32 bytes, then the engine's records of 48 bytes as they are, to the end of the
// file. All numbers are little-endian. docs/INTERRUPTS.md describes both.
import { LapwingError } from "../errors";
import { decodeRecords, recordBytes, type IrqRecord } from "./records";

const magic = "LWTRACE1";
const version = 1;
const headerBytes = 32;

/** Bytes 0-7 "LWTRACE1", 8 u32 version, 12 u32 header size, 16 u32 record size, 20 u32 flags (0), 24 u64 reserved. */
export function traceHeader(): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  bytes.set(new TextEncoder().encode(magic));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, headerBytes, true);
  view.setUint32(16, recordBytes, true);
  return bytes;
}

export function readTrace(bytes: Uint8Array): IrqRecord[] {
  const isTrace =
    bytes.length >= headerBytes && new TextDecoder().decode(bytes.subarray(0, magic.length)) === magic;
  if (!isTrace) throw new LapwingError("bad_file", "This is not a Lapwing trace (*.lwtrace).");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [fileVersion, start, size] = [8, 12, 16].map((at) => view.getUint32(at, true));
  if (fileVersion !== version || size !== recordBytes || start! < headerBytes)
    throw new LapwingError(
      "bad_file",
      `This trace has version ${fileVersion}; version ${version} is known here.`,
    );
  const records = bytes.subarray(start);
  if (records.length % recordBytes !== 0) throw new LapwingError("bad_file", "This trace is cut short.");
  return decodeRecords(records);
}
