// A small ISO 9660 image (ECMA-119): one directory with one file, enough for a guest to mount; and El Torito 1.0's boot
// record and catalog.
const kBlock = 2048;
const kPrimary = 16;
const kBootRecord = 17;
const kTerminator = 18;
const kLittlePaths = 19;
const kBigPaths = 20;
const kRoot = 21;
const kCatalog = 22;
const kFile = 23;
const kPathTableSize = 10;

/** Both byte orders, as most numbers of the format are kept. */
function putBoth(buffer, at, value, size) {
  buffer.writeUIntLE(value, at, size);
  buffer.writeUIntBE(value, at + size, size);
}

function directoryRecord(name, block, size, isDirectory) {
  const identifier = Buffer.from(name, "latin1");
  const record = Buffer.alloc(33 + identifier.length + ((identifier.length + 1) % 2));
  record[0] = record.length;
  putBoth(record, 2, block, 4);
  putBoth(record, 10, size, 4);
  record.set([126, 1, 1, 0, 0, 0, 0], 18);
  record[25] = isDirectory ? 2 : 0;
  putBoth(record, 28, 1, 2);
  record[32] = identifier.length;
  identifier.copy(record, 33);
  return record;
}

/** Lets the BIOS load the image's block `start` and run it, without emulation of a disk. */
function putBootRecord(image, start) {
  const record = kBootRecord * kBlock;
  image.write("\0CD001\u0001EL TORITO SPECIFICATION", record, "latin1");
  image.writeUInt32LE(kCatalog, record + 0x47);
  const catalog = kCatalog * kBlock;
  image[catalog] = 1;
  image.set([0x55, 0xaa], catalog + 30);
  // The words of the validation entry add up to 0.
  image.writeUInt16LE(0x10000 - 0xaa55 - 1, catalog + 28);
  image[catalog + 32] = 0x88;
  image.writeUInt16LE(4, catalog + 38);
  image.writeUInt32LE(start, catalog + 40);
}

/** `name` is of the form "NAME.EXT"; `boot`: a block of code that a BIOS runs. */
export function isoImage(label, name, content, boot) {
  const bootBlock = kFile + Math.ceil(content.length / kBlock);
  const blocks = bootBlock + (boot ? 1 : 0);
  const image = Buffer.alloc(blocks * kBlock);
  const at = (block) => block * kBlock;
  const text = (offset, size, value) => image.write(value.padEnd(size), offset, size, "latin1");

  const primary = at(kPrimary);
  image[primary] = 1;
  text(primary + 1, 5, "CD001");
  image[primary + 6] = 1;
  text(primary + 8, 32, "");
  text(primary + 40, 32, label);
  putBoth(image, primary + 80, blocks, 4);
  putBoth(image, primary + 120, 1, 2);
  putBoth(image, primary + 124, 1, 2);
  putBoth(image, primary + 128, kBlock, 2);
  putBoth(image, primary + 132, kPathTableSize, 4);
  image.writeUInt32LE(kLittlePaths, primary + 140);
  image.writeUInt32BE(kBigPaths, primary + 148);
  directoryRecord("\0", kRoot, kBlock, true).copy(image, primary + 156);
  text(primary + 190, 623, "");
  image[primary + 881] = 1;

  if (!boot) {
    // A volume partition descriptor in the boot record's place.
    image[at(kBootRecord)] = 3;
    text(at(kBootRecord) + 1, 5, "CD001");
    image[at(kBootRecord) + 6] = 1;
  }
  image[at(kTerminator)] = 255;
  text(at(kTerminator) + 1, 5, "CD001");
  image[at(kTerminator) + 6] = 1;
  image.set([1, 0, kRoot, 0, 0, 0, 1, 0], at(kLittlePaths));
  image.set([1, 0, 0, 0, 0, kRoot, 0, 1], at(kBigPaths));

  const records = [
    directoryRecord("\0", kRoot, kBlock, true),
    directoryRecord("\u0001", kRoot, kBlock, true),
    directoryRecord(`${name};1`, kFile, content.length, false),
  ];
  Buffer.concat(records).copy(image, at(kRoot));
  content.copy(image, at(kFile));
  if (boot) {
    boot.copy(image, at(bootBlock));
    putBootRecord(image, bootBlock);
  }
  return image;
}
