// The interrupt part of the bench, on a firmware image of its own (interrupts.asm) and the preferred guest:
//   what an interrupt costs, in guest instructions and host ns; a million IPIs to oneself; whether a 10 kHz local timer
//   is exact; its jitter against the wall clock; what the event stream costs.
//   node tests/bench/interrupts.mjs    does this part alone
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { runMain } from "../../assets/setup/cache.mjs";
import { listGuests } from "../../assets/guests.mjs";
import { capture } from "../../assets/setup/process.mjs";
import { dist, findChromium, launchChromium, servePage } from "../boot/support.mjs";
import { load } from "../web/load.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kRounds = 1_000_000;
const kRaises = 100_000;
const kTickNs = 100_000;
const kDotsMs = 10;
const kSlice = 200_000;
const kMemory = 16 << 20;

const { Engine } = await load("web/src/engine/engine.ts");
const { compileEngine, instantiateEngine } = await load("web/src/engine/instantiate.ts");
const { hostLoop } = await load("web/src/engine/host_loop.ts");
const { Pump } = await load("web/src/engine/pump.ts");
const { decodeRecords } = await load("web/src/interrupts/records.ts");

function assemble() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-bench-"));
  const image = path.join(folder, "interrupts.bin");
  capture("nasm", ["-f", "bin", "-o", image, path.join(kRoot, "tests/bench/interrupts.asm")]);
  const bytes = fs.readFileSync(image);
  fs.rmSync(folder, { recursive: true });
  return bytes;
}

/** Boots the image and runs it through its letters: for each part, host ns and instructions. */
class Parts {
  #engine;
  /** Letter -> { ns (host), instructions, records }. */
  seen = new Map();
  records = [];

  constructor(module, image, cpus, isTraced) {
    this.#engine = new Engine(instantiateEngine(module, kMemory));
    this.#engine.create({ memory: kMemory, cpus, clock: "virtual" });
    this.#engine.load("bios", image);
    this.#engine.boot();
    if (isTraced) this.#engine.startTrace(1 << 16, false);
    this.isTraced = isTraced;
  }

