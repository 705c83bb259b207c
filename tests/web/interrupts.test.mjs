// The interrupt model: streams written by hand, and states as the engine would give them.
import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";
import { checkTraceEvents } from "./trace_events.mjs";

const model = await load("web/src/interrupts/model/index.ts");
const { PerfettoWriter } = await load("web/src/interrupts/perfetto.ts");
const { readTrace, traceHeader } = await load("web/src/interrupts/lwtrace.ts");
const { decodeRecords } = await load("web/src/interrupts/records.ts");

let time = 0;
const record = (device, kind, fields = {}) => {
  time += 10;
  const zero = { rip: 0n, data: 0n, cause: 0, line: 0, vector: undefined, cpu: undefined, instance: 0 };
  return { instructions: time, ns: time * 5, ...zero, device, kind, ...fields };
};
const through = (records) => {
  const irq = new model.InterruptModel();
  irq.add(records);
  return irq;
};

/** A key press as the engine records it, up to the hop named. */
function keyPress(cause, upTo = "lapic eoi") {
  const hops = [
    record("i8042", "line raised", { cause, line: 1 }),
    record("pic", "pic masked", { cause, line: 1 }),
    record("ioapic", "ioapic latched", { cause, line: 1, vector: 0x31 }),
    record("router", "message sent", { cause, vector: 0x31 }),
    record("lapic", "lapic irr set", { cause, vector: 0x31, cpu: 0 }),
    record("lapic", "lapic isr", { cause, vector: 0x31, cpu: 0 }),
    record("cpu", "cpu vector", { cause, vector: 0x31, cpu: 0 }),
    record("i8042", "line lowered", { cause, line: 1 }),
    record("lapic", "lapic eoi", { cause, vector: 0x31, cpu: 0 }),
  ];
  return hops.slice(0, hops.findIndex(({ kind }) => kind === upTo) + 1);
}

test("a key press is one journey from raise to EOI", () => {
  const journey = through(keyPress(7)).journeys.get(7);
  assert.deepEqual(model.pathOf(journey), ["i8042", "gsi1", "ioapic0:1", "lapic0", "vector 0x31", "eoi"]);
  assert.equal(model.outcomeOf(journey), "served");
  assert.deepEqual(model.raiseToEoi(journey), { instructions: 80, ns: 400 });
  assert.match(
    model.sentence(journey),
    /^i8042 raised GSI 1 \(keyboard\) → I\/O APIC pin 1 → vector 0x31 on CPU 0/,
  );
});

test("a journey waits, is in service, is over", () => {
  const outcome = (upTo) => model.outcomeOf(through(keyPress(1, upTo)).journeys.get(1));
  assert.equal(outcome("line raised"), "under way");
  assert.equal(outcome("lapic irr set"), "pending");
  assert.equal(outcome("cpu vector"), "in service");
  assert.equal(outcome("lapic eoi"), "served");
});

test("coalesced, masked, dropped, accepted and 8259A journeys are told apart", () => {
  const outcome = (...records) => {
    const journey = through(records).journeys.get(3);
    return [model.outcomeOf(journey), model.pathOf(journey).at(-1)];
  };
  const raise = record("uart", "line raised", { cause: 3, line: 4 });
  const lower = record("uart", "line lowered", { cause: 3, line: 4 });
  const coalesced = record("lapic", "lapic coalesced", { cause: 3, vector: 0x23, cpu: 1 });
  assert.deepEqual(outcome(raise, coalesced, lower), ["coalesced", "coalesced"]);
  assert.deepEqual(
    outcome(raise, record("ioapic", "ioapic masked", { cause: 3, line: 4 }), lower)[0],
    "masked",
  );
  assert.deepEqual(outcome(raise, record("router", "message dropped", { cause: 3 }), lower)[0], "dropped");
  const init = record("cpu", "init", { cause: 3, cpu: 1 });
  assert.deepEqual(outcome(record("lapic", "ipi sent", { cause: 3, cpu: 0 }), init), [
    "accepted",
    "cpu1 INIT",
  ]);
  const acknowledged = { cause: 3, line: 4, vector: 0x24 };
  const old = [
    record("pic", "pic latched", { cause: 3, line: 4 }),
    record("pic", "pic acknowledged", acknowledged),
    record("cpu", "cpu vector", { cause: 3, vector: 0x24, cpu: 0 }),
    record("pic", "pic eoi", { cause: 3, line: 4 }),
  ];
  assert.deepEqual(outcome(raise, ...old), ["served", "eoi"]);
});

