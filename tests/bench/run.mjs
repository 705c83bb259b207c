// npm run bench [-- flags]: Lapwing, v86 and QEMU (TCG) in turn boot the same Debian guest and run the programs of
// tests/programs. Checksums must agree. Prints CPU seconds of the whole process (all threads), the memory peak and
// the share of a core while the guest idles, and writes everything to build/bench/results.json.
//   --rounds N          rounds (default 3); the order of the emulators turns with each
//   --peers A,B         of: lapwing v86 qemu        --programs A,B   of the six; "none" for boots alone
//   --guests A,B        of: 686 amd64               --json FILE      where the results go
//   --lapwing FILE      another build's lapwing.mjs; nothing is built then
//   --no-interrupts     leaves out what interrupts cost (interrupts.mjs)
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findGuest } from "../../assets/guests.mjs";
import { build } from "../../assets/setup/build.mjs";
import { SetupError, runMain, writeAtomic } from "../../assets/setup/cache.mjs";
import { capture, findProgram, show } from "../../assets/setup/process.mjs";
import { initrdWithPrograms, kBenchPrograms } from "../programs/build.mjs";
import { interruptTable, measureInterrupts } from "./interrupts.mjs";
import { listPeers } from "./peers.mjs";
import { summarize, table } from "./report.mjs";
import { Session } from "./session.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kBootSeconds = 600;
const kProgramSeconds = 600;
const kSettleMs = 3000;
const kIdleMs = 10_000;
/** The prompt; busybox may ask the terminal for the cursor's place behind it. */
const kPrompt = /~ # (\x1b\[6n)?$/;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function readFlags() {
  const text = { type: "string" };
  const options = { rounds: text, peers: text, programs: text, guests: text, json: text, lapwing: text };
  options["no-interrupts"] = { type: "boolean" };
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    throw new SetupError(error.message);
  }
  const rounds = Number(values.rounds ?? 3);
  if (!Number.isInteger(rounds) || rounds < 1) throw new SetupError("--rounds takes a number from 1");
  const peers = listPeers(values.lapwing && path.resolve(values.lapwing));
  const names = (value, known) => {
    const chosen = value === undefined ? known : value === "none" ? [] : value.split(",");
    const unknown = chosen.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new SetupError(`no "${unknown}"; there are: ${known.join(" ")}`);
    return chosen;
  };
  const peerNames = names(
    values.peers,
    peers.map((peer) => peer.name),
  );
  return {
    rounds,
    peers: peers.filter((peer) => peerNames.includes(peer.name)),
    programs: names(values.programs, kBenchPrograms),
    guests: names(values.guests, ["686", "amd64"]),
    json: path.resolve(values.json ?? path.join(kRoot, "build/bench/results.json")),
    isBuilt: values.lapwing !== undefined,
    withInterrupts: !values["no-interrupts"],
  };
}

function needGuest(name) {
  const guest = findGuest(name);
  if (!guest) throw new SetupError(`the guest ${name} is missing; run \`npm run setup\``);
  return guest;
}

async function measureProgram(session, name) {
  await sleep(300);
  const before = session.cpuSeconds();
  session.send(`/bench/${name}\n`);
  const [, checksum] = await session.waitFor(new RegExp(`${name} checksum ([0-9a-f]{8})`), kProgramSeconds);
  await session.waitFor(kPrompt, kProgramSeconds);
  return { seconds: session.cpuSeconds() - before, checksum };
}

async function measureIdle(session) {
  await sleep(kSettleMs);
  const [cpu, wall] = [session.cpuSeconds(), performance.now()];
  await sleep(kIdleMs);
  return (session.cpuSeconds() - cpu) / ((performance.now() - wall) / 1000);
}

/** Boots, runs the programs, idles: { values, checksums }. */
async function measure(peer, guest, programs) {
  const session = new Session(
    `${peer.name} with ${guest.name}`,
    peer.command(guest, initrdWithPrograms(guest)),
  );
  try {
    await session.waitFor(kPrompt, kBootSeconds);
    const values = { boot: session.cpuSeconds() };
    const checksums = {};
    for (const name of programs) {
      const { seconds, checksum } = await measureProgram(session, name);
      values[name] = seconds;
      checksums[name] = checksum;
    }
    values.idle_share = await measureIdle(session);
    values.peak_memory = session.peakMemory();
    return { values, checksums };
  } finally {
    session.stop();
  }
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

async function runRounds({ rounds, peers, programs, guests }) {
  const rows = [];
  for (let round = 0; round < rounds; round++) {
    for (const name of guests) {
      const guest = needGuest(name);
      const fitting = peers.filter((peer) => peer.architectures.includes(guest.arch));
      for (let i = 0; i < fitting.length; i++) {
        const peer = fitting[(i + round) % fitting.length];
        process.stderr.write(`bench: round ${round + 1} of ${rounds}: ${peer.name} with ${name}\n`);
        const result = await measure(peer, guest, programs);
        rows.push({ guest: name, peer: peer.name, round, ...result });
      }
    }
  }
  return rows;
}

await runMain(async () => {
  const flags = readFlags();
  if (!flags.isBuilt) {
    await build("wasm");
    show("npm", ["run", "--silent", "build:web"], { cwd: kRoot });
  }
  for (const peer of flags.peers) peer.check();
  flags.guests.forEach(needGuest);
  const rows = await runRounds(flags);
  const summaries = summarize(rows);
  const wrong = disagreements(rows);
  const interrupts = flags.withInterrupts ? await measureInterrupts() : undefined;
  const results = { versions: versions(), rows, summaries, wrong, interrupts };
  writeAtomic(flags.json, JSON.stringify(results, null, 2) + "\n");
  process.stdout.write(`CPU seconds, median (least..most) of ${flags.rounds}\n\n${table(summaries)}`);
  if (interrupts) process.stdout.write(`\nInterrupts\n${interruptTable(interrupts)}`);
  process.stdout.write(wrong.length ? `\n${wrong.join("\n")}\n` : "\nall checksums agree\n");
  process.stdout.write(`details: ${flags.json}\n`);
  process.exitCode = wrong.length ? 1 : 0;
});