  /** Runs to a letter; the letter's own instruction is found to a slice, so parts are long. */
  to(letter, keep = false) {
    const start = performance.now();
    while (!this.seen.has(letter)) {
      this.#engine.run(kSlice, this.#engine.nextDeadlineNs);
      if (this.isTraced) this.#drain(keep);
      for (const byte of this.#engine.serialOutput(0)) this.#see(String.fromCharCode(byte));
      if (this.seen.has("!")) throw new Error("the guest lost interrupts");
    }
    return performance.now() - start;
  }

  #see(letter) {
    this.seen.set(letter, { ms: performance.now(), instructions: this.#engine.instructions });
  }

  #drain(keep) {
    for (;;) {
      const bytes = this.#engine.takeTrace(4096);
      this.events = (this.events ?? 0) + bytes.length / 48;
      if (keep) for (const record of decodeRecords(bytes)) this.records.push(record);
      if (bytes.length < 4096 * 48) return;
    }
  }

  between(from, to) {
    const [a, b] = [this.seen.get(from), this.seen.get(to)];
    return { ns: (b.ms - a.ms) * 1e6, instructions: b.instructions - a.instructions };
  }
}

/** Host ns of one self-IPI and of one raised line, handlers and all, beyond the loop around them. */
function costs(module, image) {
  const parts = new Parts(module, image, 1, false);
  for (const letter of ["a", "b", "c", "d"]) parts.to(letter);
  const alone = parts.between("A", "a").ns / kRounds;
  return {
    ipi_ns: parts.between("B", "b").ns / kRounds - alone,
    line_ns: parts.between("D", "d").ns / kRaises,
    million_ipis_s: parts.between("B", "b").ns / 1e9,
  };
}

/** Host ns of one event: the IPI part with and without a listener, and the decoded records left out of it. */
function eventCost(module, image) {
  const time = (isTraced) => {
    const parts = new Parts(module, image, 1, isTraced);
    parts.to("A");
    const before = parts.events ?? 0;
    const ms = parts.to("b");
    return { ms, events: (parts.events ?? 0) - before };
  };
  time(false);
  const [quiet, traced] = [time(false), time(true)];
  return Math.max(0, ((traced.ms - quiet.ms) * 1e6) / traced.events);
}

/** Instructions from a kind of hop to the handler of a vector, journey by journey. */
function ways(records, kind, vector) {
  const starts = new Map(records.filter((r) => r.kind === kind).map((r) => [r.cause, r.instructions]));
  const entered = records.filter(
    (r) => r.kind === "cpu vector" && r.vector === vector && starts.has(r.cause),
  );
  return entered.map((r) => r.instructions - starts.get(r.cause));
}

/** Deadlines and handler entries of the 10 kHz timer, and the way from a line to its handler. */
function exactness(module, image, cpus) {
  const parts = new Parts(module, image, cpus, true);
  parts.to("b");
  parts.to("d", true);
  const fired = parts.records.filter((r) => r.kind === "lvt fired" && r.vector === 0x40);
  // One instruction takes 5 ns: a deadline is met at the first boundary that is not before it.
  const late = fired.map((r, i) => r.ns - (fired[0].ns + i * kTickNs));
  const toEntry = ways(parts.records, "lapic irr set", 0x40);
  return {
    ticks: fired.length,
    latest_deadline_ns: Math.max(...late.map(Math.abs)),
    entry_instructions: { most: Math.max(...toEntry), median: median(toEntry) },
    line_to_handler_instructions: median(ways(parts.records, "line raised", 0x42)),
  };
}

/** In real-time mode a dot is due each 10 ms: how far from a straight line they come, in ms. */
async function jitter(module, image, seconds, disturb) {
  const engine = new Engine(instantiateEngine(module, kMemory));
  engine.create({ memory: kMemory, cpus: 1, clock: "realtime" });
  engine.load("bios", image);
  engine.boot();
  const dots = [];
  let isDotting = false;
  const hooks = {
    atBoundary: () => {
      for (const byte of engine.serialOutput(0)) {
        if (isDotting && byte === 0x2e) dots.push(performance.now());
        if (byte === 0x64) isDotting = true;
      }
    },
    ended: () => {},
    mayWake: () => true,
    failed: (error) => {
      throw error;
    },
  };
  const pump = new Pump(engine, hostLoop(), hooks, { clock: "realtime" });
  pump.start();
  const stop = disturb?.();
  while (dots.length < (seconds * 1000) / kDotsMs) await new Promise((resolve) => setTimeout(resolve, 50));
  pump.pause();
  stop?.();
  return spread(dots);
}

function spread(dots) {
  const settled = dots.slice(20);
  const offsets = settled.map((at, i) => at - i * kDotsMs);
  const middle = median(offsets);
  const away = offsets.map((offset) => Math.abs(offset - middle)).sort((a, b) => a - b);
  return { median_ms: median(away), p99_ms: away[Math.floor(away.length * 0.99)], worst_ms: away.at(-1) };
}

/**
 * The same in a page of headless Chromium that draws a picture in each frame, the engine in its Worker: when the dots
 * reach the page. Undefined without Chromium or a built dist/.
 */
async function pageJitter(image, seconds) {
  if (!findChromium() || !fs.existsSync(path.join(dist, "lapwing/index.js"))) return undefined;
  const server = await servePage();
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    const dots = await page.evaluate(listenWhileDrawing, {
      bios: image.toString("base64"),
      count: (seconds * 1000) / kDotsMs,
    });
    return spread(dots);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Runs in the page. */
async function listenWhileDrawing({ bios, count }) {
  const canvas = document.body.appendChild(
    Object.assign(document.createElement("canvas"), { width: 800, height: 600 }),
  );
  const context = canvas.getContext("2d");
  const draw = () => {
    const picture = context.createImageData(800, 600);
    const colours = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < colours.length; i++) colours[i] = (0xff000000 | (i * performance.now())) >>> 0;
    context.putImageData(picture, 0, 0);
    requestAnimationFrame(draw);
  };
  draw();
  const { PC } = await import(new URL("lapwing/index.js", document.baseURI).href);
  const bytes = Uint8Array.from(atob(bios), (letter) => letter.charCodeAt(0));
  const vm = await PC.boot({ bios: bytes, memory: "16M", vga: "none", clock: "realtime" });
  const dots = [];
  let isDotting = false;
  await new Promise((resolve) =>
    vm.on("serial", (text) => {
      for (const letter of text) {
        if (isDotting && letter === ".") dots.push(performance.now());
        if (letter === "d") isDotting = true;
      }
      if (dots.length >= count) resolve();
    }),
  );
  vm.dispose();
  return dots;
}

/** Events of one boot of the preferred guest, and its host seconds. */
function bootEvents(module) {
  const guest = listGuests()[0];
  if (!guest) return undefined;
  const memory = 256 << 20;
  const engine = new Engine(instantiateEngine(module, memory));
  engine.create({ memory, cpus: 1, append: guest.append, clock: "virtual" });
  engine.load("kernel", fs.readFileSync(guest.kernel));
  engine.load("initrd", fs.readFileSync(guest.initrd));
  engine.boot();
  const start = performance.now();
  let text = "";
  while (!/~ # /.test(text)) {
    engine.run(kSlice, engine.nextDeadlineNs);
    text += new TextDecoder().decode(engine.serialOutput(0));
  }
  const { counts } = JSON.parse(engine.query("state interrupts"));
  return { events: counts.reduce((sum, n) => sum + n, 0), ns: (performance.now() - start) * 1e6 };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Something to do for the event loop besides the machine: 5 ms of work each 16 ms, as a page that draws. */
function drawing() {
  const timer = setInterval(() => {
    const end = performance.now() + 5;
    while (performance.now() < end);
  }, 16);
  return () => clearInterval(timer);
}

export async function measureInterrupts() {
  const wasm = process.env.LAPWING_WASM ?? path.join(kRoot, "build/wasm/lapwing.wasm");
  const module = await compileEngine(fs.readFileSync(wasm));
  const image = assemble();
  const event_ns = eventCost(module, image);
  const boot = bootEvents(module);
  return {
    ...costs(module, image),
    event_ns,
    boot_events: boot?.events,
    boot_share: boot && (boot.events * event_ns) / boot.ns,
    exactness: Object.fromEntries([1, 2, 4, 8].map((cpus) => [cpus, exactness(module, image, cpus)])),
    jitter: await jitter(module, image, 5),
    jitter_busy: await jitter(module, image, 5, drawing),
    jitter_page: await pageJitter(image, 5),
  };
}

export function interruptTable(found) {
  const ns = (value) => `${value.toFixed(0)} ns`;
  const ms = ({ median_ms, p99_ms, worst_ms }) =>
    `median ${median_ms.toFixed(2)} ms, 99% ${p99_ms.toFixed(2)} ms, worst ${worst_ms.toFixed(2)} ms`;
  const rows = [
    ["a self-IPI with its handler", ns(found.ipi_ns)],
    ["a million self-IPIs", `${found.million_ipis_s.toFixed(2)} s`],
    ["a line through the I/O APIC with its handler", ns(found.line_ns)],
    ["one event of the stream", ns(found.event_ns)],
  ];
  if (found.boot_events)
    rows.push([
      "events of a boot, share of its time",
      `${found.boot_events}, ${(100 * found.boot_share).toFixed(3)} %`,
    ]);
  for (const [cpus, exact] of Object.entries(found.exactness)) {
    const { ticks, latest_deadline_ns, entry_instructions, line_to_handler_instructions } = exact;
    rows.push([
      `10 kHz timer on ${cpus} CPUs`,
      `${ticks} ticks, at most ${latest_deadline_ns} ns off; IRR to handler ${entry_instructions.median} ` +
        `(at most ${entry_instructions.most}) instructions; line to handler ${line_to_handler_instructions}`,
    ]);
  }
  rows.push(["10 kHz timer against the wall clock", ms(found.jitter)]);
  rows.push(["the same, host busy a third of the time", ms(found.jitter_busy)]);
  if (found.jitter_page) rows.push(["the same, in a page that draws each frame", ms(found.jitter_page)]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    process.stdout.write(interruptTable(await measureInterrupts()));
    process.exit(0);
  });
}
