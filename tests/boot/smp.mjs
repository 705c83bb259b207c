// What a multiprocessor boot has to show: every processor works, goes and comes back, and locks hold between them.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { initrdWithPrograms } from "../programs/build.mjs";
import { guestFlags, lapwing, troubles } from "./support.mjs";

/** What a kernel says about processors, locks and clocks that are not right. */
export const smpTroubles = new RegExp(
  [
    troubles.source,
    ...["[Ss]oft lockup", "rcu.*stall", "Timer not", "CPU\\d+: .*not respond", "do_boot_cpu failed"],
    ...[
      "[Cc]locksource.*unstable",
      "TSC.*(warp|unstable)",
      "APIC error",
      "smpboot:.*(fail|timeout)",
      "MP-BIOS bug",
    ],
    ...["No irq handler for vector", "spurious APIC interrupt", "nobody cared", "hpet.*min_delta"],
  ].join("|"),
);

/** Runs questions in the guest's shell: { stdout, stats }. */
export async function ask(
  guest,
  { cpus = 1, append = "", questions, flags = [], programs = false, timeout = 300 },
) {
  const stats = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-test-")), "stats.json");
  const chosen = { ...guest, append: `${guest.append} ${append}` };
  if (programs) chosen.initrd = initrdWithPrograms(guest);
  try {
    const { status, stdout, stderr } = await lapwing([
      ...guestFlags(chosen),
      ...["-smp", String(cpus), ...flags, "--stats", stats],
      ...questions.flatMap((question) => ["--send", `# $=>${question}\\n`]),
      ...["--send", "# $=>dmesg; echo all as''ked\\n", "--expect", "^all asked"],
      ...["--fail", "Kernel panic|locks failed", "--timeout-virtual", String(timeout), "--timeout", "800"],
    ]);
    assert.equal(status, 0, `${stderr}\n${stdout.slice(-4000)}`);
    assert.doesNotMatch(stdout, smpTroubles);
    return { stdout, stats: JSON.parse(fs.readFileSync(stats, "utf8")) };
  } finally {
    fs.rmSync(path.dirname(stats), { recursive: true });
  }
}

const others = "/sys/devices/system/cpu/cpu[1-7]";
const switchAll = (value) => `for c in ${others}; do echo ${value} > $c/online; done; nproc`;

/** Boots on `cpus` processors, takes all but one offline and back, and runs the lock test. */
export async function smpRun(guest, cpus) {
  const questions = ["nproc"];
  const hasLocks = cpus > 1 && guest.arch === "amd64";
  if (cpus > 1) questions.push(switchAll(0), switchAll(1), "grep -c ^processor /proc/cpuinfo");
  if (hasLocks) questions.push(`/bench/locks ${cpus}`);
  questions.push("cat /proc/interrupts");
  const { stdout, stats } = await ask(guest, { cpus, questions, programs: true });
  const counts = [...stdout.matchAll(/^(\d+)\r?$/gm)].map(([, count]) => Number(count));
  assert.deepEqual(counts, cpus > 1 ? [cpus, 1, cpus, cpus] : [1], "what nproc and /proc/cpuinfo say");
  const reached = (row) => interruptCounts(stdout, row).filter((count) => count > 0).length;
  assert.equal(reached("LOC"), cpus);
  if (hasLocks) {
    assert.match(stdout, new RegExp(`^locks done ${cpus}\\r?$`, "m"));
    assert.ok(reached("CAL") === cpus, "function call interrupts");
    assert.ok(reached("TLB") >= cpus - 1, "TLB shootdowns reach all but the one that asks");
  }
  return stats;
}

/** The counts of one row of /proc/interrupts, one for each processor. */
export function interruptCounts(text, row) {
  const line = new RegExp(`^ *${row}:((?: +\\d+)+)`, "m").exec(text);
  return line ? line[1].trim().split(/ +/).map(Number) : [];
}
