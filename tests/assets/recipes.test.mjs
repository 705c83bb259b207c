// The set-up and the guests' recipes.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { spawn, spawnSync } from "node:child_process";
import zlib from "node:zlib";
import test from "node:test";
import { defaultGuest, firmwarePath, listGuests } from "../../assets/guests.mjs";
import { writeCpio } from "../../assets/recipes/cpio.mjs";
import { grubSectors, kPartitionStart } from "../../assets/recipes/grub_disk.mjs";
import { buildInitramfs } from "../../assets/recipes/initramfs.mjs";
import { collectModules } from "../../assets/recipes/modules.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kBzImageMagic = 0x202; // offset of "HdrS" in a bzImage

function temporaryFolder(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-recipes-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("GRUB's sectors lead from the boot sector to all of core.img, before the partition", () => {
  const boot = Buffer.alloc(512, 0x11);
  boot.writeUInt16LE(0xaa55, 510);
  const core = Buffer.alloc(5 * 512 + 100, 0x22);
  const sectors = grubSectors(boot, core, 64 << 20);
  assert.equal(sectors.length, 7 * 512);
  assert.equal(sectors.readUInt16LE(510), 0xaa55);
  assert.equal(sectors.readBigUInt64LE(0x5c), 1n);
  const rest = 512 + 0x1f4;
  assert.deepEqual([sectors.readBigUInt64LE(rest), sectors.readUInt16LE(rest + 8)], [2n, 5]);
  const entry = sectors.subarray(0x1be, 0x1ce);
  assert.deepEqual([entry[0], entry[4], entry.readUInt32LE(8)], [0x80, 0x83, kPartitionStart / 512]);
  assert.equal(entry.readUInt32LE(12), (63 << 20) / 512);
  assert.throws(
    () => grubSectors(boot, Buffer.alloc(1 << 20), 64 << 20),
    /does not fit before the partition/,
  );
  assert.throws(() => grubSectors(Buffer.alloc(512), core, 64 << 20), /not a boot sector/);
});

/** name -> { mode, data } of a newc archive, read by the format's definition. */
function readCpio(archive) {
  const entries = {};
  for (let at = 0; ;) {
    const field = (i) => parseInt(archive.toString("latin1", at + 6 + i * 8, at + 14 + i * 8), 16);
    assert.equal(archive.toString("latin1", at, at + 6), "070701");
    const [mode, mtime, size, nameSize] = [field(1), field(5), field(6), field(11)];
    assert.equal(mtime, 0);
    const name = archive.toString("utf8", at + 110, at + 110 + nameSize - 1);
    const start = (at + 110 + nameSize + 3) & ~3;
    if (name === "TRAILER!!!") return entries;
    entries[name] = { mode, data: archive.subarray(start, start + size) };
    at = (start + size + 3) & ~3;
  }
}

test("a cpio archive holds each entry with its type, mode and content", () => {
  const entries = readCpio(
    writeCpio({
      "etc/motd": { data: "hello", mode: 0o600 },
      etc: { directory: true },
      sh: { link: "/bin/busybox" },
      "dev/console": { device: [5, 1] },
    }),
  );
  assert.deepEqual(Object.keys(entries), ["dev/console", "etc", "etc/motd", "sh"]);
  assert.equal(entries["etc/motd"].mode, 0o100600);
  assert.equal(entries["etc/motd"].data.toString(), "hello");
  assert.equal(entries.etc.mode, 0o040755);
  assert.equal(entries.sh.mode, 0o120777);
  assert.equal(entries.sh.data.toString(), "/bin/busybox");
  assert.equal(entries["dev/console"].mode, 0o020600);
});

test("the same parts give the same initramfs, with parents before children", () => {
  const parts = [Buffer.from("busybox"), [{ name: "atkbd", data: Buffer.from("module") }]];
  const image = buildInitramfs(...parts);
  assert.deepEqual(image, buildInitramfs(...parts));
  const entries = readCpio(zlib.gunzipSync(image));
  const names = Object.keys(entries);
  for (const name of names.filter((text) => text.includes("/"))) {
    assert.ok(names.indexOf(path.dirname(name)) < names.indexOf(name), `${name} comes after its folder`);
  }
  assert.equal(entries.init.mode & 0o111, 0o111);
  assert.ok(entries["lib/modules/00-atkbd.ko"]);
});

test("modules come in load order and built-in ones are left out", (t) => {
  const folder = temporaryFolder(t);
  const module = (depends) => Buffer.from(`\0license=GPL\0depends=${depends}\0retpoline=Y\0`);
  fs.writeFileSync(path.join(folder, "atkbd.ko"), module("serio,lib-ps2"));
  fs.writeFileSync(path.join(folder, "lib-ps2.ko"), module("serio"));
  fs.writeFileSync(path.join(folder, "serio.ko"), module(""));
  const names = collectModules(folder, ["atkbd", "i8042"]).map(({ name }) => name);
  assert.deepEqual(names, ["serio", "lib_ps2", "atkbd"]);
});

test("every guest in the index has a bzImage and a gzipped initramfs", () => {
  const names = listGuests().map(({ name }) => name);
  for (const name of ["amd64", "686", "686-pae"]) assert.ok(names.includes(name), `${name} is in the index`);
  for (const guest of listGuests()) {
    const kernel = fs.readFileSync(guest.kernel);
    assert.equal(kernel.toString("latin1", kBzImageMagic, kBzImageMagic + 4), "HdrS", guest.kernel);
    assert.ok(readCpio(zlib.gunzipSync(fs.readFileSync(guest.initrd)))["bin/busybox"], guest.initrd);
  }
  assert.equal(defaultGuest().name, names.includes("small") ? "small" : "amd64");
  assert.equal(fs.statSync(firmwarePath("bios.bin")).size, 128 << 10);
});

test("the manifest names every package the recipes download, with licence and last version", () => {
  const { assets } = JSON.parse(fs.readFileSync(path.join(kRoot, "assets/manifest.json"), "utf8"));
  const names = ["guests", "large_programs", "small_kernel", "systems", "debian_image"];
  const recipes = names.map((name) => `recipes/${name}.mjs`);
  recipes.push("setup/emscripten.mjs");
  const text = recipes.map((name) => fs.readFileSync(path.join(kRoot, "assets", name), "utf8")).join("\n");
  for (const asset of assets) {
    assert.ok(asset.licence && asset.suite && asset.lastSeen?.sha256, `${asset.package} is described`);
    assert.ok(text.includes(`"${asset.package}"`), `${asset.package} is used`);
  }
});

test("a lock left by a dead set-up is taken over, a live one is waited for", async (t) => {
  const cache = path.join(temporaryFolder(t), "lapwing");
  fs.mkdirSync(cache);
  const lock = path.join(cache, "lock");
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  fs.writeFileSync(lock, String(dead));
  const work = `import(${JSON.stringify(path.join(kRoot, "assets/setup/cache.mjs"))})
    .then((cache) => cache.withLock(async () => console.log("held")))`;
  const env = { ...process.env, XDG_CACHE_HOME: path.dirname(cache) };
  const takeOver = spawnSync(process.execPath, ["-e", work], { env, encoding: "utf8" });
  assert.equal(takeOver.stdout, "held\n");
  assert.ok(!fs.existsSync(lock));

  fs.writeFileSync(lock, String(process.pid));
  const waiting = spawn(process.execPath, ["-e", work], { env });
  let output = "";
  waiting.stdout.on("data", (data) => (output += data));
  const told = await new Promise((resolve) => waiting.stderr.once("data", (data) => resolve(String(data))));
  assert.match(told, /waiting for another set-up/);
  assert.equal(output, "");
  fs.rmSync(lock);
  await new Promise((resolve) => waiting.once("close", resolve));
  assert.equal(output, "held\n");
});

test("bad arguments of the set-up and of npm start end with one line", () => {
  const run = (...args) => spawnSync(process.execPath, args, { cwd: kRoot, encoding: "utf8" });
  for (const result of [
    run("assets/setup/setup.mjs", "bogus"),
    run("assets/setup/start.mjs", "--prot", "1"),
    run("assets/setup/start.mjs", "--port", "zero"),
  ]) {
    assert.equal(result.status, 1);
    assert.match(result.stderr, /^setup: error: [^\n]+\n$/);
  }
});
