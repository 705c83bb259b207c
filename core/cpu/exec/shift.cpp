#include "core/cpu/exec/shift.h"

#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

template <Op op>
bool shift_any(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) {
    using T = decltype(zero);
    switch (in.form) {
      case Form::kMI: return shift<op, Form::kMI, T, Kind::kAny>(cpu, in);
      case Form::kM1: return shift<op, Form::kM1, T, Kind::kAny>(cpu, in);
      default: return shift<op, Form::kMC, T, Kind::kAny>(cpu, in);
    }
  });
}

template <Op op>
bool double_shift_any(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) { return double_shift<op, decltype(zero), Kind::kAny>(cpu, in); });
}

}  // namespace

bool exec_ROL(Cpu& cpu, const Instruction& in) {
  return shift_any<Op::ROL>(cpu, in);
}
bool exec_ROR(Cpu& cpu, const Instruction& in) {
  return shift_any<Op::ROR>(cpu, in);
}
bool exec_RCL(Cpu& cpu, const Instruction& in) {
  return shift_any<Op::RCL>(cpu, in);
}
bool exec_RCR(Cpu& cpu, const Instruction& in) {
  return shift_any<Op::RCR>(cpu, in);
}
bool exec_SHL(Cpu& cpu, const Instruction& in) {
  return shift_any<Op::SHL>(cpu, in);
}
bool exec_SHR(Cpu& cpu, const Instruction& in) {
  return shift_any<Op::SHR>(cpu, in);
}
bool exec_SAR(Cpu& cpu, const Instruction& in) {
  return shift_any<Op::SAR>(cpu, in);
}
bool exec_SHLD(Cpu& cpu, const Instruction& in) {
  return double_shift_any<Op::SHLD>(cpu, in);
}
bool exec_SHRD(Cpu& cpu, const Instruction& in) {
  return double_shift_any<Op::SHRD>(cpu, in);
}

}  // namespace lapwing
