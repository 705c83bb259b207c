import { messageCapabilities, type InterruptState, type RegisterState } from "../model";
import type { Writer } from "../model";

interface Chip {
  title: string;
  /** As the event stream calls it, to find the last writer. */
  device: string;
  instance: number;
  registers: RegisterState[];
  isOpenAtFirst: boolean;
}

const shown: Record<string, { title: string; device: string }> = {
  pic8259: { title: "8259A pair", device: "pic" },
  ioapic: { title: "I/O APIC", device: "ioapic" },
  ioapic1: { title: "Second I/O APIC", device: "ioapic" },
  hpet: { title: "HPET", device: "hpet" },
};

/** A table of registers by field name for each controller; only opened ones are kept up to date. */
export class RegisterTables {
  readonly #place: HTMLElement;
  readonly #writer: (device: string, instance: number, register: number) => Writer | undefined;
  readonly #chips = new Map<
    string,
    { details: HTMLDetailsElement; rows: Map<string, HTMLTableRowElement> }
  >();

  constructor(
    place: HTMLElement,
    writer: (device: string, instance: number, register: number) => Writer | undefined,
  ) {
    this.#place = place;
    this.#writer = writer;
  }

  show(state: InterruptState): void {
    const chips = chipsOf(state);
    const titles = new Set(chips.map(({ title }) => title));
    for (const [title, { details }] of this.#chips) {
      if (titles.has(title)) continue;
      details.remove();
      this.#chips.delete(title);
    }
    for (const chip of chips) this.#showChip(chip);
  }

  #showChip(chip: Chip): void {
    let entry = this.#chips.get(chip.title);
    if (!entry) {
      const details = document.createElement("details");
      details.open = chip.isOpenAtFirst;
      details.append(Object.assign(document.createElement("summary"), { textContent: chip.title }));
      const body = document.createElement("table");
      body.append(head());
      details.append(body);
      this.#place.append(details);
      this.#chips.set(chip.title, (entry = { details, rows: new Map() }));
    }
    if (!entry.details.open) return;
    for (const register of chip.registers) this.#showRegister(chip, entry, register);
    // Entries of an MSI-X table come and go.
    const names = new Set(chip.registers.map(({ name }) => name));
    for (const [name, row] of entry.rows) {
      if (names.has(name)) continue;
      row.remove();
      entry.rows.delete(name);
    }
  }

  #showRegister(
    chip: Chip,
    { details, rows }: { details: HTMLDetailsElement; rows: Map<string, HTMLTableRowElement> },
    register: RegisterState,
  ): void {
    let row = rows.get(register.name);
    if (!row) {
      row = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = register.name;
      name.title = register.section;
      row.append(name, ...[0, 1, 2].map(() => document.createElement("td")));
      details.querySelector("table")!.append(row);
      rows.set(register.name, row);
    }
    const writer = this.#writer(chip.device, chip.instance, register.offset);
    const texts = [
      register.value.toString(16).padStart(Math.ceil(register.width / 4), "0"),
      register.fields
        .map(({ name, value }) => `${name} ${value > 9 ? `0x${value.toString(16)}` : value}`)
        .join(" · "),
      writer ? `0x${writer.rip.toString(16)}` : "",
    ];
    texts.forEach((text, i) => {
      const cell = row.children[i + 1]!;
      if (cell.textContent !== text) cell.textContent = text;
    });
  }
}

function head(): HTMLTableSectionElement {
  const section = document.createElement("thead");
  const row = section.insertRow();
  for (const text of ["Register", "Value", "Fields", "Last writer"]) {
    row.append(Object.assign(document.createElement("th"), { scope: "col", textContent: text }));
  }
  return section;
}

function chipsOf(state: InterruptState): Chip[] {
  const cpus = state.cpus.map((cpu) => ({
    title: `Local APIC of CPU ${cpu.index} (${cpu.apicMode})`,
    device: "lapic",
    instance: cpu.index,
    registers: cpu.registers,
    isOpenAtFirst: false,
  }));
  const devices = state.devices
    .filter(({ name }) => name in shown)
    .map(({ name, registers }) => ({
      ...shown[name]!,
      instance: name === "ioapic1" ? 1 : 0,
      registers,
      isOpenAtFirst: false,
    }));
  const messages = messageCapabilities(state).map(({ name, device, instance, registers }) => ({
    ...{ title: name, device, instance, registers },
    isOpenAtFirst: false,
  }));
  const rank = (title: string): number =>
    ["8259A", "I/O", "Second", "Local", "HPET"].findIndex((word) => title.startsWith(word));
  return [...[...devices, ...cpus].sort((a, b) => rank(a.title) - rank(b.title)), ...messages];
}
