// Shifts and rotates: SHL SHR SAR ROL ROR RCL RCR SHLD SHRD (SDM vol. 2). A count that masks to zero leaves
// the flags. Undefined flags as Intel CPUs leave them: OF for counts above 1 is that of the first single-bit
// step (ROL and ROR of a register by an immediate keep it), AF is cleared by shifts and kept by rotates; SHLD
// and SHRD of 16 bits with counts above 16 shift destination:source:destination.
#pragma once

#include "core/cpu/exec/operand.h"

namespace lapwing {

LAPWING_INLINE void set_cf_of(CpuState& s, bool cf, bool of) {
  s.flags_carries = (s.flags_carries & ~(kCarryCf | kCarryPo)) | (static_cast<u64>(cf) << 63) |
                    (static_cast<u64>(cf != of) << 62);
}

template <class T>
LAPWING_INLINE void set_shift_flags(CpuState& s, T result, bool cf, bool of) {
  s.flags_result = sign_extend(result);
  s.flags_carries = (static_cast<u64>(cf) << 63) | (static_cast<u64>(cf != of) << 62);
}

// OF of a left shift or rotate by one.
template <class T>
LAPWING_INLINE bool left_overflow(T value) {
  return top_bit(static_cast<T>(value ^ (value << 1)));
}

// Here and below `count` is masked and not zero.
template <Op op, class T>
LAPWING_INLINE T shift_compute(CpuState& s, T value, unsigned count) {
  T result;
  bool cf;
  bool of;
  if constexpr (op == Op::SHL) {
    if constexpr (sizeof(T) == 8) {
      result = value << count;
      cf = bit_of(value, 64 - count);
    } else {
      const u64 wide = static_cast<u64>(value) << count;
      result = as_type<T>(wide);
      cf = bit_of(wide, kBits<T>);
    }
    of = left_overflow(value);
  } else if constexpr (op == Op::SHR) {
    const u64 wide = static_cast<u64>(value) >> (count - 1);
    cf = (wide & 1) != 0;
    result = as_type<T>(wide >> 1);
    of = top_bit(value);
  } else {
    static_assert(op == Op::SAR);
    const i64 wide = static_cast<i64>(sign_extend(value)) >> (count - 1);
    cf = (wide & 1) != 0;
    result = as_type<T>(static_cast<u64>(wide >> 1));
    of = false;
  }
  set_shift_flags(s, result, cf, of);
  return result;
}

// `keeps_of`: a register operand with an immediate count.
template <Op op, class T>
LAPWING_INLINE T rotate_compute(CpuState& s, T value, unsigned count, bool keeps_of) {
  static_assert(op == Op::ROL || op == Op::ROR);
  const int places = static_cast<int>(count & (kBits<T> - 1));
  const T result = op == Op::ROL ? std::rotl(value, places) : std::rotr(value, places);
  const bool cf = op == Op::ROL ? bit_of(result, 0) : top_bit(result);
  if (keeps_of && count != 1) {
    set_cf(s, cf);
  } else {
    set_cf_of(s, cf, op == Op::ROL ? left_overflow(value) : bit_of(value, 0) != top_bit(value));
  }
  return result;
}

// Rotates through CF: a ring of one bit more than the operand.
template <Op op, class T>
inline T rotate_carry_compute(CpuState& s, T value, unsigned count) {
  constexpr unsigned kWidth = kBits<T>;
  count %= kWidth + 1;
  if (count == 0) return value;
  const u64 wide = value;
  const bool old_cf = flag_cf(s);
  const u64 carry = old_cf ? 1 : 0;
  if constexpr (op == Op::RCL) {
    const u64 wrapped = count > 1 ? wide >> (kWidth + 1 - count) : 0;
    set_cf_of(s, bit_of(wide, kWidth - count), left_overflow(value));
    return as_type<T>((wide << count) | (carry << (count - 1)) | wrapped);
  } else {
    static_assert(op == Op::RCR);
    const u64 wrapped = count > 1 ? wide << (kWidth + 1 - count) : 0;
    set_cf_of(s, bit_of(wide, count - 1), top_bit(value) != old_cf);
    return as_type<T>((wide >> count) | (carry << (kWidth - count)) | wrapped);
  }
}

template <Op op, Form form, class T, Kind kind>
LAPWING_INLINE bool shift(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  constexpr unsigned kMask = sizeof(T) == 8 ? 63 : 31;
  unsigned count = 1;
  if constexpr (form == Form::kMI) count = static_cast<unsigned>(in.imm) & kMask;
  if constexpr (form == Form::kMC) count = static_cast<unsigned>(s.gpr[kRcx]) & kMask;
  return modify_operand<T, kind>(cpu, in, [&](T value) __attribute__((always_inline)) {
    if (form != Form::kM1 && count == 0) return value;
    if constexpr (op == Op::ROL || op == Op::ROR) {
      return rotate_compute<op, T>(s, value, count, form == Form::kMI && is_register<kind>(in));
    } else if constexpr (op == Op::RCL || op == Op::RCR) {
      return rotate_carry_compute<op, T>(s, value, count);
    } else {
      return shift_compute<op, T>(s, value, count);
    }
  });
}

template <Op op, class T>
LAPWING_INLINE T double_shift_compute(CpuState& s, T value, T source, unsigned count) {
  constexpr unsigned kWidth = kBits<T>;
  const u64 high = value;
  T result;
  bool cf;
  if constexpr (op == Op::SHLD) {
    if constexpr (sizeof(T) == 2) {
      const u64 shifted = ((high << 32) | (static_cast<u64>(source) << 16) | high) << count;
      result = as_type<T>(shifted >> 32);
      cf = bit_of(shifted, 48);
    } else {
      result = static_cast<T>((value << count) | (source >> (kWidth - count)));
      cf = bit_of(value, kWidth - count);
    }
    set_shift_flags(s, result, cf, left_overflow(value));
  } else {
    static_assert(op == Op::SHRD);
    if constexpr (sizeof(T) == 2) {
      const u64 shifted = ((high << 32) | (static_cast<u64>(source) << 16) | high) >> (count - 1);
      result = as_type<T>(shifted >> 1);
      cf = bit_of(shifted, 0);
    } else {
      result = static_cast<T>((value >> count) | (source << (kWidth - count)));
      cf = bit_of(value, count - 1);
    }
    set_shift_flags(s, result, cf, bit_of(source, 0) != top_bit(value));
  }
  return result;
}

template <Op op, class T, Kind kind>
LAPWING_INLINE bool double_shift(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const u64 raw_count = in.form == Form::kMRC ? s.gpr[kRcx] : in.imm;
  const unsigned count = static_cast<unsigned>(raw_count) & (sizeof(T) == 8 ? 63 : 31);
  const T source = read_reg<T>(s, in.reg);
  return modify_operand<T, kind>(cpu, in, [&](T value) __attribute__((always_inline)) {
    return count == 0 ? value : double_shift_compute<op, T>(s, value, source, count);
  });
}

}  // namespace lapwing
