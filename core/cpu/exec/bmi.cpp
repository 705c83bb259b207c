// BMI1 and BMI2: ANDN BEXTR BLSI BLSMSK BLSR BZHI MULX PDEP PEXT RORX SARX SHLX SHRX (SDM vol. 2). #UD
// outside protected mode. AF and PF, undefined in the manual, are cleared by Intel CPUs.
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/muldiv.h"

namespace lapwing {

namespace {

// SF and ZF of the result; OF, AF, PF clear.
template <class T>
void set_sf_zf_cf(CpuState& s, T result, bool cf) {
  s.flags_result = sign_extend(result);
  const u64 odd_parity = ((result ^ 1) & 0xFF) << 8;
  s.flags_carries = odd_parity | (cf ? kCarryCf | kCarryPo : 0);
}

// What the instructions share: feature and mode check, the r/m operand, the size.
template <class Operation>
bool with_source(Cpu& cpu, const Instruction& in, Feature feature, Operation operation) {
  if (!cpu.model.has(feature) || !cpu.state.protected_mode() || cpu.state.v8086()) return cpu.raise_ud();
  const auto run = [&](auto source) {
    if (!read_rm(cpu, in, source)) return false;
    operation(source);
    return true;
  };
  return in.operand_size == 8 ? run(u64{}) : run(u32{});
}

template <class T>
T low_bits_mask(unsigned count) {
  return count >= kBits<T> ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << count) - 1);
}

template <class T>
T deposit_bits(T source, T mask) {
  T result = 0;
  for (; mask != 0; mask &= mask - 1) {
    if ((source & 1) != 0) result |= mask & (~mask + 1);
    source >>= 1;
  }
  return result;
}

template <class T>
T extract_bits(T source, T mask) {
  T result = 0;
  for (T bit = 1; mask != 0; mask &= mask - 1, bit = static_cast<T>(bit << 1)) {
    if ((source & mask & (~mask + 1)) != 0) result |= bit;
  }
  return result;
}

// Shifts by the register in VEX.vvvv; no flags.
template <Op op>
bool shift_by_register(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI2, [&](auto source) {
    using T = decltype(source);
    const unsigned count = static_cast<unsigned>(read_reg<T>(cpu.state, in.vex)) & (kBits<T> - 1);
    T result;
    if constexpr (op == Op::SARX) {
      result = as_type<T>(static_cast<u64>(static_cast<i64>(sign_extend(source)) >> count));
    } else {
      result = static_cast<T>(op == Op::SHLX ? source << count : source >> count);
    }
    write_reg<T>(cpu.state, in.reg, result);
  });
}

// BLSI, BLSMSK, BLSR: rm to VEX.vvvv.
template <Op op>
bool lowest_bit(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI1, [&](auto source) {
    using T = decltype(source);
    const auto less_one = static_cast<T>(source - 1);
    const T result = op == Op::BLSI     ? static_cast<T>(source & (~source + 1))
                     : op == Op::BLSMSK ? static_cast<T>(source ^ less_one)
                                        : static_cast<T>(source & less_one);
    set_sf_zf_cf(cpu.state, result, op == Op::BLSI ? source != 0 : source == 0);
    write_reg<T>(cpu.state, in.vex, result);
  });
}

}  // namespace

bool exec_ANDN(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI1, [&](auto source) {
    using T = decltype(source);
    const auto result = static_cast<T>(~read_reg<T>(cpu.state, in.vex) & source);
    set_sf_zf_cf(cpu.state, result, false);
    write_reg<T>(cpu.state, in.reg, result);
  });
}

// SF, undefined, is clear.
bool exec_BEXTR(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI1, [&](auto source) {
    using T = decltype(source);
    const T control = read_reg<T>(cpu.state, in.vex);
    const auto start = static_cast<unsigned>(control & 0xFF);
    const auto length = static_cast<unsigned>((control >> 8) & 0xFF);
    const T shifted = start >= kBits<T> ? T{0} : static_cast<T>(source >> start);
    const auto result = static_cast<T>(shifted & low_bits_mask<T>(length));
    set_status_flags(cpu.state, result == 0 ? rflags::kZf : 0);
    write_reg<T>(cpu.state, in.reg, result);
  });
}

bool exec_BLSI(Cpu& cpu, const Instruction& in) {
  return lowest_bit<Op::BLSI>(cpu, in);
}
bool exec_BLSMSK(Cpu& cpu, const Instruction& in) {
  return lowest_bit<Op::BLSMSK>(cpu, in);
}
bool exec_BLSR(Cpu& cpu, const Instruction& in) {
  return lowest_bit<Op::BLSR>(cpu, in);
}

bool exec_BZHI(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI2, [&](auto source) {
    using T = decltype(source);
    const auto index = static_cast<unsigned>(read_reg<T>(cpu.state, in.vex) & 0xFF);
    const auto result = static_cast<T>(source & low_bits_mask<T>(index));
    set_sf_zf_cf(cpu.state, result, index >= kBits<T>);
    write_reg<T>(cpu.state, in.reg, result);
  });
}

// The high half wins when both destinations are the same register.
bool exec_MULX(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI2, [&](auto source) {
    using T = decltype(source);
    const WidePair<T> product = multiply_wide<T>(read_reg<T>(cpu.state, kHighAccumulator), source);
    write_reg<T>(cpu.state, in.vex, product.low);
    write_reg<T>(cpu.state, in.reg, product.high);
  });
}

bool exec_PDEP(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI2, [&](auto mask) {
    using T = decltype(mask);
    write_reg<T>(cpu.state, in.reg, deposit_bits<T>(read_reg<T>(cpu.state, in.vex), mask));
  });
}

bool exec_PEXT(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI2, [&](auto mask) {
    using T = decltype(mask);
    write_reg<T>(cpu.state, in.reg, extract_bits<T>(read_reg<T>(cpu.state, in.vex), mask));
  });
}

bool exec_RORX(Cpu& cpu, const Instruction& in) {
  return with_source(cpu, in, Feature::BMI2, [&](auto source) {
    using T = decltype(source);
    write_reg<T>(cpu.state, in.reg, std::rotr(source, static_cast<int>(in.imm & (kBits<T> - 1))));
  });
}

bool exec_SARX(Cpu& cpu, const Instruction& in) {
  return shift_by_register<Op::SARX>(cpu, in);
}
bool exec_SHLX(Cpu& cpu, const Instruction& in) {
  return shift_by_register<Op::SHLX>(cpu, in);
}
bool exec_SHRX(Cpu& cpu, const Instruction& in) {
  return shift_by_register<Op::SHRX>(cpu, in);
}

}  // namespace lapwing
