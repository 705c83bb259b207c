import type { TracePlayer } from "../interrupts/view/trace_player";
import { messageOf } from "../errors";
import css from "./style.css?inline";

/**
 * `<lapwing-trace src="keyboard.lwtrace" symbols="System.map">`: plays a recorded trace, without an engine. Nothing is
 * loaded before the reader asks for it, or load() is called.
 */
export class LapwingTrace extends HTMLElement {
  static readonly observedAttributes = ["src", "label"];

  readonly #root = this.attachShadow({ mode: "open", delegatesFocus: true });
  #player: TracePlayer | undefined;
  #generation = 0;

  connectedCallback(): void {
    if (!this.hasAttribute("role")) this.setAttribute("role", "group");
    if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", "Recorded trace");
    if (!this.#player) this.#showStart();
  }
  disconnectedCallback(): void {
    this.dispose();
  }
  attributeChangedCallback(): void {
    this.dispose();
    if (this.isConnected) this.#showStart();
  }

  /** Loads the trace at `src`, or the bytes given, and shows its first hop. */
  async load(bytes?: Uint8Array): Promise<void> {
    this.dispose();
    const generation = this.#generation;
    try {
      const [{ TracePlayer: Player }, { readTrace }, { Symbols }, { fetchFile }] = await Promise.all([
        import("../interrupts/view/trace_player"),
        import("../interrupts/lwtrace"),
        import("../interrupts/model"),
        import("../engine/files"),
      ]);
      const read = async (what: string, url: string): Promise<Uint8Array> =>
        new Uint8Array(await (await fetchFile(what, new URL(url, document.baseURI).href)).arrayBuffer());
      const file = bytes ?? (await read("the trace", this.getAttribute("src") ?? ""));
      const map = this.getAttribute("symbols");
      const symbols = new Symbols(map ? await read("the symbols", map) : "");
      if (generation !== this.#generation) return;
      const player = new Player(readTrace(file), symbols);
      this.#player = player;
      this.#show(player.element);
    } catch (error) {
      if (generation === this.#generation) this.#showStart(messageOf(error));
    }
  }

  /** The hop shown, counted from 0; undefined before the trace is loaded. */
  get position(): number | undefined {
    return this.#player?.position;
  }
  seek(index: number): void {
    this.#player?.seek(index);
  }

  dispose(): void {
    this.#generation++;
    this.#player?.dispose();
    this.#player = undefined;
  }

  #showStart(error = ""): void {
    const start = document.createElement("button");
    start.className = "power";
    start.textContent = error ? "Try again" : (this.getAttribute("label") ?? "Play the trace");
    start.addEventListener("click", () => void this.load());
    const note = Object.assign(document.createElement("p"), { className: error ? "note error" : "note" });
    note.setAttribute("role", "status");
    note.textContent = error;
    const cover = Object.assign(document.createElement("div"), { className: "trace-cover" });
    cover.append(start, note);
    this.#show(cover);
  }
  #show(content: HTMLElement): void {
    const style = Object.assign(document.createElement("style"), { textContent: css + coverCss });
    this.#root.replaceChildren(style, content);
  }
}

const coverCss = `
.trace-cover { flex: 1; display: grid; place-content: center; justify-items: center; gap: 0.7rem; padding: 1rem; }
.trace-cover button { padding: 0.5rem 1rem; background: var(--accent); color: var(--on-accent); }
.trace-cover .error { color: var(--bad); margin: 0; }`;
