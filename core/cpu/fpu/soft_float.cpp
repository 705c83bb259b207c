#include "core/cpu/fpu/soft_float.h"

#include <utility>

#include "core/cpu/fpu/soft_float_internal.h"

namespace lapwing::soft_float {

namespace {

template <typename T>
constexpr int kLostBits = 63 - Format<T>::kFractionBits;

template <typename T>
T overflow(FpContext& context, bool sign, bool inexact) {
  context.raise(kFpOverflow);
  if (inexact || context.masked(kFpOverflow)) {
    context.raise(kFpPrecision);
  }
  const bool to_infinity =
      context.rounding == Rounding::nearest || context.rounding == (sign ? Rounding::down : Rounding::up);
  return signed_zero<T>(sign) | (kInfinity<T> - (to_infinity ? 0 : 1));
}

template <typename T>
T underflow(FpContext& context, bool sign, i32 exponent, u64 significand, bool inexact) {
  if (!context.masked(kFpUnderflow)) {
    context.raise(kFpUnderflow | (inexact ? kFpPrecision : 0));
    return signed_zero<T>(sign);
  }
  if (context.ftz) {
    context.raise(kFpUnderflow | kFpPrecision);
    return signed_zero<T>(sign);
  }
  constexpr u64 kUnit = u64{1} << kLostBits<T>;
  const u64 denormal = wide::shift_right_jam(significand, 1 - exponent);
  const u64 lost = denormal & (kUnit - 1);
  const u64 kept = denormal >> kLostBits<T>;
  if (lost != 0) {
    context.raise(kFpUnderflow | kFpPrecision);
  }
  const bool up = rounds_away(context.rounding, sign, lost, kUnit >> 1, (kept & 1) != 0);
  return signed_zero<T>(sign) | static_cast<T>(kept + (up ? 1 : 0));
}

// |a| + |b| with the sign of both.
template <typename T>
T add_magnitudes(FpContext& context, Unpacked a, Unpacked b) {
  if (a.exponent < b.exponent) {
    std::swap(a, b);
  }
  const u64 sum = (a.significand >> 1) + wide::shift_right_jam(b.significand >> 1, a.exponent - b.exponent);
  const int shift = std::countl_zero(sum);
  return round_pack<T>(context, a.sign, a.exponent + 1 - shift, sum << shift);
}

template <typename T>
T subtract_magnitudes(FpContext& context, Unpacked a, Unpacked b) {
  if (a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand)) {
    std::swap(a, b);
  }
  const u64 difference =
      (a.significand >> 1) - wide::shift_right_jam(b.significand >> 1, a.exponent - b.exponent);
  if (difference == 0) {
    return signed_zero<T>(context.rounding == Rounding::down);
  }
  const int shift = std::countl_zero(difference);
  return round_pack<T>(context, a.sign, a.exponent + 1 - shift, difference << shift);
}

// The sum where an operand is an infinity or a zero; no NaN.
template <typename T>
T add_special(FpContext& context, T a, T b) {
  if (is_infinity(a) || is_infinity(b)) {
    return is_infinity(a) ? a : b;
  }
  if (is_zero(a) && is_zero(b)) {
    return a == b ? a : signed_zero<T>(context.rounding == Rounding::down);
  }
  const Unpacked x = unpack(is_zero(a) ? b : a);
  return round_pack<T>(context, x.sign, x.exponent, x.significand);
}

}  // namespace

template <typename T>
T round_pack(FpContext& context, bool sign, i32 exponent, u64 significand) {
  constexpr u64 kUnit = u64{1} << kLostBits<T>;
  const u64 lost = significand & (kUnit - 1);
  u64 kept = significand >> kLostBits<T>;
  if (rounds_away(context.rounding, sign, lost, kUnit >> 1, (kept & 1) != 0)) {
    ++kept;
  }
  // A carry out of the significand leaves 2.0, which the addition below turns into the next exponent by
  // itself.
  const bool carry = (kept >> Format<T>::kFractionBits) == 2;
  const i32 rounded_exponent = exponent + (carry ? 1 : 0);
  if (rounded_exponent <= 0) {
    return underflow<T>(context, sign, exponent, significand, lost != 0);
  }
  if (rounded_exponent >= kMaxExponent<T>) {
    return overflow<T>(context, sign, lost != 0);
  }
  if (lost != 0) {
    context.raise(kFpPrecision);
  }
  const u64 magnitude = (static_cast<u64>(exponent - 1) << Format<T>::kFractionBits) + kept;
  return signed_zero<T>(sign) | static_cast<T>(magnitude);
}

template <typename T>
T add(FpContext& context, T a, T b) {
  a = effective_operand(context, a);
  b = effective_operand(context, b);
  if (is_nan(a) || is_nan(b)) {
    return propagate_nan(context, a, b);
  }
  if (is_infinity(a) && is_infinity(b) && a != b) {
    return invalid<T>(context);
  }
  note_denormal(context, a);
  note_denormal(context, b);
  if (is_infinity(a) || is_infinity(b) || is_zero(a) || is_zero(b)) {
    return add_special(context, a, b);
  }
  const Unpacked x = unpack(a);
  const Unpacked y = unpack(b);
  return x.sign == y.sign ? add_magnitudes<T>(context, x, y) : subtract_magnitudes<T>(context, x, y);
}

