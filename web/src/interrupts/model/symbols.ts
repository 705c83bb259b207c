import { hex } from "./names";

/** Names of guest code, from a System.map ("ffffffff81000000 T _text" a line). */
export class Symbols {
  readonly #addresses: bigint[] = [];
  readonly #names: string[] = [];

  constructor(systemMap = "") {
    const entries: [bigint, string][] = [];
    for (const line of systemMap.split("\n")) {
      const match = /^([0-9a-f]+) [a-z] (\S+)/i.exec(line);
      if (match) entries.push([BigInt(`0x${match[1]}`), match[2]!]);
    }
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
