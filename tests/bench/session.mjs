// One emulator process with a guest's serial console on its stdin and stdout, and what the process has cost so far.
import fs from "node:fs";
import { spawn } from "node:child_process";
import { SetupError } from "../../assets/setup/cache.mjs";

/** The kernel's unit of CPU times in /proc: USER_HZ, 100 on every Linux. */
const kTicksPerSecond = 100;
const kPollMs = 20;

export class Session {
  #child;
  #name;
  #text = "";
  #from = 0;
  #end;

  constructor(name, [program, ...args]) {
    this.#name = name;
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    const hear = (text) => (this.#text += text);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding("utf8").on("data", hear);
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (error) => (this.#end = error.message));
    this.#child.on("exit", (status, signal) => (this.#end ??= `ended with ${signal ?? status}`));
  }

  /** Waits for the pattern behind what earlier waits found. */
  async waitFor(pattern, seconds) {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const match = pattern.exec(this.#text.slice(this.#from));
      if (match) {
        this.#from += match.index + match[0].length;
        return match;
      }
      if (this.#end || performance.now() > deadline) throw new SetupError(this.#complaint(pattern, seconds));
      await new Promise((resolve) => setTimeout(resolve, kPollMs));
    }
  }

  #complaint(pattern, seconds) {
    const last = this.#text.trim().split("\n").at(-1)?.trim().slice(-120) ?? "";
    const what = this.#end ?? `did not show ${pattern} within ${seconds} s`;
    return `${this.#name} ${what}; its last line: ${last}`;
  }

  send(text) {
    this.#child.stdin.write(text);
  }

  /** User and system time of all its threads, and of children it has waited for. */
  cpuSeconds() {
    const stat = this.#proc("stat");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [user, system, childUser, childSystem] = fields.slice(11, 15).map(Number);
    return (user + system + childUser + childSystem) / kTicksPerSecond;
  }

  /** The most memory it has had resident, in bytes. */
  peakMemory() {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(this.#proc("status"))[1]) * 1024;
  }

  #proc(file) {
    try {
      return fs.readFileSync(`/proc/${this.#child.pid}/${file}`, "utf8");
    } catch {
      throw new SetupError(
        `${this.#name} ${this.#end ?? "is gone"}; its last words: ${this.#text.slice(-120)}`,
      );
    }
  }

  stop() {
    this.#child.kill("SIGKILL");
  }
}
