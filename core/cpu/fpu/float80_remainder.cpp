#include "core/cpu/fpu/float80.h"
#include "core/cpu/fpu/float80_internal.h"

namespace lapwing::float80 {

namespace {

// Beyond this power of two every FSCALE result is out of range even with a bias-adjusted exponent.
constexpr i32 kScaleLimit = 0x20000;
constexpr i32 kExponentAdjustment = 24576;

// The integer part of b, clamped to +-kScaleLimit.
i32 truncated_power(Float80 b) {
  const i32 integer_bits = b.exponent() - kBias + 1;
  if (integer_bits <= 0) {
    return 0;
  }
  const i32 magnitude = integer_bits > 17 ? kScaleLimit : static_cast<i32>(b.mantissa >> (64 - integer_bits));
  return b.sign() ? -magnitude : magnitude;
}

Float80 scale_special(FpContext& context, Kind kind_a, Kind kind_b, Float80 a, Float80 b) {
  if (kind_b == Kind::infinity) {
    const bool grows = !b.sign();
    if (grows ? kind_a == Kind::zero : kind_a == Kind::infinity) {
      return invalid(context);
    }
    note_denormal(context, kind_a);
    return grows ? infinity(a.sign()) : zero(a.sign());
  }
  note_denormal(context, kind_b);
  return a;
}

// The remainder's value: exact, so only an unmasked underflow can be reported.
Float80 pack_exact(FpContext& context, bool sign, i32 exponent, u64 significand) {
  if (significand == 0) {
    return zero(sign);
  }
  const int shift = std::countl_zero(significand);
  return round_pack(context, sign, exponent - shift, wide::join(significand << shift, 0),
                    Precision::extended);
}

Remainder incomplete_step(FpContext& context, const Unpacked& x, const Unpacked& y, i32 difference) {
  // Each partial step reduces the exponent by 32 to 63, so that the last one ends on a multiple of 32.
  const int reduction = (difference & 31) | 32;
  const wide::Quotient step =
      wide::divide(x.significand >> (64 - reduction), x.significand << reduction, y.significand);
  const Float80 value = pack_exact(context, x.sign, y.exponent + difference - reduction, step.remainder);
  return {value, 0, true};
}

Remainder finite_remainder(FpContext& context, Float80 dividend, Float80 divisor, bool to_nearest) {
  const Unpacked x = unpack(dividend);
  const Unpacked y = unpack(divisor);
  const i32 difference = x.exponent - y.exponent;
  if (difference >= 64) {
    return incomplete_step(context, x, y, difference);
  }
  if (difference < (to_nearest ? -1 : 0)) {
    return {pack_exact(context, x.sign, x.exponent, x.significand), 0, false};
  }
  if (difference == -1) {
    if (x.significand <= y.significand) {
      return {pack_exact(context, x.sign, x.exponent, x.significand), 0, false};
    }
    // Between a half and one divisor: 2y - x, in units of x, is below 2^63.
    return {pack_exact(context, !x.sign, x.exponent, y.significand - (x.significand - y.significand)), 1,
            false};
  }
  const u64 high = difference == 0 ? 0 : x.significand >> (64 - difference);
  wide::Quotient result = wide::divide(high, x.significand << difference, y.significand);
  bool sign = x.sign;
  const u64 complement = y.significand - result.remainder;
  if (to_nearest &&
      (result.remainder > complement || (result.remainder == complement && (result.quotient & 1) != 0))) {
    ++result.quotient;
    result.remainder = complement;
    sign = !sign;
  }
  const Float80 value =
      result.remainder == 0 ? zero(x.sign) : pack_exact(context, sign, y.exponent, result.remainder);
  return {value, static_cast<u8>(result.quotient & 7), false};
}

Remainder remainder_any(FpContext& context, Float80 dividend, Float80 divisor, bool to_nearest) {
  const Kind kind_a = classify(dividend);
  const Kind kind_b = classify(divisor);
  Float80 special;
  if (special_operands(context, kind_a, kind_b, dividend, divisor, special)) {
    return {special, 0, false};
  }
  if (kind_a == Kind::infinity || kind_b == Kind::zero) {
    return {invalid(context), 0, false};
  }
  note_denormal(context, kind_a);
  note_denormal(context, kind_b);
  if (kind_a == Kind::zero) {
    return {dividend, 0, false};
  }
  if (kind_b == Kind::infinity) {
    const Unpacked x = unpack(dividend);
    return {pack_exact(context, x.sign, x.exponent, x.significand), 0, false};
  }
  return finite_remainder(context, dividend, divisor, to_nearest);
}

}  // namespace

Float80 scale(FpContext& context, Float80 a, Float80 b) {
  const Kind kind_a = classify(a);
  const Kind kind_b = classify(b);
  Float80 result;
  if (special_operands(context, kind_a, kind_b, a, b, result)) {
    return result;
  }
  if (kind_b == Kind::infinity || !is_finite_nonzero(kind_a)) {
    return scale_special(context, kind_a, kind_b, a, b);
  }
  note_denormal(context, kind_a);
  note_denormal(context, kind_b);
  if (kind_b == Kind::zero) {
    // Unchanged, even when tiny; only a pseudo-denormal takes its proper exponent.
    return (a.mantissa & kIntegerBit) != 0 && a.exponent() == 0 ? pack(a.sign(), 1, a.mantissa) : a;
  }
  const Unpacked x = unpack(a);
  const i32 exponent = x.exponent + truncated_power(b);
  if (!context.masked(kFpOverflow) && exponent - kExponentAdjustment >= kMaxExponent) {
    context.raise(kFpOverflow | kFpPrecision | kFpRoundedUp);
    return infinity(a.sign());
  }
  if (!context.masked(kFpUnderflow) && exponent + kExponentAdjustment <= 0) {
    context.raise(kFpUnderflow | kFpPrecision);
    return zero(a.sign());
  }
  return round_pack(context, x.sign, exponent, wide::join(x.significand, 0), Precision::extended);
}

Extracted extract(FpContext& context, Float80 a) {
  switch (classify(a)) {
    case Kind::unsupported: {
      const Float80 result = invalid(context);
      return {result, result};
    }
    case Kind::nan: {
      const Float80 result = propagate_nan(context, a);
      return {result, result};
    }
    case Kind::infinity: return {infinity(false), a};
    case Kind::zero: context.raise(kFpZeroDivide); return {infinity(true), a};
    case Kind::denormal: context.raise(kFpDenormal); break;
    case Kind::normal: break;
  }
  const Unpacked x = unpack(a);
  return {from_i64(x.exponent - kBias), pack(x.sign, kBias, x.significand)};
}

Remainder remainder_truncated(FpContext& context, Float80 dividend, Float80 divisor) {
  return remainder_any(context, dividend, divisor, false);
}

Remainder remainder_nearest(FpContext& context, Float80 dividend, Float80 divisor) {
  return remainder_any(context, dividend, divisor, true);
}

}  // namespace lapwing::float80
