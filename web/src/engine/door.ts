// Generated from web/engine/door.inc and web/engine/door.h by `npm run build:door`: do not edit.
export const doorVersion = 3;

export const DoorStop = {
  Patience: 0,
  Halted: 1,
  Breakpoint: 2,
  TraceFull: 3,
  MissingData: 4,
  PowerOff: 5,
  Reset: 6,
  TripleFault: 7,
  ExitRequest: 8,
  IdleForever: 9,
  ReplayEnd: 10,
} as const;
export type DoorStop = (typeof DoorStop)[keyof typeof DoorStop];

export const DoorInput = {
  Serial: 0,
  Key: 1,
  Mouse: 2,
  PowerButton: 3,
  Reset: 4,
  Disc: 6,
} as const;
export type DoorInput = (typeof DoorInput)[keyof typeof DoorInput];

/** Byte offsets in DoorStatus; arrays: of their first element. */
export const doorStatus = {
  instructions: 0,
  ns: 8,
  nextDeadlineNs: 16,
  haltedNs: 24,
  stop: 32,
  exitStatus: 36,
  serialPending: 40,
  screenGeneration: 56,
  keyboardLeds: 60,
  size: 64,
} as const;

/** Byte offsets in DoorScreen; arrays: of their first element. */
export const doorScreen = {
  pixels: 0,
  width: 4,
  height: 8,
  columns: 12,
  rows: 16,
  square: 20,
  generation: 24,
  bands: 28,
  bandCount: 32,
  size: 40,
} as const;

export interface DoorCalls {
  /** 1 when disk_read can answer now; 0: the host fetches the bytes first and then calls lw_run again. */
  disk_ready(drive: number, offset: number, size: number): number;
  /** Fills `data`; 0 = done, 1 = unreadable. */
  disk_read(drive: number, offset: number, data: number, size: number): number;
  /** Keeps the bytes; 0 = done, 1 = failed. */
  disk_write(drive: number, offset: number, data: number, size: number): number;
  /** Makes all that was written last, in the drive's mode; 0 = done, 1 = failed. */
  disk_flush(drive: number): number;
}

export interface DoorFunctions {
  /** Version of this list; the host refuses another one. */
  lw_door_version(): number;
  /** Buffer in engine memory for the host to fill; 0 when there is no room. */
  lw_alloc(size: number): number;
  /** Frees a buffer of lw_alloc. */
  lw_free(pointer: number): void;
  /** Builds the machine from 'key=value' lines; 0 = done, else see lw_text. */
  lw_create(text: number, size: number): number;
  /** Hands over a file: kernel, initrd, bios, symbols ... (kind may carry arguments after a space); 0 = done. The engine copies what it needs. */
  lw_load(kind: number, kindSize: number, data: number, size: number): number;
  /** Resets the machine and prepares the direct kernel boot or the firmware; 0 = done. */
  lw_boot(): number;
  /** Runs until a reason to return (DoorStop). While all CPUs are halted, virtual time may jump up to halt_limit_ns. */
  lw_run(maxInstructions: number, haltLimitNs: number): number;
  /** Address of the DoorStatus block, valid for the machine's life. */
  lw_status(): number;
  /** Applies an input now, stamped and logged (DoorInput). 0 = done. */
  lw_input(kind: number, a: number, b: number, data: number, size: number): number;
  /** Real-time mode: rate from here on; an input, so it is logged. */
  lw_set_rate(nsPerInstruction: number): void;
  /** Real-time mode: moves time of a halted machine to ns (at most to its next deadline); logged. */
  lw_advance(ns: number): void;
  /** Takes bytes that UART `port` sent; returns how many. */
  lw_serial_read(port: number, data: number, capacity: number): number;
  /** Brings the picture up to date (time_ns decides what blinks) and returns the address of a DoorScreen, whose bands say what changed since the last call; 0: the machine has no screen. The guest sees nothing of it. */
  lw_screen(timeNs: number): number;
  /** Asks something by name ('info pic', 'registers', 'disassemble 0x1000 10', 'hash', 'stats' ...); the answer is in lw_text. 0 = understood. */
  lw_query(text: number, size: number): number;
  /** Address of a block {u32 pointer, u32 size}: the last answer or error sentence. */
  lw_text(): number;
  /** Copies guest memory without side effects; 0 = done. */
  lw_read_memory(isVirtual: number, address: number, data: number, size: number): number;
  /** Builds a snapshot; its bytes are in lw_text until lw_snapshot_done. 0 = done. */
  lw_snapshot_save(): number;
  /** Frees the snapshot's bytes. */
  lw_snapshot_done(): void;
  /** Restores; on failure the running machine is as it was. 0 = done. */
  lw_snapshot_load(data: number, size: number): number;
  /** Starts recording interrupt events; 0 records = off. */
  lw_trace_start(records: number, overwrite: number): void;
  /** Takes the oldest records (IrqEvent, 48 bytes each); returns how many. */
  lw_trace_read(data: number, maxRecords: number): number;
  /** Starts recording inputs, or replays a recorded log. 0 = done. */
  lw_log_start(replay: number, data: number, size: number): number;
  /** The recorded log so far; bytes in lw_text. 0 = done. */
  lw_log_take(): number;
}

export const doorNames = [
  "lw_door_version",
  "lw_alloc",
  "lw_free",
  "lw_create",
  "lw_load",
  "lw_boot",
  "lw_run",
  "lw_status",
  "lw_input",
  "lw_set_rate",
  "lw_advance",
  "lw_serial_read",
  "lw_screen",
  "lw_query",
  "lw_text",
  "lw_read_memory",
  "lw_snapshot_save",
  "lw_snapshot_done",
  "lw_snapshot_load",
  "lw_trace_start",
  "lw_trace_read",
  "lw_log_start",
  "lw_log_take",
] as const satisfies readonly (keyof DoorFunctions)[];
