// Linux with its root on an NVMe disk: the image stays as it is, what was synced survives a power cut, a snapshot in the
// middle of transfers goes on alike, all hosts agree; and walk 6, a completion's way by MSI-X. UPDATE_GOLDEN=1 rewrites
// the walk.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { findGuest } from "../../assets/guests.mjs";
import { diskTool, hasDiskTools, writeExt4Image } from "../../assets/recipes/disk_image.mjs";
import { loadBundle } from "../web/load.mjs";
import { folder, hopLine } from "./hops.mjs";
import { commandPath, lapwing, root, troubles } from "./support.mjs";

const guest = findGuest("small");
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-nvme-"));
test.after(() => fs.rmSync(temporary, { recursive: true }));
const hashOf = (file) => crypto.createHash("sha256").update(fs.readFileSync(file)).digest("hex");
const skip = hasDiskTools() ? false : "e2fsprogs (mke2fs, e2fsck) is not installed";
const append = "console=ttyS0 quiet root=/dev/nvme0n1 rw init=/init";

let image;
let imageHash;
test.before(() => {
  if (skip) return;
  image = path.join(temporary, "root.img");
  writeExt4Image(image, fs.readFileSync(guest.initrd), 32);
  imageHash = hashOf(image);
});

const flags = (file, drive = "") => [
  ...["-nographic", "-m", "128M", "-kernel", guest.kernel, "-append", append],
  ...[
    "-drive",
    `file=${file},format=raw,if=none,id=disk${drive}`,
    "-device",
    "nvme,drive=disk,serial=LW0001",
  ],
];
const typed = (...commands) => ["--send", `~ # $=>${commands.join("; ")}\\r`];
const ends = ["--fail", troubles.source, "--timeout-virtual", "120"];

test("a root file system on NVMe is read and written, and the image stays as it is", { skip }, async () => {
  const commands = [
    "dd if=/dev/urandom of=/root/file bs=64k count=32 2> /dev/null",
    "md5sum /root/file > /tmp/sum; sync; echo 3 > /proc/sys/vm/drop_caches",
    "md5sum -c /tmp/sum; cat /sys/block/nvme0n1/device/serial /sys/block/nvme0n1/device/model",
    "grep -c nvme /proc/interrupts; md5sum /bin/busybox; poweroff",
  ];
  const busybox = diskTool("debugfs", ["-R", `dump /bin/busybox ${temporary}/busybox`, image]);
  assert.equal(busybox.status, 0, busybox.text);
  const sum = crypto
    .createHash("md5")
    .update(fs.readFileSync(path.join(temporary, "busybox")))
    .digest("hex");
  const words = ["^/root/file: OK", "^LW0001", "^Lapwing NVMe disk", "^2", sum, "reboot: Power down"];
  const expect = words.flatMap((word) => ["--expect", word]);
  const { status, stdout, stderr } = await lapwing([
    ...flags(image),
    ...typed(...commands),
    ...expect,
    ...ends,
  ]);
  assert.equal(status, 0, stdout.slice(-3000) + stderr);
  assert.match(stderr, /note: what the guest writes to .* is lost at the end/);
  assert.equal(hashOf(image), imageHash, "the image was written");
});

test(
  "without MSI the completions come by INTx, with several namespaces and controllers",
  { skip },
  async () => {
    const second = path.join(temporary, "second.img");
    fs.copyFileSync(image, second);
    const more = [
      ...["-drive", `file=${second},if=none,id=b,snapshot=on`, "-device", "nvme-ns,drive=b,nsid=3"],
      ...["-drive", `file=${second},if=nvme,readonly=on`],
    ];
    const commands = [
      'cat /sys/block/nvme1n1/ro /sys/block/nvme0n2/nsid; mount -t ext4 /dev/nvme0n2 /mnt && cmp /mnt/bin/busybox /bin/busybox && echo sa""me',
      'cmp /dev/nvme1n1 /dev/nvme0n2 | head -c 20; grep nvme /proc/interrupts; echo all"" done',
    ];
    const all = [
      ...flags(image),
      ...more,
      ...typed(...commands),
      "--expect",
      "^same",
      "--expect",
      "^all done",
      ...ends,
    ];
    const at = all.indexOf("-append") + 1;
    all[at] += " pci=nomsi";
    const { status, stdout, stderr } = await lapwing(all);
    assert.equal(status, 0, stdout.slice(-3000) + stderr);
    assert.match(stdout, /IO-APIC.*nvme0q0, nvme0q1/);
  },
);

