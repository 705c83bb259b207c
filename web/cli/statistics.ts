import type { Engine } from "../src/engine/engine";
import type { Pump } from "../src/engine/pump";
import { saveOutput } from "./files";

const second = 1e9;

/** What the engine itself counts; an engine that does not know the question adds nothing. */
function engineStatistics(engine: Engine): object {
  try {
    return JSON.parse(engine.query("stats")) as object;
  } catch {
    return {};
  }
}

export function saveStatistics(path: string, engine: Engine, pump: Pump, wallMs: number): void {
  const cpu = process.cpuUsage();
  const busySeconds = pump.busyNs / second;
  const statistics = {
    instructions: engine.instructions,
    virtual_seconds: engine.ns / second,
    halted_seconds: engine.haltedNs / second,
    host_seconds: wallMs / 1000,
    engine_seconds: busySeconds,
    cpu_seconds: (cpu.user + cpu.system) / 1e6,
    mips: busySeconds > 0 ? engine.instructions / busySeconds / 1e6 : 0,
    peak_memory_bytes: process.resourceUsage().maxRSS * 1024,
    hash: engine.hash(),
    engine: engineStatistics(engine),
  };
  saveOutput("the statistics", path, JSON.stringify(statistics, null, 2) + "\n");
}
