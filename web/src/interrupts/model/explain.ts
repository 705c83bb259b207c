// Why is it not being served? Answered from the controllers' and processors' state and from the stream of register
// writes alone. The hops are looked at in the order in which an interrupt travels; the first one that holds it back is
// the answer.
import {
  field,
  findDevice,
  gsiLevel,
  messageCapabilities,
  register,
  vectorsIn,
  type CpuState,
  type DeviceState,
  type InterruptState,
  type MessageCapability,
} from "./state";
import {
  deliveryModes,
  ioapicPinOf,
  isIoapicPin,
  lineOwners,
  lvtName,
  lvtOffsets,
  picInputs,
  vectorText,
} from "./names";
import type { LastWriters, Writer } from "./writers";

/** A GSI, a vector (at one processor or at all), or an input 0-15 of the 8259A pair. */
export type Question = { gsi: number } | { vector: number; cpu?: number } | { line: number };

export type Hop = "device" | "pic" | "ioapic" | "message" | "lapic" | "cpu" | "idt";

/** One thing that holds it back. */
export interface Blocker {
  at: Hop;
  /** Which one of its kind: "ioapic0:4", "lapic1". */
  where: string;
  /** A fixed word: "masked", "remote IRR", "priority" ... */
  reason: string;
  /** One sentence. */
  text: string;
  /** Who wrote what holds it back; undefined when that was before tracing began, or nobody wrote it. */
  writer?: Writer;
}

export interface Explanation {
  /** The first hop that holds it back; undefined when nothing does. */
  blockedAt: Hop | undefined;
  reason: string;
  lastWriterRip: bigint | undefined;
  /** When the blocker was written. */
  since: { instructions: number; ns: number } | undefined;
  sentence: string;
  /** Everything found, in the order of travel: the PIC's way first, then the I/O APIC's. */
  blockers: Blocker[];
}

/** What is known about an IDT entry: present, absent, or not readable. */
export type GateReader = (cpu: CpuState, vector: number) => "present" | "absent" | "unknown";

export interface Evidence {
  state: InterruptState;
  writers: LastWriters;
  gate?: GateReader;
}

const priorityClass = (vector: number): number => vector >> 4;

export function explain(question: Question, evidence: Evidence): Explanation {
  if ("vector" in question) return explainVector(question.vector, question.cpu, evidence);
  return explainGsi("gsi" in question ? question.gsi : question.line, "line" in question, evidence);
}

function explainGsi(gsi: number, onlyPic: boolean, evidence: Evidence): Explanation {
  const { state } = evidence;
  const name = lineOwners[gsi] ? `GSI ${gsi} (${lineOwners[gsi]})` : `GSI ${gsi}`;
  const device = deviceMask(gsi, evidence);
  const viaPic = gsi < picInputs ? picBlockers(gsi, evidence) : undefined;
  const viaIoapic = onlyPic ? undefined : ioapicBlockers(gsi, evidence);
  const ways = [viaIoapic, viaPic].filter((way) => way !== undefined);
  const isOpen = ways.some((way) => way.length === 0);
  const raised = gsiLevel(state, gsi);
  if (!raised && !hasRequest(gsi, evidence)) {
    const quiet: Blocker = device ?? {
      at: "device",
      where: name,
      reason: "not raised",
      text: `${name} is low: no device asks for service.`,
    };
    const others = isOpen ? [] : [...(viaIoapic ?? []), ...(viaPic ?? [])];
    // A mask tells more than a quiet line; a device that may not ask is the first hop of all.
    const isShut = others[0]?.reason === "masked";
    return answer(!device && isShut ? [...others, quiet] : [quiet, ...others], name);
  }
  if (isOpen) return answer([], name);
  // The way on which it gets further is the one that tells most; the I/O APIC's when both are shut at once.
  const best = ways.reduce((a, b) =>
    rank(b[0]!.at) > rank(a[0]!.at) && b[0]!.reason !== "abandoned" ? b : a,
  );
  return answer([...best, ...ways.filter((way) => way !== best).flat()], name);
}

const order: readonly Hop[] = ["device", "pic", "ioapic", "message", "lapic", "cpu", "idt"];
const rank = (hop: Hop): number => (hop === "pic" ? order.indexOf("ioapic") : order.indexOf(hop));

