// Whole systems, big and slow to make, for `npm run test:long` and for those who ask: `npm run setup systems`.
//   systems/debian/disk.img               a Debian disk (debian_image.mjs)
//   parts/installer/{linux,initrd.gz}     debian-installer's netboot files, text mode
import fs from "node:fs";
import path from "node:path";
import { PrivateApt } from "../setup/apt.mjs";
import { ensureDebianImage } from "./debian_image.mjs";
import { fetchPart, isPart } from "./guests.mjs";

const kInstaller = { name: "installer", package: "debian-installer-12-netboot-amd64" };
const kInstallerFolder = "usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

async function fetchInstaller() {
  if (isPart(kInstaller.name)) return;
  const apt = new PrivateApt("bookworm", ["amd64"]);
  await fetchPart(apt, kInstaller.name, apt.show(kInstaller.package), (unpacked, target) => {
    for (const name of ["linux", "initrd.gz"])
      fs.copyFileSync(path.join(unpacked, kInstallerFolder, name), path.join(target, name));
  });
  apt.clean();
}

export async function ensureSystems() {
  await fetchInstaller();
  await ensureDebianImage();
}
