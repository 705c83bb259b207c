// Addition, subtraction and logic: ADD OR ADC SBB AND SUB XOR CMP TEST INC DEC NEG NOT (SDM vol. 2).
// AF after logic operations is undefined in the manual; Intel CPUs clear it.
#pragma once

#include "core/cpu/exec/operand.h"

namespace lapwing {

// Result of `a op b`, with its flags.
template <Op op, class T>
LAPWING_INLINE T alu_compute(CpuState& s, T a, T b) {
  T result;
  if constexpr (op == Op::ADD || op == Op::ADC) {
    result = static_cast<T>(a + b + (op == Op::ADC && flag_cf(s) ? 1 : 0));
    set_flags_add<T>(s, a, b, result);
  } else if constexpr (op == Op::SUB || op == Op::CMP || op == Op::SBB) {
    result = static_cast<T>(a - b - (op == Op::SBB && flag_cf(s) ? 1 : 0));
    set_flags_sub<T>(s, a, b, result);
  } else {
    static_assert(op == Op::AND || op == Op::TEST || op == Op::OR || op == Op::XOR);
    if constexpr (op == Op::OR) {
      result = static_cast<T>(a | b);
    } else if constexpr (op == Op::XOR) {
      result = static_cast<T>(a ^ b);
    } else {
      result = static_cast<T>(a & b);
    }
    set_flags_logic<T>(s, result);
  }
  return result;
}

// All forms of a two-operand instruction.
template <Op op, Form form, class T, Kind kind>
LAPWING_INLINE bool alu(Cpu& cpu, const Instruction& in) {
  constexpr bool kWrites = op != Op::CMP && op != Op::TEST;
  CpuState& s = cpu.state;
  if constexpr (form == Form::kRM) {
    T source;
    if (!read_operand<T, kind>(cpu, in, source)) return false;
    const T result = alu_compute<op, T>(s, read_reg<T>(s, in.reg), source);
    if constexpr (kWrites) write_reg<T>(s, in.reg, result);
    return true;
  } else {
    const T source = form == Form::kMR ? read_reg<T>(s, in.reg) : as_type<T>(in.imm);
    if constexpr (kWrites) {
      return modify_operand<T, kind>(cpu, in, [&](T value) __attribute__((always_inline)) {
        return alu_compute<op, T>(s, value, source);
      });
    } else {
      T value;
      if (!read_operand<T, kind>(cpu, in, value)) return false;
      alu_compute<op, T>(s, value, source);
      return true;
    }
  }
}

// INC and DEC leave CF.
LAPWING_INLINE void keep_cf(CpuState& s, u64 old_carries) {
  const u64 changed = (s.flags_carries ^ old_carries) & kCarryCf;
  s.flags_carries ^= changed | (changed >> 1);
}

template <Op op, class T>
LAPWING_INLINE T unary_compute(CpuState& s, T value) {
  if constexpr (op == Op::NOT) {
    return static_cast<T>(~value);
  } else if constexpr (op == Op::NEG) {
    const auto result = static_cast<T>(-value);
    set_flags_sub<T>(s, 0, value, result);
    return result;
  } else {
    const u64 old_carries = s.flags_carries;
    const auto result = static_cast<T>(op == Op::INC ? value + 1 : value - 1);
    if constexpr (op == Op::INC) {
      set_flags_add<T>(s, value, 1, result);
    } else {
      set_flags_sub<T>(s, value, 1, result);
    }
    keep_cf(s, old_carries);
    return result;
  }
}

template <Op op, class T, Kind kind>
LAPWING_INLINE bool unary(Cpu& cpu, const Instruction& in) {
  return modify_operand<T, kind>(cpu, in, [&](T value) __attribute__((always_inline)) {
    return unary_compute<op, T>(cpu.state, value);
  });
}

}  // namespace lapwing
