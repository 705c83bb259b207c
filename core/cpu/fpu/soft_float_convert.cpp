#include "core/cpu/fpu/soft_float.h"
#include "core/cpu/fpu/soft_float_internal.h"

namespace lapwing::soft_float {

namespace {

template <typename T>
FpOrder order_of_numbers(T a, T b) {
  using Signed = typename Format<T>::Signed;
  if (is_zero(a) && is_zero(b)) {
    return FpOrder::equal;
  }
  if (a == b) {
    return FpOrder::equal;
  }
  // As sign and magnitude turned into two's complement, the bit patterns sort like the numbers.
  const auto key = [](T bits) {
    return sign_of(bits) ? static_cast<Signed>(T{0} - (bits & ~kSignBit<T>)) : static_cast<Signed>(bits);
  };
  return key(a) < key(b) ? FpOrder::less : FpOrder::greater;
}

template <typename T>
FpOrder compare_any(FpContext& context, T a, T b, bool quiet) {
  a = effective_operand(context, a);
  b = effective_operand(context, b);
  if (is_nan(a) || is_nan(b)) {
    if (!quiet || is_signaling(a) || is_signaling(b)) {
      context.raise(kFpInvalid);
    }
    return FpOrder::unordered;
  }
  note_denormal(context, a);
  note_denormal(context, b);
  return order_of_numbers(a, b);
}

struct Integer {
  u64 magnitude;
  bool in_range;
  bool inexact;
};

// The magnitude of a finite `a` rounded to an integer; in range when it fits 64 bits.
template <typename T>
Integer to_magnitude(Rounding rounding, T a) {
  if (is_zero(a)) {
    return {0, true, false};
  }
  const Unpacked x = unpack(a);
  const i32 integer_bits = x.exponent - kBias<T> + 1;
  if (integer_bits > 64) {
    return {0, false, false};
  }
  // Integer part, and the places below it as a fraction of 2^64.
  u64 integer = 0;
  u64 below = 0;
  if (integer_bits <= 0) {
    below = wide::shift_right_jam(x.significand, -integer_bits);
  } else {
    integer = x.significand >> (64 - integer_bits);
    below = integer_bits == 64 ? 0 : x.significand << integer_bits;
  }
  if (rounds_away(rounding, x.sign, below, u64{1} << 63, (integer & 1) != 0)) {
    ++integer;
  }
  return {integer, true, below != 0};
}

template <typename T, typename Int>
Int to_integer(FpContext& context, T a, Rounding rounding) {
  constexpr u64 kLimit = u64{1} << (sizeof(Int) * 8 - 1);
  a = effective_operand(context, a);
  const Integer integer = is_nan(a) || is_infinity(a) ? Integer{0, false, false} : to_magnitude(rounding, a);
  const bool sign = sign_of(a);
  if (!integer.in_range || integer.magnitude > kLimit - (sign ? 0 : 1)) {
    context.raise(kFpInvalid);
    return static_cast<Int>(kLimit);
  }
  if (integer.inexact) {
    context.raise(kFpPrecision);
  }
  return static_cast<Int>(sign ? u64{0} - integer.magnitude : integer.magnitude);
}

}  // namespace

template <typename T>
T minimum(FpContext& context, T a, T b) {
  a = effective_operand(context, a);
  b = effective_operand(context, b);
  return compare_any(context, a, b, false) == FpOrder::less ? a : b;
}

template <typename T>
T maximum(FpContext& context, T a, T b) {
  a = effective_operand(context, a);
  b = effective_operand(context, b);
  return compare_any(context, a, b, false) == FpOrder::greater ? a : b;
}

template <typename T>
FpOrder compare(FpContext& context, T a, T b) {
  return compare_any(context, a, b, false);
}

template <typename T>
FpOrder compare_quiet(FpContext& context, T a, T b) {
  return compare_any(context, a, b, true);
}

template <typename T>
bool compare_predicate(FpContext& context, T a, T b, u8 predicate) {
  // LT, LE and their negations are the signaling ones; predicates 4..7 negate 0..3.
  const u8 base = predicate & 3;
  const FpOrder order = compare_any(context, a, b, base == 0 || base == 3);
  bool holds = false;
  switch (base) {
    case 0: holds = order == FpOrder::equal; break;
    case 1: holds = order == FpOrder::less; break;
    case 2: holds = order == FpOrder::less || order == FpOrder::equal; break;
    default: holds = order == FpOrder::unordered;
  }
  return holds != ((predicate & 4) != 0);
}

template <typename T>
T round_to_integral(FpContext& context, T a, Rounding rounding, bool suppress_precision) {
  a = effective_operand(context, a);
  if (is_nan(a)) {
    return quieted(context, a);
  }
  const i32 field = static_cast<i32>(a >> Format<T>::kFractionBits) & kMaxExponent<T>;
  if (is_zero(a) || field - kBias<T> >= Format<T>::kFractionBits) {
    return a;
  }
  const Integer integer = to_magnitude(rounding, a);
  if (integer.inexact && !suppress_precision) {
    context.raise(kFpPrecision);
  }
  if (integer.magnitude == 0) {
    return signed_zero<T>(sign_of(a));
  }
  const int shift = std::countl_zero(integer.magnitude);
  return round_pack<T>(context, sign_of(a), kBias<T> + 63 - shift, integer.magnitude << shift);
}

template <typename T>
i32 to_i32(FpContext& context, T a, Rounding rounding) {
  return to_integer<T, i32>(context, a, rounding);
}

template <typename T>
i64 to_i64(FpContext& context, T a, Rounding rounding) {
  return to_integer<T, i64>(context, a, rounding);
}

template <typename T>
T from_i64(FpContext& context, i64 value) {
  if (value == 0) {
    return 0;
  }
  const bool sign = value < 0;
  const u64 magnitude = sign ? u64{0} - static_cast<u64>(value) : static_cast<u64>(value);
  const int shift = std::countl_zero(magnitude);
  return round_pack<T>(context, sign, kBias<T> + 63 - shift, magnitude << shift);
}

u64 to_f64(FpContext& context, u32 a) {
  a = effective_operand(context, a);
  constexpr int kWiden = Format<u64>::kFractionBits - Format<u32>::kFractionBits;
  const u64 sign = u64{a & kSignBit<u32>} << 32;
  if (is_nan(a) || is_infinity(a)) {
    const u32 kept = is_nan(a) ? quieted(context, a) : a;
    return sign | kInfinity<u64> | u64{kept & kFractionMask<u32>} << kWiden;
  }
  if (is_zero(a)) {
    return sign;
  }
  note_denormal(context, a);
  const Unpacked x = unpack(a);
  return round_pack<u64>(context, x.sign, x.exponent - kBias<u32> + kBias<u64>, x.significand);
}

u32 to_f32(FpContext& context, u64 a) {
  a = effective_operand(context, a);
  constexpr int kNarrow = Format<u64>::kFractionBits - Format<u32>::kFractionBits;
  const u32 sign = static_cast<u32>(a >> 32) & kSignBit<u32>;
  if (is_nan(a) || is_infinity(a)) {
    const u64 kept = is_nan(a) ? quieted(context, a) : a;
    return sign | kInfinity<u32> | static_cast<u32>((kept & kFractionMask<u64>) >> kNarrow);
  }
  if (is_zero(a)) {
    return sign;
  }
  note_denormal(context, a);
  const Unpacked x = unpack(a);
  return round_pack<u32>(context, x.sign, x.exponent - kBias<u64> + kBias<u32>, x.significand);
}

template u32 minimum<u32>(FpContext&, u32, u32);
template u64 minimum<u64>(FpContext&, u64, u64);
template u32 maximum<u32>(FpContext&, u32, u32);
template u64 maximum<u64>(FpContext&, u64, u64);
template FpOrder compare<u32>(FpContext&, u32, u32);
template FpOrder compare<u64>(FpContext&, u64, u64);
template FpOrder compare_quiet<u32>(FpContext&, u32, u32);
template FpOrder compare_quiet<u64>(FpContext&, u64, u64);
template bool compare_predicate<u32>(FpContext&, u32, u32, u8);
template bool compare_predicate<u64>(FpContext&, u64, u64, u8);
template u32 round_to_integral<u32>(FpContext&, u32, Rounding, bool);
template u64 round_to_integral<u64>(FpContext&, u64, Rounding, bool);
template i32 to_i32<u32>(FpContext&, u32, Rounding);
template i32 to_i32<u64>(FpContext&, u64, Rounding);
template i64 to_i64<u32>(FpContext&, u32, Rounding);
template i64 to_i64<u64>(FpContext&, u64, Rounding);
template u32 from_i64<u32>(FpContext&, i64);
template u64 from_i64<u64>(FpContext&, i64);

}  // namespace lapwing::soft_float
