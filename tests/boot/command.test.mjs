// What the command promises about exit statuses, bad files and repeatability, on the preferred guest.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { guestFlags, guests, lapwing } from "./support.mjs";

const guest = guests[0];
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-test-"));
const inTemporary = (name, content) => {
  const file = path.join(temporary, name);
  if (content !== undefined) fs.writeFileSync(file, content);
  return file;
};
test.after(() => fs.rmSync(temporary, { recursive: true }));

const kernel = fs.readFileSync(guest.kernel);
const badFiles = [
  ["a missing kernel", ["-kernel", inTemporary("none")], /there is no such file/],
  ["an empty kernel", ["-kernel", inTemporary("empty", "")], /empty/],
  ["a directory", ["-kernel", temporary], /directory/],
  [
    "a truncated kernel",
    ["-kernel", inTemporary("short", kernel.subarray(0, 200_000))],
    /truncated|cut short|incomplete/i,
  ],
  ["a text file as kernel", ["-kernel", inTemporary("text", "hello\n".repeat(1000))], /bzImage|kernel/i],
  ["a missing initrd", ["-kernel", guest.kernel, "-initrd", inTemporary("none")], /there is no such file/],
  [
    "an initrd that does not fit",
    ["-m", "8M", "-kernel", guest.kernel, "-initrd", inTemporary("big", Buffer.alloc(9 << 20, "070701"))],
    /the machine has 8/,
  ],
  [
    "a text file as initrd",
    ["-kernel", guest.kernel, "-initrd", inTemporary("text", "hello\n".repeat(1000))],
    /'.*text': it is neither a cpio archive/,
  ],
  [
    "a truncated initrd",
    ["-kernel", guest.kernel, "-initrd", inTemporary("cut", fs.readFileSync(guest.initrd).subarray(0, -100))],
    /'.*cut': its gzip data are cut short/,
  ],
  ["a CPU model that does not exist", ["-kernel", guest.kernel, "-cpu", "quemu64"], /qemu64/],
  ["a snapshot that is none", ["--load-snapshot", inTemporary("text", "hello\n".repeat(100))], /snapshot/i],
  [
    "a snapshot whose damage holds control characters",
    [
      "--load-snapshot",
      inTemporary(
        "damaged",
        Buffer.concat([
          Buffer.from("LWSNAP01\x05\0\0\0a\x1b\nbc\x01\0\0\0\0\x10\0\0\0\0\0\0"),
          Buffer.alloc(20),
        ]),
      ),
    ],
    /truncated in section 'a bc'/,
  ],
  [
    "a replay log that is none",
    ["-kernel", guest.kernel, "--replay", inTemporary("text", "hello\n")],
    /input log/i,
  ],
];
for (const [what, args, pattern] of badFiles) {
  test(`${what}: one line and status 2`, async () => {
    const { status, stdout, stderr } = await lapwing(args, { wallSeconds: 60 });
    assert.equal(status, 2, stdout + stderr);
    assert.match(stderr, pattern);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  });
}

test("an earlier snapshot outlives a command that fails, and can be loaded and saved as one file", async () => {
  const file = inTemporary("kept", "an earlier snapshot");
  const { status } = await lapwing(["-kernel", inTemporary("none"), "--save-snapshot", file]);
  assert.equal(status, 2);
  assert.equal(fs.readFileSync(file, "utf8"), "an earlier snapshot");
  const stop = ["--timeout-virtual", "0.1"];
  const first = await lapwing([...guestFlags(guest), "--save-snapshot", file, ...stop]);
  assert.equal(first.status, 124, first.stderr);
  const size = fs.statSync(file).size;
  const again = ["--load-snapshot", file, "--save-snapshot", file, "--timeout-virtual", "0.2"];
  const second = await lapwing(["-m", guest.memory, "-append", guest.append, ...again]);
  assert.equal(second.status, 124, second.stderr);
  assert.ok(fs.statSync(file).size > size / 2);
  const missing = await lapwing([...guestFlags(guest), "--stats", inTemporary("no/such/folder"), ...stop]);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /no such folder/);
});

