import { Disk, DiskSet } from "../io/disk";
import { blobSource, BytesSource, httpSource, type DiskSource, type FetchProgress } from "../io/disk_source";
import { FileSource } from "../io/disk_file";
import type { LapwingError } from "../errors";
import type { DiskRequest } from "./protocol";

interface Listener {
  progress(progress: FetchProgress): void;
  error(error: LapwingError, disk: Disk): void;
}

/** Opens the images of a machine, all of which must be usable. */
export async function openDisks(requests: readonly DiskRequest[], listener: Listener): Promise<DiskSet> {
  const disks = await Promise.all(
    requests.map(async ({ name, source, options }) => {
      const isWritable = options.mode === "direct" && !options.isReadOnly && !options.isCd;
      return new Disk(options, source && (await openSource(name, source, isWritable, listener)));
    }),
  );
  return new DiskSet(disks, (error, disk) => listener.error(error, disk));
}

async function openSource(
  name: string,
  source: NonNullable<DiskRequest["source"]>,
  isWritable: boolean,
  { progress }: Listener,
): Promise<DiskSource> {
  if ("bytes" in source) return new BytesSource(name, source.bytes);
  if ("blob" in source) return blobSource(name, source.blob, progress);
  if ("url" in source) return httpSource(name, source.url, progress);
  const fs = await import(/* @vite-ignore */ ["node", "fs"].join(":"));
  return new FileSource(fs, source.path, isWritable);
}
