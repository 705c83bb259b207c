// A Debian disk: mmdebstrap's root (systemd, gcc, python3) in an ext4 file system behind GRUB for BIOS, without loop
// devices and mounts. systems/debian/{disk.img,packages.txt,record.json}; made again when this recipe changes.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { PrivateApt } from "../setup/apt.mjs";
import { SetupError, buildDirectory, cachePath, say } from "../setup/cache.mjs";
import { capture } from "../setup/process.mjs";
import { diskTool } from "./disk_image.mjs";
import { grubSectors, kPartitionStart } from "./grub_disk.mjs";
import { sha256Text } from "./hash.mjs";

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kHook = path.join(kHere, "../guests/debian/customize.sh");
const kSuite = "bookworm";
const kDiskBytes = 2 ** 31;
const kUuid = "6c617077-696e-6700-0000-00000000000d";
const kTime = "1704067200"; // 2024-01-01

const kPackages = [
  ...["linux-image-amd64", "initramfs-tools", "zstd", "grub-pc-bin", "grub2-common"],
  ...["systemd-sysv", "udev", "dbus", "kmod", "login", "passwd", "e2fsprogs"],
  ...["iproute2", "iputils-ping", "procps", "less", "vim-tiny", "gcc", "libc6-dev", "python3"],
];
const kDpkgOptions = [
  ...["path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*"],
  ...["path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright"],
];

/** Reads a root's tar from stdin, writes the disk with its file system to stdout. e2fsck indexes the large folders, which
 * mke2fs leaves linear: the first check in the guest would do it, and restart the machine. */
const kFillDisk = `set -e
PATH="$PATH:/usr/sbin:/sbin"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/root"
tar -xp --numeric-owner --exclude='./dev/*' -C "$folder/root"
truncate -s ${kDiskBytes} "$folder/disk"
mke2fs -q -F -t ext4 -O ^metadata_csum_seed,^orphan_file -U ${kUuid} -L debian \
  -E offset=${kPartitionStart},hash_seed=${kUuid},lazy_itable_init=0,root_owner=0:0 -d "$folder/root" \
  "$folder/disk" ${(kDiskBytes - kPartitionStart) / 1024}k
e2fsck -f -p "$folder/disk?offset=${kPartitionStart}" > /dev/null
dd if="$folder/disk" bs=1M conv=sparse status=none`;

const isRoot = () => process.getuid() === 0;

function recipeHash() {
  const sources = ["debian_image.mjs", "grub_disk.mjs"].map((name) => path.join(kHere, name));
  return sha256Text([...sources, kHook].map((file) => fs.readFileSync(file, "utf8")).join("\n"));
}

function isCurrent(folder, recipe) {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, "record.json"), "utf8")).recipe === recipe;
  } catch {
    return false;
  }
}

/** The root as a tar file. A security mirror out of step is left out, with a word. */
function bootstrap(apt, tar, packages) {
  const hooks = [fs.readFileSync(kHook, "utf8"), `download /var/lib/dpkg/status "${packages}"`];
  const flags = [
    ...[
      "--quiet",
      "--variant=minbase",
      `--include=${kPackages.join(",")}`,
      `--mode=${isRoot() ? "root" : "unshare"}`,
    ],
    ...["--aptopt=Apt::Install-Recommends false", "--aptopt=Acquire::Retries 3"],
    ...kDpkgOptions.map((option) => `--dpkgopt=${option}`),
    ...hooks.map((hook) => `--customize-hook=${hook}`),
    ...[kSuite, tar],
  ];
  const env = { ...process.env, SOURCE_DATE_EPOCH: kTime, LAPWING_UUID: kUuid, LC_ALL: "C.UTF-8" };
  const run = (sources) => capture("mmdebstrap", [...flags, ...sources], { env });
  const { main, security } = apt.sources();
  try {
    run([...main, ...security]);
  } catch (error) {
    if (security.length === 0) throw error;
    say(`that failed (${error.message}); trying without security updates`);
    run(main);
  }
}

function fillDisk(tar, disk, folder) {
  const [input, output] = [fs.openSync(tar, "r"), fs.openSync(disk, "w")];
  const [program, ...rest] = isRoot() ? ["sh"] : ["mmdebstrap", "--unshare-helper", "sh"];
  const env = { ...process.env, E2FSPROGS_FAKE_TIME: kTime, ...(isRoot() ? { TMPDIR: folder } : {}) };
  try {
    capture(program, [...rest, "-c", kFillDisk], { env, stdio: [input, output, "pipe"] });
    fs.ftruncateSync(output, kDiskBytes);
  } finally {
    fs.closeSync(input);
    fs.closeSync(output);
  }
}

function readFromDisk(disk, name, temporary) {
  const { text } = diskTool("debugfs", [
    "-R",
    `dump ${name} ${temporary}`,
    `${disk}?offset=${kPartitionStart}`,
  ]);
  if (!fs.existsSync(temporary)) throw new SetupError(`the Debian image has no ${name}: ${text.trim()}`);
  const bytes = fs.readFileSync(temporary);
  fs.rmSync(temporary);
  return bytes;
}

function installGrub(disk, temporary) {
  const [boot, core] = ["boot.img", "core.img"].map((name) =>
    readFromDisk(disk, `/boot/grub/i386-pc/${name}`, temporary),
  );
  const handle = fs.openSync(disk, "r+");
  fs.writeSync(handle, grubSectors(boot, core, kDiskBytes), 0, undefined, 0);
  fs.closeSync(handle);
}

/** "name version" of each installed package. */
function packageList(status) {
  const field = (text, key) => new RegExp(`^${key}: (.*)$`, "m").exec(text)?.[1];
  const paragraphs = status.split("\n\n").filter((text) => field(text, "Package"));
  return paragraphs.map((text) => `${field(text, "Package")} ${field(text, "Version")}`).sort();
}

export async function ensureDebianImage() {
  const target = cachePath("systems", "debian");
  const recipe = recipeHash();
  if (isCurrent(target, recipe)) return;
  say("making the Debian image (250 MB to download, 3 minutes or more)");
  fs.mkdirSync(path.dirname(target), { recursive: true });
  const apt = new PrivateApt(kSuite, ["amd64"]);
  await buildDirectory(target, (folder) => {
    const [tar, disk, list] = ["root.tar", "disk.img", "packages.txt"].map((name) => path.join(folder, name));
    bootstrap(apt, tar, list);
    fillDisk(tar, disk, folder);
    fs.rmSync(tar);
    installGrub(disk, path.join(folder, "file"));
    const packages = packageList(fs.readFileSync(list, "utf8"));
    fs.writeFileSync(list, packages.join("\n") + "\n");
    const text = {
      suite: kSuite,
      recipe,
      packages: packages.length,
      sha256: sha256Text(packages.join("\n")),
    };
    fs.writeFileSync(path.join(folder, "record.json"), JSON.stringify(text, null, 2) + "\n");
  });
}
