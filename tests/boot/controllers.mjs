// Boots a guest with each choice of interrupt controllers and checks which one serves it.
import assert from "node:assert/strict";
import { ask, interruptCounts } from "./smp.mjs";

const viaPic = /^ *4: .*XT-PIC +ttyS0/m;
const viaIoApic = /^ *4: .*IO-APIC +4-edge +ttyS0/m;
const clockSources = "cat /sys/devices/system/clocksource/clocksource0/available_clocksource";

/** [name, kernel flags, processors, machine flags, what must be seen, what must not, local timers tick] */
const choices = [
  ["default", "", 2, [], [viaIoApic, /^tsc.* hpet /m], [/XT-PIC/], true],
  ["noapic", "noapic", 2, [], [viaPic], [/IO-APIC.*ttyS0/], true],
  ["nolapic", "nolapic", 2, [], [viaPic], [/IO-APIC.*ttyS0/], false],
  [
    "acpi=off",
    "acpi=off",
    2,
    [],
    [viaIoApic, /Intel MultiProcessor Specification v1\.4/],
    [/XT-PIC +ttyS0/],
    true,
  ],
  ["hpet=disable", "hpet=disable", 2, [], [viaIoApic], [/^tsc.* hpet /m], true],
  ["pci=nomsi", "pci=nomsi", 2, [], [viaIoApic], [/PCI-MSI/], true],
  ["x2APIC", "", 4, ["-cpu", "max,hv=kvm"], [viaIoApic, /x2apic: enabled|x2apic enabled/], [/XT-PIC/], true],
  ["no APIC at all", "", 1, ["-cpu", "max,-apic"], [viaPic], [/IO-APIC.*ttyS0/], false],
];

export const controllerChoices = choices.map(
  ([name, append, cpus, flags, wanted, unwanted, hasLocalTimer]) => ({
    name,
    run: async (guest) => {
      const questions = ["nproc", "sleep 1", clockSources, "cat /proc/interrupts"];
      const { stdout } = await ask(guest, { cpus, append, flags, questions });
      for (const pattern of wanted) assert.match(stdout, pattern);
      for (const pattern of unwanted) assert.doesNotMatch(stdout, pattern);
      const working = hasLocalTimer ? cpus : 1;
      assert.match(stdout, new RegExp(`^${working}\\r?$`, "m"), "nproc");
      const ticking = interruptCounts(stdout, "LOC").filter((count) => count > 10).length;
      assert.equal(ticking, hasLocalTimer ? cpus : 0, "processors with a local timer that ticks");
    },
  }),
);
