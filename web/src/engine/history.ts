import { LapwingError } from "../errors";
import { DoorStop } from "./door";
import type { Engine } from "./engine";

/** A point of a run: instructions retired and virtual time. */
export interface RunPosition {
  instructions: number;
  ns: number;
}

/** From a snapshot on, all inputs until the next one. */
interface Segment {
  id: number;
  start: RunPosition;
  end: RunPosition | undefined;
  snapshot: Uint8Array;
  /** Undefined while it is being recorded. */
  log: Uint8Array | undefined;
}

export interface HistoryHooks {
  /** A segment begins here; its id. */
  opened(id: number): void;
  /** The machine is back at the start of a segment. */
  rewound(id: number, start: RunPosition): void;
  /** Now and then on the way forward again. */
  onTheWay(): void;
}

const instructionsBetween = 500_000_000;
const mostBytes = 2 ** 30;
const instructionsAtOnce = 2_000_000;

/**
 * Lets a machine go back: snapshots now and then, and the log of all inputs, from which the run is repeated up to any
 * position in it. What was run after that position is forgotten.
 */
export class History {
  readonly #engine: Engine;
  readonly #hooks: HistoryHooks;
  #segments: Segment[] = [];
  #lastId = 0;

  constructor(engine: Engine, hooks: HistoryHooks) {
    this.#engine = engine;
    this.#hooks = hooks;
  }

  get isOn(): boolean {
    return this.#segments.length > 0;
  }

  /** Begins anew here, if it has not begun yet or `again` (the machine is another one now). */
  begin(again = false): void {
    if (this.isOn && !again) return;
    this.#segments = [];
    this.#open();
  }

  atBoundary(): void {
    const last = this.#segments.at(-1);
    if (!last || this.#engine.instructions - last.start.instructions < instructionsBetween) return;
    this.#close();
    this.#open();
    const size = (): number => this.#segments.reduce((sum, { snapshot }) => sum + snapshot.length, 0);
    while (this.#segments.length > 1 && size() > mostBytes) this.#segments.shift();
  }

  /** Returns to the state at a position of the past; the machine must be paused. */
  async reverseTo(position: RunPosition): Promise<void> {
    const here = this.#here;
    if (!this.isOn)
      throw new LapwingError("bad_option", "There is no history: call startHistory() or irq.start() first.");
    if (position.instructions > here.instructions || position.ns > here.ns)
      throw new LapwingError("bad_option", "That position has not been reached yet.");
    const index = this.#segments.findLastIndex(
      ({ start }) => start.instructions <= position.instructions && start.ns <= position.ns,
    );
    const segment = this.#segments[index];
    if (!segment) {
      const first = this.#segments[0]!.start.instructions;
      throw new LapwingError(
        "bad_option",
        `The history begins at instruction ${first}, after that position.`,
      );
    }
    this.#close();
    this.#segments.length = index + 1;
    this.#engine.loadSnapshot(segment.snapshot);
    this.#hooks.rewound(segment.id, segment.start);
    this.#engine.replayInputs(segment.log!);
    await this.#runTo(position);
    segment.end = this.#here;
    this.#open();
  }

  get #here(): RunPosition {
    return { instructions: this.#engine.instructions, ns: this.#engine.ns };
  }

  #open(): void {
    const engine = this.#engine;
    const last = this.#segments.at(-1);
    const start = this.#here;
    // Back at the very start of a segment: its snapshot serves again.
    const isAgain = last?.start.instructions === start.instructions && last.start.ns === start.ns;
    if (isAgain) this.#segments.pop();
    const snapshot = isAgain ? last.snapshot : engine.saveSnapshot();
    const id = isAgain ? last.id : ++this.#lastId;
    this.#segments.push({ id, start, end: undefined, snapshot, log: undefined });
    engine.recordInputs();
    if (!isAgain) this.#hooks.opened(id);
  }

  #close(): void {
    const last = this.#segments.at(-1)!;
    if (last.log) return;
    last.log = this.#engine.takeInputLog();
    last.end = this.#here;
  }

  /** A position in a halt is reached when nothing more happens up to its time. */
  async #runTo({ instructions, ns }: RunPosition): Promise<void> {
    const engine = this.#engine;
    for (;;) {
      const left = instructions - engine.instructions;
      const stop = engine.run(Math.min(left, instructionsAtOnce), ns);
      this.#hooks.onTheWay();
      if (stop === DoorStop.MissingData) await engine.disksSettled();
      else if (stop === DoorStop.ReplayEnd || stop === DoorStop.Halted) return;
      else if (stop === DoorStop.Patience && engine.instructions >= instructions) return;
      else if (stop !== DoorStop.Patience && stop !== DoorStop.TraceFull)
        throw new LapwingError("engine", `The run could not be repeated up to that position (stop ${stop}).`);
    }
  }
}
