// Loads lockstep.wasm and is its host: modules that it makes at run time are compiled here, and checked by
// `onModule` when one is given.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const heapPages = 1024;
const maximumPages = 49152;

export class Probe {
  constructor(onModule) {
    const file = process.env.LAPWING_LOCKSTEP_WASM ?? path.join(root, "build/wasm/lockstep.wasm");
    this.memory = new WebAssembly.Memory({ initial: heapPages, maximum: maximumPages });
    const module = new WebAssembly.Module(fs.readFileSync(file));
    const env = { ...this.#library(), ...this.#modules(onModule), memory: this.memory };
    const wasi = {
      proc_exit: () => fail("it exited"),
      fd_write: () => 8,
      fd_read: () => 8,
      fd_close: () => 8,
    };
    Object.assign(wasi, {
      fd_seek: () => 8,
      fd_fdstat_get: () => 8,
      environ_get: () => 0,
      clock_time_get: () => 0,
    });
    wasi.environ_sizes_get = () => 0;
    this.exports = new WebAssembly.Instance(module, { env, wasi_snapshot_preview1: wasi }).exports;
    const helpers = Object.entries(this.exports).filter(([name]) => name.startsWith("lwj_"));
    this.generatedImports = {
      e: { m: this.memory, ...Object.fromEntries(helpers.map(([name, value]) => [name.slice(4), value])) },
    };
    this.exports._initialize?.();
  }

  text(at = this.exports.ls_text()) {
    const bytes = new Uint8Array(this.memory.buffer, at);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  }
  /** Copies bytes into the module; they stay there. */
  give(bytes) {
    const at = this.exports.ls_alloc(bytes.length) >>> 0;
    new Uint8Array(this.memory.buffer, at, bytes.length).set(bytes);
    return at;
  }
  counts() {
    this.exports.ls_counts();
    return JSON.parse(this.text());
  }

  #library() {
    return {
      engine_failure: (file, line, condition) => fail(`${this.text(file)}:${line}: ${this.text(condition)}`),
      emscripten_notify_memory_growth: () => {},
      abort: () => fail("it aborted"),
      _abort_js: () => fail("it aborted"),
      __cxa_throw: () => fail("it threw"),
    };
  }
  #modules(onModule) {
    const table = () => this.exports.__indirect_function_table;
    const slots = (at, count) => new Uint32Array(this.memory.buffer, at >>> 0, count);
    return {
      module_install: (at, size, slotsAt, count) => {
        const bytes = new Uint8Array(this.memory.buffer, at >>> 0, size).slice();
        onModule?.(bytes);
        const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.generatedImports);
        slots(slotsAt, count).forEach((slot, index) => table().set(slot, exports[index]));
        return 1;
      },
      module_release: (at, count) => slots(at, count).forEach((slot) => table().set(slot, null)),
      module_milliseconds: () => performance.now(),
      table_grow: (count) => table().grow(count),
      module_milliseconds: () => performance.now(),
    };
  }
}

function fail(what) {
  throw new Error(`lockstep.wasm stopped: ${what}`);
}
