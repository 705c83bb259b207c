// Double-extended (80-bit) arithmetic of the x87 FPU in integer operations only: results, exception flags and
// C1 are those of the hardware, masked and unmasked. Intel SDM vol. 1: 4.2.2 and 8.2 (formats), 4.8.3 (NaN
// rules, table 4-7), 8.1.5 (precision and rounding control), 8.3 (instructions), 8.5 (exceptions); vol. 2:
// the page of each instruction. Not here: stack faults, tags, pointers (see the instruction handlers).
// Transcendentals: transcendental.h.
#pragma once

#include "core/cpu/fpu/fp_context.h"
#include "core/types.h"

namespace lapwing {

// The register format: explicit integer bit in bit 63 of the mantissa, sign in bit 15 beside the biased
// exponent.
struct Float80 {
  u64 mantissa = 0;
  u16 sign_exponent = 0;

  constexpr bool sign() const { return (sign_exponent & 0x8000) != 0; }
  constexpr i32 exponent() const { return sign_exponent & 0x7FFF; }
  constexpr bool operator==(const Float80&) const = default;
};

namespace float80 {

constexpr i32 kBias = 16383;
constexpr i32 kMaxExponent = 0x7FFF;
constexpr u64 kIntegerBit = u64{1} << 63;
constexpr u64 kQuietBit = u64{1} << 62;
// Real indefinite: the default NaN, negative (SDM vol. 1, 4.8.3.7).
constexpr Float80 kIndefinite{kIntegerBit | kQuietBit, 0xFFFF};
constexpr Float80 kOne{kIntegerBit, kBias};

constexpr Float80 zero(bool sign) {
  return {0, static_cast<u16>(sign ? 0x8000 : 0)};
}
constexpr Float80 infinity(bool sign) {
  return {kIntegerBit, static_cast<u16>(sign ? 0xFFFF : 0x7FFF)};
}
constexpr Float80 negate(Float80 a) {
  return {a.mantissa, static_cast<u16>(a.sign_exponent ^ 0x8000)};
}
constexpr Float80 absolute(Float80 a) {
  return {a.mantissa, static_cast<u16>(a.sign_exponent & 0x7FFF)};
}

// Classes as FXAM tells them apart, a pseudo-denormal being a denormal (SDM vol. 2, FXAM; vol. 1, table 8-3).
enum class Kind : u8 { unsupported, nan, normal, infinity, zero, denormal };
Kind classify(Float80 a);
bool is_signaling(Float80 a);

// FADD, FSUB, FMUL, FDIV, FSQRT: rounded by precision and rounding control.
Float80 add(FpContext& context, Float80 a, Float80 b);
Float80 subtract(FpContext& context, Float80 a, Float80 b);
Float80 multiply(FpContext& context, Float80 a, Float80 b);
Float80 divide(FpContext& context, Float80 a, Float80 b);
Float80 square_root(FpContext& context, Float80 a);

// FRNDINT: to an integral value by rounding control.
Float80 round_to_integer(FpContext& context, Float80 a);

// FCOM and FCOMI (any NaN is invalid) and FUCOM and FUCOMI (only SNaN and unsupported formats are).
FpOrder compare(FpContext& context, Float80 a, Float80 b);
FpOrder compare_quiet(FpContext& context, Float80 a, Float80 b);

// FSCALE: a * 2^trunc(b).
Float80 scale(FpContext& context, Float80 a, Float80 b);

// FXTRACT: the exponent replaces the operand, the significand is pushed.
struct Extracted {
  Float80 exponent;
  Float80 significand;
};
Extracted extract(FpContext& context, Float80 a);

// FPREM (quotient truncated) and FPREM1 (quotient rounded to nearest even). `incomplete` is C2; the
// quotient's three low bits (for C1, C3, C0) have meaning only when complete.
struct Remainder {
  Float80 value;
  u8 quotient = 0;
  bool incomplete = false;
};
Remainder remainder_truncated(FpContext& context, Float80 dividend, Float80 divisor);
Remainder remainder_nearest(FpContext& context, Float80 dividend, Float80 divisor);

// FLD m32fp/m64fp: SNaN and denormal operands raise exceptions. FILD is always exact.
Float80 from_f32(FpContext& context, u32 bits);
Float80 from_f64(FpContext& context, u64 bits);
Float80 from_i64(i64 value);

// The memory operand of an arithmetic instruction: an SNaN stays one for the operation to see, and a
// denormal, which the register format holds as a normal number, is remembered.
struct Widened {
  Float80 value;
  bool denormal = false;
};
Widened widen_f32(u32 bits);
Widened widen_f64(u64 bits);

// FST m32fp/m64fp. With unmasked overflow or underflow raised, the caller stores nothing.
u32 to_f32(FpContext& context, Float80 a);
u64 to_f64(FpContext& context, Float80 a);

// FIST and FISTP by rounding control (FISTTP: set context.rounding to truncate); out of range is invalid and
// gives the integer indefinite 80...0.
i16 to_i16(FpContext& context, Float80 a);
i32 to_i32(FpContext& context, Float80 a);
i64 to_i64(FpContext& context, Float80 a);

// FBLD and FBSTP: 18 packed decimal digits and a sign byte. Digits above 9 are undefined in the manual; they
// count as their binary value.
struct PackedBcd {
  u64 digits = 0;           // digits 15..0
  u16 sign_and_digits = 0;  // sign in bit 15, digits 17 and 16 in the low byte
  constexpr bool operator==(const PackedBcd&) const = default;
};
Float80 from_bcd(PackedBcd value);
PackedBcd to_bcd(FpContext& context, Float80 a);

// FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2: the 66-bit internal constant rounded by rounding control, no
// exception.
enum class Constant : u8 { log2_10, log2_e, pi, log10_2, ln_2 };
Float80 constant(Constant which, Rounding rounding);

}  // namespace float80
}  // namespace lapwing
