// All clocks of the machine tell the same time: a guest program reads them 60 virtual seconds apart.
import assert from "node:assert/strict";
import test from "node:test";
import { findGuest } from "../../assets/guests.mjs";
import { initrdWithPrograms } from "../programs/build.mjs";
import { guestFlags, lapwing } from "./support.mjs";

const seconds = 60;
const tolerance = 100e-6;
const pmTimerHz = 3_579_545;
const pmTimerWrap = 2 ** 24;

// Debian's kernel, since the program needs iopl(); iomem=relaxed lets it map the HPET, and skipping the
// self-tests of the kernel's ciphers saves a tenth of the boot.
const guest = findGuest("amd64");
const flags = {
  ...guest,
  initrd: guest && initrdWithPrograms(guest),
  append: "console=ttyS0 iomem=relaxed cryptomgr.notests",
};

/** The 24-bit counter has wrapped about 13 times: the number of wraps that comes closest to the wanted count. */
function unwrapped(low, expected) {
  return low + Math.round((expected - low) / pmTimerWrap) * pmTimerWrap;
}

test("RTC, HPET, PM timer, TSC and the kernel agree over 60 seconds", { timeout: 900_000 }, async () => {
  const { status, stdout, stderr } = await lapwing([
    ...guestFlags(flags),
    ...["--send", `~ # $=>dmesg | grep tsc:; /bench/clocks ${seconds}\\n`, "--expect", "^clocks done"],
    ...["--fail", "clocks failed", "--timeout-virtual", "400", "--timeout", "800"],
  ]);
  assert.equal(status, 0, `${stderr}\n${stdout.slice(-2000)}`);
  const values = [...stdout.matchAll(/^clocks (\w+) (\d+)\r?$/gm)];
  const reading = Object.fromEntries(values.map(([, name, value]) => [name, Number(value)]));
  const tscMhz = Number(/tsc: Detected ([\d.]+) MHz/.exec(stdout)[1]);
  const elapsed = {
    tsc: reading.tsc / (tscMhz * 1e6),
    hpet: (reading.hpet * reading.hpet_period_fs) / 1e15,
    pmTimer: unwrapped(reading.pm_timer_mod_24_bits, seconds * pmTimerHz) / pmTimerHz,
    kernel: reading.kernel_ns / 1e9,
  };
  assert.equal(reading.rtc_seconds, seconds);
  for (const [name, value] of Object.entries(elapsed)) {
    const error = Math.abs(value / seconds - 1);
    assert.ok(error < tolerance, `${name}: ${value} s for ${seconds} s of the RTC`);
  }
});
