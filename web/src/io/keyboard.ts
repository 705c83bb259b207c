// Keys for the guest: physical ones by their place (KeyboardEvent.code), text from touch keyboards, input methods and
// the clipboard as strokes of a US keyboard.
import { hasScanCode, scanCode } from "./scan_codes";
import { strokesFor } from "./typed_keys";

export interface KeyboardOptions {
  /** What has the focus; it takes what touch keyboards write. */
  field: HTMLTextAreaElement;
  key(code: number, isPressed: boolean): void;
  /** Ctrl and Alt alone give the focus back to the page. */
  release(): void;
}

/** Between two bytes of typed text: the guest's controller holds only some 16. */
const strokeMs = 5;
const leaveChord = ["ControlLeft", "AltLeft"];

export class KeyboardInput {
  readonly #options: KeyboardOptions;
  readonly #held = new Set<string>();
  readonly #stop = new AbortController();
  #strokes: { code: string; isPressed: boolean }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isChordAlone = false;

  constructor(options: KeyboardOptions) {
    this.#options = options;
    const { field } = options;
    const { signal } = this.#stop;
    field.addEventListener("keydown", (event) => this.#down(event), { signal });
    field.addEventListener("keyup", (event) => this.#up(event), { signal });
    field.addEventListener("blur", () => this.releaseAll(), { signal });
    field.addEventListener("input", () => this.#takeText(), { signal });
  }

  /** Types a text, at a pace that the guest can follow. */
  type(text: string): void {
    this.#strokes.push(...strokesFor(text));
    if (this.#timer === undefined) this.#nextStroke();
  }

  /** A key of the page's own, such as Ctrl-Alt-Del. */
  chord(codes: readonly string[]): void {
    const releases = [...codes].reverse().map((code) => ({ code, isPressed: false }));
    this.#strokes.push(...codes.map((code) => ({ code, isPressed: true })), ...releases);
    if (this.#timer === undefined) this.#nextStroke();
  }

  releaseAll(): void {
    for (const code of this.#held) this.#options.key(scanCode(code), false);
    this.#held.clear();
  }

  dispose(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  #nextStroke(): void {
    const stroke = this.#strokes.shift();
    this.#timer = stroke && setTimeout(() => this.#nextStroke(), strokeMs);
    if (stroke) this.#options.key(scanCode(stroke.code), stroke.isPressed);
  }

  #down(event: KeyboardEvent): void {
    // Touch keyboards and input methods send no place; their text comes as an input event.
    if (event.isComposing || !hasScanCode(event.code)) return;
    // The browser's own paste event follows.
    if (event.ctrlKey && event.shiftKey && event.code === "KeyV") return;
    event.preventDefault();
    event.stopPropagation();
    this.#held.add(event.code);
    this.#isChordAlone =
      this.#held.size === leaveChord.length && leaveChord.every((code) => this.#held.has(code));
    this.#options.key(scanCode(event.code), true);
  }

  #up(event: KeyboardEvent): void {
    if (!this.#held.delete(event.code)) return;
    event.preventDefault();
    event.stopPropagation();
    this.#options.key(scanCode(event.code), false);
    // macOS keeps back the releases of keys that were pressed together with Meta.
    if (event.code.startsWith("Meta")) this.releaseAll();
    if (!this.#isChordAlone) return;
    this.#isChordAlone = false;
    this.releaseAll();
    this.#options.release();
  }

  #takeText(): void {
    const { field } = this.#options;
    this.type(field.value);
    field.value = "";
  }
}
