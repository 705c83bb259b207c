import assert from "node:assert/strict";
import test from "node:test";
import { FakeHost } from "./fake_host.mjs";
import { load } from "./load.mjs";

const { Pump } = await load("web/src/engine/pump.ts");
const { Engine } = await load("web/src/engine/engine.ts");
const { fakeInstance } = await load("tests/web/fake_engine.mjs");
const { DoorStop } = await load("web/src/engine/door.ts");

const ms = 1e6;
const second = 1e9;
const enter = "\r";
const bytes = (text) => new TextEncoder().encode(text);

/** A pump over the toy machine; running instructions costs host time at `mips`. */
function setUp({ clock, mips = 200, patience, nextStop, atStop, mayWake = true, onBoundary } = {}) {
  const host = new FakeHost();
  const instance = fakeInstance();
  const { machine } = instance;
  machine.burn = (count) => {
    machine.retire(count);
    host.now += (count * 1000) / mips;
  };
  const engine = new Engine(instance);
  engine.create({ memory: 1 << 20 });
  engine.boot();
  const seen = { text: "", ended: undefined, boundaries: [] };
  const hooks = {
    atBoundary: () => {
      seen.text += new TextDecoder().decode(engine.serialOutput(0));
      seen.boundaries.push(`${engine.instructions} ${engine.ns}`);
      onBoundary?.(seen, engine, pump);
    },
    ended: (stop) => (seen.ended = stop),
    mayWake: () => mayWake,
    failed: (error) => {
      throw error;
    },
    nextStop,
    atStop: () => atStop?.(engine),
  };
  const pump = new Pump(engine, host, hooks, { clock, patience });
  return { host, machine, engine, pump, seen };
}

const typeUname = () => {
  let isTyped = false;
  return (seen, engine, pump) => {
    if (isTyped || !seen.text.includes("~ # ")) return;
    isTyped = true;
    pump.input(() => engine.serialInput(0, bytes(`uname${enter}poweroff${enter}`)));
  };
};

function virtualRun(settings) {
  const run = setUp({ clock: "virtual", onBoundary: typeUname(), ...settings });
  run.pump.start();
  run.host.runUntil(100 * second);
  return run;
}

test("virtual mode gives the same run on fast and slow hosts and with any patience", () => {
  const usual = virtualRun();
  assert.equal(usual.seen.ended, DoorStop.PowerOff);
  assert.match(usual.seen.text, /Linux lapwing/);
  let seed = 1;
  const patience = () => 1 + ((seed = (seed * 48271) % 2147483647) % 100_000);
  for (const other of [virtualRun({ mips: 3 }), virtualRun({ patience })]) {
    assert.equal(other.engine.hash(), usual.engine.hash());
    assert.deepEqual(other.seen.boundaries, usual.seen.boundaries);
  }
});

test("virtual mode jumps over halts instead of waiting", () => {
  const { host, engine, pump } = setUp({ clock: "virtual" });
  pump.start();
  host.runUntil(1 * second);
  assert.ok(engine.ns > 60 * second, `only ${engine.ns} ns of guest time`);
});

test("exact stops are hit at their instruction and change nothing", () => {
  const stops = [];
  let next = 123_457;
  const run = virtualRun({
    nextStop: () => next,
    atStop: (engine) => {
      stops.push(engine.instructions);
      next += 123_457;
    },
  });
  assert.ok(stops.length > 10);
  stops.forEach((stop, i) => assert.equal(stop, 123_457 * (i + 1)));
  assert.equal(run.engine.hash(), virtualRun().engine.hash());
});

test("real-time mode keeps guest time at wall time while busy", () => {
  for (const mips of [20, 200, 1500]) {
    const { host, machine, engine, pump } = setUp({ clock: "realtime", mips });
    machine.isBooting = false;
    machine.work = 1e12;
    pump.start();
    host.runUntil(2 * second);
    assert.ok(Math.abs(engine.ns - host.now) < 20 * ms, `${mips} MIPS: ${engine.ns} against ${host.now}`);
  }
});

test("real-time mode never replays a lag as a burst", () => {
  const { host, machine, engine, pump } = setUp({ clock: "realtime" });
  machine.isBooting = false;
  machine.work = 1e12;
  pump.start();
  host.runUntil(0.5 * second);
  const before = engine.ns;
  host.now += 10 * second;
  host.runUntil(host.now + 0.5 * second);
  const passed = engine.ns - before;
  assert.ok(passed > 0.4 * second && passed < 0.6 * second, `${passed} ns passed`);
});

