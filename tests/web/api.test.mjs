import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { loadBundle } from "./load.mjs";

const { PC, LapwingError } = await loadBundle("web/src/index.ts", {
  "web/src/engine/instantiate": "tests/web/fake_engine.mjs",
});

const kernel = new Uint8Array([1, 2, 3]);
const engineUrl = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-")), "engine");
fs.writeFileSync(engineUrl, "stands for the engine");
test.after(() => fs.rmSync(path.dirname(engineUrl), { recursive: true }));

async function withMachine(options, use) {
  const vm = await PC.boot({ kernel, engineUrl, memory: "4M", ...options });
  try {
    await use(vm);
  } finally {
    vm.dispose();
  }
}
const code = (expected) => (error) => error instanceof LapwingError && error.code === expected;

test("a program can boot, wait, type and read", () =>
  withMachine({}, async (vm) => {
    const seen = await vm.serial.waitFor(/~ # $/, { virtualMs: 60_000 });
    assert.match(seen, /Linux version/);
    await vm.serial.write("uname\r");
    assert.match(await vm.serial.waitFor("x86_64", { ms: 5000 }), /Linux lapwing/);
    assert.match(await vm.registers(), /RIP=/);
    assert.equal((await vm.readPhysical(0x1000, 4)).length, 4);
  }));

test("what does not appear in guest time is a timeout", () =>
  withMachine({}, (vm) => assert.rejects(vm.serial.waitFor("never", { virtualMs: 200 }), code("timeout"))));

test("a snapshot takes a machine back", () =>
  withMachine({ paused: true }, async (vm) => {
    const [first] = await vm.hashesAt([1_000_000]);
    const snapshot = await vm.snapshot();
    const [second] = await vm.hashesAt([2_000_000], { patience: 5 });
    await vm.restore(snapshot);
    assert.deepEqual(await vm.hashesAt([1_000_000, 2_000_000]), [first, second]);
    await assert.rejects(vm.restore(kernel), code("bad_file"));
  }));

test("the end of the guest is told, and ends what waits", () =>
  withMachine({}, async (vm) => {
    const exit = new Promise((resolve) => vm.on("exit", resolve));
    await vm.serial.waitFor(/~ # $/);
    const waiting = assert.rejects(vm.serial.waitFor("never"), code("stopped"));
    await vm.serial.write("poweroff\r");
    assert.deepEqual(await exit, { reason: "power-off", status: 0 });
    await waiting;
  }));

test("mistakes are errors with a code", async () => {
  await assert.rejects(PC.boot({ kernel, bios: kernel, engineUrl }), code("bad_option"));
  await assert.rejects(PC.boot({ kernel: "/no/such/kernel", engineUrl }), code("bad_file"));
  await assert.rejects(PC.boot({ kernel: new Uint8Array([0]), engineUrl }), /not a bzImage/);
  await assert.rejects(PC.boot({ kernel, engineUrl, memory: "1M" }), code("bad_option"));
  await withMachine({}, async (vm) => {
    await assert.rejects(vm.reverseTo({}), code("bad_option"));
    await assert.rejects(vm.keyboard.press("Hyper"), code("bad_option"));
  });
});
