import { type LapwingPc } from "../src/element/element";
import "../src/element/element";
import { describe, loadGuests, type Guest } from "./guests";

const commands = [
  "uname -a",
  "cat /proc/interrupts",
  "cat /proc/cpuinfo",
  "dmesg | tail",
  "free -m",
  "poweroff",
];
const memories = ["64M", "128M", "256M", "512M", "1G"];
const mostCpus = 4;

const find = <T extends Element>(selector: string): T => document.querySelector<T>(selector)!;
const pc = find<LapwingPc>("lapwing-pc");
const form = find<HTMLFormElement>("#choice");
const append = find<HTMLInputElement>("#append");
const memory = find<HTMLSelectElement>("#memory");
const cpus = find<HTMLSelectElement>("#cpus");
const consoleChoice = find<HTMLSelectElement>("#console");
const kernelFile = find<HTMLInputElement>("#kernel");
const initrdFile = find<HTMLInputElement>("#initrd");
const tries = find<HTMLElement>(".tries");

let guests: Guest[] = [];

const chosenGuest = (): Guest | undefined =>
  guests.find(({ name }) => name === find<HTMLInputElement>("input[name=guest]:checked")?.value);

function fillSelect(select: HTMLSelectElement, values: string[], chosen: string): void {
  select.replaceChildren(
    ...values.map((value) => new Option(value, value, value === chosen, value === chosen)),
  );
}

function guestCard(guest: Guest, isFirst: boolean): HTMLLabelElement {
  const label = document.createElement("label");
  label.className = "guest";
  const input = Object.assign(document.createElement("input"), {
    type: "radio",
    name: "guest",
    value: guest.name,
  });
  input.checked = isFirst;
  const title = Object.assign(document.createElement("strong"), { textContent: guest.title });
  const note = Object.assign(document.createElement("small"), { textContent: describe(guest) });
  label.append(input, title, note);
  return label;
}

/** Puts the form's choices into the element; a machine that runs is left alone until it is started again. */
function applyChoice(): void {
  const [kernel, initrd] = [kernelFile.files?.[0], initrdFile.files?.[0]];
  const guest = kernel ? undefined : chosenGuest();
  pc.setFiles({ kernel, initrd });
  setOrRemove("kernel", guest?.kernel);
  setOrRemove("initrd", guest?.initrd);
  const onScreen = consoleChoice.value === "screen";
  // The last console= is the one of the shell.
  pc.setAttribute("append", onScreen ? `${append.value} console=tty0`.trim() : append.value);
  pc.setAttribute("view", onScreen ? "screen terminal interrupts" : "terminal interrupts");
  pc.setAttribute("memory", memory.value);
  pc.setAttribute("cpus", cpus.value);
  const name = kernel?.name ?? guest?.title;
  pc.setAttribute("label", name ? `Start ${name}` : "Choose a kernel first");
}

function setOrRemove(name: string, value: string | undefined): void {
  if (value) pc.setAttribute(name, value);
  else pc.removeAttribute(name);
}

/** A newly chosen guest brings its own settings, and its machine. */
function takeGuest(): void {
  const guest = chosenGuest();
  for (const input of [kernelFile, initrdFile]) input.value = "";
  showFileNames();
  if (guest) {
    append.value = guest.append;
    memory.value = memories.includes(guest.memory) ? guest.memory : "256M";
  }
  applyChoice();
  if (pc.state !== "off") pc.dispose();
}

function takeFiles(): void {
  showFileNames();
  if (kernelFile.files?.[0]) {
    const checked = find<HTMLInputElement>("input[name=guest]:checked");
    if (checked) checked.checked = false;
    append.value ||= "console=ttyS0";
  }
  applyChoice();
  if (pc.state !== "off") pc.dispose();
}

function showFileNames(): void {
  for (const input of [kernelFile, initrdFile]) {
    const name = input.parentElement!.querySelector<HTMLElement>(".name")!;
    const file = input.files?.[0];
    name.textContent = file?.name ?? name.dataset["empty"]!;
    input.parentElement!.classList.toggle("full", file !== undefined);
  }
}

/** The first dropped file anywhere on the page is the kernel, the second the initrd. */
function acceptDrops(): void {
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    const target = (event.target as Element).closest?.(".drop")?.querySelector("input");
    const inputs = target === initrdFile ? [initrdFile] : [kernelFile, initrdFile];
    [...event.dataTransfer.files].slice(0, inputs.length).forEach((file, i) => {
      const list = new DataTransfer();
      list.items.add(file);
      inputs[i]!.files = list.files;
    });
    takeFiles();
  });
}

function offerCommands(): void {
  const list = tries.querySelector("ul")!;
  for (const command of commands) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: command });
    button.addEventListener("click", () => {
      pc.write(`${command}\r`);
      pc.focus();
    });
    const item = document.createElement("li");
    item.append(button);
    list.append(item);
  }
  pc.addEventListener("lapwing-state", () => (tries.hidden = pc.state !== "running"));
}

async function main(): Promise<void> {
  fillSelect(memory, memories, "256M");
  fillSelect(
    cpus,
    Array.from({ length: mostCpus }, (_, i) => String(i + 1)),
    "1",
  );
  acceptDrops();
  offerCommands();
  guests = await loadGuests();
  find<HTMLElement>(".guests .empty").hidden = guests.length > 0;
  find(".guests").append(...guests.map((guest, i) => guestCard(guest, i === 0)));
  takeGuest();
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => {
    if ((target as HTMLInputElement).name === "guest") takeGuest();
    else if (target === kernelFile || target === initrdFile) takeFiles();
    else applyChoice();
  });
}

await main();
