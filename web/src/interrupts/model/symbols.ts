import { hex } from "./names";

type Entry = [address: bigint, name: string];

/** Names of guest code, from a System.map ("ffffffff81000000 T _text" a line) or an ELF file with a symbol table. */
export class Symbols {
  readonly #addresses: bigint[] = [];
  readonly #names: string[] = [];

  constructor(file: string | Uint8Array = "") {
    const entries =
      typeof file === "string" ? fromMap(file) : isElf(file) ? fromElf(file) : fromMap(text(file));
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    for (const [address, name] of entries) {
      this.#addresses.push(address);
      this.#names.push(name);
    }
  }

  get size(): number {
    return this.#names.length;
  }

  /** "name" or "name+0x12"; undefined when nothing lies at or below. */
  find(address: bigint): string | undefined {
    let low = 0;
    let high = this.#addresses.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#addresses[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const offset = address - this.#addresses[low - 1]!;
    return offset === 0n ? this.#names[low - 1] : `${this.#names[low - 1]}+${hex(offset)}`;
  }

  /** The name with its address, or the address alone. */
  describe(address: bigint): string {
    const name = this.find(address);
    return name ? `${name} (${hex(address)})` : hex(address);
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function fromMap(map: string): Entry[] {
  const entries: Entry[] = [];
  for (const line of map.split("\n")) {
    const match = /^([0-9a-f]+) [a-z] (\S+)/i.exec(line);
    if (match) entries.push([BigInt(`0x${match[1]}`), match[2]!]);
  }
  return entries;
}

const isElf = (bytes: Uint8Array): boolean => text(bytes.subarray(0, 4)) === "\x7fELF";

const symbolTable = 2;
const functionType = 2;
const noType = 0;

/** Functions and labels of the symbol table of a little-endian ELF file (vmlinux); none when it is stripped. */
function fromElf(bytes: Uint8Array): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWide = bytes[4] === 2;
  const word = (at: number): number =>
    isWide ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true);
  const size = isWide ? 8 : 4;
  const sections = word(isWide ? 0x28 : 0x20);
  const stride = view.getUint16(isWide ? 0x3a : 0x2e, true);
  const count = view.getUint16(isWide ? 0x3c : 0x30, true);
  /** Offset and length of a section's bytes; sh_link and sh_type beside them. */
  const section = (index: number): { type: number; offset: number; length: number; link: number } => {
    const at = sections + index * stride;
    const [offset, length] = [word(at + 8 + 2 * size), word(at + 8 + 3 * size)];
    return {
      type: view.getUint32(at + 4, true),
      offset,
      length,
      link: view.getUint32(at + 8 + 4 * size, true),
    };
  };
  const entries: Entry[] = [];
  for (let index = 0; index < count; index++) {
    const { type, offset, length, link } = section(index);
    if (type !== symbolTable) continue;
    const names = section(link).offset;
    for (let at = offset; at < offset + length; at += isWide ? 24 : 16) {
      const info = view.getUint8(at + (isWide ? 4 : 12)) & 15;
      const value = isWide ? view.getBigUint64(at + 8, true) : BigInt(view.getUint32(at + 4, true));
      const start = names + view.getUint32(at, true);
      const name = text(bytes.subarray(start, bytes.indexOf(0, start)));
      if ((info === functionType || info === noType) && value !== 0n && name) entries.push([value, name]);
    }
  }
  return entries;
}