function answer(blockers: Blocker[], what: string): Explanation {
  const first = blockers[0];
  if (!first) {
    const sentence = `Nothing holds ${what} back: it is served, or will be at the next instruction boundary.`;
    const none = { blockedAt: undefined, lastWriterRip: undefined, since: undefined };
    return { ...none, reason: "not blocked", sentence, blockers };
  }
  const { writer } = first;
  return {
    blockedAt: first.at,
    reason: first.reason,
    lastWriterRip: writer?.rip,
    since: writer && { instructions: writer.instructions, ns: writer.ns },
    sentence: first.text,
    blockers,
  };
}

/** Has it already been latched somewhere, although its line may be low again? */
function hasRequest(gsi: number, { state }: Evidence): boolean {
  const pic = findDevice(state, "pic8259");
  const [chip, bit] = gsi < 8 ? ["master", gsi] : ["slave", gsi - 8];
  if (pic && gsi < picInputs && (register(pic, `${chip} IRR`) >> BigInt(bit)) & 1n) return true;
  const entry = entryOf(gsi, state);
  return entry !== undefined && state.cpus.some((cpu) => vectorsIn(cpu, "IRR").includes(entry.vector));
}

/** The device's own mask, for devices that have one that is known here. */
function deviceMask(gsi: number, { state, writers }: Evidence): Blocker | undefined {
  const masks: Record<number, [string, string, string | undefined, string, number, number]> = {
    1: ["i8042", "command byte", "keyboard interrupt", "i8042", 0, 0x60],
    12: ["i8042", "command byte", "mouse interrupt", "i8042", 0, 0x60],
    4: ["uart16550.0", "IER", undefined, "uart", 0, 0x3f9],
    3: ["uart16550.1", "IER", undefined, "uart", 0, 0x2f9],
    9: ["acpi_pm", "PM1a_EN", undefined, "acpipm", 0, 0x602],
    14: ["ide", "primary device control", "nIEN", "ide", 0, 0x3f6],
    15: ["ide", "secondary device control", "nIEN", "ide", 0, 0x376],
  };
  const mask = masks[gsi];
  if (!mask) return undefined;
  const [name, registerName, fieldName, writerDevice, instance, address] = mask;
  const device = findDevice(state, name);
  if (!device?.registers.some((candidate) => candidate.name === registerName)) return undefined;
  const value = fieldName
    ? field(device, registerName, fieldName)
    : Number(register(device, registerName) & 0xffffn);
  const isActiveLow = fieldName?.startsWith("n") ?? false;
  if ((value !== 0) !== isActiveLow) return undefined;
  const shut = fieldName ? `"${fieldName}" ${isActiveLow ? "set" : "clear"}` : "no source enabled";
  return {
    at: "device",
    where: name,
    reason: "device mask",
    text: `${name} may not interrupt: its ${registerName} has ${shut}.`,
    writer: writers.find(writerDevice, instance, address),
  };
}

interface PinEntry {
  device: DeviceState;
  pin: number;
  name: string;
  vector: number;
}

function entryOf(gsi: number, state: InterruptState): PinEntry | undefined {
  const device = findDevice(state, "ioapic");
  const pin = ioapicPinOf(gsi);
  if (!device || !isIoapicPin(pin)) return undefined;
  const name = `IOREDTBL${pin}`;
  return { device, pin, name, vector: field(device, name, "vector") };
}

