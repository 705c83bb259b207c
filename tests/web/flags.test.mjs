import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { flags, helpText, parseFlags, nearest } = await load("web/cli/flags.ts");
const { optionsFrom } = await load("web/cli/options.ts");
const { withoutFeature } = await load("web/cli/create.ts");
const { ConsoleWatcher } = await load("web/cli/watcher.ts");
const { parseMemory } = await load("web/src/memory_size.ts");
const { differingLines, stopsBetween } = await load("web/cli/compare.ts");

const options = (args, isInteractive = true) =>
  optionsFrom(parseFlags(["-kernel", "k", ...args]), isInteractive);
const messageOf = (action) => {
  try {
    action();
  } catch (error) {
    return error.message;
  }
  return "no error";
};

test("an unknown flag is named with its nearest neighbour", () => {
  assert.match(
    messageOf(() => parseFlags(["-kernle", "x"])),
    /unknown flag -kernle; the nearest is -kernel/,
  );
  assert.match(
    messageOf(() => parseFlags(["--expcet", "x"])),
    /nearest is --expect/,
  );
  assert.equal(
    nearest(
      "-aceel",
      flags.map(({ name }) => name),
    ),
    "-accel",
  );
});

test("flags of the interface that are not built say so", () => {
  for (const flag of flags.filter(({ support }) => support === "later")) {
    const args = flag.value === undefined ? [flag.name] : [flag.name, "x"];
    assert.match(
      messageOf(() => parseFlags(args)),
      /is not supported yet/,
      flag.name,
    );
  }
  for (const args of [
    ["-nic", "user"],
    ["-d", "cpu"],
    ["-vga", "cirrus"],
  ]) {
    assert.match(
      messageOf(() => options(args)),
      /is not supported yet/,
      args.join(" "),
    );
  }
});

test("a QEMU command line of a course's Makefile is understood", () => {
  const { config, serial, initrds } = optionsFrom(
    parseFlags(
      (
        "-M pc -cpu max,+popcnt -m 128 -smp 2,cores=2 -kernel k -initrd a,b -append console=ttyS0 -nographic -serial mon:stdio " +
        "-no-reboot -display none -net none -accel tcg,thread=multi -device isa-debug-exit,iobase=0xf4,iosize=0x04 " +
        "-name test -snapshot -monitor none"
      ).split(" "),
    ),
    true,
  );
  assert.deepEqual(
    { ...config, rtc: 0 },
    {
      memory: 128 << 20,
      cpus: 2,
      cores: 2,
      cpu: "max,+popcnt",
      append: "console=ttyS0",
      clock: "realtime",
      rtc: 0,
      noReboot: true,
      devices: ["isa-debug-exit,iobase=0xf4,iosize=0x04"],
    },
  );
  assert.deepEqual(serial, [{ kind: "stdio" }]);
  assert.deepEqual(
    initrds.map(({ path }) => path),
    ["a", "b"],
  );
});

test("an argument without a flag is the first disk", () => {
  const [disk] = options(["boot.img"]).drives;
  assert.equal(disk.path, "boot.img");
  assert.equal(disk.options.index, 0);
  assert.match(
    messageOf(() => parseFlags(["a.img", "b.img"])),
    /'b\.img' is not a flag, and there is a first disk, 'a\.img'/,
  );
});

test("each CPU is a package of its own unless -smp says otherwise", () => {
  const topology = (text) => {
    const { cpus, cores } = options(["-smp", text]).config;
    return [cpus, cores];
  };
  assert.deepEqual(topology("4"), [4, undefined]);
  assert.deepEqual(topology("4,sockets=4"), [4, undefined]);
  assert.deepEqual(topology("4,sockets=1"), [4, 4]);
  assert.deepEqual(topology("cpus=8,cores=2,threads=2"), [8, 4]);
  assert.deepEqual(topology("sockets=2,cores=2"), [4, 2]);
  assert.match(
    messageOf(() => options(["-smp", "3,cores=2"])),
    /packages of 2/,
  );
});

test("automation and a missing terminal choose virtual time", () => {
  assert.equal(options([]).clock, "realtime");
  assert.equal(options([], false).clock, "virtual");
  assert.equal(options(["--expect", "x"]).clock, "virtual");
  assert.equal(options(["--timeout-virtual", "5"]).clock, "virtual");
  assert.equal(options(["--expect", "x", "--clock", "realtime"]).clock, "realtime");
});

