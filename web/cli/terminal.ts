// The user's terminal: raw input with QEMU's Ctrl-A keys, and the monitor's line editor.
import fs from "node:fs";
import { writeFully } from "./files";

const ctrlA = 0x01;

export interface TerminalHandlers {
  input(bytes: Uint8Array): void;
  quit(): void;
  monitorLine(line: string): string;
  inputEnded(): void;
}

/** What stdin is: only a terminal or a pipe feeds the guest. */
export function stdinKind(): "terminal" | "pipe" | "other" {
  if (process.stdin.isTTY) return "terminal";
  try {
    const stat = fs.fstatSync(0);
    return stat.isFIFO() || stat.isSocket() ? "pipe" : "other";
  } catch {
    return "other";
  }
}

export class Terminal {
  readonly #handlers: TerminalHandlers;
  readonly #kind = stdinKind();
  #isOpen = false;
  #afterCtrlA = false;
  #inMonitor = false;
  #line = "";

  constructor(handlers: TerminalHandlers, monitorFirst = false) {
    this.#handlers = handlers;
    this.#inMonitor = monitorFirst;
  }

  /** Can the user still type something? */
  get mayType(): boolean {
    return this.#isOpen;
  }

  open(): void {
    if (this.#kind === "other") return;
    this.#isOpen = true;
    if (this.#kind === "terminal") process.stdin.setRawMode(true);
    process.stdin.on("data", (bytes: Buffer) => this.#take(bytes));
    process.stdin.on("end", () => {
      this.#isOpen = false;
      this.#handlers.inputEnded();
    });
    process.stdin.on("error", () => {});
  }

  close(): void {
    if (this.#kind === "other" || !process.stdin.listenerCount("data")) return;
    if (this.#kind === "terminal") process.stdin.setRawMode(false);
    process.stdin.removeAllListeners("data").pause();
    this.#isOpen = false;
  }

  /** The guest's output; held back from nothing, as in QEMU. */
  write(bytes: Uint8Array): boolean {
    return writeFully(1, bytes);
  }

  #take(bytes: Uint8Array): void {
    if (this.#kind === "pipe") {
      if (this.#inMonitor) this.#commands(bytes);
      else this.#handlers.input(bytes);
      return;
    }
    const plain: number[] = [];
    const flush = () => {
      if (plain.length > 0) this.#handlers.input(new Uint8Array(plain.splice(0)));
    };
    for (const byte of bytes) {
      if (this.#afterCtrlA) {
        flush();
        this.#command(byte);
      } else if (byte === ctrlA) this.#afterCtrlA = true;
      else if (this.#inMonitor) this.#edit(byte);
      else plain.push(byte);
    }
    flush();
  }

  #command(byte: number): void {
    this.#afterCtrlA = false;
    switch (String.fromCharCode(byte).toLowerCase()) {
      case "x":
        this.#handlers.quit();
        break;
      case "c":
        this.#inMonitor = !this.#inMonitor;
        this.#line = "";
        writeFully(
          1,
          this.#inMonitor
            ? "\r\nLapwing monitor; `help` lists commands, Ctrl-A C goes back\r\n(lapwing) "
            : "\r\n",
        );
        break;
      case "h":
        writeFully(1, "\r\nCtrl-A X  end\r\nCtrl-A C  monitor / console\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n");
        break;
      default:
        if (byte === ctrlA) this.#handlers.input(new Uint8Array([ctrlA]));
    }
  }

  /** The monitor's commands from a pipe, a line each. */
  #commands(bytes: Uint8Array): void {
    const lines = (this.#line + new TextDecoder().decode(bytes)).split(/\r?\n/);
    this.#line = lines.pop()!;
    for (const line of lines) if (line.trim()) writeFully(1, this.#handlers.monitorLine(line.trim()));
  }

  #edit(byte: number): void {
    if (byte === 13 || byte === 10) {
      const line = this.#line.trim();
      this.#line = "";
      const answer = line ? this.#handlers.monitorLine(line) : "";
      writeFully(
        1,
        `\r\n${answer.replace(/\r?\n/g, "\r\n")}${answer && !answer.endsWith("\n") ? "\r\n" : ""}(lapwing) `,
      );
    } else if (byte === 127 || byte === 8) {
      if (this.#line) writeFully(1, "\b \b");
      this.#line = this.#line.slice(0, -1);
    } else if (byte === 3 || byte === 21) {
      this.#line = "";
      writeFully(1, "\r\n(lapwing) ");
    } else if (byte >= 32 && byte < 127) {
      this.#line += String.fromCharCode(byte);
      writeFully(1, String.fromCharCode(byte));
    }
  }
}