function ioapicBlockers(gsi: number, evidence: Evidence): Blocker[] | undefined {
  const { state, writers } = evidence;
  const entry = entryOf(gsi, state);
  if (!entry) return undefined;
  const { device, pin, name, vector } = entry;
  const of = (what: string): number => field(device, name, what);
  const where = `ioapic0:${pin}`;
  const writer = writers.find("ioapic", 0, 0x10 + 2 * pin);
  const mode = deliveryModes[of("delivery mode")]!;
  if (of("mask"))
    return [{ at: "ioapic", where, reason: "masked", text: `I/O APIC pin ${pin} is masked.`, writer }];
  if (of("trigger mode") && of("remote IRR")) {
    const holder = state.cpus.find((cpu) => vectorsIn(cpu, "ISR").includes(vector));
    const waiting = holder ? ` which CPU ${holder.index} is serving` : "";
    const text = `Remote IRR of pin ${pin} is set: it waits for the EOI of ${vectorText(vector)}${waiting}.`;
    const rest = deliveryBlockers(vector, undefined, evidence);
    return [...rest, { at: "ioapic", where, reason: "remote IRR", text }];
  }
  if (mode === "NMI" || mode === "INIT" || mode === "SMI" || mode === "ExtINT") return [];
  if (vector < 16) {
    const text = `Pin ${pin} has ${vectorText(vector)}; vectors below 16 are illegal.`;
    return [{ at: "message", where, reason: "illegal vector", text, writer }];
  }
  const targets = targetsOf(of("destination"), of("destination mode") === 1, state);
  if (targets.length === 0) {
    const text = `No local APIC answers to destination ${of("destination")} of pin ${pin}.`;
    const high = writers.find("ioapic", 0, 0x11 + 2 * pin);
    return [{ at: "message", where, reason: "destination", text, writer: high ?? writer }];
  }
  const ways = targets.map((cpu) => deliveryBlockers(vector, cpu, evidence, true));
  if (ways.some((way) => way.length === 0)) {
    if (!of("trigger mode") && gsiLevel(state, gsi) && !ways.some((_, i) => isWaiting(targets[i]!, vector))) {
      const text = `Pin ${pin} is edge-triggered and its edge has been taken; the line must fall and rise again.`;
      return [{ at: "ioapic", where, reason: "no new edge", text }];
    }
    return [];
  }
  return ways.find((_, i) => isWaiting(targets[i]!, vector)) ?? ways[0];
}

const isWaiting = (cpu: CpuState, vector: number): boolean => vectorsIn(cpu, "IRR").includes(vector);

/** xAPIC destinations: physical, or logical with the flat or the cluster model. */
function targetsOf(destination: number, isLogical: boolean, state: InterruptState): CpuState[] {
  return state.cpus.filter((cpu) => {
    if (cpu.apicMode === "disabled") return false;
    if (destination === 0xff) return true;
    if (cpu.apicMode === "x2APIC") {
      if (!isLogical) return cpu.apicId === destination;
      const ldr = Number(register(cpu, "LDR"));
      return ldr >>> 16 === 0 && (ldr & destination) !== 0;
    }
    if (!isLogical) return Number(register(cpu, "ID") >> 24n) === destination;
    const logical = field(cpu, "LDR", "logical APIC ID");
    if (field(cpu, "DFR", "model") === 0xf) return (logical & destination) !== 0;
    return logical >> 4 === destination >> 4 && (logical & destination & 0xf) !== 0;
  });
}

function picBlockers(input: number, evidence: Evidence): Blocker[] {
  const { state, writers } = evidence;
  const pic = findDevice(state, "pic8259");
  if (!pic) return [{ at: "pic", where: "pic", reason: "absent", text: "This machine has no 8259A." }];
  const [chip, bit, port] =
    input < 8 ? (["master", input, 0x21] as const) : (["slave", input - 8, 0xa1] as const);
  const where = `pic:${input}`;
  if ((register(pic, `${chip} IMR`) >> BigInt(bit)) & 1n) {
    const text = `The 8259A masks its input ${input} (IMR).`;
    return [{ at: "pic", where, reason: "masked", text, writer: writers.find("pic", 0, port) }];
  }
  const cascadeMasked = chip === "slave" && (register(pic, "master IMR") >> 2n) & 1n;
  if (cascadeMasked) {
    const text = "The master 8259A masks its cascade input 2.";
    return [{ at: "pic", where, reason: "masked", text, writer: writers.find("pic", 0, 0x21) }];
  }
  const serving = register(pic, `${chip} ISR`);
  if (serving !== 0n) {
    const text = `The ${chip} 8259A is still serving (ISR ${serving.toString(2).padStart(8, "0")}): it waits for an EOI.`;
    return [{ at: "pic", where, reason: "in service", text }];
  }
  const ways = state.cpus.map((cpu) => lint0Blockers(cpu, writers));
  const open = ways.findIndex((way) => way.length === 0);
  if (open >= 0) return cpuBlockers(state.cpus[open]!, undefined, evidence);
  return ways[0]!;
}

