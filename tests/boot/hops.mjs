// Hops of an interrupt's journey as text, for the golden files of the walks.
import path from "node:path";
import { fileURLToPath } from "node:url";

export const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../golden/walks");

/** One hop as a line: "ioapic0: ioapic latched, line 1, vector 0x22". */
export function hopLine(hop) {
  const where =
    hop.device === "lapic" || hop.device === "cpu"
      ? `${hop.device}${hop.cpu}`
      : `${hop.device}${hop.instance}`;
  const parts = [`${where}: ${hop.kind}`];
  const hasLine = /^(line|pic|ioapic|lvt|lapic masked|device (raise|lower))/.test(hop.kind);
  // A message vector of a PCI function has bit 31 set, its INTx pin bit 30.
  if (hasLine && hop.line >= 2 ** 31) parts.push(`message vector ${hop.line - 2 ** 31}`);
  else if (hasLine && hop.line >= 2 ** 30) parts.push(`INTx pin ${hop.line - 2 ** 30}`);
  else if (hasLine)
    parts.push(hop.kind.startsWith("lvt") ? `LVT 0x${hop.line.toString(16)}` : `line ${hop.line}`);
  if (hop.vector !== undefined && hop.vector !== 0) parts.push(`vector 0x${hop.vector.toString(16)}`);
  return parts.join(", ");
}
