import { PlainText } from "../src/io/plain_text";
import type { FileAtRegex, Send } from "./options";

const mostKept = 256 * 1024;

/** Console text with a place up to which it has been used. */
class Cursor {
  #text = "";

  add(text: string): void {
    this.#text = (this.#text + text).slice(-mostKept);
  }
  /** Finds the pattern in what has not been used yet and moves behind it. */
  take(pattern: RegExp): boolean {
    const match = pattern.exec(this.#text);
    if (!match) return false;
    this.#text = this.#text.slice(match.index + match[0].length);
    return true;
  }
  has(pattern: RegExp): boolean {
    return pattern.test(this.#text);
  }
}

export interface WatchedPatterns {
  expect: readonly RegExp[];
  fail: readonly RegExp[];
  send: readonly Send[];
  saveSnapshot?: FileAtRegex;
  screenshot?: FileAtRegex;
}

export interface WatchResult {
  type: Uint8Array[];
  snapshotDue: boolean;
  screenshotDue: boolean;
  verdict: "expected" | "failed" | undefined;
  /** The source of the --fail pattern that was seen. */
  failure?: string;
}

/** Looks for --expect, --fail, --send and snapshot patterns; expects and sends each in their given order. */
export class ConsoleWatcher {
  readonly #patterns: WatchedPatterns;
  readonly #plain = new PlainText();
  readonly #expects = new Cursor();
  readonly #sends = new Cursor();
  readonly #others = new Cursor();
  #expected = 0;
  #sent = 0;
  #snapshotTaken = false;
  #screenshotTaken = false;

  constructor(patterns: WatchedPatterns) {
    this.#patterns = patterns;
  }

  /** The --expect pattern that is awaited, if any. */
  get awaited(): string | undefined {
    return this.#patterns.expect[this.#expected]?.source;
  }

  /** A --screenshot pattern has not been seen yet. */
  get awaitsScreen(): boolean {
    return this.#patterns.screenshot?.pattern !== undefined && !this.#screenshotTaken;
  }
  /** Whether the awaited screenshot is due because of the screen's text. */
  seesOnScreen(text: string): boolean {
    this.#screenshotTaken = this.#patterns.screenshot!.pattern!.test(text);
    return this.#screenshotTaken;
  }

  add(bytes: Uint8Array): WatchResult {
    const text = this.#plain.take(bytes);
    for (const cursor of [this.#expects, this.#sends, this.#others]) cursor.add(text);
    const { expect, fail, send, saveSnapshot, screenshot } = this.#patterns;
    const result: WatchResult = { type: [], snapshotDue: false, screenshotDue: false, verdict: undefined };
    const failure = fail.find((pattern) => this.#others.has(pattern));
    if (failure) return { ...result, verdict: "failed", failure: failure.source };
    while (this.#sent < send.length && this.#sends.take(send[this.#sent]!.pattern)) {
      result.type.push(send[this.#sent++]!.bytes);
    }
    if (saveSnapshot?.pattern && !this.#snapshotTaken && this.#others.has(saveSnapshot.pattern)) {
      this.#snapshotTaken = result.snapshotDue = true;
    }
    if (this.awaitsScreen && this.#others.has(screenshot!.pattern!)) {
      this.#screenshotTaken = result.screenshotDue = true;
    }
    while (this.#expected < expect.length && this.#expects.take(expect[this.#expected]!)) this.#expected++;
    if (expect.length > 0 && this.#expected === expect.length) result.verdict = "expected";
    return result;
  }
}
