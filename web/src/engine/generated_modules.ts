// The modules that the engine makes at run time: compiled here, their functions put into the engine's own table.
import { messageOf } from "../errors";

const helperPrefix = "lwj_";

export class GeneratedModules {
  readonly #memory;
  #table: WebAssembly.Table | undefined;
  #imports: WebAssembly.Imports = {};
  #isRefused = false;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** Takes the engine's table and the functions that generated code calls. */
  connect(exports: Record<string, unknown>): void {
    this.#table = exports["__indirect_function_table"] as WebAssembly.Table | undefined;
    const functions: Record<string, WebAssembly.ImportValue> = { m: this.#memory };
    for (const [name, value] of Object.entries(exports)) {
      if (name.startsWith(helperPrefix)) {
        functions[name.slice(helperPrefix.length)] = value as WebAssembly.ImportValue;
      }
    }
    this.#imports = { e: functions };
  }

  /** What the engine imports. */
  imports() {
    return {
      module_install: (bytes: number, size: number, slots: number, count: number): number => {
        try {
          this.#install(new Uint8Array(this.#memory.buffer, bytes >>> 0, size), this.#slots(slots, count));
          return 1;
        } catch (error) {
          this.#say(error);
          return 0;
        }
      },
      module_release: (slots: number, count: number): void => {
        for (const slot of this.#slots(slots, count)) this.#table!.set(slot, null);
      },
      module_milliseconds: () => performance.now(),
      table_grow: (count: number): number => {
        try {
          return this.#table!.grow(count);
        } catch {
          return 0;
        }
      },
    };
  }

  #slots(at: number, count: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, at >>> 0, count);
  }

  #install(bytes: Uint8Array<ArrayBuffer>, slots: Uint32Array): void {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
    slots.forEach((slot, index) => this.#table!.set(slot, exports[index] as () => number));
  }

  #say(error: unknown): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    console.warn(`lapwing: generated code is off, the machine runs slower: ${messageOf(error)}`);
  }
}
