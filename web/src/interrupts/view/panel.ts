// The interrupt panel: controllers by field, journeys in words, counters, and "why not?". Everything it shows comes
// from the model; it records only while it is open.
import type { Client } from "../../engine/client";
import type { RunPosition } from "../../engine/history";
import { messageOf } from "../../errors";
import {
  explain,
  hopCounts,
  hopNames,
  InterruptModel,
  ioapicPinOf,
  lineOwners,
  parseProcInterrupts,
  parseState,
  enteredBy,
  sentence,
  Symbols,
  when,
  type Blocker,
  type HopCounts,
  type InterruptState,
  type Journey,
  type Question,
} from "../model";
import { decodeRecords } from "../records";
import css from "./panel.css?inline";
import { RegisterTables } from "./register_tables";

const refreshMs = 500;
const shownJourneys = 30;
const lookedThrough = 500;
const lines = 24;
/** Long enough for a table of all interrupts of a guest with eight processors. */
const keptOutput = 16_384;

/** Vectors of 64-bit Linux, whose rows of /proc/interrupts name no pin. */
const linuxVectors: Record<string, number[]> = { LOC: [0xec], RES: [0xfd], CAL: [0xfb, 0xfc] };

export interface PanelHost {
  client: Client;
  isRunning(): boolean;
  pause(): Promise<void>;
  run(): Promise<void>;
  /** Types into the guest's console. */
  type(text: string): void;
}

export class InterruptPanel {
  readonly element = document.createElement("section");
  readonly #tables: RegisterTables;
  #host: PanelHost | undefined;
  #model = new InterruptModel();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #output = "";
  /** The guest's table as it is compared now. */
  #shownGuest = "";
  #isOpen = false;
  #isStepping = false;
  /** Where steps have ended: one can go back there. */
  #stops: RunPosition[] = [];
  #isAtStop = false;
  #symbols = new Symbols();

