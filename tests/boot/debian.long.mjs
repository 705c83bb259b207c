// Debian from its own disk (assets/recipes/debian_image.mjs), by SeaBIOS and GRUB, on IDE and on NVMe: a login, a
// compiler, Python, and a power cut in the middle of writes. The long runs use generated code.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { systemPath } from "../../assets/guests.mjs";
import { kPartitionStart } from "../../assets/recipes/grub_disk.mjs";
import { diskTool } from "../../assets/recipes/disk_image.mjs";
import { commandPath, lapwing, troubles } from "./support.mjs";

const image = systemPath("debian", "disk.img");
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-debian-"));
test.after(() => fs.rmSync(temporary, { recursive: true }));

const kTimeout = { timeout: 1_200_000 };
const kPrompt = "root@lapwing:~# ";
const kNoTrouble = [
  "--fail",
  `${troubles.source}|lost interrupt|Emask|I/O error|EXT4-fs error|You are in emergency`,
];
const base = ["-m", "512M", "-accel", "jit", ...kNoTrouble, "--timeout-virtual", "600"];
const typed = (...commands) => [
  ...["--send", "lapwing login: =>root\\n"],
  ...["--send", `${kPrompt}=>${commands.join("; ")}\\n`],
];
const expected = (...words) => words.flatMap((word) => ["--expect", word]);

const program =
  'int printf(const char*,...); int main(void){int s=0; for(int i=1;i<=100;i++) s+=i; return printf(\\"sum %d.\\",s)<0;}';
const work = [
  `echo "${program}" > a.c; gcc -O2 -Wall a.c -o a && ./a && echo gcc wor""ks`,
  `python3 -c "import hashlib, json; print(json.dumps(hashlib.sha256(b'x').hexdigest()[:8]))" && echo python wor""ks`,
  'systemctl --failed --no-legend --plain; echo state $(systemctl is-system-running --wait) ""end; poweroff',
];
const worked = [
  "sum 5050\\.gcc works",
  '"2d711642"',
  "python works",
  "state running end",
  "reboot: Power down",
];

for (const [name, drive] of [
  ["IDE", ["-hda", image]],
  ["NVMe", ["-drive", `file=${image},format=raw,if=nvme`]],
]) {
  test(
    `Debian boots to a login on ${name}, compiles a program, runs Python, powers off`,
    kTimeout,
    async () => {
      const { status, stdout, stderr } = await lapwing(
        [...base, ...drive, ...typed(...work), ...expected("GRUB", "lapwing login: ", ...worked)],
        { wallSeconds: 1100 },
      );
      assert.equal(status, 0, `${stdout.slice(-4000)}\n${stderr}`);
    },
  );
}

/** Runs until the pattern appears on the console, then pulls the plug. */
function cutAt(args, pattern) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [commandPath, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    const guard = setTimeout(() => child.kill("SIGKILL"), 1_100_000);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (more) => {
        text += more;
        if (pattern.test(text)) child.kill("SIGKILL");
      });
    child.on("error", reject).on("close", () => {
      clearTimeout(guard);
      resolve(text);
    });
  });
}

/** The journal of the image itself is replayed, then everything is checked. (e2fsck finds no partition after a replay.) */
function checkFileSystem(disk) {
  const partition = `${disk}.part`;
  execFileSync("dd", [
    `if=${disk}`,
    `of=${partition}`,
    `bs=${kPartitionStart}`,
    "skip=1",
    "conv=sparse",
    "status=none",
  ]);
  const replay = diskTool("e2fsck", ["-p", partition]);
  assert.ok(replay.status <= 1, replay.text);
  assert.match(replay.text, /recovering journal/);
  const check = diskTool("e2fsck", ["-fn", partition]);
  assert.equal(check.status, 0, check.text);
  fs.rmSync(partition);
}

for (const [name, options] of [
  ["IDE", "if=ide"],
  ["NVMe", "if=nvme"],
]) {
  test(
    `after a power cut on ${name} the journal is replayed, what was synced is there, fsck is clean`,
    { timeout: 2_400_000 },
    async () => {
      const disk = path.join(temporary, `cut-${name}.img`);
      fs.copyFileSync(image, disk, fs.constants.COPYFILE_FICLONE);
      const drive = ["-drive", `file=${disk},format=raw,${options}`];
      const writes = [
        'dd if=/dev/urandom of=kept bs=64k count=64 2> /dev/null; sync; echo sum $(md5sum < kept) ""end',
        'for i in $(seq 1000); do mkdir d$i; cp /bin/bash d$i/; rm -f d$((i-3))/bash; echo $i > n; sync n; echo ro""und $i; done',
      ];
      const output = await cutAt(
        [...base, ...drive.with(1, `${drive[1]},snapshot=off`), ...typed(...writes)],
        /^round 12/m,
      );
      const kept = /^sum ([0-9a-f]{32}) +- end/m.exec(output)?.[1];
      assert.ok(kept && /^round 12/m.test(output), output.slice(-4000));

      // GRUB's second entry forces a check of the whole file system, after the journal; in an overlay.
      const again = await lapwing(
        [
          ...[...base, ...drive, "--send", "highlighted entry=>\\e[B\\n"],
          ...typed('echo last $(cat n) ""end; md5sum kept; ls d* > /dev/null && echo all re""ad; poweroff'),
          ...expected(
            "recovering journal",
            "lapwing login: ",
            "last 1[12] end",
            kept,
            "all read",
            "Power down",
          ),
        ],
        { wallSeconds: 1100 },
      );
      assert.equal(again.status, 0, `${again.stdout.slice(-4000)}\n${again.stderr}`);
      checkFileSystem(disk);
      fs.rmSync(disk);
    },
  );
}
