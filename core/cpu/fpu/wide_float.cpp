#include "core/cpu/fpu/wide_float.h"

namespace lapwing::float80 {

u128 multiply_high(u128 a, u128 b) {
  const wide::U64Pair high = wide::multiply(wide::high_half(a), wide::high_half(b));
  const wide::U64Pair cross_a = wide::multiply(wide::high_half(a), wide::low_half(b));
  const wide::U64Pair cross_b = wide::multiply(wide::low_half(a), wide::high_half(b));
  const u64 middle = cross_a.low + cross_b.low;
  const u64 carry = middle < cross_a.low ? 1 : 0;
  return wide::join(high.high, high.low) + cross_a.high + cross_b.high + carry;
}

Wide normalized(u128 significand, i32 exponent, bool sign) {
  if (significand == 0) {
    return {0, 0, sign};
  }
  const i32 shift = wide::leading_zeros(significand);
  return {significand << shift, exponent - shift, sign};
}

Wide multiply(const Wide& a, const Wide& b) {
  return normalized(multiply_high(a.significand, b.significand), a.exponent + b.exponent + 1,
                    a.sign != b.sign);
}

// Restoring division, one bit a step; `rest` stays below the divisor.
Wide divide(const Wide& a, const Wide& b) {
  const bool not_smaller = a.significand >= b.significand;
  u128 rest = not_smaller ? a.significand - b.significand : a.significand;
  u128 quotient = not_smaller ? 1 : 0;
  const int steps = not_smaller ? 127 : 128;
  for (int step = 0; step < steps; ++step) {
    const bool carry = (rest >> 127) != 0;
    rest <<= 1;
    quotient <<= 1;
    if (carry || rest >= b.significand) {
      rest -= b.significand;
      quotient |= 1;
    }
  }
  return {quotient, a.exponent - b.exponent - (not_smaller ? 0 : 1), a.sign != b.sign};
}

Wide add(const Wide& first, const Wide& second) {
  if (first.significand == 0 || second.significand == 0) {
    return first.significand == 0 ? second : first;
  }
  const bool ordered = first.exponent > second.exponent ||
                       (first.exponent == second.exponent && first.significand >= second.significand);
  const Wide& a = ordered ? first : second;
  const Wide& b = ordered ? second : first;
  const u128 larger = a.significand >> 1;
  const u128 smaller = wide::shift_right_jam(b.significand >> 1, a.exponent - b.exponent);
  return normalized(a.sign == b.sign ? larger + smaller : larger - smaller, a.exponent + 1, a.sign);
}

}  // namespace lapwing::float80
