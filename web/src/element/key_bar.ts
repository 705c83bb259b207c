// Keys that touch keyboards lack, in a row below the terminal.
const keys: [label: string, name: string, bytes: string][] = [
  ["Esc", "Escape", "\x1b"],
  ["Tab", "Tab", "\t"],
  ["Ctrl", "Control for the next key", ""],
  ["↑", "Up", "\x1b[A"],
  ["↓", "Down", "\x1b[B"],
  ["←", "Left", "\x1b[D"],
  ["→", "Right", "\x1b[C"],
  ["/", "Slash", "/"],
  ["|", "Pipe", "|"],
  ["-", "Hyphen", "-"],
  ["~", "Tilde", "~"],
  ["^C", "Control C", "\x03"],
  ["^D", "Control D", "\x04"],
];

export class KeyBar {
  readonly element = document.createElement("div");
  readonly #control: HTMLButtonElement;

  constructor(send: (text: string) => void) {
    this.element.className = "keys";
    this.element.setAttribute("role", "toolbar");
    this.element.setAttribute("aria-label", "Extra keys");
    const buttons = keys.map(([label, name, bytes]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.setAttribute("aria-label", name);
      // Keeps the focus, and with it the touch keyboard, in the terminal.
      button.addEventListener("pointerdown", (event) => event.preventDefault());
      if (bytes) button.addEventListener("click", () => send(this.withControl(bytes)));
      return button;
    });
    this.#control = buttons[keys.findIndex(([label]) => label === "Ctrl")]!;
    this.#control.setAttribute("aria-pressed", "false");
    this.#control.addEventListener("click", () => this.#setControl(!this.#isControlHeld));
    this.element.append(...buttons);
  }

  /** Applies a held Ctrl to a typed character, once. */
  withControl(text: string): string {
    if (!this.#isControlHeld) return text;
    this.#setControl(false);
    const code = text.toUpperCase().charCodeAt(0);
    return text.length === 1 && code >= 0x40 && code < 0x60 ? String.fromCharCode(code & 0x1f) : text;
  }

  get #isControlHeld(): boolean {
    return this.#control.getAttribute("aria-pressed") === "true";
  }
  #setControl(isHeld: boolean): void {
    this.#control.setAttribute("aria-pressed", String(isHeld));
  }
}