test("values that cannot be used are explained in one line", () => {
  const cases = [
    [["-m", "lots"], /not a memory size/],
    [["-m", "1M"], /too little memory/],
    [["-m", "64G"], /too much memory/],
    [["-smp", "0"], /above 0/],
    [["-smp", "64"], /at most/],
    [["--expect", "("], /not a regular expression/],
    [["--send", "no arrow"], /REGEX=>TEXT/],
    [["--timeout", "soon"], /number of seconds/],
    [["--clock", "slow"], /virtual or realtime/],
    [["-serial", "chardev:x"], /no -chardev with id=x/],
    [["-serial", "lpt"], /give stdio/],
    [["--trace-irq", "a.txt"], /\.json, \.ndjson or \.lwtrace/],
    [["-machine", "amiga"], /there is only pc/],
    [["-rtc", "base=someday"], /give utc or a date/],
  ];
  for (const [args, pattern] of cases) {
    const message = messageOf(() => options(args));
    assert.match(message, pattern, args.join(" "));
    assert.doesNotMatch(message, /\n/);
  }
  assert.match(
    messageOf(() => parseFlags(["-kernel"])),
    /needs a value/,
  );
});

test("without a kernel the firmware boots, with the order, files and identity that the flags give", () => {
  const { kernel, bios, fwCfgFiles, config } = optionsFrom(
    parseFlags([
      ...["-bios", "b.bin", "-boot", "d", "-uuid", "00112233-4455-6677-8899-aabbccddeeff"],
      ...["-fw_cfg", "name=opt/a,string=b,,c", "-fw_cfg", "opt/d,file=/tmp/e"],
    ]),
    true,
  );
  assert.deepEqual([kernel, bios], [undefined, "b.bin"]);
  assert.deepEqual(fwCfgFiles, [{ name: "opt/d", path: "/tmp/e" }]);
  assert.equal(config.boot, "d");
  assert.equal(config.uuid, "00112233-4455-6677-8899-aabbccddeeff");
  assert.deepEqual(config.fwCfg, ["name=opt/a,string=b,,c"]);
  assert.match(
    messageOf(() => options(["-bios", "b.bin"])),
    /exclude each other/,
  );
  assert.match(
    messageOf(() => options(["-fw_cfg", "file=x"])),
    /name=NAME,file=PATH/,
  );
});

test("the debug console goes where -debugcon or its chardev says", () => {
  const global = ["-global", "isa-debugcon.iobase=0x402"];
  const { debugConsoles, config } = options(["-debugcon", "file:/tmp/d", ...global]);
  assert.deepEqual(debugConsoles, [{ kind: "file", path: "/tmp/d" }]);
  assert.deepEqual(config.devices, ["isa-debugcon,iobase=0x402"]);
  const devices = ["isa-debugcon,iobase=0x190,chardev=c", "isa-debugcon"].flatMap((name) => [
    "-device",
    name,
  ]);
  assert.deepEqual(options(["-chardev", "file,id=c,path=x", ...devices]).debugConsoles, [
    { kind: "file", path: "x" },
    undefined,
  ]);
  assert.deepEqual(options([]).debugConsoles, []);
});

test("serial ports go where they are sent", () => {
  assert.deepEqual(options(["-serial", "file:/tmp/a", "-serial", "null"]).serial, [
    { kind: "file", path: "/tmp/a" },
    { kind: "null" },
  ]);
  assert.deepEqual(options(["-chardev", "file,id=c,path=x", "-serial", "chardev:c"]).serial, [
    { kind: "file", path: "x" },
  ]);
});

test("help lists every flag", () => {
  const text = helpText();
  for (const { name } of flags) assert.ok(text.includes(`  ${name}`), name);
});

test("memory sizes", () => {
  assert.equal(parseMemory("256"), 256 << 20);
  assert.equal(parseMemory("256M"), 256 << 20);
  assert.equal(parseMemory("1G"), 1 << 30);
  assert.equal(parseMemory("262144k"), 256 << 20);
  assert.equal(parseMemory("1.5G"), 1536 * 2 ** 20);
});