test("going back forgets what is not yet", () => {
  const [early, late] = [keyPress(1), keyPress(2)];
  const write = (rip) => record("pic", "register write", { line: 0x21, rip });
  const irq = through([write(0x1n), ...early, ...late, write(0x2n)]);
  irq.forgetAfter(late[4]);
  assert.equal(model.outcomeOf(irq.journeys.get(1)), "served");
  assert.equal(model.outcomeOf(irq.journeys.get(2)), "pending");
  assert.equal(irq.writers.find("pic", 0, 0x21), undefined);
  irq.forgetAfter({ ...early[0], ns: early[0].ns - 1 });
  assert.equal(irq.journeys.latest(9).length, 0);
});

test("one IPI may be delivered to several processors", () => {
  const hops = [record("lapic", "ipi sent", { cause: 5, cpu: 0, vector: 0xfb, line: 0x300 })];
  for (const kind of ["lapic irr set", "lapic isr", "lapic eoi"]) {
    for (const cpu of [1, 2]) hops.push(record("lapic", kind, { cause: 5, cpu, vector: 0xfb }));
  }
  const journey = through(hops).journeys.get(5);
  assert.deepEqual(
    journey.deliveries.map(({ cpu, ended }) => [cpu, ended !== undefined]),
    [
      [1, true],
      [2, true],
    ],
  );
});

test("of two devices on one line each has its journey, and the line passes from one to the other", () => {
  const [first, second, third] = [11, 12, 13];
  const intx = (slot) => 2 ** 30 + 4 * slot;
  const on = (kind, cause, fields = {}) => record("pci", kind, { cause, line: 10, ...fields });
  const raise = (cause, slot) => record("nvme", "device raise", { cause, line: intx(slot), instance: slot });
  const lower = (cause, slot) => record("nvme", "device lower", { cause, line: intx(slot), instance: slot });
  const serve = (cause) =>
    ["lapic irr set", "lapic isr", "cpu vector", "lapic eoi"].map((kind) =>
      record(kind === "cpu vector" ? "cpu" : "lapic", kind, { cause, vector: 0x23, cpu: 0 }),
    );
  const [request, taken, entered, eoi] = serve(first);
  const { journeys } = through([
    ...[raise(first, 1), on("line raised", first), request, taken, entered],
    ...[raise(second, 2), on("line joined", second, { data: 11n })],
    ...[raise(third, 3), on("line joined", third, { data: 11n }), lower(third, 3)],
    ...[lower(first, 1), on("line kept", second, { data: 11n }), eoi, ...serve(second)],
    ...[lower(second, 2), on("line lowered", second)],
  ]);
  assert.deepEqual(model.pathOf(journeys.get(first)).slice(0, 2), ["nvme1 INTA of slot 1", "gsi10"]);
  assert.deepEqual(model.pathOf(journeys.get(second)).slice(-3), ["lapic0", "vector 0x23", "eoi"]);
  assert.deepEqual(model.pathOf(journeys.get(third)), ["nvme3 INTA of slot 3", "gsi10", "shared line"]);
  for (const id of [first, second, third]) assert.equal(model.outcomeOf(journeys.get(id)), "served");
  assert.match(
    model.sentence(journeys.get(second)),
    /raised GSI 10, which nvme1 INTA of slot 1 holds already/,
  );
  assert.match(model.sentence(journeys.get(third)), /served together with another device on the line/);
});

