// Host arithmetic for SSE where it cannot differ from the soft path: round to nearest, inexactness already
// recorded and masked, operands zero or normal, result normal (and above the smallest normal, which a tiny
// value may have rounded to) or an exact zero. Everything else is left to soft_float.h. Intel SDM vol.
// 1, 10.2.3 and 11.5.
#pragma once

#include <bit>
#include <type_traits>

#include "core/cpu/fpu/soft_float.h"

namespace lapwing::fast_sse {

// MXCSR has RC = nearest, PM set and PE set. DAZ and FTZ do not matter: no denormal takes part.
constexpr u32 kConditionMask = 0x7020;
constexpr u32 kCondition = 0x1020;
inline bool allowed(u32 mxcsr) {
  return (mxcsr & kConditionMask) == kCondition;
}

template <typename T>
using Host = std::conditional_t<sizeof(T) == 4, float, double>;

template <typename T>
inline bool is_zero(T a) {
  return static_cast<T>(a << 1) == 0;
}

template <typename T>
inline T exponent_field(T a) {
  return static_cast<T>(a << 1) >> (soft_float::Format<T>::kFractionBits + 1);
}

template <typename T>
inline bool is_normal_or_zero(T a) {
  constexpr T kSpecial = (T{1} << soft_float::Format<T>::kExponentBits) - 1;
  return static_cast<T>(exponent_field(a) - 1) < kSpecial - 1 || is_zero(a);
}

// Neither infinite, NaN, denormal, zero, nor in the lowest normal binade.
template <typename T>
inline bool is_safe_result(T a) {
  constexpr T kSpecial = (T{1} << soft_float::Format<T>::kExponentBits) - 1;
  return static_cast<T>(exponent_field(a) - 2) < kSpecial - 2;
}

// Each returns false, leaving `result` without meaning, when the soft path must decide.
template <typename T>
inline bool add(T a, T b, T& result) {
  result = std::bit_cast<T>(std::bit_cast<Host<T>>(a) + std::bit_cast<Host<T>>(b));
  // A sum of normal numbers is zero only when exact.
  return is_normal_or_zero(a) && is_normal_or_zero(b) && (is_safe_result(result) || is_zero(result));
}

template <typename T>
inline bool subtract(T a, T b, T& result) {
  result = std::bit_cast<T>(std::bit_cast<Host<T>>(a) - std::bit_cast<Host<T>>(b));
  return is_normal_or_zero(a) && is_normal_or_zero(b) && (is_safe_result(result) || is_zero(result));
}

template <typename T>
inline bool multiply(T a, T b, T& result) {
  result = std::bit_cast<T>(std::bit_cast<Host<T>>(a) * std::bit_cast<Host<T>>(b));
  return is_normal_or_zero(a) && is_normal_or_zero(b) &&
         (is_safe_result(result) || (is_zero(result) && (is_zero(a) || is_zero(b))));
}

template <typename T>
inline bool divide(T a, T b, T& result) {
  if (is_zero(b) || !is_normal_or_zero(a) || !is_normal_or_zero(b)) {
    return false;
  }
  result = std::bit_cast<T>(std::bit_cast<Host<T>>(a) / std::bit_cast<Host<T>>(b));
  return is_safe_result(result) || is_zero(a);
}

// IEEE 754 rounds the square root correctly on every host; the root of a normal number is normal.
template <typename T>
inline bool square_root(T a, T& result) {
  if ((a & soft_float::kSignBit<T>) != 0 || !is_normal_or_zero(a)) {
    return false;
  }
  if constexpr (sizeof(T) == 4) {
    result = std::bit_cast<T>(__builtin_sqrtf(std::bit_cast<float>(a)));
  } else {
    result = std::bit_cast<T>(__builtin_sqrt(std::bit_cast<double>(a)));
  }
  return true;
}

}  // namespace lapwing::fast_sse