/** How INTR of the PIC gets to a processor: as ExtINT through LINT0, or past a disabled APIC. */
function lint0Blockers(cpu: CpuState, writers: LastWriters): Blocker[] {
  if (cpu.apicMode === "disabled") return [];
  const where = `lapic${cpu.index}`;
  const writer = writers.find("lapic", cpu.index, 0x350);
  if (field(cpu, "LVT LINT0", "mask")) {
    const text = `CPU ${cpu.index}'s LVT LINT0 is masked, so it does not see the 8259A.`;
    return [{ at: "lapic", where, reason: "LVT mask", text, writer }];
  }
  if (deliveryModes[field(cpu, "LVT LINT0", "delivery mode")] === "ExtINT") return [];
  const text = `CPU ${cpu.index}'s LVT LINT0 is not in ExtINT mode.`;
  return [{ at: "lapic", where, reason: "LVT mode", text, writer }];
}

function explainVector(vector: number, cpu: number | undefined, evidence: Evidence): Explanation {
  const { state, writers } = evidence;
  const cpus = state.cpus.filter((candidate) => cpu === undefined || candidate.index === cpu);
  const name = vectorText(vector);
  const waiting = cpus.filter((candidate) => isWaiting(candidate, vector));
  if (waiting.length > 0) {
    const found = waiting.map((candidate) => deliveryBlockers(vector, candidate, evidence));
    return answer(found.find((way) => way.length > 0) ?? [], name);
  }
  const sources: Blocker[] = [];
  for (const candidate of cpus) {
    for (const offset of lvtOffsets) {
      const entry = candidate.registers.find((r) => r.offset === offset && r.name.startsWith("LVT"));
      if (!entry || Number(entry.value & 0xffn) !== vector || !((entry.value >> 16n) & 1n)) continue;
      const text = `CPU ${candidate.index}'s LVT ${lvtName(offset)} entry, which has ${name}, is masked.`;
      const writer = writers.find("lapic", candidate.index, offset);
      sources.push({ at: "lapic", where: `lapic${candidate.index}`, reason: "LVT mask", text, writer });
    }
  }
  for (let pin = 0; pin < 24; pin++) {
    const ioapic = findDevice(state, "ioapic");
    if (!ioapic || field(ioapic, `IOREDTBL${pin}`, "vector") !== vector) continue;
    const gsi = pin === 2 ? 0 : pin;
    sources.push(...explainGsi(gsi, false, evidence).blockers.filter(({ at }) => at !== "pic"));
  }
  sources.push(...messageBlockers(vector, evidence));
  if (sources.length > 0) return answer(sources, name);
  const quiet: Blocker = {
    at: "device",
    where: name,
    reason: "not requested",
    text: `${name} is in no IRR, and no unmasked source asks for it.`,
  };
  return answer([quiet], name);
}

/** Functions whose MSI or MSI-X would send this vector, but is masked or not enabled. */
function messageBlockers(vector: number, { state, writers }: Evidence): Blocker[] {
  const blockers: Blocker[] = [];
  for (const capability of messageCapabilities(state)) {
    const { name, device, instance, isExtended } = capability;
    const place = isExtended ? msixPlace : msiPlace;
    const block = (reason: string, text: string, at: number): void => {
      const writer = writers.find(device, instance, at);
      blockers.push({ at: "device", where: name, reason, text, writer });
    };
    for (const { entry, isMasked, isPending } of messagesWith(vector, capability)) {
      const which = `${name} vector ${entry}, which sends ${vectorText(vector)},`;
      const also = isPending ? "; its pending bit is set" : "";
      if (!field(capability, "message control", isExtended ? "MSI-X enable" : "MSI enable"))
        block("disabled", `${name} is not enabled.`, place);
      else if (isExtended && field(capability, "message control", "function mask"))
        block("function mask", `${name}: the function mask is set${also}.`, place);
      else if (isMasked)
        block(
          "masked",
          `${which} is masked${also}.`,
          isExtended ? msixTable + 16 * entry + 12 : msiPlace + 16,
        );
    }
  }
  return blockers;
}

/** Where the stream says that these registers were written (devices/interrupt/msi.h). */
const [msiPlace, msixPlace, msixTable] = [0x10000, 0x20000, 0x40000];

