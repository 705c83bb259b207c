// Suspend to RAM and back by Linux, on a machine without firmware (with SeaBIOS: firmware.test.mjs).
import assert from "node:assert/strict";
import test from "node:test";
import { findGuest } from "../../assets/guests.mjs";
import { guestFlags, lapwing, troubles } from "./support.mjs";

const sleep = [
  "echo +20 > /sys/class/rtc/rtc0/wakealarm",
  "echo mem > /sys/power/state",
  "grep . /proc/uptime /sys/power/suspend_stats/success",
  "grep -c ^processor /proc/cpuinfo; echo awa''ke",
].join("; ");

for (const cpus of [1, 4]) {
  const guest = findGuest("amd64");
  test(`${guest.title}, ${cpus} CPUs: sleeps 20 s, wakes by RTC alarm`, { timeout: 900_000 }, async () => {
    const { status, stdout, stderr } = await lapwing([
      ...guestFlags(guest),
      ...[
        "-smp",
        String(cpus),
        "--send",
        `~ #=>${sleep}\\n`,
        "--expect",
        "awake",
        "--timeout-virtual",
        "150",
      ],
    ]);
    assert.equal(status, 0, stderr + stdout.slice(-2000));
    assert.doesNotMatch(stdout, troubles);
    assert.match(stdout, /success:1\b/);
    assert.match(stdout, new RegExp(`^${cpus}\\r?$`, "m"));
  });
}
