import type { Engine } from "./engine";
import type { PumpHost } from "./pump";
import type { ScreenFrame } from "./protocol";

const millisecond = 1e6;
const shortestFrameNs = 15 * millisecond;
/** How often a text screen is looked at for blinking while the machine sleeps. */
const blinkMs = 114;

/** The lines that changed since the last look (or all of them); undefined without a screen. */
export function takeFrame(engine: Engine, everything: boolean, timeNs = engine.ns): ScreenFrame | undefined {
  const picture = engine.screen(timeNs);
  if (!picture) return undefined;
  const { width, height, isSquare, columns, rows, lines } = picture;
  const bands = everything ? [{ y: 0, height }] : picture.bands;
  return {
    width,
    height,
    isSquare,
    columns,
    rows,
    text: columns > 0 && bands.length > 0 ? engine.screenText() : "",
    bands: bands.map((band) => ({ ...band, pixels: lines(band.y, band.height) })),
  };
}

/**
 * Sends frames to whoever shows them: only what changed, at most some 60 a second, and none before the last one has
 * been shown, so that a page in the background costs nothing.
 */
export class ScreenFeed {
  readonly #engine;
  readonly #host;
  readonly #send;
  #isWatched = false;
  #isFirst = true;
  #isShowing = false;
  #lastNs = -Infinity;
  #cancelTimer: (() => void) | undefined;

  constructor(engine: Engine, host: PumpHost, send: (frame: ScreenFrame) => void) {
    this.#engine = engine;
    this.#host = host;
    this.#send = send;
  }

  watch(isWatched: boolean): void {
    this.#isWatched = isWatched;
    this.#isFirst = true;
    this.#isShowing = false;
    this.#lastNs = -Infinity;
    this.#rest();
    this.offer();
  }

  shown(): void {
    this.#isShowing = false;
    this.offer();
  }

  /** The whole picture as of the machine's time. */
  screenshot(): ScreenFrame | undefined {
    // The next frame has to bring what this look has taken away.
    this.#isFirst = true;
    return takeFrame(this.#engine, true);
  }

  /** The picture may have changed. */
  offer(): void {
    if (!this.#isWatched || this.#isShowing) return;
    const now = this.#host.nowNs();
    const wait = this.#lastNs + shortestFrameNs - now;
    if (wait > 0) return this.#later(Math.ceil(wait / millisecond));
    this.#lastNs = now;
    const frame = takeFrame(this.#engine, this.#isFirst, now);
    if (!frame) return;
    if (frame.bands.length === 0) {
      if (frame.columns > 0) this.#later(blinkMs);
      return;
    }
    this.#isFirst = false;
    this.#isShowing = true;
    this.#rest();
    this.#send(frame);
  }

  #later(ms: number): void {
    this.#rest();
    this.#cancelTimer = this.#host.after(ms, () => {
      this.#cancelTimer = undefined;
      this.offer();
    });
  }
  #rest(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