test("the guest's own table is read, and its pins found", () => {
  const text = [
    "cat /proc/interrupts",
    "           CPU0       CPU1       ",
    "  4:          0         24   IO-APIC   4-edge      ttyS0",
    "LOC:        142         98   Local timer interrupts",
    "ERR:          0",
    "~ # ",
  ].join("\r\n");
  const rows = model.parseProcInterrupts(text);
  assert.deepEqual(
    rows.map(({ irq, counts, pin }) => [irq, counts, pin]),
    [
      ["4", [0, 24], 4],
      ["LOC", [142, 98], undefined],
      ["ERR", [0], undefined],
    ],
  );
});

const reg = (name, offset, value, fields = []) => ({
  name,
  offset,
  width: 32,
  section: "",
  value: `0x${value.toString(16)}`,
  fields,
});
const pinFields = [
  ["vector", 0, 8],
  ["delivery mode", 8, 3],
  ["destination mode", 11, 1],
  ["remote IRR", 14, 1],
  ["trigger mode", 15, 1],
  ["mask", 16, 1],
  ["destination", 56, 8],
];

/** A machine on which GSI 4 is high and goes through pin 4 with vector 0x34; `change` alters it. */
function state(change = {}) {
  const {
    pin = 0x34n,
    imr = 0xff,
    lint0 = 0x10700,
    irr,
    isr,
    tpr = 0,
    ppr = tpr,
    svr = 0x1ff,
    levels = 0x10,
  } = change;
  const { ier = 1, cpu = {}, timer = 0xec } = change;
  const words = (set, vector) =>
    Array.from({ length: 8 }, (_, i) =>
      reg(`${set} ${i}`, 0, vector !== undefined && vector >> 5 === i ? 2 ** (vector & 31) : 0),
    );
  const pins = Array.from({ length: 24 }, (_, n) =>
    reg(`IOREDTBL${n}`, 0x10 + 2 * n, n === 4 ? pin : 0x10000n, pinFields),
  );
  const chip = (name, port) =>
    ["IRR", "ISR", "IMR"].map((r) => reg(`${name} ${r}`, port, r === "IMR" ? imr : 0));
  const raw = {
    instructions: 0,
    ns: 0,
    lost: 0,
    gsiLevels: `0x${levels.toString(16)}`,
    counts: [],
    devices: [
      { name: "pic8259", registers: [...chip("master", 0x20), ...chip("slave", 0xa0)] },
      { name: "ioapic", registers: pins },
      { name: "uart16550.0", registers: [reg("IER", 1, ier)] },
    ],
    cpus: [
      {
        ...{ index: 0, apicId: 0, apicMode: "xAPIC", activity: "running", mode: "long", rip: "0x1000" },
        ...{
          interruptFlag: true,
          shadow: false,
          nmiBlocked: false,
          idtBase: "0x0",
          idtLimit: 0xfff,
          entered: [],
          ...cpu,
        },
        registers: [
          reg("ID", 0x20, 0),
          reg("TPR", 0x80, tpr),
          reg("PPR", 0xa0, ppr),
          reg("LDR", 0xd0, 0x01000000, [["logical APIC ID", 24, 8]]),
          reg("DFR", 0xe0, 0xffffffff, [["model", 28, 4]]),
          reg("SVR", 0xf0, svr, [["APIC enable", 8, 1]]),
          reg("LVT timer", 0x320, timer, [["mask", 16, 1]]),
          reg("LVT LINT0", 0x350, lint0, [
            ["delivery mode", 8, 3],
            ["mask", 16, 1],
          ]),
          ...words("IRR", irr),
          ...words("ISR", isr),
        ],
      },
    ],
  };
  return model.parseState(JSON.stringify(raw));
}

function why(question, change, { writes = [], gate } = {}) {
  const writers = new model.LastWriters();
  for (const write of writes) writers.add(write);
  return model.explain(question, { state: state(change), writers, gate });
}
const answer = (...args) => {
  const { blockedAt, reason } = why(...args);
  return [blockedAt, reason];
};

