#include "core/cpu/fpu/float80.h"

#include <utility>

#include "core/cpu/fpu/float80_internal.h"

namespace lapwing::float80 {

namespace {

// The distance by which the unmasked responses move the exponent (SDM vol. 1, 4.9.1.4 and 4.9.1.5).
constexpr i32 kExponentAdjustment = 24576;

Float80 overflow(FpContext& context, const Rounded& rounded, bool sign, i32 exponent, int keep) {
  context.raise(kFpOverflow);
  if (!context.masked(kFpOverflow)) {
    if (rounded.inexact) {
      context.raise(kFpPrecision | (rounded.up ? kFpRoundedUp : 0));
    }
    return pack(sign, exponent - kExponentAdjustment, wide::high_half(rounded.significand));
  }
  context.raise(kFpPrecision);
  const bool to_infinity =
      context.rounding == Rounding::nearest || context.rounding == (sign ? Rounding::down : Rounding::up);
  if (to_infinity) {
    context.raise(kFpRoundedUp);
    return infinity(sign);
  }
  return pack(sign, kMaxExponent - 1, ~u64{0} << (64 - keep));
}

Float80 underflow(FpContext& context, bool sign, i32 exponent, u128 significand, int keep) {
  const u128 denormal = wide::shift_right_jam(significand, 1 - exponent);
  const Rounded rounded = round_significand(context.rounding, sign, denormal, keep);
  if (rounded.inexact) {
    context.raise(kFpUnderflow | kFpPrecision | (rounded.up ? kFpRoundedUp : 0));
  }
  const u64 mantissa = wide::high_half(rounded.significand);
  return pack(sign, (mantissa & kIntegerBit) != 0 ? 1 : 0, mantissa);
}

Float80 add_magnitudes(FpContext& context, Unpacked a, Unpacked b) {
  if (a.exponent < b.exponent) {
    std::swap(a, b);
  }
  const u128 larger = static_cast<u128>(a.significand) << 63;
  const u128 smaller = wide::shift_right_jam(static_cast<u128>(b.significand) << 63, a.exponent - b.exponent);
  const u128 sum = larger + smaller;
  const i32 shift = wide::leading_zeros(sum);
  return round_pack(context, a.sign, a.exponent + 1 - shift, sum << shift, context.precision);
}

Float80 subtract_magnitudes(FpContext& context, Unpacked a, Unpacked b) {
  if (a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand)) {
    std::swap(a, b);
  }
  const u128 larger = static_cast<u128>(a.significand) << 63;
  const u128 smaller = wide::shift_right_jam(static_cast<u128>(b.significand) << 63, a.exponent - b.exponent);
  const u128 difference = larger - smaller;
  if (difference == 0) {
    return zero(context.rounding == Rounding::down);
  }
  const i32 shift = wide::leading_zeros(difference);
  return round_pack(context, a.sign, a.exponent + 1 - shift, difference << shift, context.precision);
}

// The sum where an operand is an infinity or a zero.
Float80 add_special(FpContext& context, Kind kind_a, Kind kind_b, Float80 a, Float80 b) {
  if (kind_a == Kind::infinity && kind_b == Kind::infinity) {
    return a.sign() == b.sign() ? a : invalid(context);
  }
  note_denormal(context, kind_a);
  note_denormal(context, kind_b);
  if (kind_a == Kind::infinity || kind_b == Kind::infinity) {
    return kind_a == Kind::infinity ? a : b;
  }
  if (kind_a == Kind::zero && kind_b == Kind::zero) {
    return a.sign() == b.sign() ? a : zero(context.rounding == Rounding::down);
  }
  const Unpacked other = unpack(kind_a == Kind::zero ? b : a);
  return round_pack(context, other.sign, other.exponent, wide::join(other.significand, 0), context.precision);
}

FpOrder order_of_finite(Float80 a, Float80 b, Kind kind_a, Kind kind_b) {
  const bool zero_a = kind_a == Kind::zero;
  const bool zero_b = kind_b == Kind::zero;
  if (zero_a && zero_b) {
    return FpOrder::equal;
  }
  if (zero_a || zero_b || a.sign() != b.sign()) {
    const bool a_is_less = zero_a ? !b.sign() : a.sign();
    return a_is_less ? FpOrder::less : FpOrder::greater;
  }
  const i32 exponent_a = a.exponent() == 0 ? 1 : a.exponent();
  const i32 exponent_b = b.exponent() == 0 ? 1 : b.exponent();
  if (exponent_a == exponent_b && a.mantissa == b.mantissa) {
    return FpOrder::equal;
  }
  const bool smaller = exponent_a != exponent_b ? exponent_a < exponent_b : a.mantissa < b.mantissa;
  return smaller != a.sign() ? FpOrder::less : FpOrder::greater;
}

FpOrder compare_any(FpContext& context, Float80 a, Float80 b, bool quiet) {
  const Kind kind_a = classify(a);
  const Kind kind_b = classify(b);
  if (kind_a == Kind::unsupported || kind_b == Kind::unsupported) {
    context.raise(kFpInvalid);
    return FpOrder::unordered;
  }
  if (kind_a == Kind::nan || kind_b == Kind::nan) {
    if (!quiet || is_signaling(a) || is_signaling(b)) {
      context.raise(kFpInvalid);
    }
    return FpOrder::unordered;
  }
  note_denormal(context, kind_a);
  note_denormal(context, kind_b);
  return order_of_finite(a, b, kind_a, kind_b);
}

}  // namespace

