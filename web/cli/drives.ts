// The flags that give disks: -hda ... -hdd, -cdrom, -drive and -snapshot. An image is written only with
// -drive ...,snapshot=off; everything else keeps the guest's writes in memory.
import fs from "node:fs";
import { LapwingError } from "../src/errors";
import { Disk, DiskSet, type DriveOptions } from "../src/io/disk";
import { FileSource } from "../src/io/disk_file";
import type { ParsedFlags } from "./flags";

export interface CliDrive {
  /** Absent: a CD drive without a disc. */
  path?: string;
  options: DriveOptions;
  /** The user has said what becomes of writes, so that no note is needed. */
  isExplicit: boolean;
}

const bad = (message: string): LapwingError => new LapwingError("bad_option", message);
const ideFlags = ["-hda", "-hdb", "-hdc", "-hdd"];
const cdPlace = 2;

export function drivesFrom(flags: ParsedFlags): CliDrive[] {
  const neverWrite = flags.has("-snapshot");
  const drives: CliDrive[] = [];
  ideFlags.forEach((flag, index) => {
    const path = flags.get(flag)?.at(-1);
    if (path !== undefined)
      drives.push({
        path,
        options: { id: flag.slice(1), interface: "ide", index },
        isExplicit: neverWrite,
      });
  });
  const cd = flags.get("-cdrom")?.at(-1);
  if (cd !== undefined) {
    const options: DriveOptions = { id: "cdrom", interface: "ide", index: cdPlace, isCd: true };
    drives.push({ path: cd, options, isExplicit: true });
  }
  for (const [i, text] of (flags.get("-drive") ?? []).entries())
    drives.push(parseDrive(text, `drive${i}`, neverWrite));
  return drives;
}

/** Properties that change nothing here, or only how a host does its input and output. */
const ignored = [
  "cache",
  "aio",
  "discard",
  "detect-zeroes",
  "werror",
  "rerror",
  "copy-on-read",
  "throttling",
];

function parseDrive(text: string, defaultId: string, neverWrite: boolean): CliDrive {
  const values = new Map<string, string>();
  for (const part of text.split(/(?<!,),(?!,)/)) {
    const at = part.indexOf("=");
    if (at < 0) throw bad(`-drive ${text}: '${part}' is not name=value.`);
    values.set(part.slice(0, at), part.slice(at + 1).replaceAll(",,", ","));
  }
  const take = (name: string, ...choices: string[]): string | undefined => {
    const value = values.get(name);
    values.delete(name);
    if (value !== undefined && choices.length > 0 && !choices.includes(value))
      throw bad(`-drive ${text}: ${name}=${value}: there is only ${choices.join(", ")}.`);
    return value;
  };
  const isOn = (name: string): boolean | undefined => {
    const value = take(name, "on", "off");
    return value === undefined ? undefined : value === "on";
  };
  for (const name of ignored) values.delete(name);
  const format = take("format");
  if (format !== undefined && format !== "raw")
    throw new LapwingError("not_supported", `-drive format=${format} is not supported; convert it to raw.`);
  const path = take("file");
  const place = idePlace(text, take("index"), take("bus"), take("unit"));
  const snapshot = isOn("snapshot");
  const options: DriveOptions = {
    id: take("id") ?? defaultId,
    interface: (take("if", "ide", "none", "nvme", "virtio") ?? "ide") as DriveOptions["interface"],
    index: place,
    isCd: take("media", "disk", "cdrom") === "cdrom",
    isReadOnly: isOn("readonly") ?? isOn("read-only"),
    serial: take("serial"),
    mode: snapshot === false && !neverWrite ? "direct" : "overlay",
  };
  const [unknown] = values.keys();
  if (unknown !== undefined) throw bad(`-drive ${text}: there is no property '${unknown}'.`);
  if (/[,\n]/.test(options.id + (options.serial ?? "")))
    throw bad(`-drive ${text}: id and serial may not contain a comma.`);
  if (path === undefined && !options.isCd) throw bad(`-drive ${text}: it needs file=FILE.`);
  const isExplicit = snapshot !== undefined || neverWrite || options.isReadOnly === true || options.isCd!;
  return { path, options, isExplicit };
}

function idePlace(text: string, index?: string, bus?: string, unit?: string): number | undefined {
  const numbers = [index, bus, unit].map((value) => (value === undefined ? undefined : Number(value)));
  if (numbers.some((value) => value !== undefined && !(Number.isInteger(value) && value >= 0 && value < 16)))
    throw bad(`-drive ${text}: index, bus and unit are small whole numbers.`);
  if (numbers[0] !== undefined) return numbers[0];
  if (bus === undefined && unit === undefined) return undefined;
  return 2 * (numbers[1] ?? 0) + (numbers[2] ?? 0);
}

/** Opens all images; a read or write that fails later is told once per disk through `say`. */
export function openDrives(drives: readonly CliDrive[], say: (sentence: string) => void): DiskSet {
  const disks = drives.map(({ path, options }) => {
    const isWritable = options.mode === "direct" && !options.isReadOnly && !options.isCd;
    const source = path === undefined ? undefined : new FileSource(fs, path, isWritable);
    return new Disk(options, source);
  });
  return new DiskSet(disks, (error) => say(`${error.message} The guest gets an error of the disk.`));
}

/** What the user should know about writes, if anything. */
export function overlayNote(drives: readonly CliDrive[]): string | undefined {
  const unsaid = drives.filter(({ isExplicit }) => !isExplicit).map(({ path }) => path);
  if (unsaid.length === 0) return undefined;
  return `note: what the guest writes to ${unsaid.join(", ")} is lost at the end; -drive file=...,snapshot=off writes the image, -snapshot silences this.`;
}
