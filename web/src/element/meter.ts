import type { Statistics } from "../engine/protocol";

export interface Reading {
  /** Million guest instructions per second of engine time; undefined until enough has run. */
  mips: number | undefined;
  /** Share of guest time with all CPUs halted, 0 to 1. */
  idle: number;
  instructions: number;
  ns: number;
}

const enoughBusyNs = 5e6;

/** Turns successive statistics into what a person reads. */
export class Meter {
  #last: Statistics | undefined;
  #mips: number | undefined;

  take(now: Statistics): Reading {
    const last = this.#last ?? { instructions: 0, ns: 0, haltedNs: 0, busyNs: 0 };
    const busy = now.busyNs - last.busyNs;
    if (busy >= enoughBusyNs) this.#mips = ((now.instructions - last.instructions) * 1e3) / busy;
    const passed = now.ns - last.ns;
    const idle = passed > 0 ? Math.min(1, (now.haltedNs - last.haltedNs) / passed) : 1;
    this.#last = now;
    return { mips: this.#mips, idle, instructions: now.instructions, ns: now.ns };
  }
}
