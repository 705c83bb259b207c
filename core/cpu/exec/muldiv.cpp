#include "core/cpu/exec/muldiv.h"

#include "core/cpu/exec/handlers.h"

namespace lapwing {

bool exec_MUL(Cpu& cpu, const Instruction& in) {
  return by_size(in,
                 [&](auto zero) { return multiply_accumulator<false, decltype(zero), Kind::kAny>(cpu, in); });
}

bool exec_IMUL(Cpu& cpu, const Instruction& in) {
  if (in.form == Form::kM) {
    return by_size(
        in, [&](auto zero) { return multiply_accumulator<true, decltype(zero), Kind::kAny>(cpu, in); });
  }
  return by_word_size(in, [&](auto zero) {
    using T = decltype(zero);
    return in.form == Form::kRM ? imul<Form::kRM, T, Kind::kAny>(cpu, in)
                                : imul<Form::kRMI, T, Kind::kAny>(cpu, in);
  });
}

bool exec_DIV(Cpu& cpu, const Instruction& in) {
  return by_size(in,
                 [&](auto zero) { return divide_accumulator<false, decltype(zero), Kind::kAny>(cpu, in); });
}

bool exec_IDIV(Cpu& cpu, const Instruction& in) {
  return by_size(in,
                 [&](auto zero) { return divide_accumulator<true, decltype(zero), Kind::kAny>(cpu, in); });
}

}  // namespace lapwing
