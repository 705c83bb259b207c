// The element's markup, and what changes in it.
import { icon, type IconName } from "./icons";
import css from "./style.css?inline";

export type MachineState = "off" | "loading" | "booting" | "running" | "paused" | "ended" | "failed";

const stateWords: Record<MachineState, string> = {
  off: "Off",
  loading: "Loading",
  booting: "Booting",
  running: "Running",
  paused: "Paused",
  ended: "Powered off",
  failed: "Stopped",
};

export const steps = ["download", "start", "kernel"] as const;
export type Step = (typeof steps)[number];
const stepNames: Record<Step, string> = {
  download: "Download",
  start: "Set up the machine",
  kernel: "Kernel takes over",
};

export interface Actions {
  power(): void;
  toggleRun(): void;
  reset(): void;
  copy(): void;
  paste(): void;
  resize(): void;
  toggleKeys(): void;
  toggleReader(): void;
  toggleScreen(): void;
  toggleInterrupts(): void;
}

export interface DiskProgress {
  name: string;
  fetchedBytes: number;
  size: number;
  isWaiting: boolean;
}

export class View {
  readonly terminal: HTMLElement;
  readonly stage: HTMLElement;
  readonly #root: ShadowRoot;
  readonly #status: HTMLElement;

  constructor(root: ShadowRoot, actions: Actions, keyBar: HTMLElement) {
    this.#root = root;
    root.innerHTML = markup;
    root.append(keyBar);
    this.terminal = this.#find(".console");
    this.stage = this.#find(".stage");
    this.#status = this.#find(".status");
    for (const button of root.querySelectorAll<HTMLButtonElement>("button[data-action]")) {
      button.addEventListener("click", () => actions[button.dataset["action"] as keyof Actions]());
    }
    this.setState("off");
  }

  setState(state: MachineState): void {
    this.#status.dataset["state"] = state;
    this.#find(".word").textContent = stateWords[state];
    const isLive = state === "running" || state === "booting" || state === "paused";
    const toggle = this.#button("toggleRun");
    const name = state === "paused" ? "Run" : "Pause";
    toggle.innerHTML = icon(state === "paused" ? "play" : "pause");
    setName(toggle, name);
    for (const action of ["toggleRun", "paste", "resize"] as const) this.#button(action).disabled = !isLive;
    this.#button("reset").disabled = !isLive && state !== "ended";
    this.#button("copy").disabled = state === "off" || state === "loading";
    if (!isLive) {
      this.setMeter("");
      this.#find(".disk").textContent = "";
    }
  }

  /** How much of a disk image has come, and whether the guest stands still for more. */
  showDisk({ name, fetchedBytes, size, isWaiting }: DiskProgress): void {
    const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
    const amount = `${mebibytes(fetchedBytes)} of ${mebibytes(size)} MiB`;
    this.#find(".disk").textContent = isWaiting ? `waiting for ${name}, ${amount}` : `${name}, ${amount}`;
  }
  showWarning(sentence: string): void {
    this.#find(".disk").textContent = sentence;
    this.announce(sentence);
  }

  setMeter(text: string): void {
    this.#find(".meter").textContent = text;
  }

  setPressed(
    action: "toggleKeys" | "toggleReader" | "toggleScreen" | "toggleInterrupts",
    isPressed: boolean,
  ): void {
    this.#button(action).setAttribute("aria-pressed", String(isPressed));
  }

  /** Puts a panel beside the terminal, with its button in the bar. */
  addPanel(panel: HTMLElement): void {
    this.#find(".body").append(panel);
  }
  offer(action: "toggleScreen" | "toggleInterrupts", isOffered: boolean): void {
    this.#button(action).hidden = !isOffered;
  }
  /** Whether the screen takes the terminal's place. */
  get isScreenShown(): boolean {
    return this.terminal.hidden === true;
  }
  set isScreenShown(isShown: boolean) {
    this.terminal.hidden = isShown;
  }
  focusBar(): void {
    this.#button("toggleRun").focus();
  }

  /** The start button with a line below it; at the edge when the guest's last output should stay in sight. */
  showStart(label: string, note: string, { isError = false, hasOutput = false } = {}): void {
    this.#find(".cover").hidden = false;
    this.#find(".cover").classList.toggle("band", hasOutput);
    this.#find(".steps").hidden = true;
    this.#find(".start").hidden = false;
    this.#find(".start strong").textContent = label;
    const line = this.#find(".note");
    line.textContent = note;
    line.classList.toggle("error", isError);
  }

  showProgress(now: Step, detail: string, share: number | undefined): void {
    this.#find(".cover").hidden = false;
    this.#find(".cover").classList.remove("band");
    this.#find(".start").hidden = true;
    this.#find(".note").textContent = "";
    const list = this.#find(".steps");
    list.hidden = false;
    steps.forEach((step, i) => {
      const item = list.children[i] as HTMLElement;
      item.dataset["step"] = i < steps.indexOf(now) ? "done" : step === now ? "now" : "later";
      item.querySelector(".detail")!.textContent = step === now ? detail : "";
      const bar = item.querySelector("progress")!;
      bar.hidden = step !== now || share === undefined;
      bar.value = share ?? 0;
    });
  }

  hideCover(): void {
    this.#find(".cover").hidden = true;
  }

  /** Told to screen readers. */
  announce(text: string): void {
    this.#find(".hidden").textContent = text;
  }

  #find(selector: string): HTMLElement {
    return this.#root.querySelector<HTMLElement>(selector)!;
  }
  #button(action: keyof Actions): HTMLButtonElement {
    return this.#root.querySelector<HTMLButtonElement>(`button[data-action="${action}"]`)!;
  }
}

function setName(button: HTMLButtonElement, name: string): void {
  button.title = name;
  button.setAttribute("aria-label", name);
}

const button = (action: keyof Actions, iconName: IconName, name: string, extra = ""): string =>
  `<button type="button" data-action="${action}" title="${name}" aria-label="${name}" ${extra}>${icon(iconName)}</button>`;

const markup = `
<style>${css}</style>
<div class="bar" role="toolbar" aria-label="Machine">
  ${button("toggleRun", "pause", "Pause")}
  ${button("reset", "reset", "Reset")}
  <span class="gap"></span>
  ${button("copy", "copy", "Copy")}
  ${button("paste", "paste", "Paste")}
  ${button("resize", "resize", "Tell the guest the terminal's size")}
  ${button("toggleKeys", "keys", "Extra keys", 'aria-pressed="false"')}
  ${button("toggleReader", "reader", "Screen reader mode", 'aria-pressed="false"')}
  ${button("toggleScreen", "screen", "Screen", 'aria-pressed="false" hidden')}
  ${button("toggleInterrupts", "interrupts", "Interrupts", 'aria-pressed="false" hidden')}
  <span class="status"><span class="disk"></span><span class="meter"></span><span class="lamp"></span><span class="word"></span></span>
</div>
<div class="body"><div class="stage">
  <div class="console" part="terminal"></div>
  <div class="cover">
    <button type="button" class="start" data-action="power">
      <span class="disc">${icon("power")}</span><strong></strong>
    </button>
    <ol class="steps" hidden>${steps
      .map(
        (step) =>
          `<li><span>${stepNames[step]}</span><span class="detail"></span>` +
          `<progress max="1" aria-label="${stepNames[step]}"></progress></li>`,
      )
      .join("")}</ol>
    <p class="note"></p>
  </div>
</div></div>
<div class="hidden" role="status" aria-live="polite"></div>`;
