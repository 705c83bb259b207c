// An engine in JavaScript behind the same door: a toy machine that prints a boot log, then runs a tiny shell, and halts
// between key strokes with a timer every 4 ms of virtual time. For tests of everything around the engine.
import { DiskSet } from "../../web/src/io/disk.ts";
import { doorNames, DoorInput, doorStatus, DoorStop, doorVersion } from "../../web/src/engine/door.ts";

const tickNs = 4e6;
const instructionsPerLine = 400_000;
const tickInstructions = 2_000;
const statusAt = 64;
const textAt = 512;
const heapAt = 4096;

export const bootLog = [
  "Linux version 6.1.0-fake (gcc 12.2.0) #1 SMP PREEMPT_DYNAMIC",
  "Command line: console=ttyS0",
  "BIOS-provided physical RAM map:",
  "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable",
  "BIOS-e820: [mem 0x0000000000100000-0x000000000fffffff] usable",
  "tsc: Detected 1000.000 MHz processor",
  "ACPI: Core revision 20220331",
  "..TIMER: vector=0x30 apic1=0 pin1=2 apic2=-1 pin2=-1",
  "Calibrating delay loop (skipped), value calculated using timer frequency.. 2000.00 BogoMIPS",
  "smpboot: CPU0: Lapwing virtual CPU (family: 0x6, model: 0x3a, stepping: 0x9)",
  "clocksource: hpet: mask: 0xffffffff max_cycles: 0xffffffff",
  "Serial: 8250/16550 driver, 4 ports, IRQ sharing enabled",
  "00:03: ttyS0 at I/O 0x3f8 (irq = 4, base_baud = 115200) is a 16550A",
  "Freeing unused kernel image (initmem) memory: 2680K",
  "Run /init as init process",
  "",
  "\x1b[1;32mWelcome to the Lapwing guest.\x1b[0m Type `help` for a start.",
];

export class FakeMachine {
  constructor(memory) {
    this.memory = memory;
    this.next = heapAt;
    this.config = new Map();
    this.files = new Map();
    this.rate = 5;
    this.reset();
  }

  reset() {
    this.instructions = 0;
    this.baseInstructions = 0;
    this.ns = 0;
    this.haltedNs = 0;
    this.deadline = Infinity;
    this.work = 0;
    this.line = 0;
    this.typed = "";
    this.output = [];
    this.stop = null;
    this.exit = 0;
    this.isBooting = true;
  }

  print(text) {
    this.output.push(...new TextEncoder().encode(text));
  }

  text(string) {
    const bytes = typeof string === "string" ? new TextEncoder().encode(string) : string;
    const view = new DataView(this.memory.buffer);
    const at = this.alloc(bytes.length);
    new Uint8Array(this.memory.buffer).set(bytes, at);
    view.setUint32(textAt, at, true);
    view.setUint32(textAt + 4, bytes.length, true);
  }

  alloc(size) {
    if (this.next + size > 48 << 20) this.next = heapAt;
    const at = this.next;
    this.next += (size + 15) & ~15;
    return at;
  }

  read(at, size) {
    return new Uint8Array(this.memory.buffer, at, size).slice();
  }

  updateStatus(stop) {
    const view = new DataView(this.memory.buffer);
    const put = (offset, value) =>
      view.setBigUint64(
        statusAt + offset,
        value === Infinity ? ~0n & 0xffffffffffffffffn : BigInt(Math.round(value)),
        true,
      );
    put(doorStatus.instructions, this.instructions);
    put(doorStatus.ns, this.ns);
    put(doorStatus.nextDeadlineNs, this.deadline);
    put(doorStatus.haltedNs, this.haltedNs);
    view.setUint32(statusAt + doorStatus.stop, stop, true);
    view.setUint32(statusAt + doorStatus.exitStatus, this.exit, true);
    view.setUint32(statusAt + doorStatus.serialPending, this.output.length, true);
    return stop;
  }

  retire(count) {
    this.instructions += count;
    this.ns += count * this.rate;
  }

  run(max, limit) {
    let left = max;
    while (left > 0) {
      if (this.stop !== null) return this.updateStatus(this.stop);
      if (this.isBooting) {
        const count = Math.min(left, instructionsPerLine - (this.instructions % instructionsPerLine));
        this.burn(count);
        left -= count;
        if (this.instructions % instructionsPerLine === 0) this.bootLine();
      } else if (this.work > 0) {
        const count = Math.min(left, this.work);
        this.burn(count);
        this.work -= count;
        left -= count;
      } else if (this.deadline <= limit) {
        if (this.deadline > this.ns) this.haltedNs += this.deadline - this.ns;
        this.ns = Math.max(this.ns, this.deadline);
        this.deadline += tickNs;
        this.work = tickInstructions;
      } else {
        return this.updateStatus(this.deadline === Infinity ? DoorStop.IdleForever : DoorStop.Halted);
      }
    }
    return this.updateStatus(DoorStop.Patience);
  }

  /** Takes some host time, as an interpreter would: about 200 million instructions a second. */
  burn(count) {
    this.retire(count);
    let x = 1;
    for (let i = 0; i < count; i++) x = (x * 1103515245 + 12345) | 0;
    this.junk = x;
  }

  bootLine() {
    const stamp = (this.ns / 1e9).toFixed(6).padStart(12);
    const text = bootLog[this.line++];
    this.print(this.line < bootLog.length - 1 ? `[${stamp}] ${text}\r\n` : `${text}\r\n`);
    if (this.line < bootLog.length) return;
    this.isBooting = false;
    this.deadline = this.ns + tickNs;
    this.print("~ # ");
  }

