/** Characters by key of a US keyboard: KeyboardEvent.code, then what it types without and with Shift. */
const rows: [first: string, codes: string, plain: string, shifted: string][] = [
  ["Digit", "1234567890", "1234567890", "!@#$%^&*()"],
  ["Key", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
];
const others: [code: string, plain: string, shifted: string][] = [
  ["Minus", "-", "_"],
  ["Equal", "=", "+"],
  ["BracketLeft", "[", "{"],
  ["BracketRight", "]", "}"],
  ["Backslash", "\\", "|"],
  ["Semicolon", ";", ":"],
  ["Quote", "'", '"'],
  ["Backquote", "`", "~"],
  ["Comma", ",", "<"],
  ["Period", ".", ">"],
  ["Slash", "/", "?"],
  ["Space", " ", " "],
  ["Tab", "\t", "\t"],
  ["Enter", "\n", "\n"],
  ["Escape", "\x1b", "\x1b"],
  ["Backspace", "\b", "\b"],
];

export interface TypedKey {
  code: string;
  isShifted: boolean;
}

const keys = new Map<string, TypedKey>();
for (const [code, plain, shifted] of [
  ...rows.flatMap(([first, codes, plain, shifted]) =>
    [...codes].map((name, i) => [first + name, plain[i]!, shifted[i]!] as const),
  ),
  ...others,
]) {
  keys.set(shifted, { code, isShifted: true });
  keys.set(plain, { code, isShifted: false });
}

/** The keys that type a text on a US keyboard; characters that it lacks lose their accents, or are left out. */
export function keysFor(text: string): TypedKey[] {
  const simple = text
    .replace(/\r\n?/g, "\n")
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"');
  return [...simple.normalize("NFKD")].flatMap((character) => keys.get(character) ?? []);
}

/** The same as presses and releases, in order. */
export function strokesFor(text: string): { code: string; isPressed: boolean }[] {
  return keysFor(text).flatMap(({ code, isShifted }) => {
    const stroke = [
      { code, isPressed: true },
      { code, isPressed: false },
    ];
    if (!isShifted) return stroke;
    return [{ code: "ShiftLeft", isPressed: true }, ...stroke, { code: "ShiftLeft", isPressed: false }];
  });
}
