import { LapwingError, messageOf } from "../errors";

/** What Linux recognises at the start of an initial RAM disk: archives, compressed archives, file systems. */
const formats: readonly { at: number; bytes: readonly number[] }[] = [
  { at: 0, bytes: [0x30, 0x37, 0x30, 0x37, 0x30] }, // cpio, "07070"
  { at: 0, bytes: [0x1f, 0x8b] }, // gzip
  { at: 0, bytes: [0x42, 0x5a, 0x68] }, // bzip2
  { at: 0, bytes: [0x5d, 0x00, 0x00] }, // lzma
  { at: 0, bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a] }, // xz
  { at: 0, bytes: [0x89, 0x4c, 0x5a, 0x4f] }, // lzo
  { at: 0, bytes: [0x02, 0x21, 0x4c, 0x18] }, // lz4
  { at: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd] }, // zstd
  { at: 0, bytes: [0x68, 0x73, 0x71, 0x73] }, // squashfs
  { at: 0, bytes: [0x45, 0x3d, 0xcd, 0x28] }, // cramfs
  { at: 0, bytes: [0x2d, 0x72, 0x6f, 0x6d, 0x31, 0x66, 0x73, 0x2d] }, // romfs
  { at: 1080, bytes: [0x53, 0xef] }, // ext2 to ext4
  { at: 1040, bytes: [0x7f, 0x13] }, // minix
  { at: 1040, bytes: [0x8f, 0x13] },
];

const isLinux = (kernel: Uint8Array): boolean =>
  kernel.length > 0x206 && String.fromCharCode(...kernel.subarray(0x202, 0x206)) === "HdrS";

const matches = (bytes: Uint8Array, { at, bytes: magic }: (typeof formats)[number]): boolean =>
  magic.every((byte, i) => bytes[at + i] === byte);

/**
 * Refuses an initrd that Linux could only panic on: an unknown format, or gzip data that are cut short or damaged. The
 * modules of a multiboot kernel may be anything.
 */
export async function checkInitrd(kernel: Uint8Array, initrd: Uint8Array, name: string): Promise<void> {
  if (!isLinux(kernel)) return;
  // Linux skips zero padding between archives.
  const start = initrd.findIndex((byte) => byte !== 0);
  if (!formats.some((format) => matches(initrd.subarray(format.at === 0 ? Math.max(start, 0) : 0), format))) {
    throw new LapwingError(
      "bad_file",
      `cannot use ${name}: it is neither a cpio archive, plain or compressed, nor a file system that Linux knows.`,
    );
  }
  if (initrd[0] === 0x1f && initrd[1] === 0x8b) await checkGzip(initrd, name);
}

async function checkGzip(bytes: Uint8Array, name: string): Promise<void> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  const reader = stream.pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    while (!(await reader.read()).done);
  } catch (error) {
    const reason = messageOf(error);
    // What follows the compressed data (padding, a further archive) is the kernel's business; Node takes it for a
    // further header, and the first one has been looked at.
    if (/junk|trailing|after the end|incorrect header check/i.test(reason)) return;
    const isCut = /truncated|unexpected end|without reaching/i.test(reason);
    throw new LapwingError(
      "bad_file",
      `cannot use ${name}: its gzip data are ${isCut ? "cut short" : `damaged (${reason.replace(/\.$/, "")})`}; obtain it again.`,
    );
  }
}
