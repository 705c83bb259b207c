import { LapwingError } from "../errors";
import { DoorStop } from "./door";

/** What the pump needs of the engine. */
export interface PumpedMachine {
  run(maxInstructions: number, haltLimitNs: number): DoorStop;
  readonly instructions: number;
  readonly ns: number;
  readonly nextDeadlineNs: number;
  setRate(nsPerInstruction: number): void;
  advance(ns: number): void;
}

/** Host time and the host's event loop. */
export interface PumpHost {
  nowNs(): number;
  /** Calls back as soon as the event loop has handled what waits. */
  soon(callback: () => void): void;
  /** Calls back once after so many ms; the result cancels. */
  after(ms: number, callback: () => void): () => void;
}

export interface PumpHooks {
  /** The machine reached a boundary: take its output, give it inputs. Boundaries do not depend on host time. */
  atBoundary(): void;
  /** The machine ended, or halted for ever with `mayWake()` false. The pump has paused itself. */
  ended(stop: DoorStop): void;
  /** Could an input still arrive for a machine that waits for ever? */
  mayWake(): boolean;
  traceFull?(): void;
  /** The machine waits for bytes of a disk image: resolves when they are here. Virtual time stands still. */
  missingData?(): Promise<void>;
  /** The next instruction count to stop at exactly, and what to do there. */
  nextStop?(): number;
  atStop?(): void;
  failed(error: unknown): void;
}

export interface PumpOptions {
  clock: "virtual" | "realtime";
  /** Virtual mode: instructions between boundaries. */
  slice?: number;
  /** Splits runs at will, to prove that returning to the host is invisible. */
  patience?: () => number;
}

const millisecond = 1e6;
const defaultSlice = 200_000;
/** How long one turn may hold the event loop. */
const turnNs = 8 * millisecond;
const sliceNs = 4 * millisecond;
/** A lag beyond this is forgiven rather than replayed as a burst. */
const forgivenLagNs = 50 * millisecond;
/** A halted machine may jump so far ahead: timers of the host are no finer, and disks answer sooner than that. */
const headStartNs = millisecond;
const slowestRate = 100;
const fastestRate = 0.25;
const smallestRateChange = 0.02;
const fewestInstructions = 20_000;
const mostInstructions = 4_000_000;
const longestTimerMs = 2 ** 31 - 1;
/** A guest that does nothing but tick is woken this rarely, for several ticks at once: waking costs more than they do. */
const calmSleepMs = 20;
/** So many short sleeps in a row, without an input or a full slice, make a guest calm. */
const calmAfterSleeps = 64;

/**
 * Drives a machine from the host's event loop. Virtual mode: slices of a fixed number of instructions, and a jump
 * whenever all CPUs are halted; host time has no influence. Real-time mode: the ns per instruction of each slice is
 * set so that virtual time meets the wall clock; a halted machine costs one timer.
 */
export class Pump {
  readonly #machine;
  readonly #host;
  readonly #hooks;
  readonly #clock;
  readonly #slice;
  readonly #patience;
  #isRunning = false;
  #isHalted = false;
  #turnIsDue = false;
  #isWaiting = false;
  #cancelTimer: (() => void) | undefined;
  #anchorWallNs = 0;
  #anchorNs = 0;
  #rate = 0;
  #instructionsPerNs = 0.05;
  #busyNs = 0;
  #shortSleeps = 0;

  constructor(machine: PumpedMachine, host: PumpHost, hooks: PumpHooks, options: PumpOptions) {
    this.#machine = machine;
    this.#host = host;
    this.#hooks = hooks;
    this.#clock = options.clock;
    this.#slice = options.slice ?? defaultSlice;
    this.#patience = options.patience ?? (() => Infinity);
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }
  /** Host time spent inside the engine. */
  get busyNs(): number {
    return this.#busyNs;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#isHalted = false;
    this.#anchor(this.#host.nowNs());
    this.#soon();
  }

