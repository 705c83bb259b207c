// -gdb: a debugger's protocol, spoken by hand and by GDB itself where it is installed, on a boot sector.
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { commandPath } from "./support.mjs";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-gdb-"));
test.after(() => fs.rmSync(folder, { recursive: true }));

// 7C00: mov eax, 12345678h; inc eax; inc eax; jmp $ (7C0A)
const code = [0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x66, 0x40, 0x66, 0x40, 0xeb, 0xfe];
const image = Buffer.alloc(1024 * 1024);
image.set(code);
image.set([0x55, 0xaa], 510);
const disk = path.join(folder, "disk.img");
fs.writeFileSync(disk, image);

/** Starts the command paused; `port` is where it waits for a debugger. */
function start(...args) {
  const child = spawn(process.execPath, [
    commandPath,
    "-S",
    "-gdb",
    "tcp::0",
    "-snapshot",
    "-hda",
    disk,
    ...args,
  ]);
  const guard = setTimeout(() => child.kill("SIGKILL"), 200_000);
  const ended = new Promise((resolve) =>
    child.on("close", (status) => (clearTimeout(guard), resolve(status))),
  );
  const port = new Promise((resolve, reject) => {
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (part) => {
      text += part;
      const found = /target remote 127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (found) resolve(Number(found));
    });
    ended.then(() => reject(new Error(text)));
  });
  child.stdout.resume();
  return { port, ended };
}

/** A client that sends packets and waits for their answers. */
async function connect(port) {
  const socket = net.connect(port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.on("error", () => {}); // the command ends with the connection
  const answers = [];
  const waiting = [];
  let text = "";
  socket.setEncoding("latin1").on("data", (part) => {
    text += part;
    for (let packet; (packet = /^[+]*\$([^#]*)#../.exec(text));) {
      text = text.slice(packet[0].length);
      socket.write("+");
      const next = waiting.shift();
      if (next) next(packet[1]);
      else answers.push(packet[1]);
    }
  });
  const answer = () =>
    answers.length > 0 ? Promise.resolve(answers.shift()) : new Promise((resolve) => waiting.push(resolve));
  const send = (packet) => {
    const sum = [...Buffer.from(packet)].reduce((a, b) => (a + b) & 0xff, 0);
    socket.write(`$${packet}#${sum.toString(16).padStart(2, "0")}`);
  };
  return { socket, answer, send, ask: (packet) => (send(packet), answer()) };
}
const littleEndian = (hex) => BigInt(`0x${hex.match(/../g).reverse().join("")}`);

test("breakpoints, steps, registers, memory, an interrupt, a kill", { timeout: 240_000 }, async () => {
  const { port, ended } = start();
  const gdb = await connect(await port);
  const register = async (number) => littleEndian(await gdb.ask(`p${number.toString(16)}`));
  assert.match(await gdb.ask("qSupported:xmlRegisters=i386"), /qXfer:features:read\+/);
  assert.match(await gdb.ask("qXfer:features:read:target.xml:0,fff"), /i386:x86-64/);
  assert.match(await gdb.ask("?"), /^T05thread:1;/);
  assert.equal(await register(16), 0xfff0n);
  assert.equal(await gdb.ask("Z0,7c06,1"), "OK");
  assert.match(await gdb.ask("vCont;c"), /^T05/);
  assert.equal(await register(16), 0x7c06n);
  assert.equal((await register(0)) & 0xffffffffn, 0x12345678n);
  assert.equal(await gdb.ask("m7c00,c"), Buffer.from(code).toString("hex"));
  assert.match(await gdb.ask("s"), /^T05/);
  assert.equal((await register(0)) & 0xffffffffn, 0x12345679n);
  assert.equal((await gdb.ask("g")).length, 2 * (17 * 8 + 4 + 24 + 80 + 32 + 256 + 4 + 16));
  assert.equal(await gdb.ask("me0000000,4"), "E01");
  assert.equal(await gdb.ask("M7c00,1:90"), "E01");
  assert.equal(await gdb.ask("z0,7c06,1"), "OK");
  gdb.send("c");
  await new Promise((resolve) => setTimeout(resolve, 200));
  gdb.socket.write("\x03");
  assert.match(await gdb.answer(), /^T02/);
  assert.equal(await register(16), 0x7c0an);
  gdb.send("k");
  assert.equal(await ended, 0);
});

const hasGdb = spawnSync("gdb", ["--version"]).status === 0;
test("GDB itself", { skip: !hasGdb && "gdb is not installed", timeout: 240_000 }, async () => {
  const { port, ended } = start("-smp", "2");
  const commands = [
    "set confirm off",
    `target remote 127.0.0.1:${await port}`,
    "info threads",
    "hbreak *0x7c08",
    "continue",
    "print/x $eax",
    "stepi",
    "print/x $rip",
    "x/2xb 0x7c0a",
    "monitor info pic",
    "kill",
  ];
  const output = await new Promise((resolve) => {
    const args = ["-nx", "-batch", ...commands.flatMap((command) => ["-ex", command])];
    execFile("gdb", args, { timeout: 200_000 }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
  assert.match(output, /CPU#1/);
  assert.match(output, /\$1 = 0x12345679/, output);
  assert.match(output, /\$2 = 0x7c0a/, output);
  assert.match(output, /0x7c0a:\s+0xeb\s+0xfe/, output);
  assert.match(output, /IMR/, output);
  assert.equal(await ended, 0);
});

test("a port that is taken, and an address that is none, are one line and status 2", async () => {
  const other = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const run = (address) =>
    spawnSync(process.execPath, [commandPath, "-gdb", address, "-hda", disk, "-snapshot"], {
      encoding: "utf8",
    });
  const taken = run(`tcp::${other.address().port}`);
  other.close();
  assert.equal(taken.status, 2, taken.stderr);
  assert.match(taken.stderr, /somebody else listens there/);
  const wrong = run("unix:/tmp/x");
  assert.equal(wrong.status, 2, wrong.stderr);
  assert.match(wrong.stderr, /write it as tcp::PORT/);
});
