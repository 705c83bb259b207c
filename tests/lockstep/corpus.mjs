// Code of real programs for the fuzzer: the user space of the guests that are there.
import fs from "node:fs";
import zlib from "node:zlib";
import { cachePath } from "../../assets/setup/cache.mjs";

const most = 4 << 20;

/** The largest executable section of an ELF file. */
function codeOf(elf) {
  const is64 = elf[4] === 2;
  const word = (at) => (is64 ? Number(elf.readBigUInt64LE(at)) : elf.readUInt32LE(at));
  const programHeaders = word(is64 ? 32 : 28);
  const count = elf.readUInt16LE(is64 ? 56 : 44);
  const size = elf.readUInt16LE(is64 ? 54 : 42);
  let best = Buffer.alloc(0);
  for (let i = 0; i < count; i++) {
    const at = programHeaders + i * size;
    const isExecutable = (elf.readUInt32LE(at + (is64 ? 4 : 24)) & 1) !== 0;
    if (elf.readUInt32LE(at) !== 1 || !isExecutable) continue;
    const from = word(at + (is64 ? 8 : 4));
    const code = elf.subarray(from, from + word(at + (is64 ? 32 : 16)));
    if (code.length > best.length) best = code;
  }
  return best;
}

/** The first large ELF file in a gzipped cpio archive. */
function firstProgram(initrd) {
  const bytes = zlib.gunzipSync(fs.readFileSync(initrd));
  for (let at = 0; (at = bytes.indexOf("\x7fELF", at)) >= 0; at++) {
    const code = codeOf(bytes.subarray(at));
    if (code.length > 100_000) return code.subarray(0, most);
  }
  return undefined;
}

/** [bytes of an address, code] of each guest that is there. */
export function realCode() {
  const found = [];
  for (const [guest, codeSize] of [
    ["amd64", 8],
    ["686", 4],
  ]) {
    const initrd = cachePath("guests", guest, "initrd.gz");
    const code = fs.existsSync(initrd) ? firstProgram(initrd) : undefined;
    if (code) found.push([codeSize, code]);
  }
  return found;
}

export function addCorpora(probe) {
  for (const [codeSize, code] of realCode()) probe.exports.ls_corpus(codeSize, probe.give(code), code.length);
}
