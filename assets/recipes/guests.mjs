// Fetches Debian's kernels, busybox and SeaBIOS into the cache and builds the initramfs images.
//   parts/KERNEL/{vmlinuz,modules/*.ko}  parts/busybox-ARCH/busybox  unpacked from signed packages, record.json each
//   guests/NAME/{vmlinuz,initrd.gz}      what boots, indexed by guests/guests.json
//   parts/seabios/*                      SeaBIOS and its VGA BIOS
//   parts/{grub-rescue,memtest}/*.iso    discs that the tests boot from
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { PrivateApt } from "../setup/apt.mjs";
import { SetupError, buildDirectory, cachePath, say, sha256File, writeAtomic } from "../setup/cache.mjs";
import { sha256Text } from "./hash.mjs";
import { buildInitramfs, kRootfs, rootfsFiles } from "./initramfs.mjs";
import { collectModules } from "./modules.mjs";

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kSuite = "bookworm";
const kArchitectures = ["amd64", "i386"];
export const kPartsVersion = 2;
const kKeyboardModules = ["serio", "libps2", "i8042", "atkbd"];
const kAppend = "console=ttyS0";

const kKernels = [
  { name: "amd64", title: "Debian 12, 64-bit", package: "linux-image-amd64", arch: "amd64" },
  { name: "686", title: "Debian 12, 32-bit", package: "linux-image-686", arch: "i386" },
  { name: "686-pae", title: "Debian 12, 32-bit with PAE", package: "linux-image-686-pae", arch: "i386" },
];

const kSeabiosFiles = ["bios.bin", "bios-256k.bin", "vgabios-stdvga.bin"];

/** CD images as packages bring them. */
const kDiscs = [
  { name: "grub-rescue", package: "grub-rescue-pc", file: "usr/lib/grub-rescue/grub-rescue-cdrom.iso" },
  { name: "memtest", package: "memtest86+", file: "usr/lib/memtest86+/memtest86+x64.iso" },
];

export function isPart(name) {
  try {
    return (
      JSON.parse(fs.readFileSync(cachePath("parts", name, "record.json"), "utf8")).parts === kPartsVersion
    );
  } catch {
    return false;
  }
}

function walkFiles(root) {
  return fs
    .readdirSync(root, { recursive: true })
    .filter((name) => fs.statSync(path.join(root, name)).isFile())
    .sort();
}

/** Downloads one package and keeps what keep(unpacked, target) copies, with a record of origin and hashes. */
export async function fetchPart(apt, name, record, keep) {
  const deb = await apt.download(record);
  const unpacked = cachePath("parts", `${name}.unpacked`);
  await buildDirectory(cachePath("parts", name), (target) => {
    fs.rmSync(unpacked, { recursive: true, force: true });
    fs.mkdirSync(unpacked, { recursive: true });
    apt.extract(deb, unpacked);
    keep(unpacked, target);
    const files = Object.fromEntries(
      walkFiles(target).map((file) => [file, sha256File(path.join(target, file))]),
    );
    const { version, sha256, architecture } = record;
    const text = {
      parts: kPartsVersion,
      package: record.name,
      architecture,
      suite: kSuite,
      version,
      sha256,
      files,
    };
    fs.writeFileSync(path.join(target, "record.json"), JSON.stringify(text, null, 2) + "\n");
  });
  fs.rmSync(unpacked, { recursive: true, force: true });
}

function keepKernel(unpacked, target) {
  const boot = path.join(unpacked, "boot");
  const image = fs.existsSync(boot) && fs.readdirSync(boot).find((name) => name.startsWith("vmlinuz-"));
  if (!image) throw new SetupError("the kernel package holds no /boot/vmlinuz");
  fs.copyFileSync(path.join(boot, image), path.join(target, "vmlinuz"));
  const modules = path.join(target, "modules");
  fs.mkdirSync(modules);
  const library = ["lib/modules", "usr/lib/modules"]
    .map((name) => path.join(unpacked, name))
    .find(fs.existsSync);
  collectModules(library, kKeyboardModules).forEach(({ name, data }, i) => {
    fs.writeFileSync(path.join(modules, `${String(i).padStart(2, "0")}-${name}.ko`), data);
  });
}

/** linux-image-ARCH is empty and depends on the package of the current version. */
function currentKernel(apt, kernel) {
  const meta = apt.show(kernel.package, kernel.arch);
  const real = /linux-image-\d[^ ,]*/.exec(meta.depends)?.[0];
  if (!real) throw new SetupError(`${kernel.package} does not name its kernel package`);
  return apt.show(real, kernel.arch);
}

