// Types of the one door (functions: door.inc). Layouts are read by the host in place; web/src/engine/door.ts
// mirrors them.
#pragma once

#include "core/types.h"

namespace lapwing {

constexpr u32 kDoorVersion = 3;

// Why lw_run returned.
enum class DoorStop : u32 {
  kPatience = 0,  // max_instructions reached
  kHalted = 1,    // all CPUs halted; next_deadline_ns (or kNever) lies beyond halt_limit_ns
  kBreakpoint = 2,
  kTraceFull = 3,    // drain the event ring
  kMissingData = 4,  // storage bytes not there yet
  kPowerOff = 5,
  kReset = 6,  // the guest asked for a reset and the host asked to be told (no_reboot)
  kTripleFault = 7,
  kExitRequest = 8,  // isa-debug-exit; exit_status is valid
  kIdleForever = 9,  // halted, nothing pending and no deadline: only an input can wake it
  kReplayEnd = 10,   // the input log is used up
};

enum class DoorInput : u32 {
  kSerial = 0,  // a = UART number, data = bytes
  kKey = 1,     // a = scan code set 1 code, | 0x100 for the E0 prefix; b = 1 pressed, 0 released
  kMouse = 2,   // a = dx | dy << 16 (i16 each), b = buttons | wheel << 8
  kPowerButton = 3,
  kReset = 4,
  kDisc = 6,  // data = "DRIVE" opens its tray, "DRIVE DISC" exchanges the disc (ids of drives)
};

// Read in place by the host after each lw_run.
struct DoorStatus {
  u64 instructions;
  u64 ns;
  u64 next_deadline_ns;  // ~0 = none
  u64 halted_ns;         // virtual time spent with all CPUs halted
  u32 stop;              // DoorStop
  u32 exit_status;
  u32 serial_pending[4];  // bytes waiting in lw_serial_read
  u32 screen_generation;  // changes when the picture may have changed
  u32 keyboard_leds;      // bit 0 scroll, 1 num, 2 caps
};

// The picture, read by the host in place until the next lw_screen.
struct DoorScreen {
  u32 pixels;  // address of width * height pixels, bytes red, green, blue, 255
  u32 width;
  u32 height;
  u32 columns;  // of text; 0 in graphics modes
  u32 rows;
  u32 square;      // 1: square pixels; 0: the picture fills a 4:3 tube
  u32 generation;  // changes with the picture
  u32 bands;       // address of band_count pairs {first line, lines} that were drawn anew
  u32 band_count;
};

}  // namespace lapwing
