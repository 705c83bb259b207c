// Disk images for tests: an ext4 file system filled from an initramfs, the same bytes each time.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import zlib from "node:zlib";

const kTime = "1704067200"; // 2024-01-01
const kTools = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, E2FSPROGS_FAKE_TIME: kTime };

export function hasDiskTools() {
  return spawnSync("mke2fs", ["-V"], { env: kTools }).error === undefined;
}

/** Runs a program of e2fsprogs; answers its exit status and text. */
export function diskTool(name, args) {
  const { status, stdout, stderr, error } = spawnSync(name, args, { env: kTools, encoding: "utf8" });
  if (error) throw new Error(`${name}: ${error.message}`);
  return { status, text: stdout + stderr };
}

/** The files of a gzipped newc archive, without devices. */
function* archiveFiles(archive) {
  const bytes = zlib.gunzipSync(archive);
  for (let at = 0; ;) {
    const field = (i) => parseInt(bytes.toString("latin1", at + 6 + 8 * i, at + 14 + 8 * i), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const name = bytes.toString("utf8", at + 110, at + 110 + nameSize - 1);
    if (name === "TRAILER!!!") return;
    const begin = (at + 110 + nameSize + 3) & ~3;
    yield { name, mode, data: bytes.subarray(begin, begin + size) };
    at = (begin + size + 3) & ~3;
  }
}

/** Writes an ext4 image whose root is the archive's content; `files` adds { name: bytes }. */
export function writeExt4Image(file, archive, megabytes, files = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-root-"));
  try {
    for (const { name, mode, data } of archiveFiles(archive)) {
      const target = path.join(folder, name);
      const kind = mode & 0o170000;
      if (kind === 0o040000) fs.mkdirSync(target, { recursive: true });
      else if (kind === 0o120000) fs.symlinkSync(data.toString(), target);
      else if (kind === 0o100000) fs.writeFileSync(target, data, { mode: mode & 0o7777 });
    }
    for (const [name, data] of Object.entries(files))
      fs.writeFileSync(path.join(folder, name), data, { mode: 0o755 });
    for (const name of fs.readdirSync(folder, { recursive: true })) {
      const target = path.join(folder, name);
      if (!fs.lstatSync(target).isSymbolicLink()) fs.utimesSync(target, Number(kTime), Number(kTime));
    }
    fs.rmSync(file, { force: true });
    fs.writeFileSync(file, "");
    fs.truncateSync(file, megabytes << 20);
    const seed = "6c617077-696e-6700-0000-000000000001";
    const extended = `hash_seed=${seed},lazy_itable_init=0,root_owner=0:0`;
    const { status, text } = diskTool("mke2fs", [
      "-q",
      "-t",
      "ext4",
      "-U",
      seed,
      "-E",
      extended,
      "-d",
      folder,
      file,
    ]);
    if (status !== 0) throw new Error(`mke2fs: ${text}`);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