test("an idle machine costs one timer for each deadline and no spinning", () => {
  const { host, engine, pump } = setUp({ clock: "realtime" });
  pump.start();
  host.runUntil(1 * second);
  const turns = host.turns;
  const start = engine.ns;
  host.runUntil(2 * second);
  assert.ok(host.turns - turns <= 260, `${host.turns - turns} turns for 250 ticks`);
  assert.ok(Math.abs(engine.ns - start - second) < 10 * ms);
  assert.ok(host.isIdle && host.timers === 1);
});

test("a machine that only ticks is woken for several ticks at once, an input at once", () => {
  const { host, engine, pump, seen } = setUp({ clock: "realtime" });
  pump.start();
  host.runUntil(1 * second);
  const turns = host.turns;
  host.runUntil(2 * second);
  assert.ok(host.turns - turns <= 52, `${host.turns - turns} turns a second`);
  const typedAt = host.now;
  pump.input(() => engine.serialInput(0, bytes(`echo hello${enter}`)));
  while (!seen.text.includes("hello\r\n")) host.runUntil(host.now + 0.1 * ms);
  assert.ok(host.now - typedAt < 2 * ms, `the answer took ${(host.now - typedAt) / ms} ms`);
});

test("a machine without deadlines waits for input without any timer", () => {
  const { host, machine, engine, pump, seen } = setUp({ clock: "realtime" });
  pump.start();
  host.runUntil(1 * second);
  machine.deadline = Infinity;
  host.runUntil(2 * second);
  assert.ok(host.isIdle && host.timers === 0);
  host.now += 3 * second;
  pump.input(() => engine.serialInput(0, bytes(`echo hello${enter}`)));
  assert.ok(Math.abs(engine.ns - host.now) < 50 * ms, "the input was not stamped with the present");
  host.runUntil(host.now + 0.1 * second);
  assert.match(seen.text, /hello\r\n/);
});

test("a machine that halts for ever ends when no input can come", () => {
  const { host, machine, pump, seen } = setUp({ clock: "virtual", mayWake: false });
  machine.isBooting = false;
  pump.start();
  host.runUntil(1 * second);
  assert.equal(seen.ended, DoorStop.IdleForever);
  assert.equal(pump.isRunning, false);
});

for (const clock of ["virtual", "realtime"]) {
  test(`timers that never let a halted machine rest do not hold the host, ${clock}`, () => {
    const host = new FakeHost();
    const machine = {
      instructions: 5,
      ns: 0,
      get nextDeadlineNs() {
        return this.ns + 1000;
      },
      run() {
        host.now += 10 * ms;
        this.ns += 20 * ms;
        return DoorStop.Patience;
      },
      setRate() {},
      advance() {},
    };
    let failure;
    const hooks = {
      atBoundary: () => machine.ns >= second && pump.pause(),
      ended() {},
      mayWake: () => true,
      failed: (error) => (failure = error),
    };
    const pump = new Pump(machine, host, hooks, { clock });
    pump.start();
    host.runUntil(100 * second);
    assert.equal(failure, undefined);
    assert.ok(machine.ns >= second && machine.ns < 1.1 * second, `${machine.ns}`);
    assert.ok(host.turns >= 5, `${host.turns} turns`);
  });
}

test("guest time that ran ahead waits for the wall", () => {
  const { host, machine, engine, pump } = setUp({ clock: "realtime" });
  pump.start();
  machine.isBooting = false;
  machine.work = 1e12;
  machine.ns += 200 * ms;
  host.runUntil(0.5 * second);
  assert.ok(Math.abs(engine.ns - host.now) < 20 * ms, `${engine.ns} against ${host.now}`);
});

test("pause stops at once and start goes on without a jump", () => {
  const { host, engine, pump } = setUp({ clock: "realtime" });
  pump.start();
  host.runUntil(0.2 * second);
  pump.pause();
  const at = engine.ns;
  host.runUntil(5 * second);
  assert.equal(engine.ns, at);
  pump.start();
  host.runUntil(5.1 * second);
  assert.ok(engine.ns - at < 0.15 * second);
});
