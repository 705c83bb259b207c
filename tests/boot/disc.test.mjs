// A user at the CD-ROM drive of a running Linux: another disc, an open tray, a tray that a mount has locked.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { findGuest } from "../../assets/guests.mjs";
import { loadBundle } from "../web/load.mjs";
import { isoImage } from "./iso_image.mjs";
import { root } from "./support.mjs";

const { PC } = await loadBundle("web/src/index.ts", {});
const guest = findGuest("small");
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-disc-"));
test.after(() => fs.rmSync(temporary, { recursive: true }));

function disc(name, text) {
  const image = isoImage(name.toUpperCase(), "TEXT.TXT", Buffer.from(text));
  const file = path.join(temporary, `${name}.iso`);
  fs.writeFileSync(file, image);
  return { file, sum: new RegExp(crypto.createHash("md5").update(image).digest("hex")) };
}

test("discs are exchanged, the tray opened, and a locked tray stays shut", async () => {
  const [first, second] = [disc("first", "one".repeat(500)), disc("second", "two".repeat(5000))];
  const vm = await PC.boot({
    kernel: guest.kernel,
    initrd: guest.initrd,
    append: guest.append,
    memory: "128M",
    cdrom: first.file,
    disks: [{ image: second.file, isCd: true, interface: "none" }],
    engineUrl: process.env.LAPWING_WASM ?? path.join(root, "build/wasm/lapwing.wasm"),
  });
  const say = async (command, answer) => {
    vm.serial.write(`${command}\r`);
    await vm.serial.waitFor(answer, { virtualMs: 30_000 });
  };
  try {
    await vm.serial.waitFor(/~ # $/, { virtualMs: 60_000 });
    await say("md5sum /dev/sr0", first.sum);
    await vm.changeDisc("cdrom", "disk0");
    await say("md5sum /dev/sr0", second.sum);
    await say('mount -t iso9660 /dev/sr0 /mnt && echo moun""ted', /mounted/);
    await assert.rejects(vm.changeDisc("cdrom"), /locked the tray/);
    await assert.rejects(vm.changeDisc("cdrom", "cdrom"), /locked the tray/);
    await say('umount /mnt && echo unmoun""ted', /unmounted/);
    // Linux closes an open tray when the device is opened, and may refuse that first reader because the disc is new.
    await vm.changeDisc("cdrom");
    await say("md5sum /dev/sr0 || md5sum /dev/sr0", second.sum);
    await vm.changeDisc("cdrom", "cdrom");
    await say("md5sum /dev/sr0", first.sum);
    await assert.rejects(vm.changeDisc("hda"), /no CD-ROM drive 'hda'/);
    await assert.rejects(vm.changeDisc("cdrom", "disk7"), /no disc for drive 'cdrom'/);
  } finally {
    vm.dispose();
  }
});
