// The guests in the user's cache, as the page sees them: guests/guests.json and guests/NAME/{vmlinuz,initrd.gz}.
import fs from "node:fs";
import path from "node:path";
import { listGuests } from "../../assets/guests.mjs";

const fileName = (guest, kind) => `${guest.name}/${path.basename(guest[kind])}`;

/** { index: the content of guests.json, files: relative name -> absolute path } */
export function guestFiles() {
  const files = new Map();
  const guests = [];
  for (const guest of listGuests()) {
    const { name, title, arch, append, memory, version } = guest;
    if (!fs.existsSync(guest.kernel) || !fs.existsSync(guest.initrd)) continue;
    const [kernel, initrd] = [fileName(guest, "kernel"), fileName(guest, "initrd")];
    files.set(kernel, guest.kernel).set(initrd, guest.initrd);
    const bytes = fs.statSync(guest.kernel).size + fs.statSync(guest.initrd).size;
    guests.push({ name, title, arch, kernel, initrd, append, memory, version, bytes });
  }
  return { index: { guests }, files };
}

/** Copies them into a static site. */
export function copyGuests(target) {
  const { index, files } = guestFiles();
  fs.rmSync(target, { recursive: true, force: true });
  fs.mkdirSync(target, { recursive: true });
  for (const [name, source] of files) {
    fs.mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
    fs.copyFileSync(source, path.join(target, name));
  }
  fs.writeFileSync(path.join(target, "guests.json"), JSON.stringify(index, null, 2) + "\n");
}
