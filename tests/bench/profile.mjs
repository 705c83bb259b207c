// Where a program of the bench spends its time: boots a guest in this process, runs commands in it, and shows for each the
// engine's functions by their share of the time, and how its counters moved. Commands are names of programs, with or
// without a part of the work ("integer /4"), or lines for the guest's shell.
//   node tests/bench/profile.mjs GUEST ACCEL COMMAND...      LAPWING_WASM: another engine (one linked with
//                                                            --profiling-funcs has names for its functions)
import fs from "node:fs";
import path from "node:path";
import { Session as Inspector } from "node:inspector";
import { fileURLToPath } from "node:url";
import { findGuest } from "../../assets/guests.mjs";
import { SetupError, runMain } from "../../assets/setup/cache.mjs";
import { initrdWithPrograms } from "../programs/build.mjs";
import { kBenchPrograms } from "../programs/list.mjs";
import { load } from "../web/load.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kMemory = 256 << 20;
const kSlice = 200_000;
const kShown = 30;
const kPrompt = /~ # (\x1b\[6n)?$/;
const kIntervalMicroseconds = 500;

const { Engine } = await load("web/src/engine/engine.ts");
const { compileEngine, instantiateEngine } = await load("web/src/engine/instantiate.ts");

class Machine {
  #engine;
  #text = "";

  static async boot(guest, accel) {
    const wasm = process.env.LAPWING_WASM ?? path.join(kRoot, "build/wasm/lapwing.wasm");
    const machine = new Machine();
    const engine = new Engine(instantiateEngine(await compileEngine(fs.readFileSync(wasm)), kMemory));
    const cpu = guest.arch === "i386" ? "qemu32" : "qemu64";
    engine.create({
      memory: kMemory,
      cpus: 1,
      cpu,
      accel,
      append: "console=ttyS0 mitigations=off",
      clock: "virtual",
    });
    engine.load("kernel", fs.readFileSync(guest.kernel));
    engine.load("initrd", fs.readFileSync(initrdWithPrograms(guest)));
    engine.boot();
    machine.#engine = engine;
    await machine.toPrompt();
    return machine;
  }

  /** Runs to the next prompt; what the console showed. */
  async toPrompt() {
    this.#text = "";
    for (let turns = 0; !kPrompt.test(this.#text); turns++) {
      this.#engine.run(kSlice, this.#engine.nextDeadlineNs);
      this.#text += new TextDecoder().decode(this.#engine.serialOutput(0));
      // Compilers of V8 deliver their code when the event loop runs.
      if (turns % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return this.#text;
  }

  async run(line) {
    this.#engine.serialInput(0, new TextEncoder().encode(`${line}\r`));
    this.#engine.run(kSlice, this.#engine.nextDeadlineNs);
    return this.toPrompt();
  }

  counters() {
    const { interrupts, jit, ...others } = JSON.parse(this.#engine.query("stats"));
    const { hist, exits, interpreted_operations, ...own } = jit ?? {};
    const named = (prefix, values) =>
      Object.entries(values ?? {}).map(([name, value]) => [`${prefix}${name}`, value]);
    return new Map([
      ...named("", others),
      ...named("", own),
      ...named("exit ", exits),
      ...named("op ", interpreted_operations),
      ...named("hist ", hist),
    ]);
  }
}

/** CPU seconds: of the thread that runs the machine, and of all others (V8 compiles in them). */
function threadSeconds() {
  const seconds = (task) => {
    const stat = fs.readFileSync(`/proc/self/task/${task}/stat`, "utf8");
    const [user, system] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13)
      .map(Number);
    return (user + system) / 100;
  };
  const own = seconds(process.pid);
  const all = fs.readdirSync("/proc/self/task").reduce((sum, task) => sum + seconds(task), 0);
  return { own, others: all - own };
}

/** Share of the time by function; generated functions, which have only numbers, are one. */
function shares({ nodes, samples, timeDeltas }) {
  const name = new Map(
    nodes.map(({ id, callFrame }) => {
      const isGenerated = /^(\d+|wasm-function\[\d+\])$/.test(callFrame.functionName);
      return [id, isGenerated ? "(generated code)" : callFrame.functionName || "(anonymous)"];
    }),
  );
  const sums = new Map();
  samples.forEach((id, i) => sums.set(name.get(id), (sums.get(name.get(id)) ?? 0) + timeDeltas[i]));
  const total = timeDeltas.reduce((sum, value) => sum + value, 0);
  return [...sums].sort((a, b) => b[1] - a[1]).map(([what, time]) => ({ what, share: time / total }));
}

const ask = (inspector, method, parameters) =>
  new Promise((resolve, reject) =>
    inspector.post(method, parameters, (error, result) => (error ? reject(error) : resolve(result))),
  );

async function profile(inspector, machine, command) {
  const [name] = command.split(" ");
  const line = kBenchPrograms.includes(name) ? `/bench/${command}` : command;
  const before = machine.counters();
  const cpu = threadSeconds();
  await ask(inspector, "Profiler.start");
  await machine.run(line);
  const { own, others } = threadSeconds();
  const { profile: found } = await ask(inspector, "Profiler.stop");
  const text = `${(own - cpu.own).toFixed(2)} CPU s, other threads ${(others - cpu.others).toFixed(2)}`;
  process.stdout.write(`\n## ${command}: ${text}\n`);
  for (const { what, share } of shares(found).slice(0, kShown))
    process.stdout.write(`${(100 * share).toFixed(1).padStart(6)} %  ${what.slice(0, 120)}\n`);
  const moved = [...machine.counters()].map(([key, value]) => [key, value - (before.get(key) ?? 0)]);
  const isCount = ([key, value]) => value !== 0 && !key.startsWith("hist ");
  process.stdout.write(
    moved
      .filter(isCount)
      .map(([key, value]) => `${key} ${value}`)
      .join(", ") + "\n",
  );
  const counted = moved.filter(([key, value]) => value > 0 && key.startsWith("hist "));
  for (const [key, value] of counted.sort((a, b) => b[1] - a[1]).slice(0, kShown))
    process.stdout.write(`${String(value).padStart(12)} ${key.slice(5)}\n`);
}

await runMain(async () => {
  const [guestName, accel, ...commands] = process.argv.slice(2);
  const guest = findGuest(guestName);
  if (!guest || commands.length === 0)
    throw new SetupError("usage: node tests/bench/profile.mjs GUEST ACCEL COMMAND...");
  const inspector = new Inspector();
  inspector.connect();
  await ask(inspector, "Profiler.enable");
  await ask(inspector, "Profiler.setSamplingInterval", { interval: kIntervalMicroseconds });
  const machine = await Machine.boot(guest, accel);
  for (const command of commands) await profile(inspector, machine, command);
  process.exit(0);
});
