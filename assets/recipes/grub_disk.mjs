// A disk with a DOS partition table, one partition, and GRUB for BIOS in the sectors before it: what grub-install does,
// written without devices. The layouts are those of GRUB's boot.S (sector 0) and diskboot.S (first sector of core.img).
import { SetupError } from "../setup/cache.mjs";

const kSector = 512;
/** The partition starts at 1 MiB, as partitioning programs have it. */
export const kPartitionStart = 1 << 20;

const kBootSectorCode = 440;
const kBoot = { kernelSector: 0x5c, bootDrive: 0x64, driveCheck: 0x66, diskSignature: 0x1b8, table: 0x1be };
const kFromBios = 0xff; // boot drive: the one that the BIOS names in DL
const kTwoNops = 0x9090; // in place of the jump that is there for BIOSes that boot a floppy as a disk
const kFirstBlocks = 0x1f4; // diskboot: where the rest of core.img lies: sector (8), sectors (2), segment (2)
const kCoreSegment = 0x820;
const kLinuxPartition = 0x83;
const kActive = 0x80;
const kNoChs = Buffer.from([0xfe, 0xff, 0xff]);

function partitionEntry(sectors) {
  const entry = Buffer.alloc(16);
  entry[0] = kActive;
  kNoChs.copy(entry, 1);
  entry[4] = kLinuxPartition;
  kNoChs.copy(entry, 5);
  entry.writeUInt32LE(kPartitionStart / kSector, 8);
  entry.writeUInt32LE(sectors, 12);
  return entry;
}

/** The bytes from the disk's start that make it bootable: boot.img and core.img around a partition table. */
export function grubSectors(boot, core, diskBytes) {
  if (boot.length !== kSector || boot.readUInt16LE(510) !== 0xaa55)
    throw new SetupError("GRUB's boot.img is not a boot sector");
  if (core.length <= kSector || kSector + core.length > kPartitionStart)
    throw new SetupError(`GRUB's core.img of ${core.length} bytes does not fit before the partition`);
  const coreSectors = Math.ceil(core.length / kSector);
  const sectors = Buffer.alloc((1 + coreSectors) * kSector);
  boot.copy(sectors, 0, 0, kBootSectorCode);
  sectors.writeBigUInt64LE(1n, kBoot.kernelSector);
  sectors[kBoot.bootDrive] = kFromBios;
  sectors.writeUInt16LE(kTwoNops, kBoot.driveCheck);
  sectors.write("LWNG", kBoot.diskSignature, "latin1");
  partitionEntry((diskBytes - kPartitionStart) / kSector).copy(sectors, kBoot.table);
  sectors.writeUInt16LE(0xaa55, 510);
  core.copy(sectors, kSector);
  const blocks = kSector + kFirstBlocks;
  sectors.writeBigUInt64LE(2n, blocks);
  sectors.writeUInt16LE(coreSectors - 1, blocks + 8);
  sectors.writeUInt16LE(kCoreSegment, blocks + 10);
  return sectors;
}
