// Large programs for the bench's dispersed workload: Debian's perl and C compiler proper (cc1) with the libraries that
// they need, for both word sizes, unpacked into the cache.
//   parts/bench-PACKAGE-ARCH/{record.json,files/...}
import fs from "node:fs";
import path from "node:path";
import { PrivateApt } from "../setup/apt.mjs";
import { buildDirectory, cachePath, withLock } from "../setup/cache.mjs";
import { writeCpio } from "./cpio.mjs";

const kSuite = "bookworm";
const kArchitectures = ["amd64", "i386"];
const kVersion = 1;
const kPackages = [
  ...["perl-base", "libcrypt1", "libc6"],
  ...["cpp-12", "libgmp10", "libisl23", "libmpc3", "libmpfr6", "libzstd1", "zlib1g"],
];
const kKept = [
  /^lib64\//,
  /^(usr\/)?lib\/(ld-|[^/]+-linux-gnu\/[^/]*\.so[^/]*$)/,
  /^usr\/bin\/perl$/,
  /^usr\/lib\/[^/]+\/perl-base\//,
  /^usr\/lib\/gcc\/[^/]+\/12\/cc1$/,
];

const partOf = (name, arch) => cachePath("parts", `bench-${name}-${arch}`);

function isPart(name, arch) {
  try {
    const record = JSON.parse(fs.readFileSync(path.join(partOf(name, arch), "record.json"), "utf8"));
    return record.parts === kVersion;
  } catch {
    return false;
  }
}

/** Files and links below a folder, relative. */
function list(folder) {
  const names = fs.readdirSync(folder, { recursive: true }).sort();
  return names.filter((name) => !fs.lstatSync(path.join(folder, name)).isDirectory());
}

function keep(unpacked, target) {
  for (const name of list(unpacked).filter((file) => kKept.some((pattern) => pattern.test(file)))) {
    const to = path.join(target, "files", name);
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.cpSync(path.join(unpacked, name), to, { verbatimSymlinks: true });
  }
}

async function fetchPackage(apt, name, arch) {
  const record = apt.show(name, arch);
  const deb = await apt.download(record);
  const unpacked = `${partOf(name, arch)}.unpacked`;
  await buildDirectory(partOf(name, arch), (target) => {
    fs.rmSync(unpacked, { recursive: true, force: true });
    fs.mkdirSync(unpacked, { recursive: true });
    apt.extract(deb, unpacked);
    keep(unpacked, target);
    const { version, sha256 } = record;
    const text = { parts: kVersion, package: name, architecture: arch, suite: kSuite, version, sha256 };
    fs.writeFileSync(path.join(target, "record.json"), JSON.stringify(text, null, 2) + "\n");
  });
  fs.rmSync(unpacked, { recursive: true, force: true });
}

export function ensureLargePrograms() {
  const missing = kArchitectures.flatMap((arch) =>
    kPackages.filter((name) => !isPart(name, arch)).map((name) => ({ name, arch })),
  );
  if (missing.length === 0) return undefined;
  return withLock(async () => {
    const apt = new PrivateApt(kSuite, kArchitectures);
    for (const { name, arch } of missing) await fetchPackage(apt, name, arch);
    apt.clean();
  });
}

function addDirectories(entries, name) {
  for (let folder = path.dirname(name); folder !== "."; folder = path.dirname(folder))
    entries[folder] ??= { directory: true };
}

/** Everything of one architecture and `more` entries as one archive for an initramfs. */
export function largeProgramsArchive(arch, more) {
  const entries = {};
  for (const name of kPackages) {
    const folder = path.join(partOf(name, arch), "files");
    for (const file of fs.existsSync(folder) ? list(folder) : []) {
      const source = path.join(folder, file);
      const status = fs.lstatSync(source);
      addDirectories(entries, file);
      entries[file] = status.isSymbolicLink()
        ? { link: fs.readlinkSync(source) }
        : { data: fs.readFileSync(source), mode: status.mode & 0o777 };
    }
  }
  for (const [name, entry] of Object.entries(more)) {
    addDirectories(entries, name);
    entries[name] = entry;
  }
  return writeCpio(entries);
}
