// Time travel: a machine goes back to a position of its past, with the state it had there, and on to the same future.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { loadBundle } from "../web/load.mjs";
import { guests, root } from "./support.mjs";

const { PC } = await loadBundle("web/src/index.ts", {});
const guest = guests[0];
const engineUrl = process.env.LAPWING_WASM ?? path.join(root, "build/wasm/lapwing.wasm");

const boot = (options = {}) =>
  PC.boot({
    ...options,
    kernel: guest.kernel,
    initrd: guest.initrd,
    append: guest.append,
    memory: "128M",
    engineUrl,
  });

const here = async (vm) => {
  const { instructions, ns } = await vm.statistics();
  return { instructions, ns };
};

test("back to where a key was pressed, twice, with the same state and the same future", async () => {
  const vm = await boot({ cpus: 2 });
  await vm.serial.waitFor(/~ # $/, { virtualMs: 60_000 });
  await vm.irq.start();
  const began = await here(vm);
  const pressed = vm.irq.next({ gsi: 1 });
  await vm.keyboard.down("KeyA");
  const irq = await pressed;
  vm.serial.write("echo hello\r");
  await vm.serial.waitFor(/hello\s/, { virtualMs: 5000 });
  await vm.pause();
  const later = { at: await here(vm), hash: await vm.hash() };

  await vm.reverseTo(irq.raisedAt);
  const back = { at: await here(vm), hash: await vm.hash() };
  assert.equal(back.at.instructions, irq.raisedAt.instructions);
  assert.ok(back.at.ns <= irq.raisedAt.ns);
  assert.deepEqual(await vm.irq.journeys({ gsi: 4 }), [], "journeys of what is not yet are still told");
  assert.ok(await vm.runUntil({ interrupt: { vector: irq.vector } }));
  const [again] = await vm.irq.journeys({ gsi: 1 });
  assert.deepEqual(again.path.slice(0, 5), irq.path.slice(0, 5));
  assert.deepEqual(again.raisedAt, irq.raisedAt);
  const next = [back.at.instructions + 1_000_000, back.at.instructions + 3_000_000];
  const future = await vm.hashesAt(next);

  await vm.reverseTo(irq.raisedAt);
  assert.equal(await vm.hash(), back.hash);
  assert.deepEqual(await vm.hashesAt(next), future);
  await assert.rejects(vm.reverseTo({ instructions: next[1] + 1e9, ns: 1e15 }), /not been reached/);
  await assert.rejects(
    vm.reverseTo({ instructions: began.instructions - 1e6, ns: 0 }),
    /begins at instruction/,
  );
  assert.notEqual(later.hash, back.hash);
  vm.dispose();
});

test("inputs on the way are repeated: the state at the end of the past is the same again", async () => {
  const vm = await boot({ paused: true });
  await vm.startHistory();
  await vm.run();
  await vm.serial.waitFor(/~ # $/, { virtualMs: 60_000 });
  vm.serial.write("echo $((6*7))\r");
  await vm.serial.waitFor(/42\s/, { virtualMs: 5000 });
  await vm.pause();
  const [at, hash] = [await here(vm), await vm.hash()];
  const ended = new Promise((resolve) => vm.on("exit", resolve));
  await vm.run();
  await vm.runFor({ virtualMs: 10 });
  vm.serial.write("poweroff\r");
  await ended;
  await vm.reverseTo(at);
  assert.deepEqual(await here(vm), at);
  assert.equal(await vm.hash(), hash);
  vm.dispose();
});

test("without a history there is no way back, and the error says what to do", async () => {
  const vm = await boot({ paused: true });
  await assert.rejects(vm.reverseTo({ instructions: 0, ns: 0 }), /startHistory/);
  vm.dispose();
});
