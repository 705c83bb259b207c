// binary32 and binary64 arithmetic with the exact semantics of SSE, in integer operations only: the value,
// the exception flags, DAZ and FTZ, and the NaN rule (the first operand if it is a NaN, else the second;
// quieted; default negative). Intel SDM vol. 1, 4.8.3 and 4.9, 10.2.3 (MXCSR), 11.5 (SIMD exceptions),
// appendix E; vol. 2: each instruction. T is u32 (binary32) or u64 (binary64). Tininess is found after
// rounding; with underflow unmasked it is reported even when the result is exact. With an unmasked exception
// raised the returned value has no meaning.
#pragma once

#include "core/cpu/fpu/fp_context.h"
#include "core/types.h"

namespace lapwing::soft_float {

template <typename T>
struct Format;

template <>
struct Format<u32> {
  using Signed = i32;
  static constexpr int kFractionBits = 23;
  static constexpr int kExponentBits = 8;
};

template <>
struct Format<u64> {
  using Signed = i64;
  static constexpr int kFractionBits = 52;
  static constexpr int kExponentBits = 11;
};

template <typename T>
constexpr T kSignBit = T{1} << (sizeof(T) * 8 - 1);
template <typename T>
constexpr T kFractionMask = (T{1} << Format<T>::kFractionBits) - 1;
template <typename T>
constexpr T kInfinity = static_cast<T>(~kSignBit<T> & ~kFractionMask<T>);
template <typename T>
constexpr T kQuietBit = T{1} << (Format<T>::kFractionBits - 1);
// The default NaN ("QNaN floating-point indefinite").
template <typename T>
constexpr T kIndefinite = kSignBit<T> | kInfinity<T> | kQuietBit<T>;

template <typename T>
constexpr bool is_nan(T a) {
  return (a & ~kSignBit<T>) > kInfinity<T>;
}
template <typename T>
constexpr bool is_signaling(T a) {
  return is_nan(a) && (a & kQuietBit<T>) == 0;
}
template <typename T>
constexpr bool is_denormal(T a) {
  return (a & kInfinity<T>) == 0 && (a & kFractionMask<T>) != 0;
}

// ADDxx, SUBxx, MULxx, DIVxx, SQRTxx.
template <typename T>
T add(FpContext& context, T a, T b);
template <typename T>
T subtract(FpContext& context, T a, T b);
template <typename T>
T multiply(FpContext& context, T a, T b);
template <typename T>
T divide(FpContext& context, T a, T b);
template <typename T>
T square_root(FpContext& context, T a);

// MINxx and MAXxx: with a NaN, or two zeros, the second operand, unchanged.
template <typename T>
T minimum(FpContext& context, T a, T b);
template <typename T>
T maximum(FpContext& context, T a, T b);

// COMISx (any NaN is invalid) and UCOMISx (only SNaN is).
template <typename T>
FpOrder compare(FpContext& context, T a, T b);
template <typename T>
FpOrder compare_quiet(FpContext& context, T a, T b);

// CMPxx: the truth of predicate 0..7 (EQ LT LE UNORD NEQ NLT NLE ORD).
template <typename T>
bool compare_predicate(FpContext& context, T a, T b, u8 predicate);

// ROUNDxx: `rounding` as the instruction chose it; with `suppress_precision` inexactness is not reported.
template <typename T>
T round_to_integral(FpContext& context, T a, Rounding rounding, bool suppress_precision);

// CVTxx2SI, CVTxx2DQ by `rounding` (CVTT forms: truncate); out of range is invalid and gives 80...0.
template <typename T>
i32 to_i32(FpContext& context, T a, Rounding rounding);
template <typename T>
i64 to_i64(FpContext& context, T a, Rounding rounding);

// CVTSI2xx, CVTDQ2xx.
template <typename T>
T from_i64(FpContext& context, i64 value);

// CVTSS2SD, CVTPS2PD and CVTSD2SS, CVTPD2PS.
u64 to_f64(FpContext& context, u32 a);
u32 to_f32(FpContext& context, u64 a);

// RCPxx and RSQRTxx: raise nothing, take denormals as zeros and never give one. The manual asks for a
// relative error below 1.5 * 2^-12; these are correctly rounded.
u32 reciprocal(u32 a);
u32 reciprocal_square_root(u32 a);

}  // namespace lapwing::soft_float