test("a full disk is one line and status 2", { skip: !fs.existsSync("/dev/full") }, async () => {
  const { status, stderr } = await lapwing([
    ...guestFlags(guest),
    ...["--save-snapshot", "/dev/full", "--timeout-virtual", "0.1"],
  ]);
  assert.equal(status, 2, stderr);
  assert.match(stderr, /cannot write the snapshot '\/dev\/full': the disk is full/);
});

test(
  "the same command gives the same hashes, with any patience and with tracing",
  { timeout: 600_000 },
  async () => {
    const run = async (...extra) => {
      const { stderr } = await lapwing([
        ...guestFlags(guest),
        "--hash-every",
        "20000000",
        "--timeout-virtual",
        "0.5",
        ...extra,
      ]);
      return stderr.split("\n").filter((line) => /^\d+ [0-9a-f]{16}$/.test(line));
    };
    const usual = await run();
    assert.ok(usual.length >= 4, "too few hashes");
    assert.deepEqual(await run("--patience", "7", "--trace-irq", inTemporary("trace.ndjson")), usual);
    const trace = fs.readFileSync(inTemporary("trace.ndjson"), "utf8").trim().split("\n").map(JSON.parse);
    assert.ok(trace.length > 10);
  },
);

test("a snapshot goes on exactly as the machine it was taken from", { timeout: 600_000 }, async () => {
  const snapshot = inTemporary("snapshot");
  const stats = inTemporary("stats.json");
  const uname = ["--send", "# $=>uname -s\\n", "--expect", "^Linux\\r?$", "--timeout-virtual", "200"];
  const saved = await lapwing([
    ...guestFlags(guest),
    "--expect",
    "# $",
    "--save-snapshot",
    snapshot,
    "--timeout-virtual",
    "100",
  ]);
  assert.equal(saved.status, 0, saved.stderr);
  const nudge = ["--send", "^=>\\n"];
  const loaded = await lapwing([
    "-m",
    guest.memory,
    "-append",
    guest.append,
    "--load-snapshot",
    snapshot,
    ...nudge,
    ...uname,
    "--stats",
    stats,
  ]);
  assert.equal(loaded.status, 0, loaded.stderr + loaded.stdout);
  assert.ok(JSON.parse(fs.readFileSync(stats, "utf8")).instructions > 1e7);
});

test("a recorded real-time run replays to the same hash", { timeout: 600_000 }, async () => {
  const [log, first, second] = ["log", "first.json", "second.json"].map((name) => inTemporary(name));
  const flags = [
    ...guestFlags(guest),
    "--clock",
    "realtime",
    "--send",
    "# $=>cat /proc/uptime\\n",
    "--expect",
    "^\\d+\\.\\d+ \\d",
  ];
  const recorded = await lapwing([...flags, "--log-input", log, "--stats", first, "--timeout", "300"]);
  assert.equal(recorded.status, 0, recorded.stderr);
  const replayed = await lapwing([
    ...guestFlags(guest),
    "--replay",
    log,
    "--stats",
    second,
    "--timeout",
    "300",
  ]);
  assert.equal(replayed.status, 0, replayed.stderr);
  const read = (file) => JSON.parse(fs.readFileSync(file, "utf8"));
  assert.equal(read(second).instructions, read(first).instructions);
  assert.equal(read(second).hash, read(first).hash);
});

test("poweroff ends with status 0", { timeout: 300_000 }, async () => {
  const { status, stderr } = await lapwing([
    ...guestFlags(guest),
    "--send",
    "# $=>poweroff\\n",
    "--timeout-virtual",
    "200",
  ]);
  assert.equal(status, 0, stderr);
});

test("time that runs out gives 124", { timeout: 300_000 }, async () => {
  const { status, stderr } = await lapwing([
    ...guestFlags(guest),
    "--expect",
    "no such text",
    "--timeout-virtual",
    "0.2",
  ]);
  assert.equal(status, 124);
  assert.match(stderr, /0\.2 s of guest time/);
});

test("test runners written for QEMU find it and its test devices", async () => {
  assert.match((await lapwing(["--help"])).stdout, /QEMU/);
  assert.match((await lapwing(["-device", "?"])).stdout, /name "pc-testdev"/);
});