test(
  "what was synced survives a power cut; the journal is replayed and the file system is clean",
  { skip },
  async () => {
    const disk = path.join(temporary, "cut.img");
    fs.copyFileSync(image, disk);
    const commands = [
      "dd if=/dev/urandom of=/root/kept bs=64k count=16 2> /dev/null; sync; echo sum $(md5sum < /root/kept) end",
      'i=0; while true; do i=$((i+1)); mkdir -p /root/d$i; cp /bin/busybox /root/d$i/b; rm -f /root/d$((i-3))/b; echo $i > /root/n; sync /root/n; echo ro""und $i; done',
    ];
    const child = spawn(
      process.execPath,
      [commandPath, ...flags(disk, ",snapshot=off"), ...typed(...commands)],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let output = "";
    await new Promise((resolve, reject) => {
      child.stdout.setEncoding("utf8").on("data", (text) => {
        output += text;
        if (/^round 3/m.test(output)) child.kill("SIGKILL");
      });
      child.on("close", resolve).on("error", reject);
    });
    const kept = /^sum ([0-9a-f]{32}) +- end/m.exec(output);
    assert.ok(kept, output.slice(-2000));
    // Linux itself replays the journal, in an overlay; then e2fsck does, in the image.
    const again = await lapwing([
      ...flags(disk),
      ...typed("dmesg | grep recovery; cat /root/n; md5sum /root/kept; poweroff"),
      ...["--expect", "recovery complete", "--expect", kept[1], "--expect", "Power down"],
      ...ends,
    ]);
    assert.equal(again.status, 0, again.stdout.slice(-3000) + again.stderr);
    const replay = diskTool("e2fsck", ["-p", disk]);
    assert.ok(replay.status <= 1, replay.text);
    assert.match(replay.text, /recovering journal/);
    const check = diskTool("e2fsck", ["-fn", disk]);
    assert.equal(check.status, 0, check.text);
  },
);

test("native, Node and a restored snapshot agree on a disk's work", { skip }, async () => {
  const disk = ["-snapshot", ...flags(image)];
  for (const other of ["native", "restored"]) {
    const { status, stdout, stderr } = await lapwing([
      ...["compare", "wasm", other, "--instructions", "280000000", "--"],
      ...disk,
    ]);
    assert.equal(status, 0, stdout.slice(-3000) + stderr);
  }
});

test("images that cannot be used are refused with one sentence and status 2", { skip }, async () => {
  const cases = [
    ["empty.img", 0, /is empty/],
    ["odd.img", 1000, /1000 bytes, which is not a multiple of 512; pad it/],
    ["absent.img", undefined, /there is no such file/],
  ];
  for (const [name, size, sentence] of cases) {
    const file = path.join(temporary, name);
    if (size !== undefined) fs.writeFileSync(file, Buffer.alloc(size));
    const { status, stderr } = await lapwing(flags(file));
    assert.equal(status, 2, stderr);
    assert.match(stderr, sentence);
    assert.equal(stderr.trim().split("\n").length, 1);
  }
  const wrong = await lapwing([...flags(image), "-drive", `file=${image},format=qcow2`]);
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /format=qcow2 is not supported; convert it to raw/);
});

test("walk 6: an NVMe completion is a message to its vector, nvme_irq's in Linux", { skip }, async () => {
  const { PC } = await loadBundle("web/src/index.ts", {});
  const engineUrl = process.env.LAPWING_WASM ?? path.join(root, "build/wasm/lapwing.wasm");
  const vm = await PC.boot({ kernel: guest.kernel, append, memory: "128M", nvme: image, engineUrl });
  try {
    await vm.serial.waitFor(/~ # $/, { virtualMs: 60_000 });
    await vm.irq.start();
    const next = vm.irq.next({ source: "nvme0 msi 1" });
    vm.serial.write(
      "cat /var/x /etc/* > /dev/null 2>&1; echo 3 > /proc/sys/vm/drop_caches; cat /bin/busybox | wc -c\r",
    );
    const irq = await next;
    vm.serial.write('grep nvme0q1 /proc/interrupts; echo vec""tor end\r');
    const text = await vm.serial.waitFor(/vector end/, { virtualMs: 10_000 });
    assert.match(text, /PCI-MSI \d+-edge +nvme0q1/);
    const lines = irq.hops.map(hopLine);
    const file = path.join(folder, "6-nvme.txt");
    if (process.env.UPDATE_GOLDEN === "1") fs.writeFileSync(file, lines.join("\n") + "\n");
    assert.deepEqual(lines, fs.readFileSync(file, "utf8").trimEnd().split("\n"));
    assert.deepEqual(irq.path.slice(0, 2), ["nvme0 msi 1", `lapic0`]);
  } finally {
    vm.dispose();
  }
});