template <typename T>
T subtract(FpContext& context, T a, T b) {
  return add<T>(context, a, is_nan(b) ? b : b ^ kSignBit<T>);
}

template <typename T>
T multiply(FpContext& context, T a, T b) {
  a = effective_operand(context, a);
  b = effective_operand(context, b);
  if (is_nan(a) || is_nan(b)) {
    return propagate_nan(context, a, b);
  }
  const bool sign = sign_of(a) != sign_of(b);
  const bool any_infinity = is_infinity(a) || is_infinity(b);
  const bool any_zero = is_zero(a) || is_zero(b);
  if (any_infinity && any_zero) {
    return invalid<T>(context);
  }
  note_denormal(context, a);
  note_denormal(context, b);
  if (any_infinity) {
    return signed_infinity<T>(sign);
  }
  if (any_zero) {
    return signed_zero<T>(sign);
  }
  const Unpacked x = unpack(a);
  const Unpacked y = unpack(b);
  const wide::U64Pair product = wide::multiply(x.significand, y.significand);
  const u64 jammed = product.high | (product.low != 0 ? 1 : 0);
  const int shift = std::countl_zero(jammed);
  return round_pack<T>(context, sign, x.exponent + y.exponent - kBias<T> + 1 - shift, jammed << shift);
}

template <typename T>
T divide(FpContext& context, T a, T b) {
  a = effective_operand(context, a);
  b = effective_operand(context, b);
  if (is_nan(a) || is_nan(b)) {
    return propagate_nan(context, a, b);
  }
  const bool sign = sign_of(a) != sign_of(b);
  if ((is_infinity(a) && is_infinity(b)) || (is_zero(a) && is_zero(b))) {
    return invalid<T>(context);
  }
  if (is_zero(b) && !is_infinity(a)) {
    context.raise(kFpZeroDivide);
    return signed_infinity<T>(sign);
  }
  note_denormal(context, a);
  note_denormal(context, b);
  if (is_infinity(a)) {
    return signed_infinity<T>(sign);
  }
  if (is_zero(a) || is_infinity(b)) {
    return signed_zero<T>(sign);
  }
  const Unpacked x = unpack(a);
  const Unpacked y = unpack(b);
  // Halving a dividend that is not smaller loses nothing: the formats leave the low bits clear.
  const bool not_smaller = x.significand >= y.significand;
  const wide::Quotient result =
      wide::divide(not_smaller ? x.significand >> 1 : x.significand, 0, y.significand);
  return round_pack<T>(context, sign, x.exponent - y.exponent + kBias<T> - (not_smaller ? 0 : 1),
                       result.quotient | (result.remainder != 0 ? 1 : 0));
}

template <typename T>
T square_root(FpContext& context, T a) {
  a = effective_operand(context, a);
  if (is_nan(a)) {
    return quieted(context, a);
  }
  if (is_zero(a)) {
    return a;
  }
  if (sign_of(a)) {
    return invalid<T>(context);
  }
  note_denormal(context, a);
  if (is_infinity(a)) {
    return a;
  }
  const Unpacked x = unpack(a);
  const i32 power = x.exponent - kBias<T>;
  const bool odd = (power & 1) != 0;
  const wide::SquareRoot root = wide::square_root(odd ? x.significand : x.significand >> 1, 0);
  return round_pack<T>(context, false, (power - (odd ? 1 : 0)) / 2 + kBias<T>,
                       root.root | (root.exact ? 0 : 1));
}

u32 reciprocal(u32 a) {
  if (is_denormal(a)) {
    a &= kSignBit<u32>;
  }
  FpContext context;
  context.ftz = true;
  return divide<u32>(context, u32{kBias<u32>} << Format<u32>::kFractionBits, a);
}

u32 reciprocal_square_root(u32 a) {
  if (is_denormal(a)) {
    a &= kSignBit<u32>;
  }
  FpContext context;
  if (is_nan(a) || (sign_of(a) && !is_zero(a))) {
    return square_root<u32>(context, a);
  }
  const u64 one = u64{kBias<u64>} << Format<u64>::kFractionBits;
  return to_f32(context, divide<u64>(context, one, square_root<u64>(context, to_f64(context, a))));
}

template u32 round_pack<u32>(FpContext&, bool, i32, u64);
template u64 round_pack<u64>(FpContext&, bool, i32, u64);
template u32 add<u32>(FpContext&, u32, u32);
template u64 add<u64>(FpContext&, u64, u64);
template u32 subtract<u32>(FpContext&, u32, u32);
template u64 subtract<u64>(FpContext&, u64, u64);
template u32 multiply<u32>(FpContext&, u32, u32);
template u64 multiply<u64>(FpContext&, u64, u64);
template u32 divide<u32>(FpContext&, u32, u32);
template u64 divide<u64>(FpContext&, u64, u64);
template u32 square_root<u32>(FpContext&, u32);
template u64 square_root<u64>(FpContext&, u64);

}  // namespace lapwing::soft_float
