// Where the guests and the firmware lie, for the command line, the page's build and the tests.
import fs from "node:fs";
import { cachePath } from "./setup/cache.mjs";

/** [{ name, title, arch, kernel, initrd, append, memory, ... }] with absolute paths; the preferred one first. */
export function listGuests() {
  const file = cachePath("guests", "guests.json");
  if (!fs.existsSync(file)) return [];
  const { guests } = JSON.parse(fs.readFileSync(file, "utf8"));
  const absolute = (name) => cachePath("guests", name);
  return guests.map((guest) => ({
    ...guest,
    kernel: absolute(guest.kernel),
    initrd: absolute(guest.initrd),
  }));
}

export function findGuest(name) {
  return listGuests().find((guest) => guest.name === name);
}

/** The guest that a page offers first: the small kernel when it was built, else Debian's 64-bit one. */
export function defaultGuest() {
  return listGuests()[0];
}

/** A disc that boots by itself: grub-rescue (GRUB's menu), memtest (memtest86+). */
export function discPath(name) {
  return cachePath("parts", name, `${name}.iso`);
}

/** Files of the systems that `npm run setup systems` makes: debian/disk.img. */
export function systemPath(...names) {
  return cachePath("systems", ...names);
}

/** linux, initrd.gz of debian-installer. */
export function installerPath(name) {
  return cachePath("parts", "installer", name);
}

/** bios.bin, bios-256k.bin (SeaBIOS), vgabios-stdvga.bin. */
export function firmwarePath(name) {
  return cachePath("parts", "seabios", name);
}
