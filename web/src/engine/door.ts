// Generated from web/engine/door.inc and web/engine/door.h by `npm run build:door`: do not edit.
export const doorVersion = 1;

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

export interface DoorFunctions {
  /** Version of this list; the host refuses another one. */
  lw_door_version(): number;
  /** Applies an input now, stamped and logged
(DoorInput). 0 = done. */
  lw_input(kind: number, a: number, b: number, data: number, size: number): number;
}

export const doorNames = [
  "lw_door_version",
  "lw_input",
] as const satisfies readonly (keyof DoorFunctions)[];
