import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { keysFor, strokesFor } = await load("web/src/io/typed_keys.ts");
const { ScreenFeed } = await load("web/src/engine/screen_feed.ts");

test("a text becomes strokes of a US keyboard", () => {
  assert.deepEqual(keysFor("aB"), [
    { code: "KeyA", isShifted: false },
    { code: "KeyB", isShifted: true },
  ]);
  assert.deepEqual(
    strokesFor("!").map(({ code, isPressed }) => (isPressed ? "+" : "-") + code),
    ["+ShiftLeft", "+Digit1", "-Digit1", "-ShiftLeft"],
  );
  assert.deepEqual(
    keysFor("\r\n\té“\u{1f600}").map(({ code }) => code),
    ["Enter", "Tab", "KeyE", "Quote"],
  );
});

/** A picture of four lines whose changed lines the test sets, and a host whose time it moves. */
function bench() {
  const world = { now: 1e9, timers: [], bands: [], sent: [] };
  const engine = {
    ns: 0,
    screen: () => {
      const bands = world.bands.splice(0);
      const lines = (y, height) => new Uint8Array(4 * 8 * height);
      return { width: 8, height: 4, columns: 0, rows: 0, isSquare: true, bands, lines };
    },
    screenText: () => "",
  };
  const host = {
    nowNs: () => world.now,
    soon: (callback) => callback(),
    after: (ms, callback) => {
      const timer = { at: world.now + ms * 1e6, callback };
      world.timers.push(timer);
      return () => void (world.timers = world.timers.filter((other) => other !== timer));
    },
  };
  world.pass = (ms) => {
    world.now += ms * 1e6;
    const due = world.timers.filter(({ at }) => at <= world.now);
    world.timers = world.timers.filter(({ at }) => at > world.now);
    for (const { callback } of due) callback();
  };
  world.feed = new ScreenFeed(engine, host, (frame) => world.sent.push(frame));
  return world;
}

test("frames hold what changed, the first one everything, and wait until the last one was shown", () => {
  const world = bench();
  const { feed, sent } = world;
  world.bands = [{ y: 1, height: 1 }];
  feed.offer();
  assert.equal(sent.length, 0);
  feed.watch(true);
  assert.deepEqual(
    sent.map(({ bands }) => bands.map(({ y, height }) => [y, height])),
    [[[0, 4]]],
  );
  world.bands = [{ y: 2, height: 1 }];
  world.pass(50);
  feed.offer();
  assert.equal(sent.length, 1, "the first has not been shown yet");
  feed.shown();
  assert.equal(sent.length, 2);
  assert.deepEqual([sent[1].bands[0].y, sent[1].bands[0].pixels.length], [2, 32]);
  feed.shown();
  world.bands = [{ y: 3, height: 1 }];
  feed.offer();
  assert.equal(sent.length, 2, "too soon");
  world.pass(16);
  assert.equal(sent.length, 3);
  feed.shown();
  world.pass(1000);
  assert.equal(world.timers.length, 0, "nothing is looked at while nothing happens");
  feed.screenshot();
  world.bands = [{ y: 0, height: 1 }];
  world.pass(16);
  feed.offer();
  assert.equal(sent[3].bands[0].height, 4, "what a screenshot took comes again");
  feed.watch(false);
  feed.shown();
  world.bands = [{ y: 0, height: 1 }];
  world.pass(100);
  feed.offer();
  assert.equal(sent.length, 4);
});