test("explain names the hop that holds a line back", () => {
  const gsi4 = { gsi: 4 };
  assert.deepEqual(answer(gsi4, { irr: 0x34 }), [undefined, "not blocked"]);
  assert.deepEqual(answer(gsi4, { levels: 0 }), ["device", "not raised"]);
  assert.deepEqual(answer(gsi4, { levels: 0, ier: 0 }), ["device", "device mask"]);
  assert.deepEqual(answer(gsi4, { pin: 0x10034n }), ["ioapic", "masked"]);
  assert.deepEqual(answer(gsi4, { pin: 0xc034n }), ["ioapic", "remote IRR"]);
  assert.deepEqual(answer(gsi4, {}), ["ioapic", "no new edge"]);
  assert.deepEqual(answer(gsi4, { pin: 0x0800000000000034n }), ["message", "destination"]);
  assert.deepEqual(answer(gsi4, { pin: 0x0200000000000834n }), ["message", "destination"]);
  assert.deepEqual(answer(gsi4, { pin: 0xfn }), ["message", "illegal vector"]);
  assert.deepEqual(answer(gsi4, { svr: 0xff }), ["lapic", "software-disabled"]);
  assert.deepEqual(answer(gsi4, { irr: 0x34, tpr: 0x40 }), ["lapic", "TPR"]);
  assert.deepEqual(answer(gsi4, { irr: 0x34, isr: 0x51, ppr: 0x50 }), ["lapic", "PPR"]);
  assert.deepEqual(answer(gsi4, { irr: 0x34, cpu: { interruptFlag: false } }), ["cpu", "IF"]);
  assert.deepEqual(answer(gsi4, { irr: 0x34, cpu: { shadow: true } }), ["cpu", "shadow"]);
  assert.deepEqual(answer(gsi4, { irr: 0x34 }, { gate: () => "absent" }), ["idt", "no IDT entry"]);
});

test("explain names what holds the 8259A's way or a vector back", () => {
  assert.deepEqual(answer({ line: 4 }, {}), ["pic", "masked"]);
  assert.deepEqual(answer({ line: 4 }, { imr: 0 }), ["lapic", "LVT mask"]);
  assert.deepEqual(answer({ line: 4 }, { imr: 0, lint0: 0x500 }), ["lapic", "LVT mode"]);
  assert.deepEqual(answer({ line: 4 }, { imr: 0, lint0: 0x700 }), [undefined, "not blocked"]);
  assert.deepEqual(answer({ vector: 0xec }, { timer: 0x100ec }), ["lapic", "LVT mask"]);
  assert.deepEqual(answer({ vector: 0x77 }, {}), ["device", "not requested"]);
});

test("explain names a masked, pending or disabled message", () => {
  const control = [
    ["function mask", 14, 1],
    ["MSI-X enable", 15, 1],
  ];
  const nvme = ({ enable = 0x8000, mask = 1, pending = 2 }) => ({
    name: "nvme1 MSI-X",
    registers: [
      reg("message control", 0x20000, enable, control),
      reg("vector 1 data", 0x40018, 0x47, [["vector", 0, 8]]),
      reg("vector 1 control", 0x4001c, mask, [["mask", 0, 1]]),
      reg("pending 0-7", 0x80000, pending, [
        ["vector 0", 0, 1],
        ["vector 1", 1, 1],
      ]),
    ],
  });
  const ask = (change) => {
    const raw = JSON.parse(
      JSON.stringify(state(), (_, v) => (typeof v === "bigint" ? `0x${v.toString(16)}` : v)),
    );
    const devices = model.parseState(JSON.stringify({ ...raw, cpus: [], devices: [nvme(change)] })).devices;
    const writers = new model.LastWriters();
    writers.add(record("nvme", "register write", { line: 0x4001c, instance: 1, rip: 0x77n }));
    return model.explain({ vector: 0x47 }, { state: { ...state(), devices }, writers });
  };
  assert.equal(ask({}).reason, "masked");
  assert.equal(ask({}).lastWriterRip, 0x77n);
  assert.match(
    ask({}).sentence,
    /nvme1 MSI-X vector 1, which sends vector 0x47, is masked; its pending bit is set/,
  );
  assert.equal(ask({ enable: 0xc000 }).reason, "function mask");
  assert.equal(ask({ enable: 0 }).reason, "disabled");
  assert.equal(ask({ mask: 0 }).reason, "not requested");
});

