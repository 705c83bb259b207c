import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { load } from "./load.mjs";

const { Engine, configText } = await load("web/src/engine/engine.ts");
const { instantiateEngine, compileEngine, requireWebAssembly } = await load("web/src/engine/instantiate.ts");
const { checkInitrd } = await load("web/src/engine/initrd.ts");
const { snapshotSections } = await load("web/src/engine/snapshot.ts");
const { readSource } = await load("web/src/engine/files.ts");
const { scanCode } = await load("web/src/io/scan_codes.ts");
const { decodeRecords, toNdjson } = await load("web/src/interrupts/records.ts");
const { PerfettoWriter } = await load("web/src/interrupts/perfetto.ts");
const { fakeInstance } = await load("tests/web/fake_engine.mjs");

const emptyModule = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
const bytes = (text) => new TextEncoder().encode(text);
const code = (expected) => (error) => error.code === expected && error.message.split("\n").length === 1;

test("this host has what the engine needs", () => requireWebAssembly());

test("a host without SIMD or without WebAssembly is told so", () => {
  const real = WebAssembly.validate;
  WebAssembly.validate = () => false;
  try {
    assert.throws(requireWebAssembly, (error) => error.code === "host" && /SIMD/.test(error.message));
  } finally {
    WebAssembly.validate = real;
  }
});

test("a file that is no engine, or another one, is refused in a sentence", async () => {
  await assert.rejects(compileEngine(new Uint8Array([1, 2, 3])), code("bad_file"));
  const module = await compileEngine(emptyModule);
  assert.throws(() => instantiateEngine(module, 1 << 20), /does not export lw_door_version; rebuild it/);
  assert.throws(() => instantiateEngine(module, 2 ** 32), code("bad_option"));
});

test("what the engine refuses becomes an error with its sentence", () => {
  const engine = new Engine(fakeInstance());
  engine.create({ memory: 1 << 20 });
  assert.throws(() => engine.load("kernel", new Uint8Array([0])), /not a bzImage/);
  assert.throws(() => engine.query("nonsense"), code("bad_option"));
  assert.throws(() => engine.loadSnapshot(new Uint8Array([1])), code("bad_file"));
});

test("a setting cannot smuggle in another line", () => {
  assert.throws(() => configText({ memory: 1, append: "a\nseed=2" }), code("bad_option"));
});

test("empty files and unreachable addresses are named", async () => {
  await assert.rejects(readSource("the kernel", { blob: new Blob([]) }), /the kernel is empty/);
  await assert.rejects(readSource("the kernel", { url: "http://127.0.0.1:1/x" }), code("network"));
});

test("an initrd that Linux could only panic on is refused, and nothing else", async () => {
  const linux = new Uint8Array(0x300);
  linux.set(bytes("HdrS"), 0x202);
  const other = new Uint8Array(0x300);
  const archive = bytes("070701" + "0".repeat(5000));
  const packed = new Uint8Array(gzipSync(archive));
  const padded = Buffer.concat([packed, new Uint8Array(512), archive]);
  for (const good of [archive, packed, new Uint8Array(padded), new Uint8Array([0, 0, 0, 0, ...archive])])
    await checkInitrd(linux, good, "it");
  await checkInitrd(other, bytes("a module of a multiboot kernel"), "it");
  await assert.rejects(checkInitrd(linux, bytes("root:x:0:0"), "it"), code("bad_file"));
  await assert.rejects(checkInitrd(linux, new Uint8Array(64), "it"), code("bad_file"));
  await assert.rejects(checkInitrd(linux, packed.slice(0, -12), "it"), /it: its gzip data are cut short/);
  const damaged = packed.slice();
  damaged[damaged.length - 5] ^= 1;
  await assert.rejects(checkInitrd(linux, damaged, "it"), /it: its gzip data are damaged/);
});

test("a snapshot names its sections, a damaged one those that can be read", () => {
  const section = (name, size) => {
    const part = new DataView(new ArrayBuffer(4 + name.length + 4 + 8 + size + 8));
    part.setUint32(0, name.length, true);
    new Uint8Array(part.buffer).set(bytes(name), 4);
    part.setBigUint64(8 + name.length, BigInt(size), true);
    return new Uint8Array(part.buffer);
  };
  const parts = [bytes("LWSNAP01"), section("cpu0", 100), section("vga", 7), section("", 0)];
  const snapshot = new Uint8Array(Buffer.concat(parts));
  assert.deepEqual(snapshotSections(snapshot), ["cpu0", "vga", ""]);
  assert.deepEqual(snapshotSections(snapshot.subarray(0, 140)), ["cpu0"]);
  assert.deepEqual(snapshotSections(bytes("LWSNAP01 and rubbish that is long enough")), []);
  assert.deepEqual(snapshotSections(bytes("something else")), []);
});

test("keys have scan codes of set 1", () => {
  const cases = {
    Escape: 0x01,
    KeyA: 0x1e,
    Enter: 0x1c,
    Space: 0x39,
    F10: 0x44,
    F12: 0x58,
    ArrowUp: 0x148,
    Delete: 0x153,
    NumpadDecimal: 0x53,
  };
  for (const [key, value] of Object.entries(cases)) assert.equal(scanCode(key), value, key);
  assert.throws(() => scanCode("Hyper"), code("bad_option"));
});

test("interrupt records decode and export as valid JSON", () => {
  const bytes = new Uint8Array(96);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 12n, true);
  view.setBigUint64(8, 3000n, true);
  view.setBigUint64(16, 0xffffffff81000000n, true);
  view.setUint32(32, 7, true);
  view.setUint32(36, 4, true);
  view.setUint16(40, 0xffff, true);
  view.setUint8(43, 0xff);
  bytes.copyWithin(48, 0, 48);
  const records = decodeRecords(bytes);
  assert.equal(records.length, 2);
  assert.deepEqual(
    [records[0].ns, records[0].vector, records[0].cpu, records[0].kind],
    [3000, undefined, undefined, "line raised"],
  );
  assert.equal(JSON.parse(toNdjson(records[0])).rip, "0xffffffff81000000");
  let text = "";
  const writer = new PerfettoWriter((part) => (text += part));
  for (const record of records) writer.add(record);
  writer.end();
  assert.equal(JSON.parse(text).traceEvents.filter(({ ph }) => ph === "X").length, 2);
});
