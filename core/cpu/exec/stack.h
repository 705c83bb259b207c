// The stack's hot forms: PUSH and POP of registers and immediates, LEAVE (SDM vol. 2).
#pragma once

#include "core/cpu/exec/operand.h"

namespace lapwing {

// push() and pop() of access.h without a call on the short path.
template <class T>
LAPWING_INLINE bool push_inline(Cpu& cpu, T value) {
  CpuState& s = cpu.state;
  const u64 sp = (s.gpr[kRsp] - sizeof(T)) & s.stack_mask;
  if (!store_inline(cpu, stack_segment(s), sp, value)) return false;
  set_stack_pointer(s, sp);
  return true;
}

// PUSH of the stack pointer pushes its old value; the address of a memory operand uses the old one too.
template <class T, Kind kind>
LAPWING_INLINE bool push_operand(Cpu& cpu, const Instruction& in) {
  T value;
  return read_operand<T, kind>(cpu, in, value) && push_inline<T>(cpu, value);
}

template <class T>
LAPWING_INLINE bool push_immediate(Cpu& cpu, const Instruction& in) {
  return push_inline<T>(cpu, as_type<T>(in.imm));
}

template <class T>
LAPWING_INLINE bool pop_register(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const u64 sp = stack_pointer(s);
  T value;
  if (!load_inline(cpu, stack_segment(s), sp, value)) return false;
  set_stack_pointer(s, sp + sizeof(T));
  write_reg<T>(cpu.state, in.rm, value);
  return true;
}

// rSP <- rBP at the width of the stack, then pop rBP.
template <class T>
LAPWING_INLINE bool leave_frame(Cpu& cpu) {
  CpuState& s = cpu.state;
  const u64 frame = s.gpr[kRbp] & s.stack_mask;
  T value;
  if (!load_inline(cpu, stack_segment(s), frame, value)) return false;
  set_stack_pointer(s, frame + sizeof(T));
  write_reg<T>(s, 8 * kRbp, value);
  return true;
}

}  // namespace lapwing
