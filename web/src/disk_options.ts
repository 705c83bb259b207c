// From what a program or page says about disks to the requests of a session.
import { LapwingError } from "./errors";
import type { DiskRequest, FileSource } from "./engine/protocol";

/** One disk of a machine. `Input` is what the surroundings take for an image. */
export interface DiskOptions<Input> {
  /** A raw image; read piece by piece, never written unless `write` says so. Absent: a CD drive without a disc. */
  image?: Input;
  /** What the disk hangs on (default "ide"). "none": a CD to put into a drive later, as "disk0" and so on. */
  interface?: "ide" | "nvme" | "none";
  isCd?: boolean;
  readOnly?: boolean;
  serial?: string;
  /** IDE: 0 and 1 are the primary master and slave, 2 and 3 the secondary. */
  index?: number;
  /** Node, image files: the guest's writes go into the image instead of an overlay in memory. */
  write?: boolean;
}

export interface DiskInputs<Input> {
  hda?: Input;
  hdb?: Input;
  hdc?: Input;
  hdd?: Input;
  cdrom?: Input;
  /** An NVMe disk. */
  nvme?: Input;
  /** More disks, and disks with options. */
  disks?: readonly DiskOptions<Input>[];
}

const places = ["hda", "hdb", "hdc", "hdd"] as const;

export async function diskRequests<Input>(
  inputs: DiskInputs<Input>,
  toSource: (input: Input) => Promise<FileSource | { path: string }>,
): Promise<DiskRequest[]> {
  const all: [string, DiskOptions<Input>][] = [];
  places.forEach((name, index) => {
    if (inputs[name] !== undefined) all.push([name, { image: inputs[name], index }]);
  });
  if (inputs.cdrom !== undefined) all.push(["cdrom", { image: inputs.cdrom, isCd: true, index: 2 }]);
  if (inputs.nvme !== undefined) all.push(["nvme", { image: inputs.nvme, interface: "nvme" }]);
  inputs.disks?.forEach((disk, i) => all.push([`disk${i}`, disk]));
  return Promise.all(
    all.map(async ([id, { image, interface: on = "ide", isCd, readOnly, serial, index, write }]) => {
      if (serial !== undefined && !/^[ -+\--~]{0,20}$/.test(serial))
        throw new LapwingError("bad_option", `The serial number of ${id} has at most 20 ASCII characters.`);
      return {
        name: `the disk ${id}`,
        source: image === undefined ? undefined : await toSource(image),
        options: {
          id,
          interface: on,
          index,
          isCd,
          isReadOnly: readOnly,
          serial,
          mode: write ? ("direct" as const) : undefined,
        },
      };
    }),
  );
}
