// Registers as GDB's remote protocol lays them out: its descriptions i386:x86-64 and i386, in their order.

/** One processor as the engine's question "registers" tells of it; values by name. */
export type Registers = Map<string, bigint>;

/** The processors, in order. */
export function parseRegisters(text: string): Registers[] {
  return text
    .split(/^(?=CPU#)/m)
    .filter((part) => part.startsWith("CPU#"))
    .map((part) => {
      const values: Registers = new Map();
      for (const [, name, value] of part.matchAll(/\b([A-Z][A-Z0-9]*) *=([0-9a-f]+)/g))
        values.set(name!, BigInt(`0x${value}`));
      for (const [, name, base] of part.matchAll(/^([CFG]S) +=[0-9a-f]+ ([0-9a-f]+)/gm))
        values.set(`${name}_BASE`, BigInt(`0x${base}`));
      return values;
    });
}

type Row = [name: string | undefined, bytes: number];
const rows = (names: string, bytes: number): Row[] => names.split(" ").map((name) => [name, bytes]);
const unknown = (count: number, bytes: number): Row[] =>
  Array.from({ length: count }, () => [undefined, bytes]);
const xmm = (count: number): Row[] => Array.from({ length: count }, (_, i) => [`XMM${i}`, 16]);

const segments = rows("CS SS DS ES FS GS", 4);
/** ST(0) to ST(7) are not among the answers; then FCTRL, FSTAT, FTAG, FISEG, FIOFF, FOSEG, FOOFF, FOP. */
const fpu: Row[] = [...unknown(8, 10), ["FCW", 4], ["FSW", 4], ...unknown(6, 4)];

const layouts: Record<Architecture, Row[]> = {
  "i386:x86-64": [
    ...rows("RAX RBX RCX RDX RSI RDI RBP RSP R8 R9 R10 R11 R12 R13 R14 R15 RIP", 8),
    ["RFL", 4],
    ...segments,
    ...fpu,
    ...xmm(16),
    ["MXCSR", 4],
    ...rows("FS_BASE GS_BASE", 8),
  ],
  i386: [...rows("RAX RCX RDX RBX RSP RBP RSI RDI RIP RFL", 4), ...segments, ...fpu, ...xmm(8), ["MXCSR", 4]],
};
export type Architecture = "i386:x86-64" | "i386";

/** Hexadecimal digits of each register, lowest byte first; what is not known is x. */
export function registerTexts(registers: Registers, architecture: Architecture): string[] {
  return layouts[architecture].map(([name, bytes]) => {
    const value = name === undefined ? undefined : registers.get(name);
    if (value === undefined) return "xx".repeat(bytes);
    const digits = BigInt.asUintN(8 * bytes, value)
      .toString(16)
      .padStart(2 * bytes, "0");
    return digits.match(/../g)!.reverse().join("");
  });
}
