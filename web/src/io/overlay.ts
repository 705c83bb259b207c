import { LapwingError } from "../errors";

const sectorBytes = 512;
const clusterBytes = 64 * 1024;
const sectorsPerCluster = clusterBytes / sectorBytes;
const mapBytes = sectorsPerCluster / 8;

interface Cluster {
  bytes: Uint8Array;
  /** One bit per sector that was written. */
  map: Uint8Array;
}

/** What a guest wrote over an image, in sectors. Offsets and sizes are multiples of 512. */
export class Overlay {
  #clusters = new Map<number, Cluster>();

  get isEmpty(): boolean {
    return this.#clusters.size === 0;
  }

  write(offset: number, bytes: Uint8Array): void {
    forEachPiece(offset, bytes.length, (index, from, at, size) => {
      let cluster = this.#clusters.get(index);
      if (!cluster) {
        cluster = { bytes: new Uint8Array(clusterBytes), map: new Uint8Array(mapBytes) };
        this.#clusters.set(index, cluster);
      }
      cluster.bytes.set(bytes.subarray(at, at + size), from);
      for (let sector = from / sectorBytes; sector < (from + size) / sectorBytes; sector++)
        cluster.map[sector >> 3]! |= 1 << (sector & 7);
    });
  }

  /** Whether every sector of the range was written. */
  covers(offset: number, size: number): boolean {
    if (this.isEmpty) return false;
    let isCovered = true;
    forEachPiece(offset, size, (index, from, _at, length) => {
      const map = this.#clusters.get(index)?.map;
      for (let sector = from / sectorBytes; isCovered && sector < (from + length) / sectorBytes; sector++)
        isCovered = map !== undefined && isSet(map, sector);
    });
    return isCovered;
  }

  /** Puts the written sectors over what was read from the image. */
  patch(offset: number, into: Uint8Array): void {
    if (this.isEmpty) return;
    forEachPiece(offset, into.length, (index, from, at, size) => {
      const cluster = this.#clusters.get(index);
      if (!cluster) return;
      for (let done = 0; done < size; done += sectorBytes) {
        const place = from + done;
        if (!isSet(cluster.map, place / sectorBytes)) continue;
        into.set(cluster.bytes.subarray(place, place + sectorBytes), at + done);
      }
    });
  }

  /** Per cluster, ascending: u32 index, 16 bytes of map, the written sectors. */
  save(): Uint8Array {
    const entries = [...this.#clusters].sort(([a], [b]) => a - b);
    const sectors = entries.reduce((sum, [, { map }]) => sum + countBits(map), 0);
    const result = new Uint8Array(entries.length * (4 + mapBytes) + sectors * sectorBytes);
    const view = new DataView(result.buffer);
    let at = 0;
    for (const [index, { bytes, map }] of entries) {
      view.setUint32(at, index, true);
      result.set(map, at + 4);
      at += 4 + mapBytes;
      for (let sector = 0; sector < sectorsPerCluster; sector++) {
        if (!isSet(map, sector)) continue;
        result.set(bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes), at);
        at += sectorBytes;
      }
    }
    return result;
  }

  static parse(saved: Uint8Array): Overlay {
    const overlay = new Overlay();
    const view = new DataView(saved.buffer, saved.byteOffset, saved.length);
    for (let at = 0; at < saved.length;) {
      const header = at + 4 + mapBytes;
      const size =
        header <= saved.length ? countBits(saved.subarray(at + 4, header)) * sectorBytes : Infinity;
      if (header + size > saved.length)
        throw new LapwingError("bad_file", "the snapshot is damaged in its disks; save it again");
      const map = saved.slice(at + 4, header);
      const bytes = new Uint8Array(clusterBytes);
      let from = header;
      for (let sector = 0; sector < sectorsPerCluster; sector++) {
        if (!isSet(map, sector)) continue;
        bytes.set(saved.subarray(from, from + sectorBytes), sector * sectorBytes);
        from += sectorBytes;
      }
      overlay.#clusters.set(view.getUint32(at, true), { bytes, map });
      at = header + size;
    }
    return overlay;
  }

  replaceWith(other: Overlay): void {
    this.#clusters = other.#clusters;
  }
}

const isSet = (map: Uint8Array, sector: number): boolean => (map[sector >> 3]! & (1 << (sector & 7))) !== 0;

function countBits(map: Uint8Array): number {
  let count = 0;
  for (let byte of map) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}

/** Calls back per cluster with its index, the offset in it, the offset in the range, and the size. */
function forEachPiece(
  offset: number,
  size: number,
  use: (index: number, from: number, at: number, size: number) => void,
): void {
  for (let at = 0; at < size;) {
    const index = Math.floor((offset + at) / clusterBytes);
    const from = offset + at - index * clusterBytes;
    const length = Math.min(size - at, clusterBytes - from);
    use(index, from, at, length);
    at += length;
  }
}
