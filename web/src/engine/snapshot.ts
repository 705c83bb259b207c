const magic = "LWSNAP01";

/** The names of a snapshot's sections, as far as they can be read; what is damaged is the engine's to tell. */
export function snapshotSections(snapshot: Uint8Array): string[] {
  const view = new DataView(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength);
  const text = (at: number, size: number) => new TextDecoder().decode(snapshot.subarray(at, at + size));
  const names: string[] = [];
  let at = magic.length;
  if (text(0, at) !== magic) return names;
  while (at + 4 <= snapshot.length) {
    const nameSize = view.getUint32(at, true);
    const sizeAt = at + 4 + nameSize + 4;
    if (sizeAt + 8 > snapshot.length) break;
    names.push(text(at + 4, nameSize));
    at = sizeAt + 8 + Number(view.getBigUint64(sizeAt, true)) + 8;
  }
  return names;
}
