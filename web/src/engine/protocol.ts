import type { PlainError } from "../errors";
import type { DriveOptions } from "../io/disk";
import type { FileKind, MachineConfig, MouseInput } from "./engine";
import type { RunPosition } from "./history";

/** Where a file's bytes come from. A Blob is a file that the reader dropped in. */
export type FileSource = { url: string } | { bytes: Uint8Array } | { blob: Blob };

export interface BootFile {
  kind: FileKind;
  /** For progress and error messages. */
  name: string;
  source: FileSource;
  args?: string;
  /** The machine starts without it when it cannot be had. */
  isOptional?: boolean;
}

/** A disk image, read piece by piece while the machine runs. Only Node has paths. */
export interface DiskRequest {
  name: string;
  /** Absent: a CD drive without a disc. */
  source?: FileSource | { path: string };
  options: DriveOptions;
}

export interface BootRequest {
  wasm: FileSource;
  config: MachineConfig;
  files: BootFile[];
  disks?: DiskRequest[];
  clock: "virtual" | "realtime";
  /** Leave the machine paused at its first instruction. */
  paused?: boolean;
}

/** What a session can be asked, and what it answers. */
export interface Requests {
  boot: [BootRequest, void];
  run: [void, void];
  pause: [void, void];
  reset: [void, void];
  powerButton: [void, void];
  changeDisc: [{ drive: string; disc: string | undefined }, void];
  serialInput: [{ port: number; bytes: Uint8Array }, void];
  key: [{ code: number; isPressed: boolean }, void];
  mouse: [MouseInput, void];
  query: [string, string];
  /** The picture, with all of its lines; undefined without a screen. */
  screenshot: [void, ScreenFrame | undefined];
  /** Starts or ends "screen" events; each but the first waits until the one before it has been shown. */
  watchScreen: [boolean, void];
  screenShown: [void, void];
  readMemory: [{ address: number; size: number; isVirtual: boolean }, Uint8Array];
  saveSnapshot: [void, Uint8Array];
  loadSnapshot: [Uint8Array, void];
  statistics: [void, Statistics];
  /** Runs a paused machine to exact instruction counts; hashes there. `patience` seeds how the run is cut. */
  hashesAt: [{ stops: number[]; patience: number | undefined }, string[]];
  /** Answers once virtual time has reached `ns`. */
  untilVirtual: [number, void];
  /** Interrupt events come as "trace" events: none, all of them, or the latest when there are too many. */
  trace: ["off" | "all" | "latest", void];
  /** Runs a paused machine until a processor has entered an interrupt handler; false when there was none for long. */
  stepToInterrupt: [{ vector?: number }, boolean];
  /** Keeps what is needed to go back, from here on. */
  startHistory: [void, void];
  /** Pauses the machine and takes it back to an earlier position. */
  reverseTo: [RunPosition, void];
}
export type RequestName = keyof Requests;
export type RequestOf<N extends RequestName> = Requests[N][0];
export type ReplyOf<N extends RequestName> = Requests[N][1];

/** The picture's shape and the lines that changed since the frame before. */
export interface ScreenFrame {
  width: number;
  height: number;
  isSquare: boolean;
  columns: number;
  rows: number;
  /** Of a text mode, a line per row. */
  text: string;
  bands: { y: number; height: number; pixels: Uint8Array }[];
}

export interface Statistics {
  instructions: number;
  ns: number;
  haltedNs: number;
  /** Host time spent inside the engine. */
  busyNs: number;
  isRunning: boolean;
}

export type EndReason =
  "power-off" | "reset" | "triple-fault" | "exit" | "idle" | "replay-end" | "breakpoint";

export type SessionEvent =
  | { event: "progress"; stage: "download"; file: string; loaded: number; total: number | undefined }
  | { event: "progress"; stage: "start" | "kernel" }
  /** Pieces of a disk image are fetched; while `isWaiting` the guest stands still for them. */
  | { event: "disk"; name: string; fetchedBytes: number; size: number; isWaiting: boolean }
  /** A disk image could not be read or written; the guest saw an error of the disk. */
  | { event: "diskError"; error: PlainError }
  | { event: "serial"; port: number; bytes: Uint8Array; ns: number }
  | { event: "screen"; frame: ScreenFrame }
  /** Bit 0 scroll lock, 1 num lock, 2 caps lock. */
  | { event: "leds"; leds: number }
  | { event: "state"; isRunning: boolean }
  /** Records of the interrupt event stream, 48 bytes each. */
  | { event: "trace"; bytes: Uint8Array }
  /** The history may return to this point of the event stream; it has returned, and what came after comes anew. */
  | { event: "historyMark"; id: number }
  | { event: "rewound"; id: number; start: RunPosition }
  | { event: "ended"; reason: EndReason; status: number; ns: number }
  | { event: "failed"; error: PlainError };

/** Messages between a page and its Worker. */
export type ToWorker = { id: number; name: RequestName; argument: unknown };
export type FromWorker = { id: number; result: unknown } | { id: number; error: PlainError } | SessionEvent;
