export type ErrorCode =
  | "bad_file" // a kernel, initrd, snapshot ... that cannot be used
  | "bad_option"
  | "engine" // the engine broke an invariant of its own
  | "host" // the browser or Node lacks something
  | "network"
  | "not_supported"
  | "stopped" // the machine ended before what was awaited happened
  | "timeout";

/** Every error that Lapwing raises on purpose: a code for programs, a sentence for people. */
export class LapwingError extends Error {
  override readonly name = "LapwingError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export function messageOf(error: unknown): string {
  if (error instanceof WebAssembly.RuntimeError) return `The engine stopped in a trap (${error.message}).`;
  return error instanceof Error ? error.message : String(error);
}

/** What crosses a Worker boundary in place of the error object. */
export interface PlainError {
  code: ErrorCode;
  message: string;
}

export function toPlain(error: unknown): PlainError {
  return { code: error instanceof LapwingError ? error.code : "engine", message: messageOf(error) };
}

export const fromPlain = (error: PlainError): LapwingError => new LapwingError(error.code, error.message);
