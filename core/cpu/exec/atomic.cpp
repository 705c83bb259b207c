// Exchange-and-operate instructions: XADD CMPXCHG CMPXCHG8B CMPXCHG16B (SDM vol. 2). LOCK changes nothing:
// CPUs take turns between instructions.
#include "core/cpu/exec/alu.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

template <class T>
bool exchange_add(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const T source = read_reg<T>(s, in.reg);
  return modify_operand<T, Kind::kAny>(cpu, in, [&](T value) {
    write_reg<T>(s, in.reg, value);
    return alu_compute<Op::ADD, T>(s, value, source);
  });
}

// Memory is written also on a mismatch. Of the accumulator and a register destination only the one that
// changes is written (which matters for the upper halves of 32-bit operands).
template <class T>
bool compare_exchange(Cpu& cpu, const Instruction& in) {
  constexpr u8 kAccumulator = 8 * kRax;
  CpuState& s = cpu.state;
  Modify<T> target;
  if (!target.begin(cpu, in)) return false;
  const T value = target.value();
  const T expected = read_reg<T>(s, kAccumulator);
  alu_compute<Op::CMP, T>(s, expected, value);
  if (value == expected) {
    target.commit(cpu, read_reg<T>(s, in.reg));
    return true;
  }
  if (in.rm_is_memory()) target.commit(cpu, value);
  write_reg<T>(s, kAccumulator, value);
  return true;
}

// CMPXCHG8B and CMPXCHG16B: rDX:rAX against memory, rCX:rBX in. Only ZF changes.
template <class Half, class Whole>
bool compare_exchange_pair(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const auto pair = [&](u8 high, u8 low) {
    return (static_cast<Whole>(read_reg<Half>(s, 8 * high)) << kBits<Half>) | read_reg<Half>(s, 8 * low);
  };
  Modify<Whole> target;
  if (!target.begin_memory(cpu, in.segment, effective_address(s, in))) return false;
  const Whole value = target.value();
  const bool equal = value == pair(kRdx, kRax);
  target.commit(cpu, equal ? pair(kRcx, kRbx) : value);
  if (!equal) {
    write_reg<Half>(s, 8 * kRax, static_cast<Half>(value));
    write_reg<Half>(s, 8 * kRdx, static_cast<Half>(value >> kBits<Half>));
  }
  set_status_flags(s, (status_flags(s) & ~rflags::kZf) | (equal ? rflags::kZf : 0));
  return true;
}

}  // namespace

bool exec_XADD(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return exchange_add<decltype(zero)>(cpu, in); });
}

bool exec_CMPXCHG(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return compare_exchange<decltype(zero)>(cpu, in); });
}

bool exec_CMPXCHG8B(Cpu& cpu, const Instruction& in) {
  return compare_exchange_pair<u32, u64>(cpu, in);
}

bool exec_CMPXCHG16B(Cpu& cpu, const Instruction& in) {
  if (!cpu.model.has(Feature::CX16)) return cpu.raise_ud();
  CpuState& s = cpu.state;
  u64 linear;
  if (!linear_address(cpu, in.segment, effective_address(s, in), 16, true, linear)) return false;
  if ((linear & 15) != 0) return cpu.raise_gp();
  return compare_exchange_pair<u64, u128>(cpu, in);
}

}  // namespace lapwing
