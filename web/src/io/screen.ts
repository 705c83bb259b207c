// The guest's screen in the page: a canvas that gets only changed lines, the text of text modes over it (to be selected,
// copied and read aloud), and the keyboard and mouse that belong to it. Loaded only when a machine with a screen starts.
import type { MouseInput } from "../engine/engine";
import type { ScreenFrame } from "../engine/protocol";
import { KeyboardInput } from "./keyboard";
import { MouseInputView } from "./mouse";
import css from "./screen.css?inline";

export interface ScreenOptions {
  container: HTMLElement;
  key(code: number, isPressed: boolean): void;
  mouse(input: MouseInput): void;
  /** The last frame is on the glass. */
  shown(): void;
  announce(text: string): void;
  /** The focus goes back to the page. */
  leave(): void;
}

const tubeRatio = 4 / 3;
const ledNames: [bit: number, name: string][] = [
  [2, "Num"],
  [4, "Caps"],
  [1, "Scroll"],
];

export class ScreenView {
  readonly #options: ScreenOptions;
  readonly #root = document.createElement("div");
  readonly #glass: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #text: HTMLElement;
  readonly #field: HTMLTextAreaElement;
  readonly #keyboard: KeyboardInput;
  readonly #mouse: MouseInputView;
  readonly #observer: ResizeObserver;
  #shape = { width: 720, height: 400, isSquare: false, columns: 80, rows: 25 };
  #animation = 0;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#root.className = "screen";
    this.#root.innerHTML = markup;
    options.container.prepend(this.#root);
    const find = <T extends Element>(selector: string) => this.#root.querySelector<T>(selector)!;
    this.#glass = find(".glass");
    this.#canvas = find("canvas");
    this.#context = this.#canvas.getContext("2d", { alpha: false })!;
    this.#text = find("pre");
    this.#field = find("textarea");
    this.#keyboard = new KeyboardInput({
      field: this.#field,
      key: options.key,
      release: () => options.leave(),
    });
    this.#mouse = new MouseInputView({
      surface: this.#glass,
      move: options.mouse,
      lockChanged: (isLocked) => {
        this.#press("mouse", isLocked);
        if (isLocked) options.announce("The mouse is in the machine; Escape takes it out.");
      },
    });
    this.#glass.addEventListener("click", () => this.#clicked());
    find('[data-do="mouse"]').addEventListener("click", () => void this.#lockMouse());
    find('[data-do="delete"]').addEventListener("click", () => {
      this.#keyboard.chord(["ControlLeft", "AltLeft", "Delete"]);
      this.focus();
    });
    find('[data-do="full"]').addEventListener("click", () => void this.#toggleFullScreen());
    this.#observer = new ResizeObserver(() => this.#fit());
    this.#observer.observe(this.#root);
    this.showLeds(0);
  }

  /** Puts a frame on the canvas with the next picture of the display, whole. */
  show(frame: ScreenFrame): void {
    cancelAnimationFrame(this.#animation);
    this.#animation = requestAnimationFrame(() => {
      this.#paint(frame);
      this.#options.shown();
    });
  }

  showLeds(leds: number): void {
    const lit = ledNames.filter(([bit]) => (leds & bit) !== 0).map(([, name]) => name);
    for (const [bit, name] of ledNames) {
      this.#root.querySelector(`[data-led="${name}"]`)!.classList.toggle("on", (leds & bit) !== 0);
    }
    this.#root.querySelector(".leds")!.setAttribute("aria-label", `Lock lights: ${lit.join(", ") || "none"}`);
  }

  focus(): void {
    this.#field.focus({ preventScroll: true });
  }
  paste(text: string): void {
    this.#keyboard.type(text);
  }
  /** What a terminal would send for a key: arrows, control characters, or plain text. */
  press(bytes: string): void {
    const arrow = /^\x1b\[([ABCD])$/.exec(bytes)?.[1];
    const code = bytes.charCodeAt(0);
    if (arrow) {
      this.#keyboard.chord([{ A: "ArrowUp", B: "ArrowDown", C: "ArrowRight", D: "ArrowLeft" }[arrow]!]);
    } else if (bytes.length === 1 && code < 0x1b && bytes !== "\t") {
      this.#keyboard.chord(["ControlLeft", `Key${String.fromCharCode(code + 0x40)}`]);
    } else {
      this.#keyboard.type(bytes);
    }
  }
  /** The marked text, or the whole text of the screen. */
  text(): string {
    const root = this.#root.getRootNode() as ShadowRoot & { getSelection?(): Selection | null };
    const marked = (root.getSelection?.() ?? getSelection())?.toString();
    return marked || (this.#text.textContent ?? "");
  }
  set isShown(isShown: boolean) {
    this.#root.hidden = !isShown;
  }

  dispose(): void {
    cancelAnimationFrame(this.#animation);
    this.#observer.disconnect();
    this.#keyboard.dispose();
    this.#mouse.dispose();
    this.#root.remove();
  }

  #paint({ bands, text, ...shape }: ScreenFrame): void {
    const { width, height } = shape;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    for (const { y, height: lines, pixels } of bands) {
      const data = new Uint8ClampedArray(pixels.buffer as ArrayBuffer, pixels.byteOffset, pixels.length);
      this.#context.putImageData(new ImageData(data, width, lines), 0, y);
    }
    const isReshaped = JSON.stringify(shape) !== JSON.stringify(this.#shape);
    this.#shape = shape;
    this.#setText(text);
    if (isReshaped) this.#fit();
  }

  #setText(text: string): void {
    // A selection outlives frames that do not change the text.
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#text.hidden = text === "";
  }

  /** As large as it fits at the right aspect; by a whole factor where that loses little. */
  #fit(): void {
    const { clientWidth, clientHeight } = this.#root.querySelector<HTMLElement>(".room")!;
    if (clientWidth === 0 || clientHeight === 0) return;
    const { width, height, isSquare, rows, columns } = this.#shape;
    const ratio = isSquare ? width / height : tubeRatio;
    let shown = Math.min(clientWidth, clientHeight * ratio);
    const factor = (shown * devicePixelRatio) / width;
    const whole = Math.floor(factor);
    const isWhole = isSquare && whole >= 1 && whole / factor > 0.85;
    if (isWhole) shown = (whole * width) / devicePixelRatio;
    this.#canvas.classList.toggle("sharp", isWhole || factor >= 2);
    this.#glass.style.width = `${shown}px`;
    this.#glass.style.height = `${shown / ratio}px`;
    if (columns === 0) return;
    const lineHeight = shown / ratio / rows;
    const fontSize = lineHeight * 0.8;
    this.#text.style.font = `${fontSize}px/${lineHeight}px ui-monospace, "DejaVu Sans Mono", Menlo, monospace`;
    this.#context.save();
    this.#context.font = this.#text.style.font;
    const advance = this.#context.measureText("0").width;
    this.#context.restore();
    this.#text.style.letterSpacing = `${shown / columns - advance}px`;
  }

  #clicked(): void {
    const root = this.#root.getRootNode() as ShadowRoot & { getSelection?(): Selection | null };
    const isMarking = !(root.getSelection?.() ?? getSelection())?.isCollapsed;
    if (isMarking && this.#shape.columns > 0) return;
    this.focus();
    // In graphics modes a click is meant for the guest.
    if (this.#shape.columns === 0 && !this.#mouse.isLocked && matchMedia("(pointer: fine)").matches)
      void this.#lockMouse();
  }

  async #lockMouse(): Promise<void> {
    try {
      await this.#mouse.lock();
      this.focus();
    } catch {
      this.#options.announce("This page may not lock the pointer.");
    }
  }

  async #toggleFullScreen(): Promise<void> {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await this.#root.requestFullscreen();
      this.focus();
    } catch {
      this.#options.announce("This page may not use the full screen.");
    }
  }

  #press(name: string, isPressed: boolean): void {
    this.#root.querySelector(`[data-do="${name}"]`)!.setAttribute("aria-pressed", String(isPressed));
  }
}

const markup = `
<style>${css}</style>
<div class="room"><div class="glass">
  <canvas width="720" height="400" aria-hidden="true"></canvas>
  <pre aria-label="Text on the screen"></pre>
  <textarea aria-label="Keyboard of the machine; Ctrl and Alt together leave it" autocapitalize="off"
    autocomplete="off" autocorrect="off" spellcheck="false"></textarea>
</div></div>
<div class="desk" role="toolbar" aria-label="Screen">
  <button type="button" data-do="mouse" aria-pressed="false">Use mouse</button>
  <button type="button" data-do="delete">Ctrl-Alt-Del</button>
  <button type="button" data-do="full">Full screen</button>
  <span class="leds" role="img">${ledNames.map(([, name]) => `<i data-led="${name}">${name}</i>`).join("")}</span>
</div>`;
