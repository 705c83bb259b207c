import { messageOf } from "../src/errors";
import type { Engine } from "../src/engine/engine";
import type { Pump } from "../src/engine/pump";

const help = `info pic|ioapic|lapic|irq|registers|mem|mtree|hpet|pci   show a part of the machine
x /FMT ADDRESS, xp /FMT ADDRESS   show virtual, physical memory
stop, cont                        pause, go on
system_reset, system_powerdown    press the button
hash                              hash of the whole state
quit                              end
`;

/** Answers one line of the monitor. */
export function monitorLine(line: string, engine: Engine, pump: Pump, quit: () => void): string {
  const commands: Record<string, () => string> = {
    help: () => help,
    "?": () => help,
    stop: () => (pump.pause(), "stopped\n"),
    cont: () => (pump.start(), ""),
    c: () => (pump.start(), ""),
    quit: () => (quit(), ""),
    q: () => (quit(), ""),
    system_reset: () => (pump.input(() => engine.reset()), ""),
    system_powerdown: () => (pump.input(() => engine.powerButton()), ""),
  };
  const command = commands[line];
  if (command) return command();
  try {
    return engine.query(line);
  } catch (error) {
    return `${messageOf(error)} (help lists commands)\n`;
  }
}
