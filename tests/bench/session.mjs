// One emulator process with a guest's serial console on its stdin and stdout, and what the process has cost so far.
import fs from "node:fs";
import { spawn } from "node:child_process";
import { SetupError } from "../../assets/setup/cache.mjs";

/** The kernel's unit of CPU times in /proc: USER_HZ, 100 on every Linux. */
const kTicksPerSecond = 100;

export class Session {
  #child;
  #name;
  #text = "";
  #from = 0;
  #end;
  #heardAt = 0;
  #check = () => {};

  constructor(name, [program, ...args]) {
    this.#name = name;
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    const hear = (text) => {
      this.#text += text;
      this.#heardAt = performance.now();
      this.#check();
    };
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding("utf8").on("data", hear);
    this.#child.stdin.on("error", () => {});
    const end = (how) => {
      this.#end ??= how;
      this.#check();
    };
    this.#child.on("error", (error) => end(error.message));
    this.#child.on("exit", (status, signal) => end(`ended with ${signal ?? status}`));
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
