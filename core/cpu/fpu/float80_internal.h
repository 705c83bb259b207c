// Unpacking, NaN selection and final rounding shared by the double-extended operations.
// Intel SDM vol. 1, 4.8.3.5 (NaN rules), 4.9.1.4-4.9.1.6 and 8.5.4-8.5.6 (overflow, underflow, precision).
#pragma once

#include "core/cpu/fpu/float80.h"
#include "core/cpu/fpu/wide_int.h"

namespace lapwing::float80 {

// A finite non-zero value: significand with bit 63 set, biased exponent that may lie outside the register
// format.
struct Unpacked {
  u64 significand;
  i32 exponent;
  bool sign;
};

constexpr Float80 pack(bool sign, i32 exponent, u64 significand) {
  return {significand, static_cast<u16>(exponent | (sign ? 0x8000 : 0))};
}

inline Unpacked unpack(Float80 a) {
  const i32 exponent = a.exponent() == 0 ? 1 : a.exponent();
  const int shift = std::countl_zero(a.mantissa);
  return {a.mantissa << shift, exponent - shift, a.sign()};
}

struct Rounded {
  u128 significand;
  bool carry;  // the significand wrapped: the value is 2^128 units
  bool inexact;
  bool up;  // the magnitude grew
};

// Rounds to the top `keep` of 128 bits.
Rounded round_significand(Rounding rounding, bool sign, u128 significand, int keep);

constexpr int significant_bits(Precision precision) {
  return precision == Precision::single ? 24 : precision == Precision::double_precision ? 53 : 64;
}

// Rounds (significand, bit 127 set) * 2^(exponent - bias - 127) to `precision` and the format's exponent
// range, with the masked or unmasked response to overflow, underflow and inexactness.
Float80 round_pack(FpContext& context, bool sign, i32 exponent, u128 significand, Precision precision);

// The response to an invalid operation: the flag and the real indefinite.
Float80 invalid(FpContext& context);

// The quieted NaN that two operands give, at least one of them a NaN and none unsupported.
Float80 propagate_nan(FpContext& context, Float80 a, Float80 b);
Float80 propagate_nan(FpContext& context, Float80 a);

// Handles unsupported formats and NaNs: returns true and the result when there is one.
bool special_operands(FpContext& context, Kind kind_a, Kind kind_b, Float80 a, Float80 b, Float80& result);

inline void note_denormal(FpContext& context, Kind kind) {
  if (kind == Kind::denormal) {
    context.raise(kFpDenormal);
  }
}

inline bool is_finite_nonzero(Kind kind) {
  return kind == Kind::normal || kind == Kind::denormal;
}

}  // namespace lapwing::float80