Kind classify(Float80 a) {
  const i32 exponent = a.exponent();
  const bool integer_bit = (a.mantissa & kIntegerBit) != 0;
  if (exponent == 0) {
    return a.mantissa == 0 ? Kind::zero : Kind::denormal;
  }
  if (!integer_bit) {
    return Kind::unsupported;
  }
  if (exponent == kMaxExponent) {
    return a.mantissa == kIntegerBit ? Kind::infinity : Kind::nan;
  }
  return Kind::normal;
}

bool is_signaling(Float80 a) {
  return a.exponent() == kMaxExponent && (a.mantissa & kIntegerBit) != 0 && (a.mantissa & kQuietBit) == 0 &&
         a.mantissa != kIntegerBit;
}

Float80 invalid(FpContext& context) {
  context.raise(kFpInvalid);
  return kIndefinite;
}

Float80 propagate_nan(FpContext& context, Float80 a) {
  if (is_signaling(a)) {
    context.raise(kFpInvalid);
  }
  return {a.mantissa | kQuietBit, a.sign_exponent};
}

Float80 propagate_nan(FpContext& context, Float80 a, Float80 b) {
  const bool signaling_a = is_signaling(a);
  const bool signaling_b = is_signaling(b);
  if (signaling_a || signaling_b) {
    context.raise(kFpInvalid);
  }
  const bool nan_a = classify(a) == Kind::nan;
  const bool nan_b = classify(b) == Kind::nan;
  bool take_a = nan_a;
  if (nan_a && nan_b) {
    if (signaling_a != signaling_b) {
      take_a = signaling_b;
    } else if (a.mantissa != b.mantissa) {
      take_a = a.mantissa > b.mantissa;
    } else {
      take_a = !a.sign();
    }
  }
  const Float80 chosen = take_a ? a : b;
  return {chosen.mantissa | kQuietBit, chosen.sign_exponent};
}

bool special_operands(FpContext& context, Kind kind_a, Kind kind_b, Float80 a, Float80 b, Float80& result) {
  if (kind_a == Kind::unsupported || kind_b == Kind::unsupported) {
    result = invalid(context);
    return true;
  }
  if (kind_a == Kind::nan || kind_b == Kind::nan) {
    result = propagate_nan(context, a, b);
    return true;
  }
  return false;
}

