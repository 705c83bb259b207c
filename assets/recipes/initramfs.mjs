// The guests' initramfs: static busybox, a few kernel modules, and the files of assets/guests/rootfs.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";
import { writeCpio } from "./cpio.mjs";

export const kRootfs = path.join(path.dirname(fileURLToPath(import.meta.url)), "../guests/rootfs");

const kDirectories = [
  ...["bin", "dev", "etc", "lib", "lib/modules", "mnt", "proc", "sbin", "sys"],
  ...["usr", "usr/bin", "usr/sbin", "var", "var/run"],
];
const kPrograms = new Set(["init", "etc/console", "usr/bin/resize"]);

export function rootfsFiles() {
  return fs
    .readdirSync(kRootfs, { recursive: true })
    .filter((name) => fs.statSync(path.join(kRootfs, name)).isFile())
    .sort();
}

/** busybox: bytes; modules: [{ name, data }] in load order. Returns the gzipped archive. */
export function buildInitramfs(busybox, modules) {
  const entries = {
    "bin/busybox": { data: busybox, mode: 0o755 },
    "dev/console": { device: [5, 1], mode: 0o600 },
    "dev/null": { device: [1, 3], mode: 0o666 },
    root: { directory: true, mode: 0o700 },
    tmp: { directory: true, mode: 0o1777 },
  };
  for (const name of kDirectories) entries[name] = { directory: true };
  for (const name of rootfsFiles()) {
    entries[name] = {
      data: fs.readFileSync(path.join(kRootfs, name)),
      mode: kPrograms.has(name) ? 0o755 : 0o644,
    };
  }
  modules.forEach(({ name, data }, i) => {
    entries[`lib/modules/${String(i).padStart(2, "0")}-${name}.ko`] = { data };
  });
  return zlib.gzipSync(writeCpio(entries), { level: 9 });
}