test("expects are seen in order, sends once each and in order, also across chunks", () => {
  const send = (pattern, text) => ({ pattern, bytes: new TextEncoder().encode(text) });
  const watcher = new ConsoleWatcher({
    expect: [/login:/, /^42\r?$/m],
    fail: [/panic/],
    send: [send(/login: $/, "root\r"), send(/# $/, "a\r"), send(/# $/, "b\r")],
  });
  const add = (text) => watcher.add(new TextEncoder().encode(text));
  const typed = (result) => result.type.map((bytes) => new TextDecoder().decode(bytes));
  assert.deepEqual(typed(add("42\r\nlog")), []);
  assert.deepEqual(typed(add("in: ")), ["root\r"]);
  assert.deepEqual(typed(add("root\r\n# ")), ["a\r"]);
  assert.equal(watcher.awaited, /^42\r?$/m.source);
  assert.deepEqual(typed(add("a\r\n# ")), ["b\r"]);
  assert.equal(add("\r\n42\r\n").verdict, "expected");
  assert.equal(add("kernel pan").verdict, "expected");
  assert.equal(add("ic").verdict, "failed");
});

test("patterns do not see control sequences, also when they come in pieces", () => {
  const watcher = new ConsoleWatcher({ expect: [/^ok # $/m], fail: [], send: [] });
  const add = (text) => watcher.add(new TextEncoder().encode(text)).verdict;
  assert.equal(add("\x1b[1;32mok\x1b["), undefined);
  assert.equal(add("0m # \x1b[6n"), "expected");
});

test("--send knows escapes", () => {
  const [{ bytes }] = options(["--send", "x=>ls\\n\\x03\\\\n"]).send;
  assert.equal(new TextDecoder().decode(bytes), "ls\r\x03\\n");
});

test("compare's stops ascend to the end, and its diff shows both sides", () => {
  assert.deepEqual(stopsBetween(0, 5, 20), [1, 2, 3, 4, 5]);
  assert.deepEqual(stopsBetween(100, 200, 4), [125, 150, 175, 200]);
  assert.deepEqual(differingLines("a 1\nb 2", "a 1\nb 3"), ["- b 2", "+ b 3"]);
});

test("what test runners of kernel developers pass is accepted", () => {
  for (const args of [
    ["-nodefaults", "-vnc", "none", "-serial", "stdio", "-display", "none", "-no-reboot"],
    ["-machine", "accel=tcg"],
    ["-machine", "pc,accel=kvm:tcg"],
    ["-machine", "kernel_irqchip=split"],
    ["-M", "pc", "-enable-kvm", "-cpu", "max,vendor=GenuineIntel"],
    ["-device", "pc-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"],
    ["-initrd", "a.bin one two,b.bin", "--append", "x y"],
  ]) {
    assert.equal(
      messageOf(() => options(args)),
      "no error",
      args.join(" "),
    );
  }
  assert.deepEqual(options(["-initrd", "a.bin one two,b.bin"]).initrds, [
    { path: "a.bin", args: "one two" },
    { path: "b.bin", args: "" },
  ]);
  assert.match(
    messageOf(() => options(["-vnc", ":1"])),
    /-vnc :1 is not supported yet/,
  );
});

test("absurd sizes and counts are refused in a sentence", () => {
  const absurd = {
    "-smp": ["0", "9", "-1", "1.5", "x", "", "99999999999999999999", "cores=0", "cpus=8,cores=3"],
    "-m": ["0", "-1", "1K", "99999G", "x", ""],
    "--timeout": ["0", "-1", "x"],
    "--seed": ["-1", "x"],
    "--hash-every": ["0", "-5"],
    "-gdb": ["unix:x", "tcp::x", "tcp::99999"],
  };
  for (const [flag, values] of Object.entries(absurd)) {
    for (const value of values) {
      const message = messageOf(() => options([flag, value]));
      assert.notEqual(message, "no error", `${flag} ${value}`);
      assert.equal(message.split("\n").length, 1, message);
    }
  }
});

test("a CPU feature that the engine refuses is taken out of its configuration", () => {
  const text = "memory=1\ncpu=max,+vmx,hv=kvm,Sha_Ni=on\nseed=0\n";
  const without = (complaint) => withoutFeature(text, complaint);
  assert.equal(without("-cpu: this processor has no 'vmx'"), text.replace(",+vmx", ""));
  assert.equal(without("-cpu: no feature 'nosuch'; the nearest is 'nx'"), undefined);
  assert.equal(without("-cpu: no model 'max'"), undefined);
});
