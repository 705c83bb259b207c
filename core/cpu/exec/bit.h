// Bit instructions with hot forms: BT BTS BTR BTC (SDM vol. 2). With a register bit offset and a memory
// operand the offset is signed and reaches outside the operand ("bit string"). Flags other than CF stay as
// they are.
#pragma once

#include "core/cpu/exec/operand.h"

namespace lapwing {

template <Op op, class T>
LAPWING_INLINE T bit_test_compute(CpuState& s, T value, unsigned bit) {
  const auto mask = static_cast<T>(T{1} << bit);
  set_cf(s, (value & mask) != 0);
  if constexpr (op == Op::BTS) return static_cast<T>(value | mask);
  if constexpr (op == Op::BTR) return static_cast<T>(value & static_cast<T>(~mask));
  if constexpr (op == Op::BTC) return static_cast<T>(value ^ mask);
  return value;
}

template <Op op, Form form, class T, Kind kind>
LAPWING_INLINE bool bit_test(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  constexpr unsigned kMask = kBits<T> - 1;
  const T offset = form == Form::kMR ? read_reg<T>(s, in.reg) : as_type<T>(in.imm);
  const unsigned bit = static_cast<unsigned>(offset) & kMask;
  if (is_register<kind>(in)) {
    const T result = bit_test_compute<op, T>(s, read_reg<T>(s, in.rm), bit);
    if constexpr (op != Op::BT) write_reg<T>(s, in.rm, result);
    return true;
  }
  u64 address = effective_address(s, in);
  if constexpr (form == Form::kMR) {
    constexpr unsigned kShift = sizeof(T) == 2 ? 4 : sizeof(T) == 4 ? 5 : 6;
    const i64 elements = static_cast<i64>(sign_extend(offset)) >> kShift;
    address += static_cast<u64>(elements) * sizeof(T);
    if (in.address_size != 8) address &= in.address_size == 4 ? 0xFFFFFFFFull : 0xFFFFull;
  }
  if constexpr (op == Op::BT) {
    T value;
    if (!load_inline(cpu, in.segment, address, value)) return false;
    bit_test_compute<op, T>(s, value, bit);
  } else {
    Modify<T> target;
    if (!target.begin_memory(cpu, in.segment, address)) return false;
    target.commit(cpu, bit_test_compute<op, T>(s, target.value(), bit));
  }
  return true;
}

}  // namespace lapwing