async function fetchParts() {
  const apt = new PrivateApt(kSuite, kArchitectures);
  let didFetch = false;
  const fetch = async (name, record, keep) => {
    if (isPart(name)) return;
    didFetch = true;
    await fetchPart(apt, name, record(), keep);
  };
  for (const kernel of kKernels) await fetch(kernel.name, () => currentKernel(apt, kernel), keepKernel);
  for (const arch of kArchitectures) {
    await fetch(
      `busybox-${arch}`,
      () => apt.show("busybox-static", arch),
      (unpacked, target) => {
        const file = ["bin/busybox", "usr/bin/busybox"]
          .map((name) => path.join(unpacked, name))
          .find(fs.existsSync);
        fs.copyFileSync(file, path.join(target, "busybox"));
      },
    );
  }
  await fetch(
    "seabios",
    () => apt.show("seabios"),
    (unpacked, target) => {
      for (const name of kSeabiosFiles)
        fs.copyFileSync(path.join(unpacked, "usr/share/seabios", name), path.join(target, name));
    },
  );
  for (const disc of kDiscs) {
    await fetch(
      disc.name,
      () => apt.show(disc.package),
      (unpacked, target) =>
        fs.copyFileSync(path.join(unpacked, disc.file), path.join(target, `${disc.name}.iso`)),
    );
  }
  if (didFetch) apt.clean();
}

function readModules(kernel) {
  const folder = cachePath("parts", kernel, "modules");
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder).sort();
  return names.map((file) => ({
    name: file.replace(/^\d+-|\.ko$/g, ""),
    data: fs.readFileSync(path.join(folder, file)),
  }));
}

async function makeGuest({ name, arch }, modules) {
  say(`building the guest ${name}`);
  const busybox = fs.readFileSync(cachePath("parts", `busybox-${arch}`, "busybox"));
  await buildDirectory(cachePath("guests", name), (target) => {
    fs.copyFileSync(cachePath("parts", name, "vmlinuz"), path.join(target, "vmlinuz"));
    fs.writeFileSync(path.join(target, "initrd.gz"), buildInitramfs(busybox, modules));
  });
}

function recordOf(part) {
  return JSON.parse(fs.readFileSync(cachePath("parts", part, "record.json"), "utf8"));
}

/** Changes whenever anything that a guest is made of does. */
function recipeHash({ name, arch }) {
  const files = ["initramfs.mjs", "cpio.mjs"].map((file) => path.join(kHere, file));
  for (const file of rootfsFiles()) files.push(path.join(kRootfs, file));
  const sources = files.map((file) => fs.readFileSync(file, "utf8"));
  const parts = [recordOf(name), recordOf(`busybox-${arch}`)].map((record) => JSON.stringify(record));
  return sha256Text([...sources, ...parts].join("\n"));
}

function indexEntry({ name, title, arch }, recipe) {
  const { package: origin, version } = recordOf(name);
  const folder = cachePath("guests", name);
  const hash = (file) => sha256File(path.join(folder, file));
  return {
    name,
    title,
    arch,
    kernel: `${name}/vmlinuz`,
    initrd: `${name}/initrd.gz`,
    append: kAppend,
    memory: "256M",
    package: origin,
    version,
    recipe,
    sha256: { vmlinuz: hash("vmlinuz"), "initrd.gz": hash("initrd.gz") },
  };
}

function readIndex() {
  try {
    return JSON.parse(fs.readFileSync(cachePath("guests", "guests.json"), "utf8")).guests;
  } catch {
    return [];
  }
}

/** Makes every guest present and current; small is included once `npm run guest:small` has built its kernel. */
export async function ensureGuests() {
  await fetchParts();
  const small = { name: "small", title: "Small 64-bit Linux", package: "linux-source-6.1", arch: "amd64" };
  const wanted = isPart("small") ? [small, ...kKernels] : kKernels;
  const old = new Map(readIndex().map((entry) => [entry.name, entry]));
  const entries = [];
  for (const kernel of wanted) {
    const entry = old.get(kernel.name);
    const recipe = recipeHash(kernel);
    if (entry?.recipe === recipe && fs.existsSync(cachePath("guests", entry.initrd))) {
      entries.push(entry);
      continue;
    }
    await makeGuest(kernel, readModules(kernel.name));
    entries.push(indexEntry(kernel, recipe));
  }
  const text = JSON.stringify({ guests: entries }, null, 2) + "\n";
  const file = cachePath("guests", "guests.json");
  if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== text) writeAtomic(file, text);
}
