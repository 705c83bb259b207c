import { LapwingError, messageOf } from "../errors";
import { workerClient, type Client } from "../engine/client";
import { diskRequests } from "../disk_options";
import type { BootFile, DiskRequest, EndReason, FileSource, SessionEvent } from "../engine/protocol";
import type { InterruptPanel } from "../interrupts/view/panel";
import type { ScreenView } from "../io/screen";
import type { TerminalView } from "../io/terminal";
import { defaultMemory, parseMemory } from "../memory_size";
import { KeyBar } from "./key_bar";
import { Meter } from "./meter";
import { View, type MachineState } from "./view";

const pollMs = 1000;
const bootPollMs = 250;
/** A guest this idle over a poll has finished booting. */
const bootedIdleShare = 0.5;
const mebibyte = 2 ** 20;

const endSentences: Record<EndReason, string> = {
  "power-off": "The guest powered off.",
  reset: "The guest asked for a reset.",
  "triple-fault": "The guest crashed (triple fault).",
  exit: "The guest ended the machine.",
  idle: "The guest halted for good.",
  "replay-end": "The recording ended.",
  breakpoint: "A breakpoint was reached.",
};

const diskAttributes = ["hda", "hdb", "hdc", "hdd", "cdrom", "nvme"] as const;
type OwnFiles = Partial<Record<"kernel" | "initrd" | (typeof diskAttributes)[number], Blob>>;
const views = ["terminal", "screen", "interrupts"];

/**
 * `<lapwing-pc kernel initrd bios append memory cpus view controls>`: a PC with a serial terminal, a screen, or both. Nothing but this script
 * is loaded before start() or a click.
 */
export class LapwingPc extends HTMLElement {
  static readonly observedAttributes = ["kernel", "initrd", "bios", "label", "theme", "view"];

