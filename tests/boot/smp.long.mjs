// Debian's kernels on several processors.
import assert from "node:assert/strict";
import test from "node:test";
import { findGuest } from "../../assets/guests.mjs";
import { smpRun } from "./smp.mjs";

for (const [name, counts] of [
  ["amd64", [1, 2, 4, 8]],
  ["686-pae", [2]],
]) {
  const guest = findGuest(name);
  const cost = new Map();
  for (const cpus of counts)
    test(
      `${guest.title} on ${cpus} CPUs: all work, go offline and come back`,
      { timeout: 900_000 },
      async () => {
        cost.set(cpus, (await smpRun(guest, cpus)).cpu_seconds);
        if (cpus === 8) assert.ok(cost.get(8) <= 2 * cost.get(1), `CPU seconds: ${[...cost].join("; ")}`);
      },
    );
}
