// One machine through the bench: boot, programs, idling.
import { SetupError } from "../../assets/setup/cache.mjs";
import { initrdWithDispersed, initrdWithPrograms } from "../programs/build.mjs";
import { kDispersed } from "../programs/list.mjs";

const kMemory = 256;
/** The initramfs of the dispersed workload takes its size twice while the kernel unpacks it. */
const kDispersedMemory = 512;
const kBootSeconds = 600;
const kProgramSeconds = 900;
const kSettleMs = 3000;
const kIdleMs = 10_000;
/** The prompt; busybox may ask the terminal for the cursor's place behind it. */
const kPrompt = /~ # (\x1b\[6n)?$/;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a command that ends by printing "NAME checksum HEX": { seconds, checksum }. */
export async function measureCommand(session, name, command) {
  await sleep(300);
  const before = session.cpuSeconds();
  session.send(`${command}\n`);
  const ending = new RegExp(`(?:${name} checksum ([0-9a-f]{8})[^]*?)?${kPrompt.source}`);
  const [text, checksum] = await session.waitFor(ending, kProgramSeconds);
  if (!checksum) throw new SetupError(`${command} printed no checksum: ${text.trim().slice(-200)}`);
  return { seconds: session.cpuSeconds() - before, checksum };
}

async function measureIdle(session) {
  await sleep(kSettleMs);
  const [cpu, wall] = [session.cpuSeconds(), performance.now()];
  await sleep(kIdleMs);
  return (session.cpuSeconds() - cpu) / ((performance.now() - wall) / 1000);
}

/** Boots, runs an Nth of the work of each program, idles: { values, checksums }. */
export async function measure(peer, guest, { programs, part, withIdle }) {
  const session = await peer.open(guest, initrdWithPrograms(guest), kMemory);
  try {
    await session.waitFor(kPrompt, kBootSeconds);
    const values = { boot: session.cpuSeconds() };
    const checksums = {};
    if (programs.length > 0) await measureCommand(session, "prepare", "/bench/prepare");
    for (const name of programs) {
      const work = part === 1 ? "" : ` /${part}`;
      const { seconds, checksum } = await measureCommand(session, name, `/bench/${name}${work}`);
      values[name] = seconds;
      checksums[name] = checksum;
    }
    if (withIdle) values.idle_share = await measureIdle(session);
    values.peak_memory = session.peakMemory();
    return { values, checksums };
  } finally {
    session.stop();
  }
}

/** A boot of its own with large programs, each run cold (its first run) and warm (its second). */
export async function measureDispersed(peer, guest) {
  const session = await peer.open(guest, initrdWithDispersed(guest), kDispersedMemory);
  try {
    await session.waitFor(kPrompt, kBootSeconds);
    const values = {};
    const checksums = {};
    for (const name of kDispersed) {
      for (const run of ["cold", "warm"]) {
        const { seconds, checksum } = await measureCommand(session, name, `/bench/${name}`);
        values[`${name}_${run}`] = seconds;
        checksums[`${name} on ${guest.arch}`] = checksum;
      }
    }
    return { values, checksums };
  } finally {
    session.stop();
  }
}
