// x87 arithmetic on values, as generated code calls it (wasm_jit/frontend/x87.cpp): the caller keeps the
// register stack and has seen that all exceptions are masked. Results, exceptions and C1 are those of the
// handlers. Intel SDM vol. 1, 8.1-8.5.
#pragma once

#include "core/cpu/state.h"

namespace lapwing::x87 {

enum class Compute : u8 {
  kAdd,  // bit 31 of the second exponent: a subtraction, whose second sign the caller has turned round
  kMultiply,
  kDivide,
  kSquareRoot,
  kRoundToInteger,
  kCompare,       // FCOM; condition codes beside the exceptions
  kCompareQuiet,  // FUCOM
  kToInt16,
  kToInt32,
  kToInt64,
};
constexpr u32 kTruncates = 0x80;  // beside kToInt: FISTTP

// Each operand is a significand and, in the low half of a word, sign and exponent. Returns a significand or
// an integer; GeneratedView::x87_high becomes sign and exponent, with exceptions, C1 and condition codes
// above, as in the status word.
u64 compute(CpuState& s, u32 operation, u64 a, u32 a_exponent, u64 b, u32 b_exponent);

}  // namespace lapwing::x87
