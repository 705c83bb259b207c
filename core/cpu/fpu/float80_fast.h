// The common case of x87 arithmetic, inline: normal operands, 64-bit precision, round to nearest, result in
// the normal range. Exact in value, PE and C1; anything else goes to float80.h. Intel SDM vol. 1, 8.1.5
// and 8.5.6.
#pragma once

#include <utility>

#include "core/cpu/fpu/float80.h"
#include "core/cpu/fpu/wide_int.h"

namespace lapwing::float80::fast {

inline bool is_default_mode(const FpContext& context) {
  return context.rounding == Rounding::nearest && context.precision == Precision::extended;
}

inline bool is_normal(Float80 a) {
  return static_cast<u32>(a.exponent() - 1) < kMaxExponent - 1 && (a.mantissa & kIntegerBit) != 0;
}

// Rounds high.low (bit 63 of `high` set) to nearest even. False when the result leaves the normal range.
inline bool round_nearest(FpContext& context, u16 sign, i32 exponent, u64 high, u64 low, Float80& result) {
  const bool up = low > kIntegerBit || (low == kIntegerBit && (high & 1) != 0);
  high += up ? 1 : 0;
  const bool carry = up && high == 0;
  const i32 rounded_exponent = exponent + (carry ? 1 : 0);
  if (exponent <= 0 || rounded_exponent >= kMaxExponent) {
    return false;
  }
  if (low != 0) {
    context.raise(kFpPrecision | (up ? kFpRoundedUp : 0));
  }
  result = {carry ? kIntegerBit : high, static_cast<u16>(sign | rounded_exponent)};
  return true;
}

// a + b, or a - b when `flip` is the sign bit.
inline bool try_add(FpContext& context, Float80 a, Float80 b, u16 flip, Float80& result) {
  if (!is_default_mode(context) || !is_normal(a) || !is_normal(b)) {
    return false;
  }
  b.sign_exponent ^= flip;
  if (a.exponent() < b.exponent() || (a.exponent() == b.exponent() && a.mantissa < b.mantissa)) {
    std::swap(a, b);
  }
  const i32 distance = a.exponent() - b.exponent();
  const u16 sign = a.sign_exponent & 0x8000;
  // The smaller operand's places above and below the larger one's last.
  const u64 above = distance > 63 ? 0 : b.mantissa >> distance;
  const u64 below = distance == 0    ? 0
                    : distance < 64  ? b.mantissa << (64 - distance)
                    : distance == 64 ? b.mantissa
                    : distance == 65
                        ? (b.mantissa >> 1) | (b.mantissa & 1)  // counts when a power of two shrinks
                        : 1;
  i32 exponent = a.exponent();
  if (a.sign() == b.sign()) {
    u64 high = a.mantissa + above;
    u64 low = below;
    if (high < above) {
      low = (high << 63) | (low >> 1) | (low & 1);
      high = (high >> 1) | kIntegerBit;
      ++exponent;
    }
    return round_nearest(context, sign, exponent, high, low, result);
  }
  u64 high = a.mantissa - above - (below != 0 ? 1 : 0);
  u64 low = u64{0} - below;
  if (high == 0) {
    if (low == 0) {
      result = zero(false);
      return true;
    }
    exponent -= 64;
    high = std::exchange(low, 0);
  }
  const int shift = std::countl_zero(high);
  if (shift != 0) {
    high = (high << shift) | (low >> (64 - shift));
    low <<= shift;
  }
  return round_nearest(context, sign, exponent - shift, high, low, result);
}

inline Float80 add(FpContext& context, Float80 a, Float80 b) {
  Float80 result;
  return try_add(context, a, b, 0, result) ? result : float80::add(context, a, b);
}

inline Float80 subtract(FpContext& context, Float80 a, Float80 b) {
  Float80 result;
  return try_add(context, a, b, 0x8000, result) ? result : float80::subtract(context, a, b);
}

inline Float80 multiply(FpContext& context, Float80 a, Float80 b) {
  Float80 result;
  if (is_default_mode(context) && is_normal(a) && is_normal(b)) {
    wide::U64Pair product = wide::multiply(a.mantissa, b.mantissa);
    i32 exponent = a.exponent() + b.exponent() - kBias + 1;
    if ((product.high & kIntegerBit) == 0) {
      product = {(product.high << 1) | (product.low >> 63), product.low << 1};
      --exponent;
    }
    const u16 sign = (a.sign_exponent ^ b.sign_exponent) & 0x8000;
    if (round_nearest(context, sign, exponent, product.high, product.low, result)) {
      return result;
    }
  }
  return float80::multiply(context, a, b);
}

inline Float80 divide(FpContext& context, Float80 a, Float80 b) {
  Float80 result;
  if (is_default_mode(context) && is_normal(a) && is_normal(b)) {
    const bool not_smaller = a.mantissa >= b.mantissa;
    const wide::Quotient quotient = wide::divide(not_smaller ? a.mantissa >> 1 : a.mantissa,
                                                 not_smaller ? a.mantissa << 63 : 0, b.mantissa);
    // The rounding only asks how twice the remainder compares with the divisor; equality would need a 65-bit
    // quotient.
    const u64 half = b.mantissa >> 1;
    const u64 low = quotient.remainder == 0 ? 0 : quotient.remainder > half ? kIntegerBit | 1 : 1;
    const i32 exponent = a.exponent() - b.exponent() + kBias - (not_smaller ? 0 : 1);
    const u16 sign = (a.sign_exponent ^ b.sign_exponent) & 0x8000;
    if (round_nearest(context, sign, exponent, quotient.quotient, low, result)) {
      return result;
    }
  }
  return float80::divide(context, a, b);
}

// As float80::square_root() prepares the radicand.
inline Float80 square_root(FpContext& context, Float80 a) {
  Float80 result;
  if (is_default_mode(context) && is_normal(a) && !a.sign()) {
    const i32 power = a.exponent() - kBias;
    const bool odd = (power & 1) != 0;
    const wide::SquareRoot root =
        wide::square_root(odd ? a.mantissa : a.mantissa >> 1, odd ? 0 : a.mantissa << 63);
    const u64 low = root.above_half ? kIntegerBit | 1 : root.exact ? 0 : 1;
    if (round_nearest(context, 0, (power - (odd ? 1 : 0)) / 2 + kBias, root.root, low, result)) return result;
  }
  return float80::square_root(context, a);
}

}  // namespace lapwing::float80::fast
