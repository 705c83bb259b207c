// What a file in Chrome's Trace Event format must hold so that the viewers show its lanes and draw its arrows: named
// lanes, slices that nest, and arrows with a start and a finish, each point inside a slice of its own lane.
import assert from "node:assert/strict";

const byTime = (a, b) => a.ts - b.ts;
const slack = 1e-6;

/** The events; throws when something would be lost in a viewer. */
export function checkTraceEvents(text) {
  const { traceEvents } = JSON.parse(text);
  const laneOf = ({ pid, tid }) => `${pid}/${tid}`;
  const lanes = new Map();
  const named = new Set(traceEvents.filter(({ name }) => name === "thread_name").map(laneOf));
  const processes = new Set(traceEvents.filter(({ name }) => name === "process_name").map(({ pid }) => pid));
  const flows = new Map();
  for (const event of traceEvents) {
    if (event.ph === "M") continue;
    assert.ok(named.has(laneOf(event)) && processes.has(event.pid), `${laneOf(event)} has no name`);
    assert.ok(Number.isFinite(event.ts) && event.ts >= 0, `${event.name} has no time`);
    if ("stf".includes(event.ph)) flows.set(event.id, [...(flows.get(event.id) ?? []), event]);
    else lanes.set(laneOf(event), [...(lanes.get(laneOf(event)) ?? []), event]);
  }
  const slices = new Map([...lanes].map(([lane, events]) => [lane, slicesOf(lane, events)]));
  for (const [id, points] of flows) checkFlow(id, points, (point) => slices.get(laneOf(point)) ?? []);
  return traceEvents;
}

/** The hops of a lane, in the order of time; they follow each other, and handlers begin and end around them. */
function slicesOf(lane, events) {
  const hops = events.filter(({ ph }) => ph === "X").sort(byTime);
  hops.forEach(({ ts, dur, name }, i) => {
    assert.ok(dur > 0, `${name} in ${lane} has no duration`);
    const next = hops[i + 1];
    assert.ok(!next || ts + dur <= next.ts + slack, `${name} and ${next?.name} in ${lane} overlap`);
  });
  let depth = 0;
  for (const { ph, ts } of events.filter((event) => "BE".includes(event.ph)).sort(byTime)) {
    depth += ph === "B" ? 1 : -1;
    assert.ok(depth >= 0, `a handler in ${lane} ends at ${ts} that never began`);
    const cut = between(hops, ts);
    assert.ok(!cut || ph === "B", `a handler in ${lane} ends at ${ts}, in the middle of ${cut?.name}`);
  }
  assert.equal(depth, 0, `a handler in ${lane} never ends`);
  return hops;
}

/** The hop that is open at a time, its own ends aside; by bisection. */
function between(hops, ts) {
  let [low, high] = [0, hops.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (hops[middle].ts < ts) low = middle + 1;
    else high = middle;
  }
  const hop = hops[low - 1];
  return hop && ts < hop.ts + hop.dur - slack ? hop : undefined;
}

function checkFlow(id, points, hopsAt) {
  const order = points.map(({ ph }) => ph).join("");
  assert.match(order, /^st*f$/, `the arrows of journey ${id}`);
  assert.equal(points.at(-1).bp, "e", `the end of journey ${id} binds to the next slice, not to its own`);
  points.forEach((point, i) => {
    assert.ok(between(hopsAt(point), point.ts), `journey ${id} at ${point.ts} lies in no slice`);
    assert.ok(i === 0 || points[i - 1].ts < point.ts, `journey ${id} goes back at ${point.ts}`);
  });
}
