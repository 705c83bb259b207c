// What the bench runs in its guests, in its order: name and class. A name is a C source or a script beside this file.
export const kClasses = ["integer and system", "floating point", "bulk memory"];

const kIntegerAndSystem = [
  ...["integer", "sha256", "arith64", "interp_switch", "interp_goto", "recursion", "indirect", "selfmod"],
  ...["syscalls", "fork", "pipe", "page_faults", "chase", "gzip", "awk", "sort", "shell_loop", "spawn"],
];
const kFloatingPoint = ["x87", "sse_scalar", "sse_packed"];
const kBulkMemory = ["memcpy", "rep_movs"];

export const kBenchPrograms = [...kIntegerAndSystem, ...kFloatingPoint, ...kBulkMemory];
export const kBenchScripts = ["gzip", "awk", "sort", "shell_loop", "spawn"];

/** Large programs with flat profiles: scripts that run Debian's perl and its C compiler. */
export const kDispersed = ["perl", "cc1"];

export function classOf(name) {
  const members = [kIntegerAndSystem, kFloatingPoint, kBulkMemory];
  return kClasses[members.findIndex((names) => names.includes(name))];
}
