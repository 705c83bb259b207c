// A recorded trace, hop by hop: where each journey is, in words, with a log beside it. Needs no engine.
import {
  duration,
  InterruptModel,
  isOver,
  outcomeOf,
  pathOf,
  sentence,
  Symbols,
  type Journey,
} from "../model";
import { toHop, type IrqRecord } from "../records";
import css from "./trace_player.css?inline";

const shownHops = 60;
const hopMs = 700;
const mostChoices = 500;

/** Plays records: all of them, or those of one journey. */
export class TracePlayer {
  readonly element = document.createElement("section");
  readonly #all: readonly IrqRecord[];
  readonly #symbols: Symbols;
  readonly #journeys = new Map<number, Journey>();
  #records: readonly IrqRecord[];
  /** The hop that has just happened. */
  #at = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(records: readonly IrqRecord[], symbols = new Symbols()) {
    this.#all = this.#records = records.filter(({ kind }) => kind !== "register write");
    this.#symbols = symbols;
    const model = new InterruptModel();
    model.add(records);
    for (const journey of model.journeys.all()) this.#journeys.set(journey.id, journey);
    this.element.className = "trace";
    this.element.setAttribute("aria-label", "Recorded interrupts");
    this.element.innerHTML = markup;
    this.#listen();
    this.#offerJourneys();
    this.#show();
  }

  dispose(): void {
    this.#pause();
  }

  get position(): number {
    return this.#at;
  }
  /** Goes to a hop, counted from 0. */
  seek(index: number): void {
    this.#at = Math.max(0, Math.min(index, this.#records.length - 1));
    this.#show();
  }

  #listen(): void {
    const act: Record<string, () => void> = {
      first: () => this.seek(0),
      back: () => this.seek(this.#at - 1),
      play: () => (this.#timer === undefined ? this.#play() : this.#pause()),
      next: () => this.seek(this.#at + 1),
      last: () => this.seek(this.#records.length - 1),
      other: () => this.#skip(),
    };
    for (const [name, action] of Object.entries(act)) {
      this.#find(`[data-act="${name}"]`).addEventListener("click", () => {
        if (name !== "play") this.#pause();
        action();
      });
    }
    this.#slider.addEventListener("input", () => {
      this.#pause();
      this.seek(Number(this.#slider.value));
    });
    this.#choice.addEventListener("change", () => this.#choose(Number(this.#choice.value)));
    this.#find(".log").addEventListener("click", ({ target }) => {
      const index = (target as HTMLElement).closest<HTMLElement>("li")?.dataset["hop"];
      if (index !== undefined) this.seek(Number(index));
    });
  }

  #offerJourneys(): void {
    const kept = [...this.#journeys.values()].filter(({ hops }) => hops.length > 2);
    this.#choice.append(new Option(`All ${this.#journeys.size} journeys`, "0"));
    for (const journey of kept.slice(0, mostChoices)) {
      this.#choice.append(
        new Option(`${seconds(journey.hops[0]!)} ${pathOf(journey).join(" → ")}`, String(journey.id)),
      );
    }
  }
  #choose(id: number): void {
    this.#pause();
    const hop = this.#records[this.#at];
    this.#records = id === 0 ? this.#all : this.#all.filter(({ cause }) => cause === id);
    this.seek(hop ? Math.max(0, this.#records.indexOf(hop)) : 0);
  }

  #play(): void {
    if (this.#at >= this.#records.length - 1) this.#at = 0;
    this.#timer = setInterval(() => {
      this.seek(this.#at + 1);
      if (this.#at >= this.#records.length - 1) this.#pause();
    }, hopMs);
    this.#show();
  }
  #pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#find('[data-act="play"]').textContent = "Play";
  }
  /** To the next journey's first hop. */
  #skip(): void {
    const seen = new Set(this.#records.slice(0, this.#at + 1).map(({ cause }) => cause));
    const next = this.#records.findIndex(({ cause }, i) => i > this.#at && cause !== 0 && !seen.has(cause));
    if (next >= 0) this.seek(next);
  }

  #show(): void {
    const hop = this.#records[this.#at];
    const last = this.#records.length - 1;
    this.#slider.max = String(Math.max(0, last));
    this.#slider.value = String(this.#at);
    this.#find('[data-act="play"]').textContent = this.#timer === undefined ? "Play" : "Pause";
    for (const name of ["first", "back"]) this.#button(name).disabled = this.#at === 0;
    for (const name of ["next", "last", "other"]) this.#button(name).disabled = this.#at >= last;
    if (!hop) {
      this.#find(".now").textContent = "This trace holds no hops.";
      return;
    }
    const place = `Hop ${this.#at + 1} of ${this.#records.length}, ${seconds(hop)}`;
    this.#slider.setAttribute("aria-valuetext", `${place}: ${toHop(hop, this.#symbols)}`);
    this.#find(".place").textContent = place;
    this.#find(".now").textContent = toHop(hop, this.#symbols);
    this.#showJourney(hop);
    this.#showLog();
  }

  /** The stations that its journey has passed by now, and what is still to come. */
  #showJourney(hop: IrqRecord): void {
    const whole = this.#journeys.get(hop.cause);
    this.#find(".journey").hidden = !whole;
    if (!whole) return;
    const soFar = new InterruptModel();
    for (const before of this.#until(hop)) soFar.add([before]);
    const journey = soFar.journeys.get(hop.cause) ?? whole;
    const passed =
      journey.deliveries.length > 0 || isOver(journey) ? pathOf(journey) : pathOf(journey).slice(0, -1);
    const stations = pathOf(whole).map((name, i) => {
      const item = document.createElement("li");
      const isHere = i === passed.length - 1;
      item.className = isHere ? "here" : i < passed.length ? "passed" : "ahead";
      if (isHere) item.setAttribute("aria-current", "step");
      item.textContent = name;
      return item;
    });
    this.#find(".stations").replaceChildren(...stations);
    const since = duration(hop.ns - whole.hops[0]!.ns);
    const text = sentence(journey, { symbols: this.#symbols });
    this.#find(".words").textContent = `${text}. ${since} after it began: ${outcomeOf(journey)}.`;
  }
  *#until(hop: IrqRecord): Iterable<IrqRecord> {
    for (const record of this.#journeys.get(hop.cause)?.hops ?? []) {
      yield record;
      if (record === hop) return;
    }
  }

  #showLog(): void {
    const first = Math.max(0, Math.min(this.#at - shownHops / 2, this.#records.length - shownHops));
    const cause = this.#records[this.#at]?.cause;
    const items = this.#records.slice(first, first + shownHops).map((record, i) => {
      const item = document.createElement("li");
      item.dataset["hop"] = String(first + i);
      item.classList.toggle("same", record.cause !== 0 && record.cause === cause);
      if (first + i === this.#at) item.setAttribute("aria-current", "true");
      const time = Object.assign(document.createElement("time"), { textContent: seconds(record) });
      item.append(time, toHop(record, this.#symbols));
      return item;
    });
    const log = this.#find(".log");
    log.replaceChildren(...items);
    const here = items[this.#at - first];
    if (here) log.scrollTop = here.offsetTop - log.offsetTop - log.clientHeight / 2;
  }

  get #slider(): HTMLInputElement {
    return this.#find<HTMLInputElement>('input[type="range"]');
  }
  get #choice(): HTMLSelectElement {
    return this.#find<HTMLSelectElement>("select");
  }
  #button(name: string): HTMLButtonElement {
    return this.#find<HTMLButtonElement>(`[data-act="${name}"]`);
  }
  #find<E extends HTMLElement = HTMLElement>(selector: string): E {
    return this.element.querySelector<E>(selector)!;
  }
}

const seconds = ({ ns }: IrqRecord): string => `${(ns / 1e9).toFixed(6)} s`;

const markup = `
<style>${css}</style>
<div class="bar" role="toolbar" aria-label="Player">
  <button type="button" data-act="first" aria-label="To the first hop">First</button>
  <button type="button" data-act="back">Back</button>
  <button type="button" data-act="play">Play</button>
  <button type="button" data-act="next">Next hop</button>
  <button type="button" data-act="other">Next journey</button>
  <button type="button" data-act="last" aria-label="To the last hop">Last</button>
  <label>Journey <select></select></label>
</div>
<input type="range" min="0" value="0" aria-label="Hop">
<p class="place"></p>
<p class="now" aria-live="polite"></p>
<div class="journey">
  <ol class="stations" aria-label="Stations of this journey"></ol>
  <p class="words"></p>
</div>
<ol class="log" aria-label="Hops" tabindex="0"></ol>`;
