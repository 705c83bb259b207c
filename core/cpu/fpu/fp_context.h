// Rounding, masks and exception flags shared by the x87 and SSE arithmetic.
// Intel SDM vol. 1, 4.8.4 (rounding), 4.9 (exceptions), 8.1.3-8.1.5 (x87 status and control words), 10.2.3
// (MXCSR). The six exception bits have the same places in the x87 status word and in MXCSR. Stack faults, FTW
// and delivery of #MF and #XM belong to the instruction handlers.
#pragma once

#include "core/types.h"

namespace lapwing {

// RC of the control word and of MXCSR, and the imm8 of ROUNDxx.
enum class Rounding : u8 { nearest = 0, down = 1, up = 2, truncate = 3 };

// PC of the x87 control word; the reserved value 1 acts as extended.
enum class Precision : u8 { single = 0, reserved = 1, double_precision = 2, extended = 3 };

constexpr u32 kFpInvalid = 0x01;
constexpr u32 kFpDenormal = 0x02;
constexpr u32 kFpZeroDivide = 0x04;
constexpr u32 kFpOverflow = 0x08;
constexpr u32 kFpUnderflow = 0x10;
constexpr u32 kFpPrecision = 0x20;
constexpr u32 kFpAllExceptions = 0x3F;
// Exceptions found before the arithmetic; unmasked, they leave the destination unchanged.
constexpr u32 kFpPreComputation = kFpInvalid | kFpDenormal | kFpZeroDivide;
// C1 of the x87 status word: the last rounding moved the result away from zero.
constexpr u32 kFpRoundedUp = 0x200;

// One operation's environment. `flags` accumulates; the caller clears it, and calls settle() when the whole
// instruction (all lanes) is computed. A caller that then finds `unmasked(kFpPreComputation)` stores nothing.
struct FpContext {
  Rounding rounding = Rounding::nearest;
  Precision precision = Precision::extended;
  bool ftz = false;
  bool daz = false;
  u8 exception_masks = kFpAllExceptions;
  u32 flags = 0;

  void raise(u32 exceptions) { flags |= exceptions; }
  bool masked(u32 exception) const { return (exception_masks & exception) != 0; }
  // An unmasked pre-computation exception stops the instruction before its post-computation ones can be seen.
  void settle() {
    if (unmasked(kFpPreComputation)) {
      flags &= kFpPreComputation;
    }
  }
  // True when an exception of `exceptions` was raised and is not masked.
  bool unmasked(u32 exceptions) const { return (flags & ~u32{exception_masks} & exceptions) != 0; }
};

// The environment that an x87 control word selects (SDM vol. 1, 8.1.5).
constexpr FpContext x87_context(u16 control_word) {
  FpContext context;
  context.rounding = static_cast<Rounding>((control_word >> 10) & 3);
  context.precision = static_cast<Precision>((control_word >> 8) & 3);
  context.exception_masks = static_cast<u8>(control_word & kFpAllExceptions);
  return context;
}

// The environment that MXCSR selects (SDM vol. 1, 10.2.3); flags start empty.
constexpr FpContext sse_context(u32 mxcsr) {
  FpContext context;
  context.rounding = static_cast<Rounding>((mxcsr >> 13) & 3);
  context.ftz = ((mxcsr >> 15) & 1) != 0;
  context.daz = ((mxcsr >> 6) & 1) != 0;
  context.exception_masks = static_cast<u8>((mxcsr >> 7) & kFpAllExceptions);
  return context;
}

enum class FpOrder : u8 { less, equal, greater, unordered };

}  // namespace lapwing
