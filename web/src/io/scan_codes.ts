import { LapwingError } from "../errors";

const extended = 0x100;

/** Rows of neighbouring keys: KeyboardEvent.code in order, from a first scan code of set 1. */
const rows: [first: number, codes: string][] = [
  [
    0x01,
    "Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace",
  ],
  [0x0f, "Tab KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft"],
  [0x1e, "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash"],
  [
    0x2c,
    "KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space CapsLock",
  ],
  [0x3b, "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock"],
  [
    0x47,
    "Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal",
  ],
  [0x56, "IntlBackslash F11 F12"],
  [extended | 0x1c, "NumpadEnter ControlRight"],
  [extended | 0x35, "NumpadDivide"],
  [extended | 0x38, "AltRight"],
  [extended | 0x47, "Home ArrowUp PageUp"],
  [extended | 0x4b, "ArrowLeft"],
  [extended | 0x4d, "ArrowRight"],
  [extended | 0x4f, "End ArrowDown PageDown Insert Delete"],
  [extended | 0x5b, "MetaLeft MetaRight ContextMenu"],
];

const codes = new Map(
  rows.flatMap(([first, names]) => names.split(" ").map((name, i) => [name, first + i] as const)),
);

/** Scan code set 1 of a key, | 0x100 with the E0 prefix. */
export function scanCode(code: string): number {
  const found = codes.get(code);
  if (found === undefined)
    throw new LapwingError("bad_option", `There is no key '${code}'; use KeyboardEvent.code names.`);
  return found;
}

export const hasScanCode = (code: string): boolean => codes.has(code);
