// The usual x87 instructions as generated code calls them: operands already loaded, stores to a place that is
// known to be writable. Results, flags, C1 and the last-instruction pointers are those of the handlers. Each
// returns 0, having changed nothing, when the handler must do it: x87 not available, an unmasked or pending
// exception, a stack fault, or a memory operand that is neither zero nor normal. Intel SDM vol. 1, 8.1-8.5.
#pragma once

#include "core/cpu/state.h"

namespace lapwing::x87 {

enum class Width : u8 { kRegister, kFloat32, kFloat64, kFloat80, kInt16, kInt32, kInt64 };
// Arithmetic is numbered as in ModRM.reg of D8.
enum class Arithmetic : u8 { kAdd = 0, kMul = 1, kSub = 4, kSubr = 5, kDiv = 6, kDivr = 7 };
enum class Misc : u8 { kFxch, kFchs, kFabs, kFsqrt, kFrndint, kFld1, kFldz };

// What an instruction is, in the constant that generated code passes.
struct Call {
  u8 operation = 0;  // Arithmetic or Misc
  Width width = Width::kRegister;
  u8 source = 0;       // i of ST(i), when the width says so
  u8 destination = 0;  // i of ST(i)
  u8 pops = 0;
  bool quiet = false;      // FUCOM
  bool truncates = false;  // FISTTP
  u8 segment = 0;          // of a memory operand

  constexpr u32 pack() const {
    return operation | u32{static_cast<u8>(width)} << 3 | u32{source} << 6 | u32{destination} << 9 |
           u32{pops} << 12 | u32{quiet} << 14 | u32{truncates} << 15 | u32{segment} << 16;
  }
  static constexpr Call unpack(u32 code) {
    return {.operation = static_cast<u8>(code & 7),
            .width = static_cast<Width>((code >> 3) & 7),
            .source = static_cast<u8>((code >> 6) & 7),
            .destination = static_cast<u8>((code >> 9) & 7),
            .pops = static_cast<u8>((code >> 12) & 3),
            .quiet = ((code >> 14) & 1) != 0,
            .truncates = ((code >> 15) & 1) != 0,
            .segment = static_cast<u8>(code >> 16)};
  }
};

u32 fast_arithmetic(CpuState& s, u32 code, u64 bits, u64 rip, u64 dp);
// Pushes; `high` = sign and exponent of an 80-bit operand.
u32 fast_load(CpuState& s, u32 code, u64 bits, u32 high, u64 rip, u64 dp);
// Stores ST(0) at `host`, or into ST(destination).
u32 fast_store(CpuState& s, u32 code, u8* host, u64 rip, u64 dp);
// Compares ST(0), setting the condition codes.
u32 fast_compare(CpuState& s, u32 code, u64 bits, u64 rip, u64 dp);
// FCOMI: bit 1 = ZF, bit 2 = CF; unordered operands are left to the handler.
u32 fast_compare_to_flags(CpuState& s, u32 code, u64 rip);
u32 fast_misc(CpuState& s, u32 code, u64 rip);

}  // namespace lapwing::x87
