// Compiles the guest programs (C without a library, so that any gcc or clang does for both word sizes) and appends
// them, as /bench/NAME, to a guest's initramfs: Linux unpacks archives that follow each other.
//   node tests/programs/build.mjs   compiles everything and prints the paths of the guests' initrd files
import fs from "node:fs";
import path from "node:path";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { listGuests } from "../../assets/guests.mjs";
import { writeCpio } from "../../assets/recipes/cpio.mjs";
import { largeProgramsArchive } from "../../assets/recipes/large_programs.mjs";
import { SetupError, runMain, writeAtomic } from "../../assets/setup/cache.mjs";
import { capture, findProgram } from "../../assets/setup/process.mjs";
import { kBenchPrograms, kBenchScripts, kDispersed } from "./list.mjs";

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kOutput = path.resolve(kHere, "../../build/programs");

const kBenchCompiled = kBenchPrograms.filter((name) => !kBenchScripts.includes(name));
/** Beside the bench's own: what makes its text, and programs that only other tests run. */
const kCompiled = {
  amd64: [...kBenchCompiled, "text", "clocks", "locks", "tpr"],
  i386: [...kBenchCompiled, "text"],
};
const kScripts = [...kBenchScripts, "prepare"];
/** Read by the scripts, not run. */
const kSnippets = ["work.sh"];

const kTarget = { amd64: ["-m64"], i386: ["-m32", "-march=i686"] };
/** Debian's i386 has no SSE: only the programs about it use it there. */
const kUsesSse = ["sse_scalar", "sse_packed", "memcpy"];
const kSse = ["-msse2", "-mfpmath=sse"];
const kX87 = ["-mfpmath=387"];
const kFlags = [
  ...["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static"],
  ...["-fno-pic", "-no-pie", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"],
  ...["-ffp-contract=off", "-fno-tree-vectorize", "-fomit-frame-pointer", "-Wl,--build-id=none"],
];

function compiler() {
  const found = ["gcc", "clang-19", "clang"].map(findProgram).find(Boolean);
  if (!found) throw new SetupError("no C compiler for the guest programs; run `npm run setup bench`");
  return found;
}

function hashOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

function readSources() {
  const names = fs.readdirSync(kHere).filter((name) => /\.(c|h|sh|mjs)$/.test(name));
  return names.sort().map((name) => fs.readFileSync(path.join(kHere, name)));
}

function targetFlags(arch, name) {
  const usesSse = kUsesSse.includes(name);
  const extra = arch === "i386" ? (usesSse ? kSse : ["-mno-sse"]) : name === "x87" ? kX87 : [];
  return [...kTarget[arch], ...extra];
}

/** Returns { NAME: bytes } for one architecture ("amd64" or "i386"). */
function compilePrograms(arch) {
  const folder = path.join(kOutput, arch);
  const cc = compiler();
  const stamp = path.join(folder, "stamp");
  const version = hashOf(cc, capture(cc, ["--version"]), ...readSources());
  const isCurrent = fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === version;
  if (!isCurrent) {
    fs.mkdirSync(folder, { recursive: true });
    for (const name of kCompiled[arch]) {
      const sources = [`${name}.c`, "start.c"].map((file) => path.join(kHere, file));
      const flags = cc.includes("clang") ? kFlags : [...kFlags, "-fno-tree-loop-distribute-patterns"];
      capture(cc, [...targetFlags(arch, name), ...flags, "-s", "-o", path.join(folder, name), ...sources]);
    }
    fs.writeFileSync(stamp, version);
  }
  return Object.fromEntries(kCompiled[arch].map((name) => [name, fs.readFileSync(path.join(folder, name))]));
}

/** The archive with the programs alone. */
function programArchive(arch) {
  const entries = { bench: { directory: true } };
  for (const [name, data] of Object.entries(compilePrograms(arch)))
    entries[`bench/${name}`] = { data, mode: 0o755 };
  for (const name of kScripts)
    entries[`bench/${name}`] = { data: fs.readFileSync(path.join(kHere, `${name}.sh`)), mode: 0o755 };
  for (const name of kSnippets)
    entries[`bench/${name}`] = { data: fs.readFileSync(path.join(kHere, name)), mode: 0o644 };
  return writeCpio(entries);
}

/** What the dispersed workload adds: the programs of large_programs.mjs, scripts that run them, sources to work on. */
function dispersedArchive(arch) {
  const read = (name) => fs.readFileSync(path.join(kHere, name));
  const scripts = kDispersed.map((name) => [`bench/${name}`, { data: read(`${name}.sh`), mode: 0o755 }]);
  const sources = fs.readdirSync(kHere).filter((name) => /\.(c|h|pl)$/.test(name));
  const files = sources.map((name) => [`bench/source/${name}`, { data: read(name) }]);
  return largeProgramsArchive(arch, Object.fromEntries([...scripts, ...files]));
}

/** Path of the guest's initramfs with the archives behind it (each starts at a multiple of four). */
function initrdWith(guest, archives, name) {
  const base = fs.readFileSync(guest.initrd);
  const file = path.join(kOutput, `${name}-${guest.name}-${hashOf(base, ...archives)}.img`);
  if (!fs.existsSync(file))
    writeAtomic(file, Buffer.concat([base, Buffer.alloc((4 - (base.length % 4)) % 4), ...archives]));
  return file;
}

export const initrdWithPrograms = (guest) => initrdWith(guest, [programArchive(guest.arch)], "initrd");

/** Needs ensureLargePrograms. */
export const initrdWithDispersed = (guest) =>
  initrdWith(guest, [programArchive(guest.arch), dispersedArchive(guest.arch)], "dispersed");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(() => {
    for (const guest of listGuests()) process.stdout.write(`${initrdWithPrograms(guest)}\n`);
  });
}
