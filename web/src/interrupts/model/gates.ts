// IDT entries, SDM vol. 3, "IDT Descriptors" and "Real-Address Mode": the address of a vector's handler.
import type { CpuState } from "./state";

export const gateBytes = { real: 4, protected: 8, long: 16 } as const;

/** Where the entry of a vector lies in guest-virtual memory; undefined beyond the limit. */
export function gateAddress(cpu: CpuState, vector: number): bigint | undefined {
  const size = gateBytes[cpu.mode];
  return vector * size + size - 1 <= cpu.idtLimit ? cpu.idtBase + BigInt(vector * size) : undefined;
}

/** The handler's address, or undefined when the entry is not present. In real mode segment times 16 plus offset. */
export function handlerOf(bytes: Uint8Array, mode: CpuState["mode"]): bigint | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const low = view.getUint16(0, true);
  if (mode === "real") return BigInt(view.getUint16(2, true) * 16 + low);
  const isPresent = (bytes[5]! & 0x80) !== 0;
  if (!isPresent) return undefined;
  const offset = BigInt(low) | (BigInt(view.getUint16(6, true)) << 16n);
  return mode === "long" ? offset | (BigInt(view.getUint32(8, true)) << 32n) : offset;
}

/** The bytes that the monitor's "x /16xb ADDRESS" shows. */
export function bytesOfDump(text: string): Uint8Array {
  const values = text.replace(/^\s*[0-9a-f]+:/gm, "").match(/0x[0-9a-f]+/g) ?? [];
  return Uint8Array.from(values, Number);
}
