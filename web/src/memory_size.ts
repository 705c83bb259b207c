import { LapwingError } from "./errors";

const mebibyte = 2 ** 20;
const least = 4 * mebibyte;
const most = 2048 * mebibyte;

export const defaultMemory = 256 * mebibyte;

const units: Record<string, number> = { B: 1, K: 2 ** 10, M: mebibyte, G: 2 ** 30 };

/** "256M", "1G", or MiB without a unit, in bytes; a multiple of 4 KiB between 4 MiB and 2 GiB. */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([bkmg]?)(?:i?b)?$/i.exec(text.trim());
  if (!match)
    throw new LapwingError("bad_option", `'${text}' is not a memory size; write for example 256M or 1G.`);
  const bytes = Number(match[1]) * units[match[2]!.toUpperCase() || "M"]!;
  if (bytes < least) throw new LapwingError("bad_option", `${text} is too little memory; at least 4M.`);
  if (bytes > most) throw new LapwingError("bad_option", `${text} is too much memory; at most 2G.`);
  return Math.ceil(bytes / 4096) * 4096;
}
