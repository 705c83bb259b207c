import { messageOf } from "../src/errors";
import type { Engine } from "../src/engine/engine";
import type { Pump } from "../src/engine/pump";

const help = `info pic|ioapic|lapic|irq|msi|registers|mem|mtree|hpet|pci   show a part of the machine
x /FMT ADDRESS, xp /FMT ADDRESS   show virtual, physical memory
stop, cont                        pause, go on
system_reset, system_powerdown    press the button
eject DRIVE                       open the tray of a CD-ROM drive
change DRIVE DISC                 put the disc of -drive if=none,media=cdrom,id=DISC into it
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
  const disc = /^(?:eject (\S+)|change (\S+) (\S+))$/.exec(line);
  try {
    if (disc) {
      pump.input(() => engine.changeDisc(disc[1] ?? disc[2]!, disc[3]));
      return "";
    }
    return engine.query(line);
  } catch (error) {
    return `${messageOf(error)} (help lists commands)\n`;
  }
}