  type(bytes) {
    for (const byte of bytes) {
      if (byte === 13) this.command();
      else if (byte === 127) this.typed = this.typed.slice(0, -1);
      else {
        this.typed += String.fromCharCode(byte);
        this.print(String.fromCharCode(byte));
      }
    }
    this.work += 5_000;
  }

  command() {
    const [name, ...args] = this.typed.trim().split(" ");
    this.typed = "";
    this.print("\r\n");
    const replies = {
      "": "",
      uname: "Linux lapwing 6.1.0-fake x86_64 GNU/Linux\r\n",
      help: "echo, uname, poweroff, burn\r\n",
      echo: args.join(" ").replace("$((6*7))", "42") + "\r\n",
      burn: "",
    };
    if (name === "burn") this.work += 100_000_000;
    if (name === "poweroff") this.stop = DoorStop.PowerOff;
    else this.print((replies[name] ?? `${name}: not found\r\n`) + "~ # ");
  }

  hash() {
    let hash = 0xcbf29ce484222325n;
    const text = `${this.instructions} ${Math.round(this.ns)} ${this.line} ${this.typed} ${this.work} ${this.deadline}`;
    for (const c of text) hash = ((hash ^ BigInt(c.codePointAt(0))) * 0x100000001b3n) & 0xffffffffffffffffn;
    return hash.toString(16).padStart(16, "0");
  }

  query(question) {
    if (question === "hash") return this.hash();
    if (question === "registers")
      return `RIP=0000000000100000 RAX=${this.instructions.toString(16).padStart(16, "0")}\n`;
    if (question === "stats") return "{}";
    if (question === "info pic") return "pic0: irr=00 imr=ff isr=00\n";
    return null;
  }
}

/** The door of a fresh toy machine. */
export function fakeInstance(guestBytes = 1 << 20) {
  const memory = new WebAssembly.Memory({ initial: 1024 + (guestBytes >> 16), maximum: 49152 });
  const machine = new FakeMachine(memory);
  const decode = (at, size) => new TextDecoder().decode(machine.read(at, size));
  const fail = (text) => (machine.text(text), 1);
  const door = {
    lw_door_version: () => doorVersion,
    lw_alloc: (size) => machine.alloc(size),
    lw_free: () => {},
    lw_create: (at, size) => {
      for (const line of decode(at, size).trim().split("\n")) machine.config.set(...line.split(/=(.*)/s, 2));
      machine.updateStatus(DoorStop.Patience);
      return 0;
    },
    lw_load: (kindAt, kindSize, at, size) => {
      const bytes = machine.read(at, size);
      if (decode(kindAt, kindSize) === "kernel" && bytes[0] === 0)
        return fail("The kernel is not a bzImage.");
      machine.files.set(decode(kindAt, kindSize), bytes);
      return 0;
    },
    lw_boot: () => (machine.reset(), machine.updateStatus(DoorStop.Patience), 0),
    lw_run: (max, limit) => machine.run(max, limit),
    lw_status: () => statusAt,
    lw_input: (kind, _a, _b, at, size) => {
      if (kind === DoorInput.Serial) machine.type(machine.read(at, size));
      if (kind === DoorInput.Reset) machine.reset();
      machine.updateStatus(DoorStop.Patience);
      return 0;
    },
    lw_set_rate: (rate) => void (machine.rate = rate),
    lw_advance: (ns) => {
      machine.haltedNs += ns - machine.ns;
      machine.ns = ns;
      machine.updateStatus(DoorStop.Halted);
    },
    lw_serial_read: (_port, at, capacity) => {
      const bytes = machine.output.splice(0, capacity);
      new Uint8Array(memory.buffer).set(bytes, at);
      machine.updateStatus(DoorStop.Patience);
      return bytes.length;
    },
    lw_screen: () => 0,
    lw_query: (at, size) => {
      const question = decode(at, size);
      const answer = machine.query(question);
      return answer === null ? fail(`'${question}' is not understood.`) : (machine.text(answer), 0);
    },
    lw_text: () => textAt,
    lw_read_memory: (_virtual, _address, at, size) => (new Uint8Array(memory.buffer, at, size).fill(0x90), 0),
    lw_snapshot_save: () => (
      machine.text(
        JSON.stringify({
          instructions: machine.instructions,
          ns: machine.ns,
          line: machine.line,
          isBooting: machine.isBooting,
          deadline: String(machine.deadline),
          work: machine.work,
        }),
      ),
      0
    ),
    lw_snapshot_done: () => {},
    lw_snapshot_load: (at, size) => {
      try {
        const state = JSON.parse(decode(at, size));
        Object.assign(machine, state, { deadline: Number(state.deadline) });
      } catch {
        return fail("The snapshot is damaged.");
      }
      machine.updateStatus(DoorStop.Patience);
      return 0;
    },
    lw_trace_start: () => {},
    lw_trace_read: () => 0,
    lw_log_start: () => 0,
    lw_log_take: () => (machine.text(""), 0),
  };
  const missing = doorNames.find((name) => !(name in door));
  if (missing) throw new Error(`the fake engine lacks ${missing}`);
  return { door, memory, machine, disks: new DiskSet([]) };
}

/** In place of web/src/engine/instantiate.ts. */
export const engineHeapBytes = 64 << 20;
export const requireWebAssembly = () => {};
export const compileEngine = async () => ({});
export const instantiateEngine = (_module, guestBytes) => fakeInstance(guestBytes);
