// The page for iframes. The hash holds the element's attributes (#kernel=...&initrd=...&append=...&memory=...&controls),
// guest=NAME for one of guests.json, start to begin without a click, and origin=ORIGIN: who may send messages.
//
// Messages are objects { lapwing: 1, id?, type, ... }. To us: ping, load { kernel, initrd, bios, append, memory ... }, start, run,
// pause, reset, write { text }, query { text }. From us: pong, done { id, answer? }, error { id, code, message }, and
// the events ready, state { state }, serial { text }, exit { reason, status }.
import { LapwingError, toPlain } from "../src/errors";
import type { LapwingPc } from "../src/element/element";
import "../src/element/element";
import { loadGuests } from "./guests";

const attributes = [
  "kernel",
  "initrd",
  "bios",
  "boot",
  "append",
  "memory",
  "cpus",
  "cpu",
  "view",
  "controls",
  "theme",
  "label",
];
const loadable = ["kernel", "initrd", "bios", "boot", "append", "memory", "cpus", "cpu"];

interface Message {
  lapwing: 1;
  id?: unknown;
  type: string;
  [key: string]: unknown;
}

const parameters = new URLSearchParams(location.hash.slice(1));
const partner = parameters.get("origin") ?? location.origin;
const pc = document.createElement("lapwing-pc") as LapwingPc;
const decoder = new TextDecoder();

function send(message: object): void {
  if (parent === window) return;
  // An opaque partner ("null": a sandboxed page) cannot be named as a target.
  parent.postMessage({ lapwing: 1, ...message }, partner === "null" ? "*" : partner);
}

const handlers: Record<string, (message: Message) => unknown> = {
  ping: () => send({ type: "pong" }),
  load: (message) => {
    for (const name of loadable) {
      const value = message[name];
      if (value === undefined) continue;
      if (typeof value !== "string") throw new LapwingError("bad_option", `load: ${name} must be text.`);
      pc.setAttribute(name, value);
    }
    pc.dispose();
  },
  start: () => pc.start(),
  run: () => pc.run(),
  pause: () => pc.pause(),
  reset: () => pc.start(),
  write: (message) => pc.write(String(message["text"] ?? "")),
  query: (message) => pc.query(String(message["text"] ?? "")),
};

addEventListener("message", async (event: MessageEvent<Message>) => {
  if (event.source !== parent || event.origin !== partner || event.data?.lapwing !== 1) return;
  const { id, type } = event.data;
  try {
    const handler = handlers[type];
    if (!handler) throw new LapwingError("bad_option", `There is no message of type '${type}'.`);
    const answer = await handler(event.data);
    send({ type: "done", id, answer });
  } catch (error) {
    send({ type: "error", id, ...toPlain(error) });
  }
});

for (const name of attributes) {
  const value = parameters.get(name);
  if (value !== null) pc.setAttribute(name, value);
}
const guestName = parameters.get("guest");
if (guestName !== null) {
  const guest = (await loadGuests()).find(({ name }) => name === guestName);
  if (guest) {
    pc.setAttribute("kernel", guest.kernel);
    if (guest.initrd) pc.setAttribute("initrd", guest.initrd);
    if (!parameters.has("append")) pc.setAttribute("append", guest.append);
    if (!parameters.has("memory")) pc.setAttribute("memory", guest.memory);
  } else pc.setAttribute("note", `There is no guest '${guestName}' here.`);
}
pc.addEventListener("lapwing-state", (event) =>
  send({ type: "state", ...(event as CustomEvent<object>).detail }),
);
pc.addEventListener("lapwing-exit", (event) =>
  send({ type: "exit", ...(event as CustomEvent<object>).detail }),
);
pc.addEventListener("lapwing-error", (event) =>
  send({ type: "error", ...toPlain((event as CustomEvent<{ error: unknown }>).detail.error) }),
);
pc.addEventListener("lapwing-serial", (event) =>
  send({
    type: "serial",
    text: decoder.decode((event as CustomEvent<{ bytes: Uint8Array }>).detail.bytes, { stream: true }),
  }),
);
document.body.append(pc);
send({ type: "ready" });
if (parameters.has("start")) await pc.start();