  pause(): void {
    this.#isRunning = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Applies an input at the present moment and wakes a halted machine. */
  input(apply: () => void): void {
    if (this.#isRunning && this.#isHalted) this.#advanceHalted(this.#wallTarget());
    this.#shortSleeps = 0;
    apply();
    if (!this.#isRunning) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#soon();
  }

  #soon(): void {
    if (this.#turnIsDue || this.#isWaiting) return;
    this.#turnIsDue = true;
    this.#host.soon(() => {
      this.#turnIsDue = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (!this.#isRunning) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    try {
      if (this.#clock === "virtual") this.#virtualTurn();
      else this.#realtimeTurn();
    } catch (error) {
      this.pause();
      this.#hooks.failed(error);
    }
  }

  #virtualTurn(): void {
    const end = this.#host.nowNs() + turnNs;
    while (this.#isRunning) {
      const boundary = (Math.floor(this.#machine.instructions / this.#slice) + 1) * this.#slice;
      // Each halt returns, so that output is answered at the position where it appeared; then time jumps.
      const limit = this.#isHalted ? this.#machine.nextDeadlineNs : 0;
      const stop = this.#runTo(boundary, limit);
      // No boundary: what the guest is given must not depend on when the bytes come.
      if (stop === DoorStop.MissingData) {
        this.#waitForData();
        return;
      }
      this.#isHalted = stop === DoorStop.Halted;
      this.#hooks.atBoundary();
      if (!this.#isRunning) return;
      if (!this.#continues(stop)) return;
      if (this.#host.nowNs() >= end) {
        this.#soon();
        return;
      }
    }
  }

  #realtimeTurn(): void {
    const wall = this.#host.nowNs();
    if (this.#isHalted) this.#advanceHalted(this.#wallTarget(wall));
    const lag = this.#wallTarget(wall) - this.#machine.ns;
    if (lag > forgivenLagNs) this.#anchor(wall);
    else if (lag < -sliceNs) {
      this.#sleep(-lag);
      return;
    }
    this.#isHalted = false;
    const count = Math.round(clamp(this.#instructionsPerNs * sliceNs, fewestInstructions, mostInstructions));
    this.#chooseRate(count, lag > forgivenLagNs ? 0 : lag);
    const before = this.#machine.instructions;
    const stop = this.#runTo(before + count, this.#wallTarget(wall) + headStartNs);
    this.#learnSpeed(this.#machine.instructions - before, this.#host.nowNs() - wall);
    if (stop === DoorStop.MissingData) {
      this.#waitForData();
      return;
    }
    this.#isHalted = stop === DoorStop.Halted || stop === DoorStop.IdleForever;
    this.#hooks.atBoundary();
    if (!this.#isRunning || !this.#continues(stop)) return;
    if (this.#isHalted) {
      this.#sleepHalted(this.#machine.nextDeadlineNs - this.#wallTarget());
    } else {
      this.#shortSleeps = 0;
      this.#soon();
    }
  }

  /** Runs to an instruction count, or to a reason that ends the slice. */
  #runTo(target: number, haltLimitNs: number): DoorStop {
    const began = this.#host.nowNs();
    let stop: DoorStop = DoorStop.Patience;
    let before = -1;
    let beforeNs = -1;
    for (;;) {
      const now = this.#machine.instructions;
      if (now >= target) break;
      if (now === before && stop === DoorStop.Patience) {
        if (this.#machine.ns === beforeNs)
          throw new LapwingError("engine", `The engine makes no progress at instruction ${now}.`);
        // Halted, among timers that fire one after another and wake nobody.
        stop = DoorStop.Halted;
        break;
      }
      before = now;
      beforeNs = this.#machine.ns;
      const exact = this.#hooks.nextStop?.() ?? Infinity;
      stop = this.#machine.run(Math.min(target - now, exact - now, this.#patience()), haltLimitNs);
      if (this.#machine.instructions >= exact) this.#hooks.atStop?.();
      if (stop === DoorStop.TraceFull) this.#hooks.traceFull?.();
      else if (stop !== DoorStop.Patience) break;
      if (!this.#isRunning) break;
    }
    this.#busyNs += this.#host.nowNs() - began;
    return stop === DoorStop.TraceFull ? DoorStop.Patience : stop;
  }

  /** False when the machine ended or waits for ever; then the pump rests. */
  #continues(stop: DoorStop): boolean {
    switch (stop) {
      case DoorStop.Patience:
      case DoorStop.Halted:
      case DoorStop.TraceFull:
        return true;
      case DoorStop.IdleForever:
        // An input that arrived at the boundary has already asked for the next turn.
        if (this.#turnIsDue || this.#hooks.mayWake()) return false;
        break;
    }
    this.pause();
    this.#hooks.ended(stop);
    return false;
  }

  #sleepHalted(ns: number): void {
    if (ns < calmSleepMs * millisecond) this.#shortSleeps++;
    const isCalm = this.#shortSleeps > calmAfterSleeps;
    this.#sleep(isCalm ? Math.max(ns, calmSleepMs * millisecond) : ns);
  }

  /** Goes on when the host has the bytes; the time until then is not made up for. */
  #waitForData(): void {
    this.#isWaiting = true;
    const goOn = (): void => {
      this.#isWaiting = false;
      if (!this.#isRunning) return;
      this.#anchor(this.#host.nowNs());
      this.#soon();
    };
    (this.#hooks.missingData?.() ?? Promise.resolve()).then(goOn, (error) => {
      this.#isWaiting = false;
      this.pause();
      this.#hooks.failed(error);
    });
  }

  #sleep(ns: number): void {
    if (ns === Infinity || this.#turnIsDue) return;
    const ms = ns / millisecond;
    if (ms <= 0) this.#soon();
    else this.#cancelTimer = this.#host.after(Math.min(Math.ceil(ms), longestTimerMs), () => this.#turn());
  }

  #anchor(wall: number): void {
    this.#anchorWallNs = wall;
    this.#anchorNs = this.#machine.ns;
  }
  /** Where virtual time should be now. */
  #wallTarget(wall = this.#host.nowNs()): number {
    return this.#anchorNs + (wall - this.#anchorWallNs);
  }
  #advanceHalted(target: number): void {
    if (this.#clock === "virtual") return;
    const to = Math.min(target, this.#machine.nextDeadlineNs);
    if (to > this.#machine.ns) this.#machine.advance(to);
  }

  #chooseRate(count: number, lag: number): void {
    const wanted = (count / this.#instructionsPerNs + lag) / count;
    const rate = clamp(wanted, fastestRate, slowestRate);
    if (this.#rate !== 0 && Math.abs(rate - this.#rate) < smallestRateChange * this.#rate) return;
    this.#rate = rate;
    this.#machine.setRate(rate);
  }
  #learnSpeed(instructions: number, ns: number): void {
    if (instructions < fewestInstructions / 2 || ns <= 0) return;
    this.#instructionsPerNs = 0.7 * this.#instructionsPerNs + (0.3 * instructions) / ns;
  }
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
