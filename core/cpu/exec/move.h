// Data movement with hot forms: MOV MOVZX MOVSX MOVSXD LEA XCHG CMOVcc SETcc and the sign extensions of rAX
// (SDM vol. 2).
#pragma once

#include "core/cpu/exec/operand.h"

namespace lapwing {

template <Form form, class T, Kind kind>
LAPWING_INLINE bool move(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  if constexpr (form == Form::kRM) {
    T value;
    if (!read_operand<T, kind>(cpu, in, value)) return false;
    write_reg<T>(s, in.reg, value);
    return true;
  } else {
    return write_operand<T, kind>(cpu, in, form == Form::kMR ? read_reg<T>(s, in.reg) : as_type<T>(in.imm));
  }
}

template <class Source, class T, Kind kind>
LAPWING_INLINE bool move_zero_extended(Cpu& cpu, const Instruction& in) {
  Source value;
  if (!read_operand<Source, kind>(cpu, in, value)) return false;
  write_reg<T>(cpu.state, in.reg, value);
  return true;
}

template <class Source, class T, Kind kind>
LAPWING_INLINE bool move_sign_extended(Cpu& cpu, const Instruction& in) {
  Source value;
  if (!read_operand<Source, kind>(cpu, in, value)) return false;
  write_reg<T>(cpu.state, in.reg, as_type<T>(sign_extend(value)));
  return true;
}

template <class T>
LAPWING_INLINE bool load_address(Cpu& cpu, const Instruction& in) {
  write_reg<T>(cpu.state, in.reg, as_type<T>(effective_address(cpu.state, in)));
  return true;
}

template <class T, Kind kind>
LAPWING_INLINE bool exchange(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const T source = read_reg<T>(s, in.reg);
  return modify_operand<T, kind>(cpu, in, [&](T value) __attribute__((always_inline)) {
    write_reg<T>(s, in.reg, value);
    return source;
  });
}

// CMOVcc always reads its source; a 32-bit destination is zero-extended even when the condition is false.
template <class T, Kind kind>
LAPWING_INLINE bool conditional_move(Cpu& cpu, const Instruction& in, bool condition) {
  T value;
  if (!read_operand<T, kind>(cpu, in, value)) return false;
  write_reg<T>(cpu.state, in.reg, condition ? value : read_reg<T>(cpu.state, in.reg));
  return true;
}

template <Kind kind>
LAPWING_INLINE bool set_on_condition(Cpu& cpu, const Instruction& in, bool condition) {
  return write_operand<u8, kind>(cpu, in, condition ? 1 : 0);
}

// CBW CWDE CDQE.
template <class Half, class T>
LAPWING_INLINE bool extend_accumulator(Cpu& cpu) {
  write_reg<T>(cpu.state, 8 * kRax, as_type<T>(sign_extend(read_reg<Half>(cpu.state, 8 * kRax))));
  return true;
}

// CWD CDQ CQO.
template <class T>
LAPWING_INLINE bool spread_sign(Cpu& cpu) {
  const bool negative = top_bit(read_reg<T>(cpu.state, 8 * kRax));
  write_reg<T>(cpu.state, 8 * kRdx, static_cast<T>(negative ? ~T{0} : T{0}));
  return true;
}

}  // namespace lapwing
