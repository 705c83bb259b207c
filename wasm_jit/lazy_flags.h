// How generated code keeps the status flags until somebody wants them: a kind and up to three operands, in
// region variables; between generated functions in GeneratedView. Turned into the interpreter's
// representation (core/cpu/exec/flags.h) when the interpreter goes on.
//   kind: bits 1:0 log2 of the operand size, 5:2 FlagClass, bit 6: CF is bit 0 of c, bit 7: OF is bit 1 of c.
//   kind 0: the flags are in CpuState. Operands may hold anything above the operand's size.
#pragma once

#include "core/cpu/generated.h"
#include "core/cpu/state.h"

namespace lapwing {

enum class FlagClass : u8 {
  kMemory,  // in CpuState
  kAdd,     // a + b
  kSub,     // a - b
  kLogic,   // a is the result; CF, OF, AF clear
  kInc,     // a is the result; CF from c
  kDec,
  kShl,  // a shifted by b (masked, not zero)
  kShr,
  kSar,
  kAdc,        // a + b with carry in gave r
  kSbb,        // a - b with borrow in gave r
  kShifted,    // a is the result, b: bit 0 CF, bit 1 OF; AF clear
  kMultiply,   // a is the low half, b: bit 0 CF and OF
  kCanonical,  // a is flags_result (size 8: all of it, else its low 32 bits), b flags_carries with bits 63:62
               // moved to 31:30
};

constexpr u32 kFlagCfOverride = 0x40, kFlagOfOverride = 0x80;

constexpr u32 flag_kind(FlagClass flag_class, unsigned size) {
  const u32 log2 = size == 8 ? 3 : size >> 1;
  return static_cast<u32>(flag_class) << 2 | log2;
}

struct LazyFlags {
  u32 kind = 0;
  u64 a = 0;
  u64 b = 0;
  u64 r = 0;
  u32 c = 0;
};

// Writes the flags to CpuState. Doing it twice is the same as once.
void store_lazy_flags(CpuState& s, const LazyFlags& flags);
// What generated code left in the view behind `s`, to CpuState.
void settle_flags(CpuState& s, GeneratedView& view);
// As store_lazy_flags(), then a condition code.
bool lazy_condition(CpuState& s, const LazyFlags& flags, unsigned code);

}  // namespace lapwing
