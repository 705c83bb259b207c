// What the engine answers to "state interrupts", and access to its registers by name.

export interface RegisterState {
  name: string;
  offset: number;
  /** Bits. */
  width: number;
  /** Of the manual. */
  section: string;
  value: bigint;
  fields: FieldState[];
}

export interface FieldState {
  name: string;
  low: number;
  width: number;
  value: number;
}

export interface DeviceState {
  name: string;
  registers: RegisterState[];
}

export interface CpuState {
  index: number;
  apicId: number;
  apicMode: "disabled" | "xAPIC" | "x2APIC";
  activity: "running" | "halted" | "waits for SIPI" | "shut down";
  mode: "real" | "protected" | "long";
  rip: bigint;
  interruptFlag: boolean;
  shadow: boolean;
  nmiBlocked: boolean;
  idtBase: bigint;
  idtLimit: number;
  /** Handlers entered since power-on: [vector, count]. */
  entered: [number, number][];
  registers: RegisterState[];
}

export interface InterruptState {
  instructions: number;
  ns: number;
  /** Records that an overwriting ring has dropped. */
  lost: number;
  gsiLevels: bigint;
  /** Hops since power-on, by event kind. */
  counts: number[];
  /** How often each GSI was raised since power-on. */
  raised: number[];
  devices: DeviceState[];
  cpus: CpuState[];
}

interface RawRegister extends Omit<RegisterState, "value" | "fields"> {
  value: string;
  fields: [string, number, number][];
}

export function parseState(json: string): InterruptState {
  const raw = JSON.parse(json);
  return {
    ...raw,
    gsiLevels: BigInt(raw.gsiLevels),
    devices: raw.devices.map((device: { registers: RawRegister[] }) => ({
      ...device,
      registers: device.registers.map(parseRegister),
    })),
    cpus: raw.cpus.map((cpu: { rip: string; idtBase: string; registers: RawRegister[] }) => ({
      ...cpu,
      rip: BigInt(cpu.rip),
      idtBase: BigInt(cpu.idtBase),
      registers: cpu.registers.map(parseRegister),
    })),
  };
}

function parseRegister(raw: RawRegister): RegisterState {
  const value = BigInt(raw.value);
  const fields = raw.fields.map(([name, low, width]) => ({
    name,
    low,
    width,
    value: Number((value >> BigInt(low)) & ((1n << BigInt(width)) - 1n)),
  }));
  return { ...raw, value, fields };
}

interface Registers {
  registers: RegisterState[];
}

export const findDevice = (state: InterruptState, name: string): DeviceState | undefined =>
  state.devices.find((device) => device.name === name);

/** The MSI and MSI-X capabilities of PCI functions: "nvme0 MSI-X". */
export interface MessageCapability extends DeviceState {
  /** As the event stream names the function. */
  device: string;
  instance: number;
  isExtended: boolean;
}

export function messageCapabilities(state: InterruptState): MessageCapability[] {
  return state.devices.flatMap((candidate) => {
    const [, device, number, kind] = /^(\D+)(\d*) (MSI(?:-X)?)$/.exec(candidate.name) ?? [];
    if (!device) return [];
    return [{ ...candidate, device, instance: Number(number ?? 0), isExtended: kind === "MSI-X" }];
  });
}

export function register(of: Registers, name: string): bigint {
  return of.registers.find((candidate) => candidate.name === name)?.value ?? 0n;
}

export function field(of: Registers, name: string, fieldName: string): number {
  const found = of.registers.find((candidate) => candidate.name === name);
  return found?.fields.find((candidate) => candidate.name === fieldName)?.value ?? 0;
}

/** The vectors in IRR, ISR or TMR, the highest first. */
export function vectorsIn(cpu: CpuState, set: "IRR" | "ISR" | "TMR"): number[] {
  const vectors: number[] = [];
  for (let word = 7; word >= 0; word--) {
    const bits = Number(register(cpu, `${set} ${word}`));
    for (let bit = 31; bit >= 0; bit--) if ((bits >>> bit) & 1) vectors.push(32 * word + bit);
  }
  return vectors;
}

export const gsiLevel = (state: InterruptState, gsi: number): boolean =>
  ((state.gsiLevels >> BigInt(gsi)) & 1n) === 1n;

/** How often a processor has entered the handlers of these vectors since power-on. */
export const enteredBy = ({ entered }: CpuState, vectors: readonly number[]): number =>
  entered.reduce((sum, [vector, count]) => sum + (vectors.includes(vector) ? count : 0), 0);
