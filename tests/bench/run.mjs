// npm run bench [-- flags]: Lapwing, v86 and QEMU (TCG) in turn boot the same Debian guest and run the programs of
// tests/programs. Checksums must agree. Prints CPU seconds of the whole process (all threads), the memory peak, the
// share of a core while the guest idles and the means of each class, and writes everything to build/bench/results.json.
// options.mjs has the flags.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { findGuest } from "../../assets/guests.mjs";
import { ensureLargePrograms } from "../../assets/recipes/large_programs.mjs";
import { build } from "../../assets/setup/build.mjs";
import { SetupError, runMain, writeAtomic } from "../../assets/setup/cache.mjs";
import { capture, findProgram, show } from "../../assets/setup/process.mjs";
import { barLines } from "./bars.mjs";
import { diskTable, measureDisks } from "./disk.mjs";
import { interruptTable, measureInterrupts } from "./interrupts.mjs";
import { measure, measureDispersed } from "./measure.mjs";
import { readOptions } from "./options.mjs";
import { classTable, classes, summarize, table } from "./report.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

function needGuest(name) {
  const guest = findGuest(name);
  if (!guest) throw new SetupError(`the guest ${name} is missing; run \`npm run setup\``);
  return guest;
}

/** Returns one line for each program whose checksum is not everywhere the same. */
function disagreements(rows) {
  const seen = new Map();
  for (const { guest, peer, checksums } of rows) {
    for (const [name, checksum] of Object.entries(checksums)) {
      const who = seen.get(name) ?? new Map();
      seen.set(name, who.set(checksum, `${peer} with ${guest}`));
    }
  }
  const differing = [...seen].filter(([, who]) => who.size > 1);
  return differing.map(([name, who]) => {
    const all = [...who].map(([checksum, where]) => `${checksum} (${where})`);
    return `${name}: checksums differ: ${all.join(", ")}`;
  });
}

function versions() {
  return {
    node: process.versions.node,
    qemu: findProgram("qemu-system-x86_64") && capture("qemu-system-x86_64", ["--version"]).split("\n")[0],
    v86: JSON.parse(fs.readFileSync(path.join(kRoot, "node_modules/v86/package.json"), "utf8")).version,
  };
}

const merge = (a, b) => ({
  values: { ...a.values, ...b.values },
  checksums: { ...a.checksums, ...b.checksums },
});

/** Every machine with every guest, in an order that turns from round to round. */
async function runRounds({ rounds, peers, guests }, run) {
  const rows = [];
  for (let round = 0; round < rounds; round++) {
    for (const name of guests) {
      const guest = needGuest(name);
      const fitting = peers.filter((peer) => peer.architectures.includes(guest.arch));
      for (let i = 0; i < fitting.length; i++) {
        const peer = fitting[(i + round) % fitting.length];
        process.stderr.write(`bench: round ${round + 1} of ${rounds}: ${peer.name} with ${name}\n`);
        rows.push({ guest: name, peer: peer.name, round, ...(await run(peer, guest)) });
      }
    }
  }
  return rows;
}

await runMain(async () => {
  const options = readOptions();
  if (!options.command) {
    await build("wasm");
    show("npm", ["run", "--silent", "build:web"], { cwd: kRoot });
  }
  for (const peer of options.peers) peer.check();
  options.guests.forEach(needGuest);
  const { rounds, part, programs, accel } = options;
  const withIdle = rounds > 1 || part === 1;
  if (options.withDispersed) await ensureLargePrograms();
  const rows = await runRounds(options, async (peer, guest) => {
    const found = await measure(peer, guest, { programs, part, withIdle });
    return options.withDispersed ? merge(found, await measureDispersed(peer, guest)) : found;
  });
  const results = { versions: versions(), rounds, part, accel: accel ?? "default", rows };
  results.summaries = summarize(rows);
  results.classes = classes(results.summaries);
  results.wrong = disagreements(rows);
  process.stdout.write(`CPU seconds, median (least..most) of ${rounds}\n\n${table(results.summaries)}`);
  process.stdout.write(`\nGeometric means of the ratios\n${classTable(results.classes)}`);
  process.stdout.write(`\nBars\n${barLines(results.summaries, results.classes).join("\n")}\n`);
  if (options.withDisks) {
    results.disks = await measureDisks(options.command, accel);
    const missing = "the small guest is missing: npm run guest:small\n";
    process.stdout.write(`\nDisks\n${results.disks.length ? diskTable(results.disks) : missing}`);
  }
  if (options.withInterrupts) {
    results.interrupts = await measureInterrupts();
    process.stdout.write(`\nInterrupts\n${interruptTable(results.interrupts)}`);
  }
  writeAtomic(options.json, JSON.stringify(results, null, 2) + "\n");
  const { wrong } = results;
  process.stdout.write(wrong.length ? `\n${wrong.join("\n")}\n` : "\nall checksums agree\n");
  process.stdout.write(`details: ${options.json}\n`);
  process.exitCode = wrong.length ? 1 : 0;
});
