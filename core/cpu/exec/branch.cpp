#include "core/cpu/exec/branch.h"

#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

constexpr u8 kCounter = 8 * kRcx;

bool jump_if(Cpu& cpu, const Instruction& in, bool condition) {
  return by_word_size(in, [&](auto zero) { return jump_conditional<decltype(zero)>(cpu, in, condition); });
}

u64 counter(const Cpu& cpu, const Instruction& in) {
  const u64 rcx = cpu.state.gpr[kRcx];
  if (in.address_size == 8) return rcx;
  return in.address_size == 4 ? static_cast<u32>(rcx) : static_cast<u16>(rcx);
}

// The counter has the width of addresses. It changes only when the branch does not fault.
bool loop_if(Cpu& cpu, const Instruction& in, bool condition) {
  const u64 left = counter(cpu, in) - 1;
  const u64 used_bits = in.address_size == 8 ? ~0ull : in.address_size == 4 ? 0xFFFFFFFFull : 0xFFFFull;
  if (!jump_if(cpu, in, condition && (left & used_bits) != 0)) return false;
  CpuState& s = cpu.state;
  if (in.address_size == 8) {
    write_reg<u64>(s, kCounter, left);
  } else if (in.address_size == 4) {
    write_reg<u32>(s, kCounter, static_cast<u32>(left));
  } else {
    write_reg<u16>(s, kCounter, static_cast<u16>(left));
  }
  return true;
}

}  // namespace

bool exec_JMP(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) {
    using T = decltype(zero);
    return in.form == Form::kJ ? jump_relative<T>(cpu, in) : jump_indirect<T, Kind::kAny>(cpu, in);
  });
}

bool exec_CALL(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) {
    using T = decltype(zero);
    return in.form == Form::kJ ? call_relative<T>(cpu, in) : call_indirect<T, Kind::kAny>(cpu, in);
  });
}

bool exec_RET(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) {
    using T = decltype(zero);
    return in.form == Form::kI ? return_near<Form::kI, T>(cpu, in) : return_near<Form::kNone, T>(cpu, in);
  });
}

bool exec_JCC(Cpu& cpu, const Instruction& in) {
  return jump_if(cpu, in, condition_holds(cpu.state, in.condition()));
}

bool exec_LOOP(Cpu& cpu, const Instruction& in) {
  return loop_if(cpu, in, true);
}
bool exec_LOOPE(Cpu& cpu, const Instruction& in) {
  return loop_if(cpu, in, flag_zf(cpu.state));
}
bool exec_LOOPNE(Cpu& cpu, const Instruction& in) {
  return loop_if(cpu, in, !flag_zf(cpu.state));
}
bool exec_JCXZ(Cpu& cpu, const Instruction& in) {
  return jump_if(cpu, in, counter(cpu, in) == 0);
}

}  // namespace lapwing
