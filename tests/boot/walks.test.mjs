// The walks of a real Linux guest, hop by hop, against tests/golden/walks. UPDATE_GOLDEN=1 rewrites those files.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test, { before } from "node:test";
import { checkTraceEvents } from "../web/trace_events.mjs";
import { folder, hopLine, journeyLines, recordSharedLine, recordWalks } from "./walks.mjs";

let walks;
before(async () => {
  walks = await recordWalks();
});

function agrees(name, lines) {
  const file = path.join(folder, `${name}.txt`);
  if (process.env.UPDATE_GOLDEN === "1") fs.writeFileSync(file, lines.join("\n") + "\n");
  assert.deepEqual(lines, fs.readFileSync(file, "utf8").trimEnd().split("\n"));
}

const served = (test) => walks.all.find((irq) => irq.outcome === "served" && test(irq));
const kinds = (irq) => irq.hops.map(({ kind }) => kind);
const inOrder = (list, ...wanted) => {
  let at = -1;
  for (const item of wanted) {
    at = list.indexOf(item, at + 1);
    assert.ok(at >= 0, `${item} is missing, or out of order, in: ${list.join(", ")}`);
  }
};

test("walk 2: a key pressed and released are two interrupts", () => {
  const { pressed, released } = walks;
  agrees("2-key", ["press:", ...journeyLines(pressed), "release:", ...journeyLines(released)]);
  assert.notEqual(pressed.hops[0].cause, released.hops[0].cause);
  assert.deepEqual(pressed.path.slice(0, 3), ["i8042", "gsi1", "ioapic0:1"]);
  assert.ok(kinds(pressed).includes("line lowered"), "reading port 0x60 did not lower the line");
});

test("walk 3: the early tick comes on GSI 0, at pin 2 of the I/O APIC", () => {
  const early = served(({ gsi }) => gsi === 0);
  agrees("3-early-tick", journeyLines(early));
  assert.deepEqual(early.path.slice(1, 3), ["gsi0", "ioapic0:2"]);
});

test("walk 4: the local timer replaces it", () => {
  const local = served(({ path: [source] }) => source === "lapic0 timer");
  agrees("4-local-timer", journeyLines(local));
  const ticks = walks.all.filter(({ gsi, outcome }) => gsi === 0 && outcome === "served");
  assert.ok(
    ticks.every(({ raisedAt }) => raisedAt.ns < local.raisedAt.ns),
    "GSI 0 still ticks",
  );
});

test("walk 5: the 8259A sees the line too, but only the I/O APIC's copy arrives", () => {
  const uart = served(({ gsi }) => gsi === 4);
  agrees("5-pic-abandoned", journeyLines(uart));
  inOrder(kinds(uart), "pic masked", "ioapic latched", "lapic irr set");
  assert.equal(kinds(uart).filter((kind) => kind === "cpu vector").length, 1);
  const masks = walks.writes.filter((w) => walks.wrote(w, "lapic", 0x350, 0x10700n));
  assert.deepEqual([...new Set(masks.map(({ cpu }) => cpu))], [0, 1], "LVT LINT0 was not masked on each CPU");
  const last = masks.at(-1).instructions;
  assert.ok(!walks.records.some(({ kind, instructions }) => kind === "ext int" && instructions > last));
});

test("walk 7: what is not above PPR waits in IRR until an EOI lowers it", () => {
  for (const cpu of [0, 1]) {
    assert.ok(
      walks.writes.some((w) => w.cpu === cpu && walks.wrote(w, "lapic", 0x80, 0x10n)),
      "TPR was not set",
    );
  }
  const held = walks.all.map(heldBack).find((found) => found !== undefined);
  assert.ok(held, "no interrupt waited for a higher one");
  const { journey, holder } = held;
  // All on one processor, whichever has the occasion first.
  const lines = [`while in service: ${hopLine(holder)}`, ...journeyLines(journey)];
  agrees(
    "7-priority",
    lines.map((line) => line.replace(/\b(lapic|cpu)\d/g, "$1")),
  );
});

test("walk 7: with TPR raised an interrupt waits in IRR, and is served when TPR falls", () => {
  const raised = walks.writes.find((w) => walks.wrote(w, "lapic", 0x80, 0xf0n));
  const { cpu } = raised;
  const lowered = walks.writes.find(
    (w) => w.device === "lapic" && w.cpu === cpu && w.line === 0x80 && w.instructions > raised.instructions,
  );
  const within = (r) => r.instructions > raised.instructions && r.instructions < lowered.instructions;
  const isTaken = (r) => r.kind === "lapic isr" && r.cpu === cpu && within(r);
  assert.ok(!walks.records.some(isTaken), "an interrupt was taken although TPR forbids all");
  const waits = walks.all.filter((irq) =>
    irq.hops.some((hop) => hop.kind === "lapic irr set" && hop.cpu === cpu && within(hop)),
  );
  const timer = waits.find((irq) => irq.path[0] === `lapic${cpu} timer`);
  assert.ok(timer, "the local timer did not fire meanwhile");
  const write = (w) => `lapic${cpu}: register write, TPR 0x${w.data.toString(16)}`;
  const steps = [...timer.hops, { ...lowered, text: write(lowered) }].sort(
    (a, b) => a.instructions - b.instructions || (a.text ? -1 : 1),
  );
  agrees("7-task-priority", [write(raised), ...steps.map((step) => step.text ?? hopLine(step))]);
  // Of those that waited, the highest vector is taken first.
  const taken = walks.records.filter(
    (r) => r.kind === "lapic isr" && r.cpu === cpu && r.instructions >= lowered.instructions,
  );
  const vectors = waits.flatMap((irq) => irq.hops.filter((h) => h.kind === "lapic irr set" && h.cpu === cpu));
  assert.equal(taken[0].vector, Math.max(...vectors.map(({ vector }) => vector)));
});

