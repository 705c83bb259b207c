// Unpacking and final rounding shared by the binary32 and binary64 operations.
// Intel SDM vol. 1, 4.9.1.4-4.9.1.6 and 10.2.3.3 (flush to zero).
#pragma once

#include <bit>

#include "core/cpu/fpu/soft_float.h"
#include "core/cpu/fpu/wide_int.h"

namespace lapwing::soft_float {

// A finite non-zero value: significand with bit 63 set, biased exponent that may lie outside the format.
struct Unpacked {
  u64 significand;
  i32 exponent;
  bool sign;
};

template <typename T>
constexpr i32 kMaxExponent = (1 << Format<T>::kExponentBits) - 1;
template <typename T>
constexpr i32 kBias = kMaxExponent<T> >> 1;

template <typename T>
constexpr bool sign_of(T a) {
  return (a & kSignBit<T>) != 0;
}
template <typename T>
constexpr T signed_zero(bool sign) {
  return sign ? kSignBit<T> : T{0};
}
template <typename T>
constexpr T signed_infinity(bool sign) {
  return signed_zero<T>(sign) | kInfinity<T>;
}
template <typename T>
constexpr bool is_zero(T a) {
  return (a & ~kSignBit<T>) == 0;
}
template <typename T>
constexpr bool is_infinity(T a) {
  return (a & ~kSignBit<T>) == kInfinity<T>;
}

// DAZ: a denormal operand becomes a zero of its sign before anything looks at it.
template <typename T>
T effective_operand(const FpContext& context, T a) {
  return context.daz && is_denormal(a) ? a & kSignBit<T> : a;
}

template <typename T>
void note_denormal(FpContext& context, T a) {
  if (is_denormal(a)) {
    context.raise(kFpDenormal);
  }
}

template <typename T>
T invalid(FpContext& context) {
  context.raise(kFpInvalid);
  return kIndefinite<T>;
}

template <typename T>
T quieted(FpContext& context, T a) {
  if (is_signaling(a)) {
    context.raise(kFpInvalid);
  }
  return a | kQuietBit<T>;
}

// At least one of a and b is a NaN.
template <typename T>
T propagate_nan(FpContext& context, T a, T b) {
  if (is_signaling(a) || is_signaling(b)) {
    context.raise(kFpInvalid);
  }
  return (is_nan(a) ? a : b) | kQuietBit<T>;
}

template <typename T>
Unpacked unpack(T a) {
  const i32 field = static_cast<i32>(a >> Format<T>::kFractionBits) & kMaxExponent<T>;
  const u64 fraction = static_cast<u64>(a & kFractionMask<T>) << (63 - Format<T>::kFractionBits);
  if (field != 0) {
    return {fraction | u64{1} << 63, field, sign_of(a)};
  }
  const int shift = std::countl_zero(fraction);
  return {fraction << shift, 1 - shift, sign_of(a)};
}

// Whether the part `lost`, whose half is `half`, carries into the kept significand.
inline bool rounds_away(Rounding rounding, bool sign, u64 lost, u64 half, bool odd) {
  switch (rounding) {
    case Rounding::nearest: return lost > half || (lost == half && odd);
    case Rounding::down: return sign && lost != 0;
    case Rounding::up: return !sign && lost != 0;
    case Rounding::truncate: break;
  }
  return false;
}

// Rounds significand * 2^(exponent - bias - 63), bit 63 set and lost bits jammed into bit 0, to the format.
template <typename T>
T round_pack(FpContext& context, bool sign, i32 exponent, u64 significand);

}  // namespace lapwing::soft_float