  readonly #view: View;
  readonly #keyBar = new KeyBar((text) => this.#sendKeys(text));
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  #client: Client | undefined;
  #terminal: TerminalView | undefined;
  #screen: ScreenView | undefined;
  #panel: InterruptPanel | undefined;
  #state: MachineState = "off";
  #meter = new Meter();
  #poll: ReturnType<typeof setTimeout> | undefined;
  #downloads = new Map<string, { loaded: number; total: number | undefined }>();
  #files: OwnFiles = {};
  #readerMode = false;
  #hasOutput = false;
  #generation = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    this.#view = new View(
      root,
      {
        power: () => void this.start(),
        toggleRun: () => void (this.#state === "paused" ? this.run() : this.pause()),
        reset: () => void this.start(),
        copy: () => void this.#copy(),
        paste: () => void this.#paste(),
        resize: () => this.#type("resize\r"),
        toggleKeys: () => this.#showKeys(!this.hasAttribute("keys")),
        toggleReader: () => this.#setReaderMode(!this.#readerMode),
        toggleScreen: () => this.#showScreen(!this.#isScreenShown),
        toggleInterrupts: () => void this.#showInterrupts(!this.#panel?.isOpen),
      },
      this.#keyBar.element,
    );
  }

  connectedCallback(): void {
    this.#dark.addEventListener("change", this.#applyTheme);
    document.addEventListener("visibilitychange", this.#schedulePoll);
    if (matchMedia("(pointer: coarse)").matches) this.#showKeys(true);
    if (!this.hasAttribute("role")) this.setAttribute("role", "group");
    if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", "Virtual PC");
    if (this.#state === "off") this.#showOff();
  }

  disconnectedCallback(): void {
    this.#dark.removeEventListener("change", this.#applyTheme);
    document.removeEventListener("visibilitychange", this.#schedulePoll);
    this.dispose();
  }

  attributeChangedCallback(name: string): void {
    if (name === "theme") this.#applyTheme();
    else if (name === "view") this.#offerViews();
    else if (this.#state === "off") this.#showOff();
  }

  get state(): MachineState {
    return this.#state;
  }

  /** The reader's own files, in place of the attributes' URLs. */
  setFiles(files: OwnFiles): void {
    this.#files = files;
    if (this.#state === "off") this.#showOff();
  }

  /** Loads everything and boots. */
  async start(): Promise<void> {
    this.dispose();
    const generation = this.#generation;
    this.#setState("loading");
    this.#view.showProgress("download", "", undefined);
    try {
      const files = this.#bootFiles();
      const config = this.#config();
      const disks = await this.#disks();
      const client = await workerClient(ownFile("worker.js"), (event) => {
        if (generation === this.#generation) this.#take(event);
      });
      if (generation !== this.#generation) return client.dispose();
      this.#client = client;
      await this.#openTerminal();
      if (this.#hasView("screen")) await this.#openScreen(client);
      const wasm = { url: ownFile("lapwing.wasm") };
      await client.request("boot", { wasm, config, files, disks, clock: "realtime" });
      if (this.#screen) await client.request("watchScreen", true);
      this.#attachPanel();
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
  }

  async run(): Promise<void> {
    await this.#client?.request("run", undefined);
    this.#focusConsole();
  }
  async pause(): Promise<void> {
    await this.#client?.request("pause", undefined);
  }
  /** Types into what is shown: the serial console, or the keyboard of the screen. */
  write(text: string): void {
    if (this.#isScreenShown) this.#screen!.paste(text);
    else this.#type(text);
  }
  /** The monitor's questions: "info pic", "registers" ... */
  query(question: string): Promise<string> {
    if (!this.#client)
      return Promise.reject(new LapwingError("stopped", "The machine has not been started."));
    return this.#client.request("query", question);
  }

  /** Ends the machine and frees its memory; start() begins anew. */
  dispose(): void {
    this.#endMachine();
    this.#hasOutput = false;
    this.#terminal?.dispose();
    this.#terminal = undefined;
    this.#screen?.dispose();
    this.#screen = undefined;
    this.#downloads.clear();
    this.#meter = new Meter();
    this.#setState("off");
    this.#showOff();
  }

  #endMachine(): void {
    this.#generation++;
    clearTimeout(this.#poll);
    this.#client?.dispose();
    this.#client = undefined;
    this.#panel?.attach(undefined);
  }

  #config() {
    const memory = this.getAttribute("memory");
    const view = this.getAttribute("view")
      ?.split(/\s+/)
      .find((name) => name && !views.includes(name));
    if (view)
      throw new LapwingError(
        "not_supported",
        `view="${view}" is not supported yet; use view="terminal screen interrupts".`,
      );
    return {
      memory: memory ? parseMemory(memory) : defaultMemory,
      cpus: Number(this.getAttribute("cpus") ?? 1),
      cpu: this.getAttribute("cpu") ?? undefined,
      append: this.getAttribute("append") ?? "console=ttyS0",
      boot: this.getAttribute("boot") ?? undefined,
      vga: this.#hasView("screen") ? ("std" as const) : undefined,
      rtc: Math.floor(Date.now() / 1000),
    };
  }

  /** The attributes hda ... hdd, cdrom and nvme, or the reader's own files in their place. */
  #disks(): Promise<DiskRequest[]> {
    const inputs: Record<string, string | Blob> = {};
    for (const name of diskAttributes) {
      const input = this.#files[name] ?? this.getAttribute(name);
      if (input) inputs[name] = input;
    }
    return diskRequests(inputs, async (input: string | Blob) =>
      typeof input === "string" ? { url: new URL(input, document.baseURI).href } : { blob: input },
    );
  }

  #bootFiles(): BootFile[] {
    const source = (name: "kernel" | "initrd" | "bios"): FileSource | undefined => {
      const blob = name === "bios" ? undefined : this.#files[name];
      if (blob) return { blob };
      const url = this.getAttribute(name);
      return url ? { url: new URL(url, document.baseURI).href } : undefined;
    };
    const kernel = source("kernel");
    const videoBios: BootFile[] = [];
    if (this.#hasView("screen")) {
      const url = ownFile("firmware/vgabios-stdvga.bin");
      videoBios.push({ kind: "vgabios", name: "the video BIOS", source: { url }, isOptional: true });
    }
    if (!kernel) {
      const firmware = this.#firmware(source("bios"));
      return [{ kind: "bios", name: "the firmware", source: firmware }, ...videoBios];
    }
    const initrd = source("initrd");
    const files: BootFile[] = [{ kind: "kernel", name: "the kernel", source: kernel }, ...videoBios];
    if (initrd) files.push({ kind: "initrd", name: "the initrd", source: initrd });
    return files;
  }

  /** The bios attribute's file; without a value it is SeaBIOS. */
  #firmware(chosen: FileSource | undefined): FileSource {
    const hasDisk = diskAttributes.some((name) => this.hasAttribute(name) || this.#files[name]);
    if (!hasDisk && !this.hasAttribute("bios"))
      throw new LapwingError(
        "bad_option",
        "Nothing to boot: give the element a kernel, hda, cdrom, nvme or bios attribute.",
      );
    return chosen ?? { url: ownFile("firmware/bios-256k.bin") };
  }

  async #openTerminal(): Promise<void> {
    const generation = this.#generation;
    const { TerminalView: View } = await import("../io/terminal");
    if (generation !== this.#generation) return;
    this.#terminal = new View({
      container: this.#view.terminal,
      root: this.shadowRoot!,
      onInput: (text) => this.#type(this.#keyBar.withControl(text)),
      onResize: () => {},
    });
    this.#terminal.setScreenReaderMode(this.#readerMode);
    this.#applyTheme();
  }

  async #openScreen(client: Client): Promise<void> {
    const generation = this.#generation;
    const { ScreenView: View } = await import("../io/screen");
    if (generation !== this.#generation) return;
    const send = (request: Promise<void>) => void request.catch((error: unknown) => this.#fail(error));
    this.#screen = new View({
      container: this.#view.stage,
      key: (code, isPressed) => this.#isLive && send(client.request("key", { code, isPressed })),
      mouse: (input) => this.#isLive && send(client.request("mouse", input)),
      shown: () => void client.request("screenShown", undefined).catch(() => {}),
      announce: (text) => this.#view.announce(text),
      leave: () => this.#view.focusBar(),
    });
    const order = this.getAttribute("view")!.split(/\s+/);
    const terminal = order.indexOf("terminal");
    this.#showScreen(terminal < 0 || order.indexOf("screen") < terminal);
  }

  get #isScreenShown(): boolean {
    return this.#view.isScreenShown;
  }
  #showScreen(isShown: boolean): void {
    this.#view.isScreenShown = isShown && this.#screen !== undefined;
    if (this.#screen) this.#screen.isShown = isShown;
    this.#view.setPressed("toggleScreen", this.#isScreenShown);
    this.#focusConsole();
  }
  #focusConsole(): void {
    if (this.#isScreenShown) this.#screen?.focus();
    else this.#terminal?.focus();
  }
  get #isLive(): boolean {
    return this.#state === "running" || this.#state === "booting";
  }

  #take(event: SessionEvent): void {
    switch (event.event) {
      case "progress":
        if (this.#state === "loading" || this.#state === "booting") this.#showProgress(event);
        break;
      case "disk":
        this.#view.showDisk(event);
        break;
      case "diskError":
        this.#view.showWarning(event.error.message);
        break;
      case "screen":
        if (this.#state === "booting" && this.#isScreenShown && /\S/.test(event.frame.text))
          this.#view.hideCover();
        this.#screen?.show(event.frame);
        break;
      case "leds":
        this.#screen?.showLeds(event.leds);
        break;
      case "trace":
        this.#panel?.take(event.bytes);
        break;
      case "rewound":
        this.#panel?.rewound(event.start);
        break;
      case "serial":
        if (event.port === 0) this.#showOutput(event.bytes);
        break;
      case "state":
        if (event.isRunning && this.#state === "booting") break;
        this.#setState(event.isRunning ? "running" : "paused");
        this.#panel?.stateChanged();
        this.#schedulePoll();
        break;
      case "ended":
        this.#setState("ended");
        this.#view.showStart("Start again", endSentences[event.reason], { hasOutput: this.#hasOutput });
        this.#tell("lapwing-exit", { reason: event.reason, status: event.status });
        break;
      case "failed":
        this.#fail(new LapwingError(event.error.code, event.error.message));
    }
  }

  #showProgress(event: Extract<SessionEvent, { event: "progress" }>): void {
    if (event.stage !== "download") {
      this.#view.showProgress(event.stage, "", undefined);
      if (event.stage === "kernel") {
        this.#setState("booting");
        this.#schedulePoll();
      }
      return;
    }
    this.#downloads.set(event.file, { loaded: event.loaded, total: event.total });
    const all = [...this.#downloads.values()];
    const loaded = all.reduce((sum, file) => sum + file.loaded, 0);
    const total = all.every((file) => file.total)
      ? all.reduce((sum, file) => sum + file.total!, 0)
      : undefined;
    const size = (bytes: number) => (bytes / mebibyte).toFixed(1);
    const detail = total ? `${size(loaded)} of ${size(total)} MB` : `${size(loaded)} MB`;
    this.#view.showProgress("download", detail, total ? loaded / total : undefined);
  }

  #showOutput(bytes: Uint8Array): void {
    if (this.#state === "booting") this.#view.hideCover();
    this.#hasOutput = true;
    this.#terminal?.write(bytes);
    if (this.#panel?.isOpen) this.#panel.takeOutput(new TextDecoder().decode(bytes));
    this.#tell("lapwing-serial", { bytes });
  }

  readonly #schedulePoll = (): void => {
    clearTimeout(this.#poll);
    const isLive = this.#state === "running" || this.#state === "booting";
    if (!isLive || document.hidden) return;
    this.#poll = setTimeout(() => void this.#readMeter(), this.#state === "booting" ? bootPollMs : pollMs);
  };

  async #readMeter(): Promise<void> {
    try {
      const statistics = await this.#client?.request("statistics", undefined);
      if (!statistics) return;
      const { mips, idle, instructions } = this.#meter.take(statistics);
      const speed = mips === undefined ? "" : `${Math.round(mips)} MIPS · `;
      this.#view.setMeter(`${speed}${Math.round(idle * 100)}% idle`);
      if (this.#state === "booting") this.#showBooting(instructions, idle);
    } catch {
      return;
    }
    this.#schedulePoll();
  }

  #showBooting(instructions: number, idle: number): void {
    if (!this.shadowRoot!.querySelector<HTMLElement>(".cover")!.hidden) {
      this.#view.showProgress("kernel", `${Math.round(instructions / 1e6)} million instructions`, undefined);
    } else if (idle > bootedIdleShare) {
      this.#setState("running");
      this.#focusConsole();
    }
  }

  #setState(state: MachineState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#view.setState(state);
    if (state === "booting" || state === "running") this.#view.announce(`Machine ${state}.`);
    this.#tell("lapwing-state", { state });
  }

  #fail(error: unknown): void {
    this.#endMachine();
    this.#setState("failed");
    this.#view.showStart("Try again", messageOf(error), { isError: true, hasOutput: this.#hasOutput });
    this.#view.announce(messageOf(error));
    this.#tell("lapwing-error", { error });
  }

  #showOff(): void {
    const label = this.getAttribute("label") ?? "Start the machine";
    this.#view.showStart(label, this.getAttribute("note") ?? "");
  }

  #tell(name: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #type(text: string): void {
    if (this.#state !== "running" && this.#state !== "booting") return;
    const bytes = new TextEncoder().encode(text);
    this.#client?.request("serialInput", { port: 0, bytes }).catch((error: unknown) => this.#fail(error));
  }

  /** From the extra keys: bytes for the terminal, keys for the screen. */
  #sendKeys(bytes: string): void {
    if (this.#isScreenShown) this.#screen?.press(bytes);
    else this.#type(bytes);
  }

  async #copy(): Promise<void> {
    try {
      const shown = this.#isScreenShown ? this.#screen : this.#terminal;
      await navigator.clipboard.writeText(shown?.text() ?? "");
      this.#view.announce("Copied.");
    } catch {
      this.#view.announce("This page may not use the clipboard; mark text and press Ctrl-Shift-C.");
    }
    this.#focusConsole();
  }
  async #paste(): Promise<void> {
    try {
      const text = await navigator.clipboard.readText();
      if (this.#isScreenShown) this.#screen?.paste(text);
      else this.#terminal?.paste(text);
    } catch {
      this.#view.announce("This page may not read the clipboard; press Ctrl-Shift-V instead.");
    }
    this.#focusConsole();
  }

  #showKeys(isShown: boolean): void {
    this.toggleAttribute("keys", isShown);
    this.#view.setPressed("toggleKeys", isShown);
  }
  #setReaderMode(isOn: boolean): void {
    this.#readerMode = isOn;
    this.#terminal?.setScreenReaderMode(isOn);
    this.#view.setPressed("toggleReader", isOn);
  }

  #hasView(name: string): boolean {
    return this.getAttribute("view")?.split(/\s+/).includes(name) ?? false;
  }
  #offerViews(): void {
    this.#view.offer("toggleInterrupts", this.#hasView("interrupts"));
    this.#view.offer("toggleScreen", this.#hasView("screen") && this.#hasView("terminal"));
  }
  /** The panel is loaded when it is first opened. */
  async #showInterrupts(isShown: boolean): Promise<void> {
    if (!this.#panel) {
      const { InterruptPanel: Panel } = await import("../interrupts/view/panel");
      this.#panel ??= new Panel();
      this.#view.addPanel(this.#panel.element);
      this.#attachPanel();
    }
    if (isShown) this.#panel.open();
    else this.#panel.close();
    this.#view.setPressed("toggleInterrupts", isShown);
  }
  #attachPanel(): void {
    const client = this.#client;
    if (!client || (this.#state !== "booting" && this.#state !== "running" && this.#state !== "paused"))
      return;
    this.#panel?.attach({
      client,
      isRunning: () => this.#state === "running" || this.#state === "booting",
      pause: () => this.pause(),
      run: () => client.request("run", undefined),
      type: (text) => this.#type(text),
    });
  }

  readonly #applyTheme = (): void => {
    const chosen = this.getAttribute("theme");
    const scheme = chosen === "light" || chosen === "dark" ? chosen : this.#dark.matches ? "dark" : "light";
    this.#terminal?.setTheme(scheme);
  };
}

/** The Worker and the engine lie beside this script; the version keeps caches from mixing builds. */
const ownFile = (name: string): string => `${new URL(name, import.meta.url).href}?${lapwingBuild}`;