Rounded round_significand(Rounding rounding, bool sign, u128 significand, int keep) {
  const u128 unit = static_cast<u128>(1) << (128 - keep);
  const u128 lost = significand & (unit - 1);
  const u128 kept = significand - lost;
  bool up = false;
  if (lost != 0) {
    const u128 half = unit >> 1;
    switch (rounding) {
      case Rounding::nearest: up = lost > half || (lost == half && (kept & unit) != 0); break;
      case Rounding::down: up = sign; break;
      case Rounding::up: up = !sign; break;
      case Rounding::truncate: break;
    }
  }
  const u128 result = up ? kept + unit : kept;
  return {result, result < kept, lost != 0, up};
}

Float80 round_pack(FpContext& context, bool sign, i32 exponent, u128 significand, Precision precision) {
  const int keep = significant_bits(precision);
  Rounded rounded = round_significand(context.rounding, sign, significand, keep);
  i32 rounded_exponent = exponent;
  if (rounded.carry) {
    rounded.significand = static_cast<u128>(1) << 127;
    ++rounded_exponent;
  }
  if (rounded_exponent <= 0) {
    if (context.masked(kFpUnderflow)) {
      return underflow(context, sign, exponent, significand, keep);
    }
    context.raise(kFpUnderflow);
    rounded_exponent += kExponentAdjustment;
  } else if (rounded_exponent >= kMaxExponent) {
    return overflow(context, rounded, sign, rounded_exponent, keep);
  }
  if (rounded.inexact) {
    context.raise(kFpPrecision | (rounded.up ? kFpRoundedUp : 0));
  }
  return pack(sign, rounded_exponent, wide::high_half(rounded.significand));
}

Float80 add(FpContext& context, Float80 a, Float80 b) {
  const Kind kind_a = classify(a);
  const Kind kind_b = classify(b);
  Float80 result;
  if (special_operands(context, kind_a, kind_b, a, b, result)) {
    return result;
  }
  if (!is_finite_nonzero(kind_a) || !is_finite_nonzero(kind_b)) {
    return add_special(context, kind_a, kind_b, a, b);
  }
  note_denormal(context, kind_a);
  note_denormal(context, kind_b);
  const Unpacked x = unpack(a);
  const Unpacked y = unpack(b);
  return x.sign == y.sign ? add_magnitudes(context, x, y) : subtract_magnitudes(context, x, y);
}

Float80 subtract(FpContext& context, Float80 a, Float80 b) {
  if (classify(b) == Kind::nan) {
    return add(context, a, b);
  }
  return add(context, a, negate(b));
}

Float80 multiply(FpContext& context, Float80 a, Float80 b) {
  const Kind kind_a = classify(a);
  const Kind kind_b = classify(b);
  Float80 result;
  if (special_operands(context, kind_a, kind_b, a, b, result)) {
    return result;
  }
  const bool sign = a.sign() != b.sign();
  const bool any_zero = kind_a == Kind::zero || kind_b == Kind::zero;
  const bool any_infinity = kind_a == Kind::infinity || kind_b == Kind::infinity;
  if (any_zero && any_infinity) {
    return invalid(context);
  }
  note_denormal(context, kind_a);
  note_denormal(context, kind_b);
  if (any_infinity) {
    return infinity(sign);
  }
  if (any_zero) {
    return zero(sign);
  }
  const Unpacked x = unpack(a);
  const Unpacked y = unpack(b);
  const wide::U64Pair product = wide::multiply(x.significand, y.significand);
  u128 significand = wide::join(product.high, product.low);
  i32 exponent = x.exponent + y.exponent - kBias + 1;
  if ((product.high & kIntegerBit) == 0) {
    significand <<= 1;
    --exponent;
  }
  return round_pack(context, sign, exponent, significand, context.precision);
}

