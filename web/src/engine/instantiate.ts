import { LapwingError, messageOf } from "../errors";
import { DiskSet } from "../io/disk";
import { doorNames, doorVersion, type DoorFunctions } from "./door";
import { GeneratedModules } from "./generated_modules";

const mebibyte = 1024 * 1024;
const wasmPage = 64 * 1024;

/** The engine's own heap, below guest RAM. The wasm build (LAPWING_HEAP_MIB) uses the same figure. */
export const engineHeapBytes = 64 * mebibyte;
/** The most that the module's memory import allows (LAPWING_MAX_MEMORY_MIB). */
const maximumBytes = 3072 * mebibyte;

export interface Instance {
  readonly door: DoorFunctions;
  readonly memory: WebAssembly.Memory;
  readonly disks: DiskSet;
}

/** The smallest module that uses a v128: engines without SIMD refuse it. */
const simdProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98,
  11,
]);

/** Throws when this browser or Node cannot run the engine at all. */
export function requireWebAssembly(): void {
  if (typeof WebAssembly !== "object") {
    throw new LapwingError("host", "This browser has WebAssembly switched off; Lapwing needs it.");
  }
  let hasSimd = false;
  try {
    hasSimd = WebAssembly.validate(simdProbe);
  } catch {
    throw new LapwingError(
      "host",
      "This page's security policy forbids WebAssembly; it must allow script-src 'wasm-unsafe-eval'.",
    );
  }
  if (!hasSimd) {
    throw new LapwingError(
      "host",
      "This browser lacks WebAssembly SIMD; use Chrome 91, Firefox 89, Safari 16.4 or newer.",
    );
  }
}

export async function compileEngine(source: BufferSource | Response): Promise<WebAssembly.Module> {
  requireWebAssembly();
  try {
    if (!(typeof Response === "function" && source instanceof Response)) {
      return await WebAssembly.compile(source as BufferSource);
    }
    const isTyped = source.headers.get("content-type")?.startsWith("application/wasm");
    if (isTyped) return await WebAssembly.compileStreaming(source);
    return await WebAssembly.compile(await source.arrayBuffer());
  } catch (error) {
    throw new LapwingError("bad_file", `The engine (lapwing.wasm) cannot be compiled: ${messageOf(error)}`);
  }
}

export function instantiateEngine(
  module: WebAssembly.Module,
  guestBytes: number,
  disks = new DiskSet([]),
): Instance {
  const memory = createMemory(guestBytes);
  const generated = new GeneratedModules(memory);
  const imports = engineImports(memory, generated);
  Object.assign(imports["env"]!, disks.doorCalls(memory));
  refuseUnknownImports(module, imports);
  const exports = new WebAssembly.Instance(module, imports).exports as Record<string, unknown>;
  generated.connect(exports);
  const missing = doorNames.find((name) => typeof exports[name] !== "function");
  if (missing) throw new LapwingError("engine", `The engine does not export ${missing}; rebuild it.`);
  (exports["_initialize"] as (() => void) | undefined)?.();
  const door = exports as unknown as DoorFunctions;
  const version = door.lw_door_version();
  if (version !== doorVersion) {
    throw new LapwingError(
      "engine",
      `The engine speaks door version ${version}, its host ${doorVersion}; rebuild both.`,
    );
  }
  return { door, memory, disks };
}

function createMemory(guestBytes: number): WebAssembly.Memory {
  const bytes = engineHeapBytes + guestBytes;
  if (bytes > maximumBytes) {
    throw new LapwingError(
      "bad_option",
      `${Math.round(guestBytes / mebibyte)} MiB of guest memory is too much; at most 2048 MiB.`,
    );
  }
  try {
    return new WebAssembly.Memory({ initial: Math.ceil(bytes / wasmPage), maximum: maximumBytes / wasmPage });
  } catch {
    const size = Math.round(guestBytes / mebibyte);
    throw new LapwingError(
      "host",
      `There is no room for ${size} MiB of guest memory; ask for less, or close other tabs.`,
    );
  }
}

type ImportTable = Record<string, Record<string, WebAssembly.ImportValue>>;

function engineImports(memory: WebAssembly.Memory, generated: GeneratedModules): ImportTable {
  const view = () => new DataView(memory.buffer);
  const cString = (pointer: number): string => {
    if (pointer === 0) return "?";
    const bytes = new Uint8Array(memory.buffer, pointer);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  };
  const fail = (what: string) => (): never => {
    throw new LapwingError("engine", `The engine stopped: ${what}.`);
  };
  const badDescriptor = 8;
  const zeroOut = (...pointers: number[]): number => {
    for (const pointer of pointers) view().setUint32(pointer, 0, true);
    return 0;
  };
  return {
    env: {
      memory,
      engine_failure: (file: number, line: number, condition: number): never => {
        throw new LapwingError(
          "engine",
          `The engine broke its own rule at ${cString(file)}:${line}: ${cString(condition)}.`,
        );
      },
      ...generated.imports(),
      emscripten_notify_memory_growth: () => {},
      abort: fail("it aborted"),
      _abort_js: fail("it aborted"),
      __cxa_throw: fail("it threw a C++ exception (out of memory?)"),
    },
    // What the C library may ask of its host. The engine has no files and no clock: every answer is empty.
    wasi_snapshot_preview1: {
      proc_exit: (status: number): never => fail(`it exited with status ${status}`)(),
      fd_write: (_fd: number, vectors: number, count: number, written: number): number => {
        let total = 0;
        for (let i = 0; i < count; i++) total += view().getUint32(vectors + 8 * i + 4, true);
        view().setUint32(written, total, true);
        return 0;
      },
      fd_read: () => badDescriptor,
      fd_close: () => badDescriptor,
      fd_seek: () => badDescriptor,
      fd_fdstat_get: () => badDescriptor,
      environ_sizes_get: zeroOut,
      environ_get: () => 0,
      clock_time_get: (_id: number, _precision: bigint, out: number): number => zeroOut(out, out + 4),
      random_get: (pointer: number, size: number): number => {
        new Uint8Array(memory.buffer, pointer, size).fill(0);
        return 0;
      },
    },
  };
}

function refuseUnknownImports(module: WebAssembly.Module, imports: ImportTable): void {
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    if (imports[from]?.[name] === undefined) {
      throw new LapwingError(
        "engine",
        `The engine asks its host for ${from}.${name}, which does not exist; rebuild it.`,
      );
    }
  }
}