test("the last writer of what holds it back is named, windows in memory aside", () => {
  const line = 0x10 + 2 * 4;
  const writes = [
    record("ioapic", "register write", { line, rip: 0x1111n }),
    record("ioapic", "register write", { line, rip: 0x2222n, data: 0x10034n }),
    record("ioapic", "register write", { line: 0xfec00010, rip: 0x3333n }),
  ];
  const found = why({ gsi: 4 }, { pin: 0x10034n }, { writes });
  assert.equal(found.lastWriterRip, 0x2222n);
  assert.equal(found.since.instructions, writes[1].instructions);
  assert.equal(why({ gsi: 4 }, { pin: 0x10034n }).lastWriterRip, undefined);
});

test("each register that can hold an interrupt back has its last writer, with RIP and time", () => {
  const gsi4 = { gsi: 4 };
  const cases = [
    ["device mask", gsi4, { levels: 0, ier: 0 }, ["uart", 0x3f9]],
    ["masked", { line: 4 }, {}, ["pic", 0x21]],
    ["masked", gsi4, { pin: 0x10034n }, ["ioapic", 0x18]],
    ["illegal vector", gsi4, { pin: 0xfn }, ["ioapic", 0x18]],
    ["destination", gsi4, { pin: 0x0800000000000034n }, ["ioapic", 0x19]],
    ["software-disabled", gsi4, { svr: 0xff }, ["lapic", 0xf0]],
    ["LVT mask", { line: 4 }, { imr: 0 }, ["lapic", 0x350]],
    ["LVT mode", { line: 4 }, { imr: 0, lint0: 0x500 }, ["lapic", 0x350]],
    ["LVT mask", { vector: 0xec }, { timer: 0x100ec }, ["lapic", 0x320]],
    ["TPR", gsi4, { irr: 0x34, tpr: 0x40 }, ["lapic", 0x80]],
    ["disabled", { vector: 0x34 }, { irr: 0x34, cpu: { apicMode: "disabled" } }, ["lapic", 0x1b]],
  ];
  for (const [reason, question, change, [device, line]] of cases) {
    const writes = [0x1111n, 0xffffffff81001234n].map((rip) =>
      record(device, "register write", { line, rip, cpu: 0 }),
    );
    const found = why(question, change, { writes });
    assert.equal(found.reason, reason);
    assert.equal(found.lastWriterRip, 0xffffffff81001234n, reason);
    assert.equal(found.since.instructions, writes[1].instructions, reason);
  }
});

test("the handler entered is named from the stream, whatever the IDT says later", () => {
  const hops = keyPress(4);
  hops.find(({ kind }) => kind === "cpu vector").data = 0xffffffff81600108n;
  const journey = through(hops).journeys.get(4);
  const symbols = new model.Symbols("ffffffff81600100 T irq_entries_start\n");
  assert.match(model.sentence(journey, { symbols }), /on CPU 0 \(irq_entries_start\+0x8\)/);
});

