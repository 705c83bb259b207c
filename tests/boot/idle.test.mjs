// Real-time mode: an idle guest costs next to nothing, and a guest second is a wall second even after busy times.
// Both bounds concern the machine, not the host's scheduler: CPU time is the process's own, and a measurement that
// the host's other work has spoilt is repeated.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { Session } from "../bench/session.mjs";
import { guestFlags, guests, root } from "./support.mjs";

const prompt = /~ # (\x1b\[6n)?$/;
const attempts = 3;
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

const session = new Session("lapwing", [
  ...[process.execPath, path.join(root, "web/cli/lapwing.mjs"), "--clock", "realtime"],
  ...guestFlags(guests[0]),
]);
test.after(() => session.stop());

/** Wall seconds between the two lines that the guest prints around `sleep 10`. */
async function timeSleep(before) {
  session.send(`${before}; echo be""gin; sleep 10; echo e""nd\n`);
  const begin = await session.waitFor(/begin\r\n/, 300);
  const end = await session.waitFor(/end\r\n/, 300);
  await session.waitFor(prompt, 60);
  return (end.at - begin.at) / 1000;
}

async function idleShare(seconds) {
  const [cpu, wall] = [session.cpuSeconds(), performance.now()];
  await sleep(seconds);
  return (session.cpuSeconds() - cpu) / ((performance.now() - wall) / 1000);
}

test("sleep 10 takes 10 wall seconds within 2%, right after busy times", { timeout: 900_000 }, async () => {
  await session.waitFor(prompt, 600);
  const busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
  const measured = [await timeSleep("true")];
  while (Math.abs(measured.at(-1) - 10) > 0.2 && measured.length < attempts)
    measured.push(await timeSleep(busy));
  assert.ok(Math.abs(measured.at(-1) - 10) <= 0.2, `sleep 10 took ${measured.join(", ")} s`);
});

test("an idle guest uses less than 2% of a core", { timeout: 900_000 }, async () => {
  await sleep(5);
  const measured = [await idleShare(20)];
  while (measured.at(-1) >= 0.02 && measured.length < attempts) measured.push(await idleShare(20));
  assert.ok(
    measured.at(-1) < 0.02,
    `${measured.map((share) => (share * 100).toFixed(1)).join(", ")} % of a core`,
  );
});
