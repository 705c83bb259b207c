#include "core/cpu/fpu/transcendental.h"

#include "core/cpu/fpu/wide_float.h"

namespace lapwing::float80 {

namespace {

constexpr u128 kOneQ127 = static_cast<u128>(1) << 127;

// floor(2^128 / divisor), and the same with 127 fraction bits, for the series below.
constexpr u128 reciprocal(u32 divisor) {
  return ~static_cast<u128>(0) / divisor;
}

constexpr Wide kLn2{wide::join(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF), -1, false};
constexpr Wide kTwoOverLn2{wide::join(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E88), 1, false};
constexpr Wide kOneWide{kOneQ127, 0, false};
constexpr Wide kTwoWide{kOneQ127, 1, false};
// sqrt(2) with 127 fraction bits.
constexpr u128 kSqrt2 = wide::join(0xB504F333F9DE6484, 0x597D89B3754ABE9F);

constexpr Wide pi_times_power(i32 power) {
  return {wide::join(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1), 1 + power, false};
}

// Pi/2 as the argument reduction of the hardware knows it, in units of 2^-65 (66 significant bits).
constexpr u128 kReductionHalfPi = wide::join(3, 0x243F6A8885A308D3);

// Below this exponent the first term of each odd series is the rounded result.
constexpr i32 kTinyExponent = -68;

// The final rounding. A result that is not zero is reported as inexact, and as an underflow when it is
// denormal.
Float80 finish(FpContext& context, const Wide& value) {
  if (value.significand == 0) {
    return zero(value.sign);
  }
  const Float80 result =
      round_pack(context, value.sign, value.exponent + kBias, value.significand, Precision::extended);
  context.raise(kFpPrecision | (result.exponent() == 0 ? kFpUnderflow : 0));
  return result;
}

// 1 + y/2 (1 + y/3 (1 + ...)) = (e^y - 1) / y with 127 fraction bits, |y| < 0.7 given as a fraction of 2^128.
u128 exponential_series(u128 y, bool negative) {
  constexpr u32 kTerms = 30;
  u128 sum = kOneQ127;
  for (u32 k = kTerms; k >= 2; --k) {
    const u128 term = multiply_high(multiply_high(sum, y), reciprocal(k));
    sum = negative ? kOneQ127 - term : kOneQ127 + term;
  }
  return sum;
}

// 1 + q/3 + q^2/5 + ... (hyperbolic) or 1 - q/3 + q^2/5 - ... with 127 fraction bits, q < 1/32 a fraction of
// 2^128.
u128 arctangent_series(u128 q, bool alternating) {
  constexpr u32 kTerms = 27;
  u128 sum = 0;
  for (u32 k = kTerms; k > 0; --k) {
    const u128 coefficient = reciprocal(2 * k - 1) >> 1;
    const u128 term = multiply_high(sum, q);
    sum = alternating ? coefficient - term : coefficient + term;
  }
  return sum;
}

// log2(1 + f), from the two sides of s = f / (2 + f): 2 artanh(s) / ln 2. For |f| up to about 0.42.
Wide log2_one_plus(const Wide& f) {
  if (f.significand == 0) {
    return {};
  }
  const Wide s = divide(f, add(f, kTwoWide));
  const u128 square = fraction(multiply(s, s));
  return multiply(multiply(s, kTwoOverLn2), normalized(arctangent_series(square, false), 0, false));
}

Wide log2_of(const Wide& value) {
  i32 exponent = value.exponent;
  Wide significand{value.significand, 0, false};
  if (value.significand > kSqrt2) {
    ++exponent;
    significand.exponent = -1;
  }
  const Wide logarithm = log2_one_plus(add(significand, negated(kOneWide)));
  return add(from_integer(exponent), logarithm);
}

// arctan(k / 16) with 127 fraction bits.
constexpr u128 kArctangent[] = {
    wide::join(0x0000000000000000, 0x0000000000000000), wide::join(0x07FD56EDCB3F7A71, 0xB6593C96E071706A),
    wide::join(0x0FEADD4D5617B6E3, 0x2C897989F3E888EF), wide::join(0x17B97B4BCE5B0226, 0x8F6169F103938E90),
    wide::join(0x1F5B75F92C80DD62, 0xADB8F3DEBEF442FC), wide::join(0x26C4EE6E0FD7979A, 0x716AED26349EBCCA),
    wide::join(0x2DEC3283C9BDE11C, 0xE2A8C848B73F9120), wide::join(0x34C9DD879847F96D, 0x909F257A40079C4D),
    wide::join(0x3B58CE0AC3769ED1, 0x5BF9117B2F0EA340), wide::join(0x4195FA536CC33F15, 0x25B504E5B0D28AE0),
    wide::join(0x47802EAF7BFACFCD, 0xAE41AF0B32E21BA3), wide::join(0x4D17C07338DEED10, 0x21137C711027F9DE),
    wide::join(0x525E3E8C9A7B8492, 0x0CD43F9522BED64F), wide::join(0x5756261C5A6C6040, 0x0A392F179F290385),
    wide::join(0x5C029F15E118CF39, 0xE596D2A90852221E), wide::join(0x606742DC56293320, 0x44EEB16237497D12),
    wide::join(0x6487ED5110B4611A, 0x62633145C06E0E68),
};

// arctan(ratio) for 0 < ratio <= 1: reduced by the nearest k/16 to an argument of at most 1/32.
Wide arctangent(const Wide& ratio) {
  Wide reduced = ratio;
  u32 k = 0;
  if (ratio.exponent >= -5) {
    const u128 fixed = ratio.significand >> (1 - ratio.exponent);  // 126 fraction bits
    k = static_cast<u32>((fixed + (static_cast<u128>(1) << 121)) >> 122);
    const u128 center = static_cast<u128>(k) << 122;
    const bool below = fixed < center;
    const Wide numerator = normalized(below ? center - fixed : fixed - center, 1, below);
    const Wide denominator = normalized((kOneQ127 >> 1) + (fixed >> 4) * k, 1, false);
    reduced = numerator.significand == 0 ? Wide{} : divide(numerator, denominator);
  }
  Wide small = reduced;
  if (reduced.significand != 0 && reduced.exponent > kTinyExponent) {
    const u128 square = fraction(multiply(reduced, reduced));
    small = multiply(reduced, normalized(arctangent_series(square, true), 0, false));
  }
  return k == 0 ? small : add(normalized(kArctangent[k], 0, false), small);
}

// The product 1 - q/(n(n+1)) (1 - q/((n+2)(n+3)) (...)) with 127 fraction bits; first = 2: sin(z)/z, first =
// 1: cos(z).
u128 sine_series(u128 q, u32 first) {
  constexpr u32 kTerms = 16;
  u128 sum = kOneQ127;
  for (u32 k = kTerms; k > 0; --k) {
    const u32 n = first + 2 * (k - 1);
    sum = kOneQ127 - multiply_high(multiply_high(sum, q), reciprocal(n * (n + 1)));
  }
  return sum;
}

struct Reduced {
  Wide argument;  // |argument| <= pi/4
  u32 quadrant;
};

// x = quadrant * pi/2 + argument with the 66-bit pi; exact, since x at or above 1/2 is a multiple of 2^-64.
Reduced reduce(const Unpacked& x) {
  const i32 exponent = x.exponent - kBias;
  const Wide whole = widened(x);
  constexpr u128 kQuarterPi = wide::join(0xC90FDAA22168C234, 0xC000000000000000);
  if (exponent < -1 || (exponent == -1 && whole.significand <= kQuarterPi)) {
    return {whole, 0};
  }
  const u128 units = static_cast<u128>(x.significand) << (exponent + 2);
  u128 quotient = units / kReductionHalfPi;
  u128 rest = units % kReductionHalfPi;
  bool sign = false;
  if (rest > kReductionHalfPi / 2) {
    ++quotient;
    rest = kReductionHalfPi - rest;
    sign = true;
  }
  const u32 quadrant = static_cast<u32>(quotient) & 3;
  return {normalized(rest, 127 - 65, sign != x.sign), x.sign ? (4 - quadrant) & 3 : quadrant};
}

struct SineCosine {
  Wide sine;
  Wide cosine;
};

SineCosine sine_cosine(const Unpacked& x) {
  const Reduced reduced = reduce(x);
  const Wide& z = reduced.argument;
  SineCosine result{z, kOneWide};
  if (z.exponent > kTinyExponent) {
    const u128 square = fraction(multiply(z, z));
    result.sine = multiply(z, normalized(sine_series(square, 2), 0, false));
    result.cosine = normalized(sine_series(square, 1), 0, false);
  }
  switch (reduced.quadrant) {
    case 1: return {result.cosine, negated(result.sine)};
    case 2: return {negated(result.sine), negated(result.cosine)};
    case 3: return {negated(result.cosine), result.sine};
    default: return result;
  }
}

constexpr i32 kTrigonometricLimit = kBias + 63;

// The operands that the trigonometric instructions do not compute; true when `result` is final. Zero is left
// out.
bool trigonometric_special(FpContext& context, Float80 a, Trigonometric& result) {
  const Kind kind = classify(a);
  if (kind == Kind::unsupported || kind == Kind::infinity) {
    result.value = result.second = invalid(context);
    return true;
  }
  if (kind == Kind::nan) {
    result.value = result.second = propagate_nan(context, a);
    return true;
  }
  if (kind == Kind::normal && a.exponent() >= kTrigonometricLimit) {
    result = {a, a, true};
    return true;
  }
  note_denormal(context, kind);
  return false;
}

// FYL2X with x or y zero, infinite or x negative; both are numbers.
bool fyl2x_special(FpContext& context, Kind kind_x, Kind kind_y, Float80 x, Float80 y, Float80& result) {
  if (kind_x != Kind::zero && x.sign()) {
    result = invalid(context);
    return true;
  }
  if (kind_x == Kind::zero) {
    if (kind_y == Kind::zero) {
      result = invalid(context);
      return true;
    }
    if (kind_y == Kind::infinity) {
      result = infinity(!y.sign());
      return true;
    }
    context.raise(kFpZeroDivide);
    result = infinity(!y.sign());
    return true;
  }
  const bool log_negative = kind_x != Kind::infinity && x.exponent() < kBias;
  if (kind_x == Kind::infinity || kind_y == Kind::infinity) {
    if (kind_y == Kind::zero || x == kOne) {
      result = invalid(context);
      return true;
    }
    note_denormal(context, kind_x);
    note_denormal(context, kind_y);
    result = infinity(y.sign() != log_negative);
    return true;
  }
  note_denormal(context, kind_x);
  note_denormal(context, kind_y);
  if (kind_y == Kind::zero || x == kOne) {
    result = zero(y.sign() != log_negative);
    return true;
  }
  return false;
}

// FYL2XP1 with x or y zero or infinite, or x at or below -1; both are numbers.
bool fyl2xp1_special(FpContext& context, Kind kind_x, Kind kind_y, Float80 x, Float80 y, Float80& result) {
  if (kind_x == Kind::infinity) {
    const bool is_invalid = x.sign() || kind_y == Kind::zero;
    if (!is_invalid) note_denormal(context, kind_y);
    result = is_invalid ? invalid(context) : infinity(y.sign());
    return true;
  }
  if (kind_y == Kind::infinity) {
    result = kind_x == Kind::zero ? invalid(context) : infinity(x.sign() != y.sign());
    note_denormal(context, kind_x);
    return true;
  }
  note_denormal(context, kind_x);
  note_denormal(context, kind_y);
  if (kind_x == Kind::zero || kind_y == Kind::zero) {
    result = zero(x.sign() != y.sign());
    return true;
  }
  if (x.sign() && x.exponent() >= kBias) {
    context.raise(kFpPrecision);
    result = x;
    return true;
  }
  return false;
}

Wide with_sign(Wide value, bool sign) {
  value.sign = sign;
  return value;
}

// FPATAN with a zero or an infinity among the operands: a multiple of pi/4, or zero.
Float80 fpatan_special(FpContext& context, Kind kind_x, Kind kind_y, Float80 x, Float80 y) {
  const bool left = x.sign();
  if (kind_x == Kind::infinity && kind_y == Kind::infinity) {
    const Wide quarter = pi_times_power(-2);
    return finish(context, with_sign(left ? add(quarter, pi_times_power(-1)) : quarter, y.sign()));
  }
  if (kind_y == Kind::infinity || (kind_x == Kind::zero && kind_y != Kind::zero)) {
    return finish(context, with_sign(pi_times_power(-1), y.sign()));
  }
  return left ? finish(context, with_sign(pi_times_power(0), y.sign())) : zero(y.sign());
}

}  // namespace

Float80 f2xm1(FpContext& context, Float80 a) {
  const Kind kind = classify(a);
  switch (kind) {
    case Kind::unsupported: return invalid(context);
    case Kind::nan: return propagate_nan(context, a);
    case Kind::infinity: return a.sign() ? negate(kOne) : a;
    case Kind::zero: return a;
    case Kind::normal:
    case Kind::denormal: break;
  }
  note_denormal(context, kind);
  const Unpacked x = unpack(a);
  if (x.exponent >= kBias) {
    context.raise(kFpPrecision);
    const bool minus_one = a == negate(kOne);
    return minus_one ? pack(true, kBias - 1, kIntegerBit) : a;
  }
  const Wide y = multiply(widened(x), kLn2);
  const u128 series = exponential_series(fraction(y), y.sign);
  return finish(context, multiply(y, normalized(series, 0, false)));
}

Float80 fyl2x(FpContext& context, Float80 x, Float80 y) {
  const Kind kind_x = classify(x);
  const Kind kind_y = classify(y);
  Float80 result;
  if (special_operands(context, kind_x, kind_y, x, y, result) ||
      fyl2x_special(context, kind_x, kind_y, x, y, result)) {
    return result;
  }
  return finish(context, multiply(widened(unpack(y)), log2_of(widened(unpack(x)))));
}

Float80 fyl2xp1(FpContext& context, Float80 x, Float80 y) {
  const Kind kind_x = classify(x);
  const Kind kind_y = classify(y);
  Float80 result;
  if (special_operands(context, kind_x, kind_y, x, y, result) ||
      fyl2xp1_special(context, kind_x, kind_y, x, y, result)) {
    return result;
  }
  const Wide f = widened(unpack(x));
  // log2 near one keeps its relative precision only from f itself.
  const bool near_one = f.exponent < -2;
  const Wide logarithm = near_one ? log2_one_plus(f) : log2_of(add(f, kOneWide));
  return finish(context, multiply(widened(unpack(y)), logarithm));
}

Float80 fpatan(FpContext& context, Float80 x, Float80 y) {
  const Kind kind_x = classify(x);
  const Kind kind_y = classify(y);
  Float80 result;
  if (special_operands(context, kind_x, kind_y, x, y, result)) {
    return result;
  }
  note_denormal(context, kind_x);
  note_denormal(context, kind_y);
  if (!is_finite_nonzero(kind_x) || !is_finite_nonzero(kind_y)) {
    return fpatan_special(context, kind_x, kind_y, x, y);
  }
  Wide horizontal = with_sign(widened(unpack(x)), false);
  Wide vertical = with_sign(widened(unpack(y)), false);
  const bool steep =
      vertical.exponent > horizontal.exponent ||
      (vertical.exponent == horizontal.exponent && vertical.significand > horizontal.significand);
  Wide angle = arctangent(steep ? divide(horizontal, vertical) : divide(vertical, horizontal));
  if (steep) {
    angle = add(pi_times_power(-1), x.sign() ? angle : negated(angle));
  } else if (x.sign()) {
    angle = add(pi_times_power(0), negated(angle));
  }
  return finish(context, with_sign(angle, y.sign()));
}

Trigonometric fsin(FpContext& context, Float80 a) {
  Trigonometric result;
  if (trigonometric_special(context, a, result)) {
    return result;
  }
  result.value = classify(a) == Kind::zero ? a : finish(context, sine_cosine(unpack(a)).sine);
  return result;
}

Trigonometric fcos(FpContext& context, Float80 a) {
  Trigonometric result;
  if (trigonometric_special(context, a, result)) {
    return result;
  }
  result.value = classify(a) == Kind::zero ? kOne : finish(context, sine_cosine(unpack(a)).cosine);
  return result;
}

Trigonometric fsincos(FpContext& context, Float80 a) {
  Trigonometric result;
  if (trigonometric_special(context, a, result)) {
    return result;
  }
  if (classify(a) == Kind::zero) {
    return {a, kOne, false};
  }
  const SineCosine both = sine_cosine(unpack(a));
  result.value = finish(context, both.sine);
  context.flags &= ~kFpRoundedUp;
  result.second = finish(context, both.cosine);
  return result;
}

Trigonometric fptan(FpContext& context, Float80 a) {
  Trigonometric result;
  if (trigonometric_special(context, a, result)) {
    return result;
  }
  if (classify(a) == Kind::zero) {
    return {a, kOne, false};
  }
  const SineCosine both = sine_cosine(unpack(a));
  result.value = finish(context, divide(both.sine, both.cosine));
  result.second = kOne;
  return result;
}

}  // namespace lapwing::float80