/** A 64-bit ELF file with a symbol table of functions and labels. */
function elfWith(symbols) {
  const names = "\0" + symbols.map(([, name]) => `${name}\0`).join("");
  const [tableAt, namesAt] = [0x40, 0x40 + 24 * symbols.length];
  const sectionsAt = namesAt + names.length + 8;
  const bytes = new Uint8Array(sectionsAt + 3 * 64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setBigUint64(0x28, BigInt(sectionsAt), true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, 3, true);
  const section = (index, type, offset, size, link) => {
    const at = sectionsAt + 64 * index;
    view.setUint32(at + 4, type, true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setUint32(at + 40, link, true);
  };
  section(1, 2, tableAt, 24 * symbols.length, 2);
  section(2, 3, namesAt, names.length, 0);
  bytes.set(new TextEncoder().encode(names), namesAt);
  symbols.forEach(([address, name, type], index) => {
    view.setUint32(tableAt + 24 * index, names.indexOf(`\0${name}\0`) + 1, true);
    view.setUint8(tableAt + 24 * index + 4, type);
    view.setBigUint64(tableAt + 24 * index + 8, address, true);
  });
  return bytes;
}

test("vmlinux gives names too; a stripped one and other files give none", () => {
  const file = elfWith([
    [0xffffffff81000000n, "startup_64", 2],
    [0xffffffff81000100n, "a_variable", 1],
    [0xffffffff81000200n, "asm_sysvec_reschedule_ipi", 0],
  ]);
  const symbols = new model.Symbols(file);
  assert.equal(symbols.size, 2);
  assert.equal(symbols.find(0xffffffff81000201n), "asm_sysvec_reschedule_ipi+0x1");
  assert.equal(new model.Symbols(elfWith([])).size, 0);
  assert.equal(new model.Symbols(new Uint8Array([1, 2, 3])).size, 0);
});

test("gates give handlers, System.map their names", () => {
  const gate = new Uint8Array([0xb8, 0x01, 0x10, 0, 0, 0x8e, 0x60, 0x81, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
  assert.equal(model.handlerOf(gate, "long"), 0xffffffff816001b8n);
  gate[5] = 0x0e;
  assert.equal(model.handlerOf(gate, "long"), undefined);
  const symbols = new model.Symbols("ffffffff81600000 T a\nffffffff816001b0 t asm_common_interrupt\n");
  assert.equal(symbols.find(0xffffffff816001b8n), "asm_common_interrupt+0x8");
  assert.equal(symbols.find(0x1000n), undefined);
});

const perfetto = (records, symbols) => {
  const parts = [];
  const writer = new PerfettoWriter((text) => parts.push(text), symbols);
  for (const hop of records) writer.add(hop);
  writer.end();
  return parts.join("");
};

test("a trace for Perfetto has lanes, arrows and handler slices", () => {
  const traceEvents = checkTraceEvents(perfetto(keyPress(9)));
  const lanes = traceEvents.filter(({ name }) => name === "thread_name").map(({ args }) => args.name);
  assert.deepEqual(lanes, ["i80420", "pic0", "ioapic0", "router0", "lapic0", "cpu0"]);
  const flow = traceEvents.filter(({ name }) => name === "journey");
  assert.deepEqual(flow.map(({ ph }) => ph).join(""), "s" + "t".repeat(keyPress(9).length - 2) + "f");
  assert.ok(flow.every(({ id }) => id === 9));
  assert.deepEqual(
    traceEvents.filter(({ cat }) => cat === "handler").map(({ ph }) => ph),
    ["B", "E"],
  );
});

test("hops of one instant, journeys of one hop, nested and unfinished handlers make a valid trace, too", () => {
  const [outer, inner] = [keyPress(9), keyPress(10)];
  const nested = [...outer.slice(0, 7), ...inner, ...outer.slice(7)];
  const lone = [record("uart", "line raised", { cause: 77, line: 4 }), ...keyPress(11, "cpu vector")];
  const hops = [...nested, ...lone].map((hop, index) => ({ ...hop, ns: 1000 + 30 * (index >> 2) }));
  hops.find(({ kind }) => kind === "cpu vector").data = 0x1000n;
  const events = checkTraceEvents(perfetto(hops, new model.Symbols("1000 T handle_key\n")));
  assert.ok(events.some(({ ph, name }) => ph === "B" && name === "handle_key"));
  assert.ok(!events.some(({ ph, id }) => "stf".includes(ph) && id === 77));
});

test("a trace file is read back, and damage is refused", () => {
  const bytes = new Uint8Array(32 + 48);
  bytes.set(traceHeader());
  new DataView(bytes.buffer).setUint32(32 + 32, 77, true);
  assert.equal(readTrace(bytes)[0].cause, 77);
  assert.equal(decodeRecords(bytes.subarray(32)).length, 1);
  assert.throws(() => readTrace(bytes.subarray(1)), /not a Lapwing trace/);
  assert.throws(() => readTrace(bytes.subarray(0, 60)), /cut short/);
  bytes[8] = 9;
  assert.throws(() => readTrace(bytes), /version 9/);
});
