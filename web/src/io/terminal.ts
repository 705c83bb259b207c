// The serial console's screen: xterm.js, loaded only when a machine starts.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal, type ITheme } from "@xterm/xterm";
import xtermCss from "@xterm/xterm/css/xterm.css?inline";

export interface TerminalOptions {
  container: HTMLElement;
  /** Where the stylesheet goes: the shadow root. */
  root: ShadowRoot;
  onInput(text: string): void;
  onResize(columns: number, rows: number): void;
}

const fontFamily =
  'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", "DejaVu Sans Mono", Menlo, monospace';

const themes: Record<"light" | "dark", ITheme> = {
  dark: {
    background: "#0d1518",
    foreground: "#d5e0de",
    cursor: "#5fe0bd",
    cursorAccent: "#0d1518",
    selectionBackground: "#2c5a55",
    black: "#1a2529",
    red: "#ff8073",
    green: "#63d6a3",
    yellow: "#e6c46a",
    blue: "#74b3ff",
    magenta: "#cf9bf5",
    cyan: "#5fd4d6",
    white: "#c7d3d1",
    brightBlack: "#6b7d80",
    brightRed: "#ff9d92",
    brightGreen: "#86ebbf",
    brightYellow: "#f5d98d",
    brightBlue: "#9bc8ff",
    brightMagenta: "#deb9fa",
    brightCyan: "#8ee8e8",
    brightWhite: "#f2f7f6",
  },
  light: {
    background: "#fbfcfb",
    foreground: "#1c2a2b",
    cursor: "#0b7f66",
    cursorAccent: "#fbfcfb",
    selectionBackground: "#bfe5da",
    black: "#1c2a2b",
    red: "#b3261e",
    green: "#0b7548",
    yellow: "#7d5700",
    blue: "#1b5fb8",
    magenta: "#7b3fa6",
    cyan: "#0b6f78",
    white: "#5d6c6d",
    brightBlack: "#6a797a",
    brightRed: "#c9382f",
    brightGreen: "#0f8a56",
    brightYellow: "#8f6600",
    brightBlue: "#2a71d0",
    brightMagenta: "#9151bd",
    brightCyan: "#0f8590",
    brightWhite: "#1c2a2b",
  },
};

/** One xterm.js in a container; dispose() leaves nothing behind. */
export class TerminalView {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #observer: ResizeObserver;
  readonly #style = document.createElement("style");

  constructor({ container, root, onInput, onResize }: TerminalOptions) {
    this.#style.textContent = xtermCss;
    root.append(this.#style);
    const isNarrow = container.clientWidth < 500;
    this.#terminal = new Terminal({
      allowProposedApi: false,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      fontFamily,
      fontSize: isNarrow ? 12 : 14,
      lineHeight: 1.15,
      macOptionIsMeta: true,
      minimumContrastRatio: 4.5,
      scrollback: 5000,
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.open(container);
    this.#terminal.onData(onInput);
    this.#terminal.onBinary(onInput);
    this.#terminal.onResize(({ cols, rows }) => onResize(cols, rows));
    this.#terminal.attachCustomKeyEventHandler((event) => this.#isOurs(event));
    this.#observer = new ResizeObserver(() => this.#fit.fit());
    this.#observer.observe(container);
    this.#fit.fit();
  }

  write(bytes: Uint8Array): void {
    this.#terminal.write(bytes);
  }
  clear(): void {
    this.#terminal.reset();
  }
  focus(): void {
    this.#terminal.focus();
  }
  setTheme(scheme: "light" | "dark"): void {
    this.#terminal.options.theme = themes[scheme];
  }
  setScreenReaderMode(isOn: boolean): void {
    this.#terminal.options.screenReaderMode = isOn;
  }
  /** Brackets the text when the guest asked for it, and turns line ends into Enter. */
  paste(text: string): void {
    this.#terminal.paste(text);
  }
  /** The marked text, or everything when nothing is marked. */
  text(): string {
    if (this.#terminal.hasSelection()) return this.#terminal.getSelection();
    const { active } = this.#terminal.buffer;
    const lines = Array.from(
      { length: active.length },
      (_, i) => active.getLine(i)?.translateToString(true) ?? "",
    );
    return lines.join("\n").trimEnd() + "\n";
  }
  dispose(): void {
    this.#observer.disconnect();
    this.#terminal.dispose();
    this.#style.remove();
  }

  /** Ctrl-Shift-C and -V copy and paste; everything else goes to the guest. */
  #isOurs(event: KeyboardEvent): boolean {
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey) return true;
    if (event.code === "KeyC") {
      event.preventDefault();
      if (this.#terminal.hasSelection()) void navigator.clipboard?.writeText(this.#terminal.getSelection());
      return false;
    }
    // The browser's own paste event follows.
    return event.code !== "KeyV";
  }
}
