// GDB's remote serial protocol on a TCP port ("Debugging with GDB", appendix E): registers, memory, breakpoints,
// single steps, an interrupt, a thread for each processor. Registers and memory are read, not written; watchpoints
// are not there.
import net from "node:net";
import { LapwingError } from "../src/errors";
import { parseRegisters, registerTexts, type Architecture, type Registers } from "./gdb_registers";

export interface GdbTarget {
  readonly isRunning: boolean;
  /** The answer to the engine's question "registers". */
  registers(): string;
  /** undefined: not mapped. */
  readMemory(address: bigint, size: number): Uint8Array | undefined;
  setBreakpoints(addresses: bigint[]): void;
  resume(): void;
  pause(): void;
  /** One instruction of that processor; false when the machine ended. */
  step(cpu: number): Promise<boolean>;
  monitor(line: string): string;
  quit(): void;
}

export interface GdbAddress {
  host: string;
  port: number;
}

/** tcp:[HOST]:PORT, with options of QEMU's that change nothing here. */
export function parseGdbAddress(text: string): GdbAddress {
  const [, host, port] = /^tcp:([^:,]*):(\d+)(?:,.*)?$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 0xffff)
    throw new LapwingError("bad_option", `-gdb ${text}: write it as tcp::PORT.`);
  return { host: host || "127.0.0.1", port: Number(port) };
}

const trap = 5;
const interrupted = 2;
const ctrlC = 0x03;
const mostBytes = 0x4000;
const error = "E01";
const hex = (text: string): number => parseInt(text, 16);

export class GdbServer {
  readonly #target;
  readonly #architecture: Architecture;
  readonly #server = net.createServer((socket) => this.#accept(socket));
  readonly #breakpoints = new Set<bigint>();
  #socket: net.Socket | undefined;
  #received = "";
  #acknowledges = true;
  /** The processor that g, p and m mean, and the one that stopped last. */
  #cpu = 0;
  #work = Promise.resolve();

  constructor(target: GdbTarget, architecture: Architecture) {
    this.#target = target;
    this.#architecture = architecture;
  }

