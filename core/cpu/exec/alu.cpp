#include "core/cpu/exec/alu.h"

#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

template <Op op>
bool alu_any(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) {
    using T = decltype(zero);
    switch (in.form) {
      case Form::kMR: return alu<op, Form::kMR, T, Kind::kAny>(cpu, in);
      case Form::kRM: return alu<op, Form::kRM, T, Kind::kAny>(cpu, in);
      default: return alu<op, Form::kMI, T, Kind::kAny>(cpu, in);
    }
  });
}

template <Op op>
bool unary_any(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return unary<op, decltype(zero), Kind::kAny>(cpu, in); });
}

// ADCX uses and sets only CF, ADOX only OF.
template <Op op, class T>
bool add_one_flag(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  T source;
  if (!read_rm(cpu, in, source)) return false;
  const T value = read_reg<T>(s, in.reg);
  const bool carry_in = op == Op::ADCX ? flag_cf(s) : flag_of(s);
  const auto result = static_cast<T>(value + source + (carry_in ? 1 : 0));
  const bool carry_out = carry_in ? result <= value : result < value;
  if constexpr (op == Op::ADCX) {
    set_cf(s, carry_out);
  } else if (flag_of(s) != carry_out) {
    s.flags_carries ^= kCarryPo;
  }
  write_reg<T>(s, in.reg, result);
  return true;
}

template <Op op>
bool add_one_flag_any(Cpu& cpu, const Instruction& in) {
  if (!cpu.model.has(Feature::ADX)) return cpu.raise_ud();
  return in.operand_size == 8 ? add_one_flag<op, u64>(cpu, in) : add_one_flag<op, u32>(cpu, in);
}

}  // namespace

bool exec_ADD(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::ADD>(cpu, in);
}
bool exec_OR(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::OR>(cpu, in);
}
bool exec_ADC(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::ADC>(cpu, in);
}
bool exec_SBB(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::SBB>(cpu, in);
}
bool exec_AND(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::AND>(cpu, in);
}
bool exec_SUB(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::SUB>(cpu, in);
}
bool exec_XOR(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::XOR>(cpu, in);
}
bool exec_CMP(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::CMP>(cpu, in);
}
bool exec_TEST(Cpu& cpu, const Instruction& in) {
  return alu_any<Op::TEST>(cpu, in);
}
bool exec_INC(Cpu& cpu, const Instruction& in) {
  return unary_any<Op::INC>(cpu, in);
}
bool exec_DEC(Cpu& cpu, const Instruction& in) {
  return unary_any<Op::DEC>(cpu, in);
}
bool exec_NEG(Cpu& cpu, const Instruction& in) {
  return unary_any<Op::NEG>(cpu, in);
}
bool exec_NOT(Cpu& cpu, const Instruction& in) {
  return unary_any<Op::NOT>(cpu, in);
}
bool exec_ADCX(Cpu& cpu, const Instruction& in) {
  return add_one_flag_any<Op::ADCX>(cpu, in);
}
bool exec_ADOX(Cpu& cpu, const Instruction& in) {
  return add_one_flag_any<Op::ADOX>(cpu, in);
}

}  // namespace lapwing
