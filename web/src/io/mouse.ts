// A PS/2 mouse from pointer events: with the pointer locked, or by touch (drag to move, tap to click).
import type { MouseInput } from "../engine/engine";

export interface MouseOptions {
  surface: HTMLElement;
  move(input: MouseInput): void;
  lockChanged(isLocked: boolean): void;
}

/** Bits of MouseEvent.buttons are left, right, middle, back, forward: PS/2's order. */
const ps2Buttons = 0x1f;
const left = 1;
const tapMs = 250;
const tapDistance = 8;
/** Of a wheel's deltas: a line of scrolling in pixels, and lines a step. */
const stepPixels = 50;

export class MouseInputView {
  readonly #options: MouseOptions;
  readonly #stop = new AbortController();
  #buttons = 0;
  #wheel = 0;
  #touch: { id: number; x: number; y: number; travelled: number; since: number } | undefined;

  constructor(options: MouseOptions) {
    this.#options = options;
    const { surface } = options;
    const { signal } = this.#stop;
    surface.addEventListener("pointerdown", (event) => this.#down(event), { signal });
    surface.addEventListener("pointermove", (event) => this.#move(event), { signal });
    surface.addEventListener("pointerup", (event) => this.#up(event), { signal });
    surface.addEventListener("pointercancel", () => (this.#touch = undefined), { signal });
    surface.addEventListener("wheel", (event) => this.#turn(event), { signal, passive: false });
    surface.addEventListener("contextmenu", (event) => this.isLocked && event.preventDefault(), { signal });
    const changed = () => {
      if (!this.isLocked && this.#buttons !== 0) this.#send(0, 0, 0, 0);
      options.lockChanged(this.isLocked);
    };
    document.addEventListener("pointerlockchange", changed, { signal });
  }

  get isLocked(): boolean {
    const root = this.#options.surface.getRootNode() as Document | ShadowRoot;
    return root.pointerLockElement === this.#options.surface;
  }

  /** Gives the pointer to the guest; Escape takes it back. */
  async lock(): Promise<void> {
    await this.#options.surface.requestPointerLock();
  }

  dispose(): void {
    this.#stop.abort();
    if (this.isLocked) document.exitPointerLock();
  }

  #send(dx: number, dy: number, wheel: number, buttons: number): void {
    this.#buttons = buttons;
    // PS/2 counts upwards.
    this.#options.move({ dx: Math.round(dx), dy: -Math.round(dy), wheel, buttons });
  }

  #down(event: PointerEvent): void {
    if (event.pointerType === "touch") {
      this.#touch ??= {
        id: event.pointerId,
        x: event.clientX,
        y: event.clientY,
        travelled: 0,
        since: event.timeStamp,
      };
      return;
    }
    if (!this.isLocked) return;
    event.preventDefault();
    this.#send(0, 0, 0, event.buttons & ps2Buttons);
  }

  #move(event: PointerEvent): void {
    if (this.#touch?.id === event.pointerId) {
      const dx = event.clientX - this.#touch.x;
      const dy = event.clientY - this.#touch.y;
      this.#touch.x = event.clientX;
      this.#touch.y = event.clientY;
      this.#touch.travelled += Math.abs(dx) + Math.abs(dy);
      if (this.#touch.travelled > tapDistance) this.#send(dx, dy, 0, 0);
      return;
    }
    // A second button of a mouse is pressed or released in a move event.
    if (this.isLocked) this.#send(event.movementX, event.movementY, 0, event.buttons & ps2Buttons);
  }

  #up(event: PointerEvent): void {
    if (this.#touch?.id === event.pointerId) {
      const isTap = this.#touch.travelled <= tapDistance && event.timeStamp - this.#touch.since < tapMs;
      this.#touch = undefined;
      if (!isTap) return;
      this.#send(0, 0, 0, left);
      this.#send(0, 0, 0, 0);
    } else if (this.isLocked) {
      this.#send(0, 0, 0, event.buttons & ps2Buttons);
    }
  }

  #turn(event: WheelEvent): void {
    if (!this.isLocked) return;
    event.preventDefault();
    this.#wheel += event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / stepPixels : event.deltaY;
    const steps = Math.trunc(this.#wheel);
    this.#wheel -= steps;
    if (steps !== 0) this.#send(0, 0, Math.max(-8, Math.min(7, steps)), this.#buttons);
  }
}
