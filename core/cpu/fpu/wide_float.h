// A floating-point value with a 128-bit significand and an unbounded exponent: the working format of the
// transcendental functions. Every operation truncates; a result is off by at most a few units of 2^-127.
#pragma once

#include "core/cpu/fpu/float80_internal.h"

namespace lapwing::float80 {

// significand * 2^(exponent - 127), bit 127 set; zero has significand 0.
struct Wide {
  u128 significand = 0;
  i32 exponent = 0;
  bool sign = false;
};

// The high half of a 128 by 128 bit product, less at most two units.
u128 multiply_high(u128 a, u128 b);

Wide normalized(u128 significand, i32 exponent, bool sign);
Wide multiply(const Wide& a, const Wide& b);
Wide divide(const Wide& a, const Wide& b);
Wide add(const Wide& a, const Wide& b);

inline Wide widened(const Unpacked& value) {
  return {wide::join(value.significand, 0), value.exponent - kBias, value.sign};
}
inline Wide from_integer(i32 value) {
  return normalized(static_cast<u128>(value < 0 ? -static_cast<i64>(value) : value), 127, value < 0);
}
inline Wide negated(const Wide& value) {
  return {value.significand, value.exponent, !value.sign};
}

// |value| < 1 as a fraction of 2^128.
inline u128 fraction(const Wide& value) {
  const i32 shift = -1 - value.exponent;
  return shift > 127 ? 0 : value.significand >> shift;
}

}  // namespace lapwing::float80
