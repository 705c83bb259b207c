// One machine with a guest's serial console, and what its process has cost so far. Session: an emulator with the console
// on its stdin and stdout. browser.mjs has the one in a page.
import fs from "node:fs";
import { spawn } from "node:child_process";
import { SetupError } from "../../assets/setup/cache.mjs";

/** The kernel's unit of CPU times in /proc: USER_HZ, 100 on every Linux. */
const kTicksPerSecond = 100;

/** What a guest's console has shown, and waiting for it. */
export class ConsoleText {
  #name;
  #text = "";
  #from = 0;
  #end;
  #heardAt = 0;
  #check = () => {};

  constructor(name) {
    this.#name = name;
  }

  hear(text) {
    this.#text += text;
    this.#heardAt = performance.now();
    this.#check();
  }

  end(how) {
    this.#end ??= how;
    this.#check();
  }

  /** Waits for the pattern behind what earlier waits found; the match has `at`, when (in ms) it arrived. */
  waitFor(pattern, seconds) {
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(guard);
        this.#check = () => {};
        settle(value);
      };
      const fail = () => finish(reject, new SetupError(this.#complaint(pattern, seconds)));
      const guard = setTimeout(fail, seconds * 1000);
      this.#check = () => {
        const match = pattern.exec(this.#text.slice(this.#from));
        if (match) {
          this.#from += match.index + match[0].length;
          finish(resolve, Object.assign(match, { at: this.#heardAt }));
        } else if (this.#end) {
          fail();
        }
      };
      this.#check();
    });
  }

  #complaint(pattern, seconds) {
    const last = this.#text.trim().split("\n").at(-1)?.trim().slice(-120) ?? "";
    const what = this.#end ?? `did not show ${pattern} within ${seconds} s`;
    return `${this.#name} ${what}; its last line: ${last}`;
  }

  /** What to say when the process is gone. */
  get lastWords() {
    return `${this.#name} ${this.#end ?? "is gone"}; its last words: ${this.#text.slice(-120)}`;
  }
}

/** User and system time of all threads of a process, and of children it has waited for. */
export function cpuSecondsOf(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system, childUser, childSystem] = fields.slice(11, 15).map(Number);
  return (user + system + childUser + childSystem) / kTicksPerSecond;
}

/** The most memory that a process has had resident, in bytes. */
export function peakMemoryOf(pid) {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
}

export class Session extends ConsoleText {
  #child;

  constructor(name, [program, ...args]) {
    super(name);
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding("utf8").on("data", (text) => this.hear(text));
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (error) => this.end(error.message));
    this.#child.on("exit", (status, signal) => this.end(`ended with ${signal ?? status}`));
  }

  send(text) {
    this.#child.stdin.write(text);
  }

  /** User and system time of all its threads, and of children it has waited for. */
  cpuSeconds() {
    return this.#ask(cpuSecondsOf);
  }

  /** The most memory it has had resident, in bytes. */
  peakMemory() {
    return this.#ask(peakMemoryOf);
  }

  #ask(question) {
    try {
      return question(this.#child.pid);
    } catch {
      throw new SetupError(this.lastWords);
    }
  }

  stop() {
    this.#child.kill("SIGKILL");
  }
}
