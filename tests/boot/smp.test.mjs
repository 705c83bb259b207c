// The small guest on several processors.
import assert from "node:assert/strict";
import test from "node:test";
import { guestFlags, guests, lapwing } from "./support.mjs";
import { ask, smpRun } from "./smp.mjs";

const guest = guests[0];

for (const cpus of [1, 2, 4, 8])
  test(`${guest.title} on ${cpus} CPUs: all work, go offline and come back`, { timeout: 600_000 }, () =>
    smpRun(guest, cpus),
  );

test("a boot on 8 CPUs costs at most twice that on one", { timeout: 600_000 }, async () => {
  const seconds = async (cpus) => (await ask(guest, { cpus, questions: ["true"] })).stats.cpu_seconds;
  const [one, eight] = [await seconds(1), await seconds(8)];
  assert.ok(eight <= 2 * one, `${eight} CPU seconds instead of ${one}`);
});

test("on 8 CPUs too, a run is the same however the host cuts it", { timeout: 600_000 }, async () => {
  const run = async (...extra) => {
    const flags = ["-smp", "8", "--hash-every", "50000000", "--expect", "~ # ", "--timeout-virtual", "100"];
    const { stderr } = await lapwing([...guestFlags(guest), ...flags, ...extra]);
    return stderr.split("\n").filter((line) => /^\d+ [0-9a-f]{16}$/.test(line));
  };
  const usual = await run();
  assert.ok(usual.length >= 5, "too few hashes");
  assert.deepEqual(await run("--patience", "11"), usual);
});
