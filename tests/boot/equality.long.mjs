// Whole boots of every guest, interpreted and as generated code, on one CPU and on four, with options at random: the
// same hashes every hundred million instructions.
import assert from "node:assert/strict";
import test from "node:test";
import { guestFlags, guests, lapwing } from "./support.mjs";

const timeout = 1_200_000;
const pick = (list) => list[Math.floor(Math.random() * list.length)];

async function hashes(guest, ...extra) {
  const limits = ["--hash-every", "100000000", "--timeout-virtual", "12", "--expect", "no such text"];
  const { stderr } = await lapwing([...guestFlags(guest), ...limits, ...extra]);
  return stderr.split("\n").filter((line) => /^\d+ [0-9a-f]{16}$/.test(line));
}

function randomOptions() {
  const names = { threshold: [1, 3, 50, 700], batch: [1, 4, 40], blocks: [1, 3, 24], patience: [0, 50_000] };
  const chosen = Object.entries(names).map(([name, values]) => `${name}=${pick(values)}`);
  return ["jit", ...chosen, `modules=${pick([40, 4000])}`].join(",");
}

for (const guest of guests) {
  for (const cpus of guest.name === "amd64" ? [1, 4] : [1]) {
    test(`${guest.name} on ${cpus} CPUs: generated code runs the same`, { timeout }, async (t) => {
      const smp = ["-smp", String(cpus)];
      const reference = await hashes(guest, ...smp, "-accel", "interp");
      assert.ok(reference.length > 2, "too few hashes");
      for (const accel of ["jit", randomOptions()]) {
        t.diagnostic(accel);
        assert.deepEqual(await hashes(guest, ...smp, "-accel", accel), reference, accel);
      }
    });
  }
}
