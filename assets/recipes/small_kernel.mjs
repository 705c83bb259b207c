// npm run guest:small: builds the small 64-bit kernel from Debian's linux-source-6.1 with assets/guests/small.config.
// Cached in parts/small; rebuilt only when the configuration or Debian's source version changes.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";
import { PrivateApt } from "../setup/apt.mjs";
import {
  SetupError,
  buildDirectory,
  cachePath,
  runMain,
  say,
  sha256File,
  withLock,
} from "../setup/cache.mjs";
import { ensureHostPackages } from "../setup/host_packages.mjs";
import { capture } from "../setup/process.mjs";
import { ensureGuests, kPartsVersion } from "./guests.mjs";

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kConfig = path.join(kHere, "../guests/small.config");
const kSource = "linux-source-6.1";

function currentRecord() {
  try {
    return JSON.parse(fs.readFileSync(cachePath("parts", "small", "record.json"), "utf8"));
  } catch {
    return undefined;
  }
}

function unpackSource(apt, deb, folder) {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  apt.extract(deb, folder);
  const archive = path.join(folder, "usr/src", `${kSource}.tar.xz`);
  capture("tar", ["-xf", archive, "-C", folder]);
  fs.rmSync(path.join(folder, "usr"), { recursive: true, force: true });
  return path.join(folder, kSource);
}

/** Options of the fragment that Kconfig did not take: a misspelt name or a missing dependency. */
function droppedOptions(tree) {
  const config = fs.readFileSync(path.join(tree, ".config"), "utf8");
  const wanted = fs
    .readFileSync(kConfig, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("CONFIG_"));
  return wanted.filter((line) => !`\n${config}`.includes(`\n${line}\n`));
}

function compile(tree) {
  const env = {
    ...process.env,
    KCONFIG_ALLCONFIG: kConfig,
    KBUILD_BUILD_TIMESTAMP: "2024-01-01",
    KBUILD_BUILD_USER: "lapwing",
    KBUILD_BUILD_HOST: "lapwing",
  };
  capture("make", ["ARCH=x86_64", "allnoconfig"], { cwd: tree, env });
  const dropped = droppedOptions(tree);
  if (dropped.length > 0) throw new SetupError(`the kernel does not take: ${dropped.join(" ")}`);
  const jobs = os.availableParallelism();
  say(`compiling the kernel with ${jobs} jobs (about ${Math.ceil(9 / jobs)} minutes)`);
  const log = path.join(tree, "..", "make.log");
  const output = fs.openSync(log, "w");
  const result = spawnSync("make", ["ARCH=x86_64", `-j${jobs}`, "bzImage"], {
    cwd: tree,
    env,
    stdio: ["ignore", output, output],
  });
  fs.closeSync(output);
  if (result.status !== 0) throw new SetupError(`the kernel did not compile; see ${log}`);
  return path.join(tree, "arch/x86/boot/bzImage");
}

async function fetchSource(folder) {
  ensureHostPackages(["kernel"]);
  const apt = new PrivateApt("bookworm", ["amd64", "i386"]);
  const record = apt.show(kSource);
  const deb = await apt.download(record);
  say("unpacking the kernel source");
  const tree = unpackSource(apt, deb, folder);
  apt.clean();
  return { record, tree };
}

async function buildSmall() {
  const config = sha256File(kConfig);
  const old = currentRecord();
  if (old?.parts === kPartsVersion && old.config === config) {
    say("the small kernel is built already");
    return;
  }
  const folder = cachePath("build-kernel");
  const { record, tree } = await withLock(() => fetchSource(folder));
  const image = compile(tree);
  await buildDirectory(cachePath("parts", "small"), (target) => {
    fs.copyFileSync(image, path.join(target, "vmlinuz"));
    const { version, sha256 } = record;
    const files = { vmlinuz: sha256File(image) };
    const text = {
      parts: kPartsVersion,
      package: kSource,
      suite: "bookworm",
      version,
      sha256,
      config,
      files,
    };
    fs.writeFileSync(path.join(target, "record.json"), JSON.stringify(text, null, 2) + "\n");
  });
  fs.rmSync(folder, { recursive: true, force: true });
}

await runMain(async () => {
  await withLock(buildSmall, "lock-kernel");
  await withLock(ensureGuests);
});