/** The entries of a capability whose data has this vector. MSI: the low bits of the data number the entries. */
function messagesWith(
  vector: number,
  capability: MessageCapability,
): { entry: number; isMasked: boolean; isPending: boolean }[] {
  if (!capability.isExtended) {
    const granted = 1 << field(capability, "message control", "multiple message enable");
    const first = field(capability, "message data", "vector") & ~(granted - 1);
    const entry = vector - first;
    if (entry < 0 || entry >= granted) return [];
    const bit = (name: string): boolean => ((register(capability, name) >> BigInt(entry)) & 1n) === 1n;
    return [{ entry, isMasked: bit("mask bits"), isPending: bit("pending bits") }];
  }
  return capability.registers.flatMap(({ name, fields }) => {
    const entry = /^vector (\d+) data$/.exec(name)?.[1];
    if (entry === undefined || fields[0]?.value !== vector) return [];
    const pending = capability.registers.find(
      (word) => word.name.startsWith("pending") && word.fields.some((f) => f.name === `vector ${entry}`),
    );
    const isPending = pending?.fields.find((f) => f.name === `vector ${entry}`)?.value === 1;
    const isMasked = field(capability, `vector ${entry} control`, "mask") === 1;
    return [{ entry: Number(entry), isMasked, isPending }];
  });
}

/** What keeps a vector from its handler once it is at a local APIC. `fresh`: it has still to be accepted. */
function deliveryBlockers(
  vector: number,
  only: CpuState | undefined,
  evidence: Evidence,
  fresh = false,
): Blocker[] {
  const { state, writers } = evidence;
  const cpu = only ?? state.cpus.find((candidate) => isWaiting(candidate, vector));
  if (!cpu) return [];
  const where = `lapic${cpu.index}`;
  if (cpu.apicMode === "disabled") {
    const text = `CPU ${cpu.index}'s local APIC is disabled in IA32_APIC_BASE.`;
    const writer = writers.find("lapic", cpu.index, 0x1b);
    return [{ at: "lapic", where, reason: "disabled", text, writer }];
  }
  if (fresh && !isWaiting(cpu, vector) && !field(cpu, "SVR", "APIC enable")) {
    const text = `CPU ${cpu.index}'s local APIC is software-disabled (SVR bit 8).`;
    const writer = writers.find("lapic", cpu.index, 0xf0);
    return [{ at: "lapic", where, reason: "software-disabled", text, writer }];
  }
  const ppr = Number(register(cpu, "PPR"));
  const tpr = Number(register(cpu, "TPR"));
  if (priorityClass(vector) <= priorityClass(ppr)) {
    const inService = vectorsIn(cpu, "ISR")[0];
    const byTask = inService === undefined || priorityClass(tpr) > priorityClass(inService);
    const cause = byTask ? `TPR is 0x${tpr.toString(16)}` : `${vectorText(inService)} is in service`;
    const text =
      `CPU ${cpu.index}: class ${priorityClass(vector)} of ${vectorText(vector)} is not above class ` +
      `${priorityClass(ppr)} of PPR, because ${cause}.`;
    const writer = byTask ? writers.find("lapic", cpu.index, 0x80) : undefined;
    return [{ at: "lapic", where, reason: byTask ? "TPR" : "PPR", text, writer }];
  }
  return cpuBlockers(cpu, vector, evidence);
}

function cpuBlockers(cpu: CpuState, vector: number | undefined, { gate }: Evidence): Blocker[] {
  const where = `cpu${cpu.index}`;
  const at = `at 0x${cpu.rip.toString(16)}`;
  if (cpu.activity === "waits for SIPI" || cpu.activity === "shut down")
    return [{ at: "cpu", where, reason: cpu.activity, text: `CPU ${cpu.index} ${cpu.activity}.` }];
  if (!cpu.interruptFlag)
    return [{ at: "cpu", where, reason: "IF", text: `CPU ${cpu.index} runs with IF clear (${at}).` }];
  if (cpu.shadow) {
    const text = `CPU ${cpu.index} is in the shadow of STI or MOV SS (${at}).`;
    return [{ at: "cpu", where, reason: "shadow", text }];
  }
  if (vector !== undefined && gate?.(cpu, vector) === "absent") {
    const text = `CPU ${cpu.index}'s IDT has no present entry for ${vectorText(vector)}: a fault is delivered instead.`;
    return [{ at: "idt", where, reason: "no IDT entry", text }];
  }
  return [];
}
