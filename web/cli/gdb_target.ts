// What GDB sees of a running command: the engine, and the pump that lets it run.
import { DoorStop } from "../src/engine/door";
import type { Engine } from "../src/engine/engine";
import type { Pump } from "../src/engine/pump";
import type { GdbTarget } from "./gdb";
import { parseRegisters, type Architecture } from "./gdb_registers";
import { monitorLine } from "./monitor";

export interface GdbHooks {
  /** The machine stands still: take its output. */
  atStop(): void;
  ended(stop: DoorStop): void;
  quit(): void;
}

/** A step of one processor among several ends at the latest after so many instructions. */
const mostPerStep = 200_000;

const goesOn = new Set<DoorStop>([
  DoorStop.Patience,
  DoorStop.Halted,
  DoorStop.TraceFull,
  DoorStop.Breakpoint,
]);

/** As QEMU's two programs: 64-bit registers for a processor that has long mode. */
export function longMode(config: string): Architecture {
  const isOld = /^cpu=(486|pentium3?|qemu32|kvm32)\b|^cpu=.*,-lm\b/m.test(config);
  return isOld ? "i386" : "i386:x86-64";
}

export class DebuggedMachine implements GdbTarget {
  readonly #engine;
  readonly #pump;
  readonly #hooks;

  constructor(engine: Engine, pump: Pump, hooks: GdbHooks) {
    this.#engine = engine;
    this.#pump = pump;
    this.#hooks = hooks;
  }

  get isRunning(): boolean {
    return this.#pump.isRunning;
  }
  registers(): string {
    return this.#engine.query("registers");
  }
  setBreakpoints(addresses: bigint[]): void {
    this.#engine.query(["break", ...addresses.map((address) => `0x${address.toString(16)}`)].join(" "));
  }
  resume(): void {
    this.#pump.start();
  }
  pause(): void {
    this.#pump.pause();
  }
  quit(): void {
    this.#hooks.quit();
  }
  monitor(line: string): string {
    return monitorLine(line, this.#engine, this.#pump, () => this.#hooks.quit());
  }

  /** By the engine's own dump: a number of JavaScript does not hold an address of 64 bits. */
  readMemory(address: bigint, size: number): Uint8Array | undefined {
    try {
      const text = this.#engine.query(`x /${size}xb 0x${address.toString(16)}`);
      return Uint8Array.from(text.matchAll(/ 0x([0-9a-f]{2})/g), ([, digits]) => parseInt(digits!, 16));
    } catch {
      return undefined;
    }
  }

  async step(cpu: number): Promise<boolean> {
    const place = () => parseRegisters(this.registers())[cpu]?.get("RIP");
    const before = place();
    for (let i = 0; i < mostPerStep; i++) {
      const stop = this.#engine.run(1, Infinity);
      if (stop === DoorStop.MissingData) await this.#engine.disksSettled();
      else if (!goesOn.has(stop)) {
        this.#hooks.ended(stop);
        return false;
      }
      // A REP instruction stays where it is for one step each.
      if (place() !== before || cpu === 0) break;
    }
    this.#hooks.atStop();
    return true;
  }
}
