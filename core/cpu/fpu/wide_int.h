// 64x64 and 128-bit integer steps used by the floating-point library. WebAssembly has no 128-bit multiply or
// divide instruction, and the compiler's runtime calls for them are slow, so both are built from 32-bit
// halves there.
#pragma once

#include <bit>

#include "core/types.h"

namespace lapwing::wide {

struct U64Pair {
  u64 high;
  u64 low;
};

// The full product a * b.
inline U64Pair multiply(u64 a, u64 b) {
#if defined(__wasm__)
  const u64 a_low = a & 0xFFFFFFFF;
  const u64 a_high = a >> 32;
  const u64 b_low = b & 0xFFFFFFFF;
  const u64 b_high = b >> 32;
  const u64 low = a_low * b_low;
  const u64 cross = a_high * b_low + (low >> 32);
  const u64 middle = a_low * b_high + (cross & 0xFFFFFFFF);
  return {a_high * b_high + (cross >> 32) + (middle >> 32), (middle << 32) | (low & 0xFFFFFFFF)};
#else
  const u128 product = static_cast<u128>(a) * b;
  return {static_cast<u64>(product >> 64), static_cast<u64>(product)};
#endif
}

struct Quotient {
  u64 quotient;
  u64 remainder;
};

// One 32-bit digit of a schoolbook division: (remainder * 2^32 + digit) / divisor, divisor normalised (bit 63
// set).
inline u64 divide_digit(u64& remainder, u64 digit, u64 divisor) {
  const u64 divisor_high = divisor >> 32;
  const u64 divisor_low = divisor & 0xFFFFFFFF;
  u64 estimate = remainder / divisor_high;
  u64 rest = remainder - estimate * divisor_high;
  while (estimate > 0xFFFFFFFF || estimate * divisor_low > ((rest << 32) | digit)) {
    --estimate;
    rest += divisor_high;
    if (rest > 0xFFFFFFFF) {
      break;
    }
  }
  remainder = ((remainder << 32) | digit) - estimate * divisor;
  return estimate;
}

// (high:low) / divisor for high < divisor and divisor normalised, so that the quotient fits 64 bits.
inline Quotient divide(u64 high, u64 low, u64 divisor) {
#if defined(__x86_64__)
  u64 quotient;
  u64 remainder;
  __asm__("divq %4" : "=a"(quotient), "=d"(remainder) : "0"(low), "1"(high), "r"(divisor) : "cc");
  return {quotient, remainder};
#else
  u64 remainder = high;
  const u64 upper = divide_digit(remainder, low >> 32, divisor);
  const u64 lower = divide_digit(remainder, low & 0xFFFFFFFF, divisor);
  return {(upper << 32) | lower, remainder};
#endif
}

struct SquareRoot {
  u64 root;
  bool above_half;  // the fraction lost is above one half (it is never exactly one half)
  bool exact;
};

// floor(sqrt(high:low)) for a radicand of 127 or 128 significant bits.
SquareRoot square_root(u64 high, u64 low);

// value >> count, with every lost bit ORed into bit 0 ("jammed"), for any count >= 0.
inline u64 shift_right_jam(u64 value, i32 count) {
  if (count == 0) {
    return value;
  }
  if (count > 63) {
    return value != 0 ? 1 : 0;
  }
  return (value >> count) | ((value << (64 - count)) != 0 ? 1 : 0);
}

inline u128 shift_right_jam(u128 value, i32 count) {
  if (count == 0) {
    return value;
  }
  if (count > 127) {
    return value != 0 ? 1 : 0;
  }
  return (value >> count) | ((value << (128 - count)) != 0 ? 1 : 0);
}

constexpr u128 join(u64 high, u64 low) {
  return (static_cast<u128>(high) << 64) | low;
}
constexpr u64 high_half(u128 value) {
  return static_cast<u64>(value >> 64);
}
constexpr u64 low_half(u128 value) {
  return static_cast<u64>(value);
}

inline i32 leading_zeros(u128 value) {
  const u64 high = high_half(value);
  return high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(low_half(value));
}

}  // namespace lapwing::wide