/** The EOI that a journey of a lower or the same class waited for. */
function heldBack(journey) {
  const set = journey.hops.find(({ kind }) => kind === "lapic irr set");
  const taken = journey.hops.find(({ kind }) => kind === "lapic isr");
  if (!set || !taken) return undefined;
  const between = (r) => r.instructions > set.instructions && r.instructions <= taken.instructions;
  const isHigher = (r) => r.vector >> 4 >= set.vector >> 4;
  const holder = walks.records.find(
    (r) => r.kind === "lapic eoi" && r.cpu === set.cpu && between(r) && isHigher(r),
  );
  return holder && { journey, holder };
}

test("walk 8: INIT and SIPI start the second processor; IPIs go both ways", () => {
  const init = walks.all.find((irq) => kinds(irq).includes("init"));
  const sipi = walks.all.find((irq) => kinds(irq).includes("sipi"));
  const ipi = (to) => served((irq) => irq.path[0].startsWith("ipi") && irq.cpu === to);
  const parts = ["INIT:", ...journeyLines(init), "SIPI:", ...journeyLines(sipi)];
  agrees("8-ipi", [...parts, "to CPU 1:", ...journeyLines(ipi(1)), "to CPU 0:", ...journeyLines(ipi(0))]);
  assert.ok(init.raisedAt.ns < sipi.raisedAt.ns);
});

test("all of it opens in the trace viewer: lanes, handlers, and each journey with its arrows", () => {
  const events = checkTraceEvents(walks.perfetto);
  const lanes = events.filter(({ name }) => name === "thread_name").map(({ args }) => args.name);
  for (const lane of ["i80420", "ioapic0", "lapic0", "lapic1", "cpu0", "cpu1"])
    assert.ok(lanes.includes(lane));
  assert.ok(new Set(events.filter(({ ph }) => ph === "f").map(({ id }) => id)).size > 100);
});

test("walk 9: a level interrupt sets remote IRR, and its EOI is broadcast to the I/O APIC", () => {
  const { sci } = walks;
  agrees("9-level", journeyLines(sci));
  inOrder(kinds(sci), "ioapic latched", "lapic isr", "lapic eoi", "lapic eoi broadcast", "ioapic eoi");
  inOrder(kinds(sci), "line raised", "line lowered", "lapic eoi");
});

/** The journeys on a shared line from its rise to the EOI after its fall, with the first request of each disk. */
function* sharedLineWalks(records, gsi) {
  for (const [rise, { line, kind }] of records.entries()) {
    if (line !== gsi || kind !== "line raised") continue;
    const after = (from, wanted) =>
      records.findIndex((r, i) => i > from && r.line === gsi && r.kind === wanted);
    const end = after(after(rise, "line lowered"), "ioapic eoi");
    const { vector } = records[rise + 2];
    const disks = [];
    yield records.slice(rise - 1, end + 1).flatMap((r) => {
      if (r.kind === "device raise" && r.device === "nvme" && !disks.includes(r.line)) disks.push(r.line);
      if (/^device/.test(r.kind) && r.device === "nvme") return [{ ...r, disk: disks.indexOf(r.line) }];
      const isOnLine = /^(line|pic|ioapic)/.test(r.kind) && r.line === gsi;
      return isOnLine || (/^(message|lapic|cpu vector)/.test(r.kind) && r.vector === vector) ? [r] : [];
    });
  }
}

test("walk 9: two disks on one line: it stays high, and the EOI makes the I/O APIC ask again", async () => {
  const walks = [...sharedLineWalks(await recordSharedLine(), 10)];
  // The second disk asks while the handler of the first runs; the second handler serves both.
  const walk = walks.find((hops) => {
    const order = hops.map(({ kind, disk }) => disk ?? kind);
    const second = order.indexOf(1);
    const served = order.filter((kind) => kind === "cpu vector").length;
    return second > order.indexOf("cpu vector") && second < order.indexOf("lapic eoi") && served === 2;
  });
  assert.ok(walk, "the disks never asked at the same time");
  const named = (r) =>
    r.disk === undefined ? hopLine(r) : hopLine(r).replace(/^nvme\d(.*)INTx pin \d+/, `nvme$1disk ${r.disk}`);
  agrees("9-shared-line", walk.map(named));
  const hops = walk.map(({ kind }) => kind);
  inOrder(hops, "device raise", "line raised", "ioapic latched", "lapic isr", "device raise", "lapic eoi");
  inOrder(
    hops,
    "lapic eoi broadcast",
    "ioapic eoi",
    "message sent",
    "lapic isr",
    "line lowered",
    "ioapic eoi",
  );
  assert.equal(hops.filter((kind) => kind === "line raised").length, 1, "the line was lowered in between");
  assert.equal(hops.filter((kind) => kind === "cpu vector").length, 2);
});
