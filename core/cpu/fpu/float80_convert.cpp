#include "core/cpu/fpu/float80.h"
#include "core/cpu/fpu/float80_internal.h"

namespace lapwing::float80 {

namespace {

// A binary interchange format: bits of fraction and of exponent.
struct Format {
  int fraction_bits;
  int exponent_bits;
  constexpr i32 max_exponent() const { return (1 << exponent_bits) - 1; }
  constexpr i32 bias() const { return (1 << (exponent_bits - 1)) - 1; }
  constexpr u64 sign_bit(bool sign) const { return u64{sign} << (fraction_bits + exponent_bits); }
  constexpr u64 infinity() const { return static_cast<u64>(max_exponent()) << fraction_bits; }
};

constexpr Format kBinary32{23, 8};
constexpr Format kBinary64{52, 11};

Widened widen(u64 bits, const Format& format) {
  const bool sign = (bits >> (format.fraction_bits + format.exponent_bits)) != 0;
  const i32 exponent = static_cast<i32>(bits >> format.fraction_bits) & format.max_exponent();
  const u64 fraction = bits << (64 - format.fraction_bits) >> 1;
  if (exponent == format.max_exponent()) {
    return {pack(sign, kMaxExponent, kIntegerBit | fraction), false};
  }
  if (exponent != 0) {
    return {pack(sign, exponent - format.bias() + kBias, kIntegerBit | fraction), false};
  }
  if (fraction == 0) {
    return {zero(sign), false};
  }
  const int shift = std::countl_zero(fraction);
  return {pack(sign, 1 - format.bias() + kBias - shift, fraction << shift), true};
}

Float80 loaded(FpContext& context, const Widened& widened) {
  if (widened.denormal) {
    context.raise(kFpDenormal);
  }
  return classify(widened.value) == Kind::nan ? propagate_nan(context, widened.value) : widened.value;
}

u64 narrow_overflow(FpContext& context, bool sign, const Format& format) {
  context.raise(kFpOverflow);
  if (!context.masked(kFpOverflow)) {
    return 0;
  }
  context.raise(kFpPrecision);
  const bool to_infinity =
      context.rounding == Rounding::nearest || context.rounding == (sign ? Rounding::down : Rounding::up);
  if (to_infinity) {
    context.raise(kFpRoundedUp);
  }
  return format.sign_bit(sign) | (format.infinity() - (to_infinity ? 0 : 1));
}

u64 narrow_finite(FpContext& context, Float80 a, const Format& format) {
  const Unpacked x = unpack(a);
  const int keep = format.fraction_bits + 1;
  const u128 significand = wide::join(x.significand, 0);
  Rounded rounded = round_significand(context.rounding, x.sign, significand, keep);
  i32 exponent = x.exponent - kBias + format.bias() + (rounded.carry ? 1 : 0);
  if (exponent >= format.max_exponent()) {
    return narrow_overflow(context, x.sign, format);
  }
  if (exponent <= 0) {
    if (!context.masked(kFpUnderflow)) {
      context.raise(kFpUnderflow);
      return 0;
    }
    const i32 unrounded = x.exponent - kBias + format.bias();
    rounded =
        round_significand(context.rounding, x.sign, wide::shift_right_jam(significand, 1 - unrounded), keep);
    context.raise(rounded.inexact ? kFpUnderflow : 0);
    exponent = 0;
  } else {
    --exponent;  // the integer bit adds the one back
  }
  if (rounded.inexact) {
    context.raise(kFpPrecision | (rounded.up ? kFpRoundedUp : 0));
  }
  const u64 kept =
      rounded.carry ? u64{1} << format.fraction_bits : wide::high_half(rounded.significand) >> (64 - keep);
  return format.sign_bit(x.sign) | ((static_cast<u64>(exponent) << format.fraction_bits) + kept);
}

u64 narrow(FpContext& context, Float80 a, const Format& format) {
  switch (classify(a)) {
    case Kind::unsupported: a = invalid(context); break;
    case Kind::nan: a = propagate_nan(context, a); break;
    case Kind::infinity: break;
    case Kind::zero: return format.sign_bit(a.sign());
    case Kind::normal:
    case Kind::denormal: return narrow_finite(context, a, format);
  }
  return format.sign_bit(a.sign()) | format.infinity() | (a.mantissa << 1 >> (64 - format.fraction_bits));
}

struct Integer {
  u64 magnitude;
  bool in_range;
  bool inexact;
  bool up;
};

// The magnitude of `a` rounded to an integer; not in range when it does not fit 64 bits or is no number.
Integer to_magnitude(Rounding rounding, Float80 a) {
  const Kind kind = classify(a);
  if (kind == Kind::zero) {
    return {0, true, false, false};
  }
  const i32 integer_bits = a.exponent() - kBias + 1;
  if (!is_finite_nonzero(kind) || integer_bits > 64) {
    return {0, false, false, false};
  }
  const u128 fixed =
      wide::shift_right_jam(wide::join(a.mantissa, 0), 64 - (integer_bits < -1 ? -1 : integer_bits));
  const Rounded rounded = round_significand(rounding, a.sign(), fixed, 64);
  return {wide::high_half(rounded.significand), !rounded.carry, rounded.inexact, rounded.up};
}

i64 to_integer(FpContext& context, Float80 a, int bits) {
  const Integer integer = to_magnitude(context.rounding, a);
  const u64 limit = u64{1} << (bits - 1);
  if (!integer.in_range || integer.magnitude > limit - (a.sign() ? 0 : 1)) {
    context.raise(kFpInvalid);
    return static_cast<i64>(u64{0} - limit);
  }
  if (integer.inexact) {
    context.raise(kFpPrecision | (integer.up ? kFpRoundedUp : 0));
  }
  return static_cast<i64>(a.sign() ? u64{0} - integer.magnitude : integer.magnitude);
}

constexpr u64 kBcdLimit = 1'000'000'000'000'000'000;
constexpr PackedBcd kBcdIndefinite{0xC000000000000000, 0xFFFF};

}  // namespace

Widened widen_f32(u32 bits) {
  return widen(bits, kBinary32);
}

Widened widen_f64(u64 bits) {
  return widen(bits, kBinary64);
}

Float80 from_f32(FpContext& context, u32 bits) {
  return loaded(context, widen_f32(bits));
}

Float80 from_f64(FpContext& context, u64 bits) {
  return loaded(context, widen_f64(bits));
}

Float80 from_i64(i64 value) {
  if (value == 0) {
    return zero(false);
  }
  const bool sign = value < 0;
  const u64 magnitude = sign ? u64{0} - static_cast<u64>(value) : static_cast<u64>(value);
  const int shift = std::countl_zero(magnitude);
  return pack(sign, kBias + 63 - shift, magnitude << shift);
}

u32 to_f32(FpContext& context, Float80 a) {
  return static_cast<u32>(narrow(context, a, kBinary32));
}

u64 to_f64(FpContext& context, Float80 a) {
  return narrow(context, a, kBinary64);
}

i16 to_i16(FpContext& context, Float80 a) {
  return static_cast<i16>(to_integer(context, a, 16));
}

i32 to_i32(FpContext& context, Float80 a) {
  return static_cast<i32>(to_integer(context, a, 32));
}

i64 to_i64(FpContext& context, Float80 a) {
  return to_integer(context, a, 64);
}

Float80 from_bcd(PackedBcd value) {
  u64 magnitude = ((value.sign_and_digits >> 4) & 15u) * 10 + (value.sign_and_digits & 15u);
  for (int shift = 60; shift >= 0; shift -= 4) {
    magnitude = magnitude * 10 + ((value.digits >> shift) & 15);
  }
  const bool sign = (value.sign_and_digits & 0x8000) != 0;
  if (magnitude == 0) {
    return zero(sign);
  }
  const int shift = std::countl_zero(magnitude);
  return pack(sign, kBias + 63 - shift, magnitude << shift);
}

PackedBcd to_bcd(FpContext& context, Float80 a) {
  const Integer integer = to_magnitude(context.rounding, a);
  if (!integer.in_range || integer.magnitude >= kBcdLimit) {
    context.raise(kFpInvalid);
    return kBcdIndefinite;
  }
  if (integer.inexact) {
    context.raise(kFpPrecision | (integer.up ? kFpRoundedUp : 0));
  }
  PackedBcd result;
  u64 rest = integer.magnitude;
  for (int shift = 0; shift < 64; shift += 4) {
    result.digits |= (rest % 10) << shift;
    rest /= 10;
  }
  result.sign_and_digits = static_cast<u16>((a.sign() ? 0x8000 : 0) | (rest / 10 << 4) | (rest % 10));
  return result;
}

Float80 constant(Constant which, Rounding rounding) {
  // Truncated significands (one row a constant), and whether the bits below them are more than one half.
  struct Row {
    u64 significand;
    i32 exponent;
    bool above_half;
  };
  static constexpr Row kRows[] = {
      {0xD49A784BCD1B8AFE, kBias + 1, false},  // log2(10)
      {0xB8AA3B295C17F0BB, kBias + 0, true},   // log2(e)
      {0xC90FDAA22168C234, kBias + 1, true},   // pi
      {0x9A209A84FBCFF798, kBias - 2, true},   // log10(2)
      {0xB17217F7D1CF79AB, kBias - 1, true},   // ln(2)
  };
  const Row& row = kRows[static_cast<int>(which)];
  const bool up = rounding == Rounding::up || (rounding == Rounding::nearest && row.above_half);
  return pack(false, row.exponent, row.significand + (up ? 1 : 0));
}

}  // namespace lapwing::float80
