// Numbers and words of a PC's interrupt wiring: who is on which line, and how hops are said.

export const picInputs = 16;
const ioapicPins = 24;

/** ISA IRQ0 appears on pin 2 of the I/O APIC (the MADT's override); other GSIs on the pin of their number. */
export const ioapicPinOf = (gsi: number): number => (gsi === 0 ? 2 : gsi);
export const gsiOfPin = (pin: number): number => (pin === 2 ? 0 : pin);
export const isIoapicPin = (pin: number): boolean => pin >= 0 && pin < ioapicPins;

/** Who raises a line on this machine. */
export const lineOwners: Readonly<Record<number, string>> = {
  0: "PIT or HPET",
  1: "keyboard",
  3: "COM2",
  4: "COM1",
  8: "RTC or HPET",
  9: "ACPI SCI",
  12: "mouse",
  14: "IDE primary channel",
  15: "IDE secondary channel",
};

const lvtNames: Readonly<Record<number, string>> = {
  0x2f0: "CMCI",
  0x320: "timer",
  0x330: "thermal",
  0x340: "performance",
  0x350: "LINT0",
  0x360: "LINT1",
  0x370: "error",
};
export const lvtName = (offset: number): string => lvtNames[offset] ?? `LVT 0x${offset.toString(16)}`;
export const lvtOffsets = Object.keys(lvtNames).map(Number);

const exceptionNames = "#DE #DB NMI #BP #OF #BR #UD #NM #DF - #TS #NP #SS #GP #PF - #MF #AC #MC #XM #VE #CP";
export const exceptionName = (vector: number): string =>
  exceptionNames.split(" ")[vector] ?? `vector ${vector}`;

export const vectorText = (vector: number): string => `vector 0x${vector.toString(16)}`;

export const deliveryModes = [
  "fixed",
  "lowest priority",
  "SMI",
  "reserved",
  "NMI",
  "INIT",
  "start-up",
  "ExtINT",
] as const;

export function duration(ns: number): string {
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
