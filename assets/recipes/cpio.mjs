// Writer of "newc" cpio archives (the kernel's initramfs format), deterministic: fixed times, owner root, sorted.
const kTrailer = "TRAILER!!!";
const kDirectory = 0o040000;
const kRegular = 0o100000;
const kSymlink = 0o120000;
const kCharacterDevice = 0o020000;

function header(fields, name) {
  const hex = (value) => value.toString(16).toUpperCase().padStart(8, "0");
  const nameBytes = Buffer.from(name + "\0");
  const { inode, mode, links, size, major, minor } = fields;
  const numbers = [inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, nameBytes.length, 0];
  return padded(Buffer.concat([Buffer.from("070701" + numbers.map(hex).join("")), nameBytes]));
}

function padded(buffer) {
  const extra = (4 - (buffer.length % 4)) % 4;
  return extra ? Buffer.concat([buffer, Buffer.alloc(extra)]) : buffer;
}

function fieldsOf(entry) {
  if (entry.directory) return { mode: kDirectory | (entry.mode ?? 0o755), data: Buffer.alloc(0), links: 2 };
  if (entry.link) return { mode: kSymlink | 0o777, data: Buffer.from(entry.link), links: 1 };
  if (entry.device)
    return { mode: kCharacterDevice | (entry.mode ?? 0o600), data: Buffer.alloc(0), links: 1 };
  return { mode: kRegular | (entry.mode ?? 0o644), data: Buffer.from(entry.data), links: 1 };
}

/** entries: { path: {directory} | {link: target} | {device: [major, minor]} | {data}, each with optional mode }. */
export function writeCpio(entries) {
  const parts = [];
  let inode = 1;
  for (const name of Object.keys(entries).sort()) {
    const entry = entries[name];
    const { mode, data, links } = fieldsOf(entry);
    const [major, minor] = entry.device ?? [0, 0];
    parts.push(header({ inode: inode++, mode, links, size: data.length, major, minor }, name), padded(data));
  }
  parts.push(header({ inode: 0, mode: 0, links: 1, size: 0, major: 0, minor: 0 }, kTrailer));
  return Buffer.concat(parts);
}
