// The stack's hot forms: PUSH and POP of registers and immediates, LEAVE (SDM vol. 2).
#pragma once

#include "core/cpu/exec/operand.h"

namespace lapwing {

// PUSH of the stack pointer pushes its old value; the address of a memory operand uses the old one too.
template <class T, Kind kind>
LAPWING_INLINE bool push_operand(Cpu& cpu, const Instruction& in) {
  T value;
  return read_operand<T, kind>(cpu, in, value) && push<T>(cpu, value);
}

template <class T>
LAPWING_INLINE bool push_immediate(Cpu& cpu, const Instruction& in) {
  return push<T>(cpu, as_type<T>(in.imm));
}

template <class T>
LAPWING_INLINE bool pop_register(Cpu& cpu, const Instruction& in) {
  T value;
  if (!pop<T>(cpu, value)) return false;
  write_reg<T>(cpu.state, in.rm, value);
  return true;
}

// rSP <- rBP at the width of the stack, then pop rBP.
template <class T>
LAPWING_INLINE bool leave_frame(Cpu& cpu) {
  CpuState& s = cpu.state;
  const u64 frame = s.gpr[kRbp] & s.stack_mask;
  T value;
  if (!load(cpu, stack_segment(s), frame, value)) return false;
  set_stack_pointer(s, frame + sizeof(T));
  write_reg<T>(s, 8 * kRbp, value);
  return true;
}

}  // namespace lapwing