  constructor() {
    this.element.className = "irq";
    this.element.hidden = true;
    this.element.setAttribute("aria-label", "Interrupts");
    this.element.innerHTML = markup;
    this.#tables = new RegisterTables(this.#find(".chips"), (device, instance, register) =>
      this.#model.writers.find(device, instance, register),
    );
    this.#button("toggle").addEventListener("click", () => void this.#toggle());
    this.#button("step").addEventListener("click", () => void this.#move((host) => this.#step(host)));
    this.#button("back").addEventListener("click", () => void this.#move((host) => this.#stepBack(host)));
    this.#button("ask").addEventListener("click", () => this.#host?.type("cat /proc/interrupts\r"));
    const symbols = this.#find<HTMLInputElement>('[data-irq="symbols"]');
    symbols.addEventListener("change", () => void this.#readSymbols(symbols.files?.[0]));
    this.#find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#explain({ gsi: Number(this.#find<HTMLSelectElement>("select").value) });
    });
    this.#find(".journeys").addEventListener("click", ({ target }) => {
      const id = (target as HTMLElement).dataset["journey"];
      const journey = id === undefined ? undefined : this.#model.journeys.get(Number(id));
      if (journey) void this.#explain(questionOf(journey));
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    this.element.hidden = false;
    void this.#begin();
  }
  close(): void {
    this.#isOpen = false;
    this.element.hidden = true;
    clearTimeout(this.#timer);
    this.#host?.client.request("trace", "off").catch(() => {});
  }

  /** A machine has been started, or has gone (undefined). */
  attach(host: PanelHost | undefined): void {
    this.#host = host;
    this.#model = new InterruptModel();
    this.#output = "";
    this.#stops = [];
    this.#isAtStop = false;
    clearTimeout(this.#timer);
    if (this.#isOpen) void this.#begin();
    else this.#showState();
  }

  take(bytes: Uint8Array): void {
    this.#model.add(decodeRecords(bytes));
  }
  /** The machine has gone back: the stream comes anew from there. */
  rewound(position: RunPosition): void {
    this.#model.forgetAfter(position);
  }
  /** What the guest printed: its own table of interrupts may be in it. */
  takeOutput(text: string): void {
    if (this.#isOpen) this.#output = (this.#output + text).slice(-keptOutput);
  }
  /** The machine was paused or goes on. */
  stateChanged(): void {
    if (this.#host?.isRunning()) this.#isAtStop = false;
    if (this.#isOpen && !this.#isStepping) void this.#refresh();
  }

  async #begin(): Promise<void> {
    this.#model = new InterruptModel();
    try {
      await this.#host?.client.request("trace", "latest");
    } catch {
      // The machine has not been built yet; attach() comes again.
    }
    await this.#refresh();
  }

  readonly #refresh = async (): Promise<void> => {
    clearTimeout(this.#timer);
    if (!this.#isOpen) return;
    this.#showState();
    try {
      if (this.#host && !document.hidden) {
        this.#show(parseState(await this.#host.client.request("query", "state interrupts")));
      }
    } catch {
      // The machine has gone; attach() tells.
    }
    clearTimeout(this.#timer);
    if (this.#isOpen && this.#host) this.#timer = setTimeout(() => void this.#refresh(), refreshMs);
  };

  #show(state: InterruptState): void {
    this.#tables.show(state);
    this.#showCounters(hopCounts(state.counts), state.lost);
    this.#showGuest(state);
    const list = this.#find(".journeys");
    // A list that somebody goes through by keyboard is left alone while the machine runs.
    if (list.matches(":focus-within") && this.#host?.isRunning()) return;
    const latest = this.#model.journeys.latest(lookedThrough).filter(reachedController);
    list.replaceChildren(
      ...latest
        .slice(-shownJourneys)
        .reverse()
        .map((journey) => journeyItem(journey, this.#symbols)),
    );
  }

  #showState(): void {
    const isLive = this.#host !== undefined;
    const toggle = this.#button("toggle");
    toggle.textContent = this.#host?.isRunning() ? "Pause" : "Run";
    toggle.disabled = !isLive || this.#isStepping;
    this.#button("step").disabled = !isLive || this.#isStepping;
    this.#button("back").disabled = !isLive || this.#isStepping || !this.#stopBefore;
    this.#button("ask").disabled = !isLive;
    this.#button("why").disabled = !isLive;
    this.#find(".off").hidden = isLive;
  }

  #showCounters(counts: HopCounts, lost: number): void {
    const rows = (Object.keys(hopNames) as (keyof HopCounts)[]).map((name) =>
      row(hopNames[name], counts[name]),
    );
    if (lost > 0) rows.push(row("events lost by this view", lost));
    this.#find(".hops").replaceChildren(...rows);
  }

  /**
   * The guest's table beside what was seen by then: for its own vectors each processor's handlers since power-on, for pins of
   * the I/O APIC the handlers since the panel was opened.
   */
  #showGuest({ cpus }: InterruptState): void {
    const guest = parseProcInterrupts(this.#output);
    this.#find(".guest").hidden = guest.length === 0;
    const text = JSON.stringify(guest);
    if (text === this.#shownGuest) return;
    this.#shownGuest = text;
    const entries = this.#entriesByPin();
    const seen = (irq: string, pin: number | undefined): string => {
      if (pin !== undefined) return String(entries.get(pin) ?? 0);
      const vectors = linuxVectors[irq];
      return vectors ? cpus.map((cpu) => enteredBy(cpu, vectors)).join(" + ") : "";
    };
    this.#find(".guest tbody").replaceChildren(
      ...guest
        .filter(({ counts }) => counts.some((count) => count > 0))
        .map(({ irq, counts, text, pin }) => row(`${irq}: ${text}`, counts.join(" + "), seen(irq, pin))),
    );
  }
  #entriesByPin(): Map<number, number> {
    const entries = new Map<number, number>();
    for (const { pin, deliveries } of this.#model.journeys.all()) {
      if (!pin) continue;
      const entered = deliveries.filter((delivery) => delivery.entered).length;
      entries.set(pin.pin, (entries.get(pin.pin) ?? 0) + entered);
    }
    return entries;
  }

  async #readSymbols(file: File | undefined): Promise<void> {
    if (!file) return;
    const symbols = new Symbols(new Uint8Array(await file.arrayBuffer()));
    this.#symbols = symbols;
    this.#say(symbols.size > 0 ? `${file.name}: ${symbols.size} names.` : `${file.name} holds no symbols.`);
    await this.#refresh();
  }

  async #toggle(): Promise<void> {
    await (this.#host?.isRunning() ? this.#host.pause() : this.#host?.run());
    this.#showState();
  }

  async #move(step: (host: PanelHost) => Promise<void>): Promise<void> {
    const host = this.#host;
    if (!host) return;
    this.#isStepping = true;
    this.#showState();
    try {
      if (host.isRunning()) await host.pause();
      await step(host);
    } catch (error) {
      this.#say(messageOf(error));
    }
    this.#isStepping = false;
    await this.#refresh();
  }

  async #step({ client }: PanelHost): Promise<void> {
    // From the first step on there is a way back.
    await client.request("startHistory", undefined);
    const isFound = await client.request("stepToInterrupt", {});
    const journey = this.#lastEntered();
    const entered = journey?.deliveries.find((delivery) => delivery.entered && !delivery.ended)?.entered;
    this.#isAtStop = isFound && entered !== undefined;
    if (!isFound || !journey || !entered) return this.#say("No interrupt came for long.");
    this.#stops.push({ instructions: entered.instructions, ns: entered.ns });
    const at = `${(entered.ns / 1e9).toFixed(6)} s`;
    this.#say(`Stopped in a handler at ${at}: ${sentence(journey, { symbols: this.#symbols })}.`);
  }

  /** The stop before this one; after a run, the last one. */
  get #stopBefore(): RunPosition | undefined {
    return this.#stops.at(this.#isAtStop ? -2 : -1);
  }
  async #stepBack(host: PanelHost): Promise<void> {
    const target = this.#stopBefore;
    if (!target) return;
    this.#stops.length -= this.#isAtStop ? 2 : 1;
    await host.client.request("reverseTo", target);
    // The position is the last one before the handler: the step enters it.
    await this.#step(host);
  }
  #lastEntered(): Journey | undefined {
    const latest = this.#model.journeys.latest(shownJourneys).reverse();
    return latest.find(({ deliveries }) => deliveries.some(({ entered, ended }) => entered && !ended));
  }

  async #explain(question: Question): Promise<void> {
    if (!this.#host) return;
    try {
      const state = parseState(await this.#host.client.request("query", "state interrupts"));
      const { sentence: text, blockers } = explain(question, { state, writers: this.#model.writers });
      const [first, ...others] = blockers;
      const wrote = first ? writtenBy(first, this.#symbols) : "";
      const also = others.length > 0 ? ` Also: ${others.map((other) => other.text).join(" ")}` : "";
      this.#say(`${text}${wrote}${also}`);
    } catch (error) {
      this.#say(messageOf(error));
    }
  }

  #say(text: string): void {
    this.#find("output").textContent = text;
  }
  #find<E extends HTMLElement = HTMLElement>(selector: string): E {
    return this.element.querySelector<E>(selector)!;
  }
  #button(name: string): HTMLButtonElement {
    return this.#find<HTMLButtonElement>(`button[data-irq="${name}"]`);
  }
}

/** A timer whose line leads nowhere (the PIT's, once the HPET has its routes) would fill the list. */
const reachedController = ({ source, hops }: Journey): boolean =>
  !source.match(/^[a-z0-9]+$/) || hops.some(({ kind }) => /^(pic|ioapic|message|msi|lapic)/.test(kind));

/** Blockers that the guest wrote itself. */
const writtenReasons = [
  "masked",
  "device mask",
  "LVT mask",
  "software-disabled",
  "disabled",
  "destination",
  "TPR",
];

function writtenBy({ writer, reason }: Blocker, symbols: Symbols): string {
  if (writer) {
    const at = `${symbols.describe(writer.rip)}, ${(writer.ns / 1e9).toFixed(6)} s after power-on`;
    return ` Written by the guest at ${at}.`;
  }
  return writtenReasons.includes(reason)
    ? " Who wrote that is not known: it was before this panel opened."
    : "";
}

function questionOf(journey: Journey): Question {
  const waiting = journey.deliveries.find(({ acknowledged }) => !acknowledged) ?? journey.deliveries[0];
  if (journey.gsi !== undefined && !waiting) return { gsi: journey.gsi };
  return waiting ? { vector: waiting.vector, cpu: waiting.cpu } : { gsi: journey.gsi ?? 0 };
}

function journeyItem(journey: Journey, symbols: Symbols): HTMLLIElement {
  const item = document.createElement("li");
  const time = Object.assign(document.createElement("time"), { textContent: when(journey) });
  const text = Object.assign(document.createElement("span"), { textContent: sentence(journey, { symbols }) });
  const why = Object.assign(document.createElement("button"), { type: "button", textContent: "Why not?" });
  why.dataset["journey"] = String(journey.id);
  why.setAttribute("aria-label", `Why not? ${text.textContent}`);
  item.append(time, text, why);
  return item;
}

function row(...cells: (string | number)[]): HTMLTableRowElement {
  const element = document.createElement("tr");
  cells.forEach((cell, i) => {
    const node = document.createElement(i === 0 ? "th" : "td");
    if (i === 0) node.scope = "row";
    node.textContent = typeof cell === "number" ? cell.toLocaleString("en") : cell;
    element.append(node);
  });
  return element;
}

const lineOptions = Array.from({ length: lines }, (_, gsi) => {
  const pin = ioapicPinOf(gsi);
  const owner = lineOwners[gsi] ? ` · ${lineOwners[gsi]}` : "";
  return `<option value="${gsi}">GSI ${gsi}${pin === gsi ? "" : ` (pin ${pin})`}${owner}</option>`;
}).join("");

const markup = `
<style>${css}</style>
<div class="irq-bar" role="toolbar" aria-label="Interrupts">
  <button type="button" data-irq="toggle">Pause</button>
  <button type="button" data-irq="step">Step to next interrupt</button>
  <button type="button" data-irq="back">Step back</button>
  <form><label>Line <select>${lineOptions}</select></label><button data-irq="why">Why not served?</button></form>
</div>
<output aria-live="polite"></output>
<p class="off">Start the machine to see its interrupts.</p>
<div class="irq-body" tabindex="0" role="region" aria-label="State and journeys">
  <h3>Journeys</h3>
  <ol class="journeys" aria-label="Latest journeys, newest first"></ol>
  <h3>Counted since power-on</h3>
  <table><tbody class="hops"></tbody></table>
  <p><button type="button" data-irq="ask">Ask the guest (cat /proc/interrupts)</button></p>
  <table class="guest" hidden>
    <thead><tr><th scope="col">Guest's line</th><th scope="col">Guest counts</th><th scope="col">Handlers seen</th></tr></thead>
    <tbody></tbody>
  </table>
  <p><label>Names for handlers: the guest's System.map or vmlinux <input type="file" data-irq="symbols"></label></p>
  <h3>Controllers</h3>
  <div class="chips"></div>
</div>`;
