// Snapshots of a busy guest on four CPUs at random instruction counts: with interrupts pending, in service and masked.
// A fresh machine that is given the snapshot goes on exactly like the one it came from.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { initrdWithPrograms } from "../programs/build.mjs";
import { load } from "../web/load.mjs";
import { guests, root } from "./support.mjs";

const { Engine } = await load("web/src/engine/engine.ts");
const { compileEngine, instantiateEngine } = await load("web/src/engine/instantiate.ts");
const { runTo, randomPatience } = await load("web/src/engine/run_to.ts");
const { parseState, vectorsIn } = await load("web/src/interrupts/model/index.ts");

const guest = guests[0];
const memory = 128 << 20;
const rounds = process.env.LAPWING_LONG === "1" ? 60 : 10;
const goesOn = 1_000_000;
const wasm = process.env.LAPWING_WASM ?? path.join(root, "build/wasm/lapwing.wasm");
const seed = Number(process.env.LAPWING_SEED ?? Math.floor(Math.random() * 2 ** 31));
const compiled = await compileEngine(fs.readFileSync(wasm));

function machine() {
  const engine = new Engine(instantiateEngine(compiled, memory));
  engine.create({ memory, cpus: 4, append: guest.append, clock: "virtual" });
  engine.load("kernel", fs.readFileSync(guest.kernel));
  engine.load("initrd", fs.readFileSync(initrdWithPrograms(guest)));
  engine.boot();
  return engine;
}

/** Runs until the console shows the pattern. */
function runUntil(engine, pattern) {
  let text = "";
  const slice = 200_000;
  while (!pattern.test(text)) {
    assert.ok(engine.instructions < 2e9, `${pattern} did not appear: ${text.slice(-500)}`);
    engine.run(slice, engine.nextDeadlineNs);
    text += new TextDecoder().decode(engine.serialOutput(0));
  }
}

/** What the interrupt system is in the middle of. */
function situation(engine) {
  const state = parseState(engine.query("state interrupts"));
  const some = (set) => state.cpus.some((cpu) => vectorsIn(cpu, set).length > 0);
  const masked = state.cpus.some((cpu) => vectorsIn(cpu, "IRR").length > 0 && !cpu.interruptFlag);
  return { pending: some("IRR"), inService: some("ISR"), masked };
}

test(`snapshots at random moments of a busy guest, seed ${seed}`, { timeout: 900_000 }, async () => {
  const random = randomPatience(seed);
  const busy = machine();
  runUntil(busy, /~ # /);
  const work = "while true; do /bench/locks 4; cat /proc/interrupts; done > /dev/null &\r";
  busy.serialInput(0, new TextEncoder().encode(`${work}${work}while true; do echo $((i+=1)); done\r`));
  await runTo(busy, busy.instructions + 20_000_000);
  const seen = { pending: 0, inService: 0, masked: 0 };
  for (let round = 0; round < rounds; round++) {
    await runTo(busy, busy.instructions + 20 * random());
    // Every third snapshot waits for something rare to be the case.
    const wanted = ["pending", "inService", "masked"][round % 3];
    for (let i = 0; i < 20_000 && !situation(busy)[wanted]; i++)
      await runTo(busy, busy.instructions + 1 + (random() % 500));
    const found = situation(busy);
    for (const name of Object.keys(seen)) seen[name] += found[name] ? 1 : 0;
    const at = busy.instructions;
    const snapshot = busy.saveSnapshot();
    const restored = machine();
    restored.loadSnapshot(snapshot);
    assert.equal(restored.hash(), busy.hash(), `restored at ${at}`);
    await runTo(restored, at + goesOn, randomPatience(seed + round));
    await runTo(busy, at + goesOn, randomPatience(seed + round));
    assert.equal(restored.hash(), busy.hash(), `${goesOn} instructions after the snapshot at ${at}`);
  }
  for (const [name, count] of Object.entries(seen))
    assert.ok(count > 0, `no snapshot had ${name} interrupts`);
});
