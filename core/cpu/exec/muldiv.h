// Multiplication and division: MUL IMUL DIV IDIV (SDM vol. 2). Undefined flags as Intel CPUs leave them:
// multiplication sets SF and PF from the low half of the product and clears ZF and AF; division leaves all
// six alone.
#pragma once

#include "core/cpu/exec/operand.h"

namespace lapwing {

template <class T>
LAPWING_INLINE void set_multiply_flags(CpuState& s, T low, bool overflow) {
  constexpr u64 kNotZero = 1ull << 8;  // in no flag but ZF
  s.flags_result = sign_extend(low) | kNotZero;
  s.flags_carries = static_cast<u64>(overflow) << 63;  // CF = OF
}

template <class T>
struct WidePair {
  T low;
  T high;
};

template <class T>
LAPWING_INLINE WidePair<T> multiply_wide(T a, T b) {
  if constexpr (sizeof(T) == 8) {
    const u128 product = static_cast<u128>(a) * b;
    return {static_cast<u64>(product), static_cast<u64>(product >> 64)};
  } else {
    const u64 product = static_cast<u64>(a) * b;
    return {as_type<T>(product), as_type<T>(product >> kBits<T>)};
  }
}

template <class T>
LAPWING_INLINE WidePair<T> multiply_wide_signed(T a, T b) {
  if constexpr (sizeof(T) == 8) {
    WidePair<u64> product = multiply_wide<u64>(a, b);
    product.high -= (top_bit(a) ? b : 0) + (top_bit(b) ? a : 0);
    return product;
  } else {
    const u64 product = sign_extend(a) * sign_extend(b);
    return {as_type<T>(product), as_type<T>(product >> kBits<T>)};
  }
}

// The high half does not merely repeat the sign of the low half.
template <class T>
LAPWING_INLINE bool signed_overflow(const WidePair<T>& product) {
  return product.high != static_cast<T>(top_bit(product.low) ? ~T{0} : T{0});
}

// IMUL with two or three operands.
template <Form form, class T, Kind kind>
LAPWING_INLINE bool imul(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  T source;
  if (!read_operand<T, kind>(cpu, in, source)) return false;
  const T factor = form == Form::kRMI ? as_type<T>(in.imm) : read_reg<T>(s, in.reg);
  const WidePair<T> product = multiply_wide_signed<T>(source, factor);
  set_multiply_flags<T>(s, product.low, signed_overflow(product));
  write_reg<T>(s, in.reg, product.low);
  return true;
}

// rDX:rAX, or AX for bytes.
constexpr u8 kAccumulator = 8 * kRax;
constexpr u8 kHighAccumulator = 8 * kRdx;
constexpr u8 kByteHighAccumulator = 8 * kRax + 1;
template <class T>
constexpr u8 kHighSlot = sizeof(T) == 1 ? kByteHighAccumulator : kHighAccumulator;

template <bool is_signed, class T, Kind kind>
LAPWING_INLINE bool multiply_accumulator(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  T source;
  if (!read_operand<T, kind>(cpu, in, source)) return false;
  const T factor = read_reg<T>(s, kAccumulator);
  const WidePair<T> product =
      is_signed ? multiply_wide_signed<T>(factor, source) : multiply_wide<T>(factor, source);
  set_multiply_flags<T>(s, product.low, is_signed ? signed_overflow(product) : product.high != 0);
  write_reg<T>(s, kAccumulator, product.low);
  write_reg<T>(s, kHighSlot<T>, product.high);
  return true;
}

// False = quotient does not fit (#DE). `divisor` is not zero.
template <class T>
LAPWING_INLINE bool divide(WidePair<T> dividend, T divisor, T& quotient, T& remainder) {
  if (dividend.high >= divisor) return false;
  if constexpr (sizeof(T) == 8) {
    if (dividend.high != 0) {
      const u128 wide = (static_cast<u128>(dividend.high) << 64) | dividend.low;
      quotient = static_cast<u64>(wide / divisor);
      remainder = static_cast<u64>(wide % divisor);
      return true;
    }
    quotient = dividend.low / divisor;
    remainder = dividend.low % divisor;
  } else {
    const u64 wide = (static_cast<u64>(dividend.high) << kBits<T>) | dividend.low;
    quotient = as_type<T>(wide / divisor);
    remainder = as_type<T>(wide % divisor);
  }
  return true;
}

// By magnitudes: the remainder has the sign of the dividend.
template <class T>
LAPWING_INLINE bool divide_signed(WidePair<T> dividend, T divisor, T& quotient, T& remainder) {
  const bool negative = top_bit(dividend.high);
  const bool negative_quotient = negative != top_bit(divisor);
  if (negative) {
    dividend.high = static_cast<T>(~dividend.high + (dividend.low == 0 ? 1 : 0));
    dividend.low = static_cast<T>(-dividend.low);
  }
  const T magnitude = top_bit(divisor) ? static_cast<T>(-divisor) : divisor;
  if (!divide<T>(dividend, magnitude, quotient, remainder)) return false;
  if (top_bit(quotient) && !(negative_quotient && quotient == static_cast<T>(T{1} << (kBits<T> - 1))))
    return false;
  if (negative_quotient) quotient = static_cast<T>(-quotient);
  if (negative) remainder = static_cast<T>(-remainder);
  return true;
}

template <bool is_signed, class T, Kind kind>
LAPWING_INLINE bool divide_accumulator(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  T divisor;
  if (!read_operand<T, kind>(cpu, in, divisor)) return false;
  const WidePair<T> dividend{read_reg<T>(s, kAccumulator), read_reg<T>(s, kHighSlot<T>)};
  T quotient;
  T remainder;
  const bool fits = divisor != 0 && (is_signed ? divide_signed<T>(dividend, divisor, quotient, remainder)
                                               : divide<T>(dividend, divisor, quotient, remainder));
  if (!fits) return cpu.raise(kDE);
  write_reg<T>(s, kAccumulator, quotient);
  write_reg<T>(s, kHighSlot<T>, remainder);
  return true;
}

}  // namespace lapwing
