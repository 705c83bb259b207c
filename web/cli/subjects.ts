// What `lapwing compare` can compare: each answers the state hash at given instruction counts, and the state itself.
import { execFile } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { configText, Engine } from "../src/engine/engine";
import { instantiateEngine } from "../src/engine/instantiate";
import { hashesAt, runTo } from "../src/engine/run_to";
import { LapwingError } from "../src/errors";
import { openDrives, type CliDrive } from "./drives";
import { compileEngineFile, firmwarePath } from "./engine_file";
import type { Options } from "./options";
import { readBootFiles, startMachine } from "./run";

export interface Subject {
  readonly name: string;
  /** Hashes at ascending instruction counts; once the machine has ended, "end COUNT HASH". */
  hashes(stops: readonly number[]): Promise<string[]>;
  state(stop: number): Promise<string>;
  /** What the last region of generated code was and how it was entered. */
  region?(stop: number): Promise<string>;
}

const usageStatus = 2;

export const subjectNames = ["interp", "wasm", "jit", "native", "restored"] as const;

export function makeSubject(name: string, options: Options): Subject {
  const interpreted = { ...options, config: { ...options.config, accel: "interp" } };
  switch (name) {
    case "interp":
    case "wasm":
      return new WasmSubject(name, interpreted, false);
    case "restored":
      return new WasmSubject(name, interpreted, true);
    case "native":
      return new NativeSubject(interpreted);
    case "jit": {
      const accel = options.config.accel ?? "jit";
      return new WasmSubject(name, { ...options, config: { ...options.config, accel } }, false, true);
    }
    default:
      throw new LapwingError("bad_option", `compare: '${name}' is none of ${subjectNames.join(", ")}.`);
  }
}

class WasmSubject implements Subject {
  readonly name;
  readonly #options;
  readonly #isRestored;
  readonly region?: (stop: number) => Promise<string>;

  constructor(name: string, options: Options, isRestored: boolean, isGenerated = false) {
    this.name = name;
    if (isGenerated) this.region = (stop) => this.#lastRegion(stop);
    this.#options = options;
    this.#isRestored = isRestored;
  }

  async hashes(stops: readonly number[]): Promise<string[]> {
    let engine = await this.#boot();
    if (this.#isRestored) engine = await this.#restore(engine, stops[0]!);
    return hashesAt(engine, stops);
  }

  async state(stop: number): Promise<string> {
    let engine = await this.#boot();
    if (this.#isRestored) engine = await this.#restore(engine, stop);
    await runTo(engine, stop);
    try {
      return engine.query("state");
    } catch {
      return engine.query("registers");
    }
  }

  async #lastRegion(stop: number): Promise<string> {
    const { config } = this.#options;
    const engine = await this.#boot({ ...config, accel: `${config.accel!},list=7` });
    await runTo(engine, stop);
    return engine.query("generated last");
  }

  async #create(config = this.#options.config): Promise<Engine> {
    const { drives } = this.#options;
    const disks = openDrives(drives, (sentence) => process.stderr.write(`lapwing: ${sentence}\n`));
    const engine = new Engine(instantiateEngine(await compileEngineFile(), config.memory, disks));
    engine.create({ ...config, drives: await disks.configLines() });
    return engine;
  }
  async #boot(config = this.#options.config): Promise<Engine> {
    const engine = await this.#create(config);
    startMachine(engine, readBootFiles(this.#options));
    return engine;
  }
  /** Goes half of the way, then on in a fresh machine that was loaded with the first one's snapshot. */
  async #restore(engine: Engine, firstStop: number): Promise<Engine> {
    await runTo(engine, Math.floor(firstStop / 2));
    const fresh = await this.#create();
    fresh.loadSnapshot(engine.saveSnapshot());
    return fresh;
  }
}

/** `disk=` of the native runner: the properties of a drive line, then the file. */
function nativeDisk({ path, options }: CliDrive): string {
  const { id, interface: on, index, isCd, isReadOnly, serial } = options;
  const parts = [`id=${id}`, `if=${on}`];
  if (index !== undefined) parts.push(`index=${index}`);
  if (isCd) parts.push("media=cdrom");
  if (isReadOnly) parts.push("readonly=on");
  if (serial) parts.push(`serial=${serial}`);
  if (path !== undefined) parts.push(`file=${path}`);
  return `disk=${parts.join(",")}`;
}

class NativeSubject implements Subject {
  readonly name = "native";
  readonly #options;

  constructor(options: Options) {
    this.#options = options;
  }

  async hashes(stops: readonly number[]): Promise<string[]> {
    const lines = (await this.#execute(`stops=${stops.join(",")}`)).split("\n");
    const found = new Map<number, string>();
    let end = "no answer";
    for (const line of lines) {
      const match = /^(end )?(\d+) ([0-9a-f]{16})$/.exec(line.trim());
      if (match?.[1]) end = match[0];
      else if (match) found.set(Number(match[2]), match[3]!);
    }
    return stops.map((stop) => found.get(stop) ?? end);
  }

  async state(stop: number): Promise<string> {
    const output = await this.#execute(`max=${stop}`, "query=state");
    return output.slice(output.lastIndexOf("instructions "));
  }

  #execute(...questions: string[]): Promise<string> {
    const binary =
      process.env["LAPWING_NATIVE"] ?? fileURLToPath(new URL("../native/lapwing_native", import.meta.url));
    if (!fs.existsSync(binary)) {
      throw new LapwingError(
        "bad_file",
        "the native engine has not been built; run `npm run build:native` first.",
      );
    }
    const { config, drives, kernel, bios, fwCfgFiles, initrds } = this.#options;
    const args = configText(config).trim().split("\n");
    args.push(...drives.map((drive) => nativeDisk(drive)));
    args.push(kernel ? `kernel=${kernel}` : `bios=${bios ?? firmwarePath("bios-256k.bin")}`);
    if (config.vga === "std") args.push(`vgabios=${firmwarePath("vgabios-stdvga.bin")}`);
    for (const { name, path } of fwCfgFiles) args.push(`fw_cfg_file=${path},${name}`);
    for (const { path, args: text } of initrds) args.push(`initrd=${path}${text ? `,${text}` : ""}`);
    return new Promise((resolve, reject) => {
      execFile(binary, [...args, ...questions], { maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
        // The console is on stdout, the answers on stderr; other statuses are how the guest ended.
        if (!error || (typeof error.code === "number" && error.code !== usageStatus))
          resolve(`${stdout}\n${stderr}`);
        else
          reject(new LapwingError("engine", `the native engine failed: ${stderr.trim() || error.message}`));
      });
    });
  }
}