Float80 divide(FpContext& context, Float80 a, Float80 b) {
  const Kind kind_a = classify(a);
  const Kind kind_b = classify(b);
  Float80 result;
  if (special_operands(context, kind_a, kind_b, a, b, result)) {
    return result;
  }
  const bool sign = a.sign() != b.sign();
  if (kind_a == kind_b && (kind_a == Kind::zero || kind_a == Kind::infinity)) {
    return invalid(context);
  }
  if (kind_b == Kind::zero && kind_a != Kind::infinity) {
    context.raise(kFpZeroDivide);
    return infinity(sign);
  }
  note_denormal(context, kind_a);
  note_denormal(context, kind_b);
  if (kind_a == Kind::infinity) {
    return infinity(sign);
  }
  if (kind_a == Kind::zero || kind_b == Kind::infinity) {
    return zero(sign);
  }
  const Unpacked x = unpack(a);
  const Unpacked y = unpack(b);
  // The quotient of the dividend halved when it is not smaller fits one word with bit 63 set; the next word
  // of the quotient only needs its presence.
  const bool not_smaller = x.significand >= y.significand;
  const u64 high = not_smaller ? x.significand >> 1 : x.significand;
  const u64 low = not_smaller ? x.significand << 63 : 0;
  const wide::Quotient first = wide::divide(high, low, y.significand);
  const wide::Quotient second = wide::divide(first.remainder, 0, y.significand);
  const u128 significand = wide::join(first.quotient, second.quotient | (second.remainder != 0 ? 1 : 0));
  const i32 exponent = x.exponent - y.exponent + kBias - (not_smaller ? 0 : 1);
  return round_pack(context, sign, exponent, significand, context.precision);
}

Float80 square_root(FpContext& context, Float80 a) {
  const Kind kind = classify(a);
  if (kind == Kind::unsupported) {
    return invalid(context);
  }
  if (kind == Kind::nan) {
    return propagate_nan(context, a);
  }
  if (kind == Kind::zero) {
    return a;
  }
  if (a.sign()) {
    return invalid(context);
  }
  note_denormal(context, kind);
  if (kind == Kind::infinity) {
    return a;
  }
  const Unpacked x = unpack(a);
  const i32 power = x.exponent - kBias;
  const bool odd = (power & 1) != 0;
  // The radicand has its leading bit at 127 (odd power) or 126, the root's then lies at 63. A 64-bit root can
  // never be a tie, so one sticky bit below it decides every rounding.
  const u64 high = odd ? x.significand : x.significand >> 1;
  const u64 low = odd ? 0 : x.significand << 63;
  const wide::SquareRoot root = wide::square_root(high, low);
  const u64 below = root.above_half ? kIntegerBit | 1 : (root.exact ? 0 : 1);
  return round_pack(context, false, ((power - (odd ? 1 : 0)) / 2) + kBias, wide::join(root.root, below),
                    context.precision);
}

Float80 round_to_integer(FpContext& context, Float80 a) {
  const Kind kind = classify(a);
  if (kind == Kind::unsupported) {
    return invalid(context);
  }
  if (kind == Kind::nan) {
    return propagate_nan(context, a);
  }
  note_denormal(context, kind);
  const i32 integer_bits = a.exponent() - kBias + 1;
  if (kind == Kind::infinity || kind == Kind::zero || integer_bits >= 64) {
    return a;
  }
  // 64 integer places above 64 fraction places; anything below a half only needs to be there.
  const u128 fixed =
      wide::shift_right_jam(wide::join(a.mantissa, 0), 64 - (integer_bits < -1 ? -1 : integer_bits));
  const Rounded rounded = round_significand(context.rounding, a.sign(), fixed, 64);
  if (rounded.inexact) {
    context.raise(kFpPrecision | (rounded.up ? kFpRoundedUp : 0));
  }
  const u64 integer = wide::high_half(rounded.significand);
  if (integer == 0) {
    return zero(a.sign());
  }
  const int shift = std::countl_zero(integer);
  return pack(a.sign(), kBias + 63 - shift, integer << shift);
}

FpOrder compare(FpContext& context, Float80 a, Float80 b) {
  return compare_any(context, a, b, false);
}

FpOrder compare_quiet(FpContext& context, Float80 a, Float80 b) {
  return compare_any(context, a, b, true);
}

}  // namespace lapwing::float80
