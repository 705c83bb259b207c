// Debian's kernels (and the small one) boot in Node to a shell in which typed commands work.
import assert from "node:assert/strict";
import test from "node:test";
import { guestFlags, guests, lapwing, troubles } from "./support.mjs";

const machines = { amd64: "x86_64", i386: "i686" };
const prompt = "# $";
/** Mitigations that a processor without these faults must not be given: each slows every system call. */
const costlyMitigations =
  /Mitigation: (PTI|Retpolines|Clear CPU buffers|Aligned branch)|BHI: (SW loop|Retpoline)/;
const questions = [
  "echo $((6*7)) $(uname -m)",
  "cat /proc/interrupts",
  "cat /sys/devices/system/clocksource/clocksource0/current_clocksource",
  "grep . /sys/devices/system/cpu/vulnerabilities/*",
  "dmesg",
  "echo all asked",
];

assert.ok(guests.length > 0, "no guests in the cache: run `npm run setup`");

for (const guest of guests) {
  test(`${guest.title} boots in Node to a shell that answers`, { timeout: 900_000 }, async () => {
    const sends = questions.flatMap((question) => ["--send", `${prompt}=>${question}\\n`]);
    const { status, stdout, stderr } = await lapwing([
      ...guestFlags(guest),
      ...sends,
      ...["--expect", `^42 ${machines[guest.arch]}`, "--expect", "^all asked"],
      ...["--fail", "Kernel panic", "--timeout-virtual", "300", "--timeout", "800"],
    ]);
    assert.equal(status, 0, `${stderr}\n${stdout.slice(-4000)}`);
    checkTranscript(stdout);
  });
}

function checkTranscript(text) {
  assert.doesNotMatch(text, troubles);
  const count = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
  assert.ok(count(/(\d+)\s+IO-APIC[ -]+\S+\s+ttyS0/) > 0, "no interrupts of ttyS0 through the IO-APIC");
  assert.ok(count(/LOC:\s+(\d+)/) > 10, "the local timer does not count");
  assert.match(text, /^tsc\r?$/m, "the clock source is not the TSC");
  assert.doesNotMatch(text, costlyMitigations);
}