  /** Resolves with the port once it listens. */
  listen({ host, port }: GdbAddress): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause: NodeJS.ErrnoException) => {
        const reason = cause.code === "EADDRINUSE" ? "somebody else listens there" : cause.message;
        reject(new LapwingError("bad_option", `-gdb: cannot listen on ${host}:${port}: ${reason}.`));
      });
      this.#server.listen(port, host, () => resolve((this.#server.address() as net.AddressInfo).port));
    });
  }

  close(): void {
    this.#socket?.end();
    this.#server.close();
  }

  /** The machine stopped at a breakpoint. */
  stopped(): void {
    const at = this.#cpus().findIndex((cpu) => this.#breakpoints.has(linear(cpu)));
    if (at >= 0) this.#cpu = at;
    this.#sendStop(trap);
  }
  /** The machine ended. */
  exited(status: number): void {
    this.#send(`W${(status & 0xff).toString(16).padStart(2, "0")}`);
  }

  #accept(socket: net.Socket): void {
    if (this.#socket) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.#acknowledges = true;
    this.#received = "";
    socket.setNoDelay(true);
    this.#target.pause();
    socket.setEncoding("latin1").on("data", (text: string) => this.#take(text));
    socket.on("error", () => {});
    socket.on("close", () => this.#detach());
  }

  #detach(): void {
    this.#socket = undefined;
    this.#breakpoints.clear();
    this.#target.setBreakpoints([]);
    this.#target.resume();
  }

  #take(text: string): void {
    this.#received += text;
    for (;;) {
      if (this.#received.charCodeAt(0) === ctrlC) this.#interrupt();
      if (/^[+\-\x03]/.test(this.#received)) {
        this.#received = this.#received.slice(1);
        continue;
      }
      const packet = /^\$([^#]*)#(..)/.exec(this.#received);
      if (!packet) return;
      this.#received = this.#received.slice(packet[0].length);
      const isWhole = checksum(packet[1]!) === packet[2]!.toLowerCase();
      if (this.#acknowledges) this.#socket?.write(isWhole ? "+" : "-");
      if (!isWhole) continue;
      this.#work = this.#work.then(async () => {
        const answer = await this.#answer(packet[1]!);
        if (answer !== undefined) this.#send(answer);
      });
    }
  }

  #interrupt(): void {
    if (!this.#target.isRunning) return;
    this.#target.pause();
    this.#sendStop(interrupted);
  }

  #send(text: string): void {
    this.#socket?.write(`$${text}#${checksum(text)}`, "latin1");
  }
  #sendStop(signal: number): void {
    this.#send(this.#stopReply(signal));
  }
  #stopReply(signal: number): string {
    return `T0${signal}thread:${this.#cpu + 1};`;
  }

  #cpus() {
    return parseRegisters(this.#target.registers());
  }

  /** undefined: the answer comes when the machine stops. */
  async #answer(packet: string): Promise<string | undefined> {
    const rest = packet.slice(1);
    switch (packet[0]) {
      case "?":
        return this.#stopReply(trap);
      case "g":
        return this.#registers().join("");
      case "p":
        return this.#registers()[hex(rest)] ?? error;
      case "m":
        return this.#memory(rest);
      case "c":
      case "C":
        return this.#resume();
      case "s":
      case "S":
        return this.#step(this.#cpu);
      case "Z":
      case "z":
        return this.#changeBreakpoint(packet);
      case "H":
        return this.#choose(rest.slice(1));
      case "T":
        return hex(rest) <= this.#cpus().length ? "OK" : error;
      case "D":
        this.#send("OK");
        this.#socket?.end();
        return undefined;
      case "k":
        this.#target.quit();
        return undefined;
      case "G":
      case "P":
      case "M":
      case "X":
        return error;
      case "v":
        return this.#verbose(packet);
      case "q":
      case "Q":
        return this.#query(packet);
      default:
        return "";
    }
  }

  #registers(): string[] {
    return registerTexts(this.#cpus()[this.#cpu]!, this.#architecture);
  }

  #memory(range: string): string {
    const [address, size] = range.split(",");
    const bytes = this.#target.readMemory(BigInt(`0x${address}`), Math.min(hex(size!), mostBytes));
    return bytes ? Buffer.from(bytes).toString("hex") : error;
  }

  #resume(): undefined {
    this.#target.resume();
  }

  async #step(cpu: number): Promise<string | undefined> {
    this.#cpu = cpu;
    return (await this.#target.step(cpu)) ? this.#stopReply(trap) : undefined;
  }

  /** Z0 and Z1, a software and a hardware breakpoint, are the same here. */
  #changeBreakpoint(packet: string): string {
    const [, change, address] = /^([Zz])[01],([0-9a-f]+)/i.exec(packet) ?? [];
    if (address === undefined) return "";
    if (change === "Z") this.#breakpoints.add(BigInt(`0x${address}`));
    else this.#breakpoints.delete(BigInt(`0x${address}`));
    this.#target.setBreakpoints([...this.#breakpoints]);
    return "OK";
  }

  /** -1 is all threads, 0 any. */
  #choose(thread: string): string {
    const number = hex(thread);
    if (number > this.#cpus().length) return error;
    if (number > 0) this.#cpu = number - 1;
    return "OK";
  }

  #verbose(packet: string): string | undefined | Promise<string | undefined> {
    if (packet === "vCont?") return "vCont;c;C;s;S";
    const step = /^vCont;(?:.*;)?[sS](?:\d\d)?(?::([0-9a-f]+))?/.exec(packet);
    if (step) return this.#step(step[1] === undefined ? this.#cpu : Math.max(hex(step[1]) - 1, 0));
    if (/^vCont;[cC]/.test(packet)) return this.#resume();
    return "";
  }

  #query(packet: string): string {
    if (packet === "QStartNoAckMode") {
      this.#acknowledges = false;
      return "OK";
    }
    if (packet.startsWith("qSupported"))
      return `PacketSize=${mostBytes.toString(16)};qXfer:features:read+;QStartNoAckMode+;vContSupported+`;
    if (packet.startsWith("qXfer:features:read:target.xml:"))
      return `l<target><architecture>${this.#architecture}</architecture></target>`;
    if (packet === "qfThreadInfo")
      return `m${this.#cpus()
        .map((_, i) => (i + 1).toString(16))
        .join(",")}`;
    if (packet === "qsThreadInfo") return "l";
    if (packet === "qC") return `QC${this.#cpu + 1}`;
    if (packet === "qAttached") return "1";
    if (packet.startsWith("qThreadExtraInfo,"))
      return Buffer.from(`CPU#${hex(packet.split(",")[1]!) - 1}`).toString("hex");
    if (packet.startsWith("qRcmd,")) {
      const line = Buffer.from(packet.slice("qRcmd,".length), "hex").toString();
      return Buffer.from(this.#target.monitor(line) || "\n").toString("hex");
    }
    return "";
  }
}

const linear = (cpu: Registers): bigint => (cpu.get("CS_BASE") ?? 0n) + (cpu.get("RIP") ?? 0n);

function checksum(text: string): string {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i);
  return (sum & 0xff).toString(16).padStart(2, "0");
}
