// Near control transfer: JMP CALL RET Jcc LOOP LOOPE LOOPNE JCXZ (SDM vol. 2). Targets are checked before
// anything changes: canonical in 64-bit mode, within the CS limit elsewhere.
#pragma once

#include "core/cpu/exec/stack.h"

namespace lapwing {

constexpr bool is_canonical(u64 address) {
  return static_cast<u64>(static_cast<i64>(address << 16) >> 16) == address;
}

// False = #GP(0) raised.
template <class T>
LAPWING_INLINE bool check_target(Cpu& cpu, T target) {
  if constexpr (sizeof(T) == 8) {
    if (!is_canonical(target)) [[unlikely]]
      return cpu.raise_gp();
  } else {
    if (target > cpu.state.seg[kCs].limit) [[unlikely]]
      return cpu.raise_gp();
  }
  return true;
}

template <class T>
LAPWING_INLINE T relative_target(const Cpu& cpu, const Instruction& in) {
  return as_type<T>(cpu.state.gpr[kRipSlot] + in.imm);
}

template <class T>
LAPWING_INLINE bool jump_to(Cpu& cpu, T target) {
  if (!check_target(cpu, target)) return false;
  cpu.state.rip = target;
  return true;
}

template <class T>
LAPWING_INLINE bool jump_relative(Cpu& cpu, const Instruction& in) {
  return jump_to(cpu, relative_target<T>(cpu, in));
}

template <class T>
LAPWING_INLINE bool jump_conditional(Cpu& cpu, const Instruction& in, bool condition) {
  if (condition) return jump_relative<T>(cpu, in);
  cpu.state.rip = cpu.next_rip(in);
  return true;
}

template <class T, Kind kind>
LAPWING_INLINE bool jump_indirect(Cpu& cpu, const Instruction& in) {
  T target;
  return read_operand<T, kind>(cpu, in, target) && jump_to(cpu, target);
}

// As CPUs do it, the return address is in memory before a bad target raises #GP; rSP has not changed.
template <class T>
LAPWING_INLINE bool call_to(Cpu& cpu, const Instruction& in, T target) {
  CpuState& s = cpu.state;
  const u64 sp = (s.gpr[kRsp] - sizeof(T)) & s.stack_mask;
  if (!store_inline(cpu, stack_segment(s), sp, as_type<T>(cpu.next_rip(in)))) return false;
  if (!check_target(cpu, target)) return false;
  set_stack_pointer(s, sp);
  s.rip = target;
  return true;
}

template <class T>
LAPWING_INLINE bool call_relative(Cpu& cpu, const Instruction& in) {
  return call_to(cpu, in, relative_target<T>(cpu, in));
}

template <class T, Kind kind>
LAPWING_INLINE bool call_indirect(Cpu& cpu, const Instruction& in) {
  T target;
  return read_operand<T, kind>(cpu, in, target) && call_to(cpu, in, target);
}

template <Form form, class T>
LAPWING_INLINE bool return_near(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const u64 sp = stack_pointer(s);
  T target;
  if (!load_inline(cpu, stack_segment(s), sp, target) || !check_target(cpu, target)) return false;
  set_stack_pointer(s, sp + sizeof(T) + (form == Form::kI ? in.imm & 0xFFFF : 0));
  s.rip = target;
  return true;
}

}  // namespace lapwing
