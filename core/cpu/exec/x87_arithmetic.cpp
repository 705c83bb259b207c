// x87 arithmetic, comparison and transcendental instructions (Intel SDM vol. 1, 8.3.5 to 8.3.9; vol. 2).
#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/x87.h"
#include "core/cpu/fpu/float80_fast.h"
#include "core/cpu/fpu/transcendental.h"

namespace lapwing {

namespace {

using float80::Widened;
using x87::kC0;
using x87::kC1;
using x87::kC2;
using x87::kC3;
using x87::Operation;

using Binary = Float80 (*)(FpContext&, Float80, Float80);

// destination op source; the reversed forms exchange the two.
Float80 reversed_subtract(FpContext& context, Float80 destination, Float80 source) {
  return float80::fast::subtract(context, source, destination);
}
Float80 reversed_divide(FpContext& context, Float80 destination, Float80 source) {
  return float80::fast::divide(context, source, destination);
}

template <class T>
bool load_integer(Cpu& cpu, const Instruction& in, Widened& out) {
  T raw;
  if (!load_operand(cpu, in, raw)) return false;
  out = {float80::from_i64(static_cast<i64>(static_cast<std::make_signed_t<T>>(raw))), false};
  return true;
}

bool load_source(Cpu& cpu, const Instruction& in, bool integer, Widened& out) {
  if (integer) {
    return in.operand_size == 2 ? load_integer<u16>(cpu, in, out) : load_integer<u32>(cpu, in, out);
  }
  if (in.operand_size == 4) {
    u32 bits;
    if (!load_operand(cpu, in, bits)) return false;
    out = float80::widen_f32(bits);
    return true;
  }
  u64 bits;
  if (!load_operand(cpu, in, bits)) return false;
  out = float80::widen_f64(bits);
  return true;
}

bool is_nan(Float80 a) {
  return float80::classify(a) == float80::Kind::nan;
}

// A denormal in memory counts unless something of higher priority was found (SDM vol. 1, 4.9.2).
void note_memory_denormal(FpContext& context, const Widened& source, bool has_nan) {
  if (source.denormal && !has_nan && (context.flags & (kFpInvalid | kFpZeroDivide)) == 0) {
    context.raise(kFpDenormal);
  }
}

bool arithmetic(Cpu& cpu, const Instruction& in, Binary compute, bool integer, bool pops) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  const bool to_register = in.form == Form::kMR;
  const unsigned destination = to_register ? in.rm : 0;
  Widened source;
  bool missing = op.empty(destination);
  if (in.rm_is_memory()) {
    if (!load_source(cpu, in, integer, source)) return false;
  } else {
    const unsigned register_source = to_register ? 0 : in.rm;
    missing = missing || op.empty(register_source);
    source.value = op.st(register_source);
  }
  Float80 result = float80::kIndefinite;
  if (missing) {
    op.underflow();
  } else {
    result = compute(op.context, op.st(destination), source.value);
    note_memory_denormal(op.context, source, is_nan(result));
  }
  if (op.retire()) {
    op.set(destination, result);
    if (pops) op.pop();
  }
  return true;
}

u16 condition_codes(FpOrder order) {
  switch (order) {
    case FpOrder::less: return kC0;
    case FpOrder::equal: return kC3;
    case FpOrder::greater: return 0;
    case FpOrder::unordered: break;
  }
  return kC0 | kC2 | kC3;
}

enum class Source : u8 { kOperand, kInteger, kSt1, kZero };

// The codes are written even when an unmasked exception keeps the stack from being popped.
bool compare(Cpu& cpu, const Instruction& in, Source from, bool quiet, unsigned pops) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  Widened source;
  bool missing = op.empty(0);
  if (from == Source::kZero) {
    source.value = float80::zero(false);
  } else if (from != Source::kSt1 && in.rm_is_memory()) {
    if (!load_source(cpu, in, from == Source::kInteger, source)) return false;
  } else {
    const unsigned i = from == Source::kSt1 ? 1 : in.rm;
    missing = missing || op.empty(i);
    source.value = op.st(i);
  }
  FpOrder order = FpOrder::unordered;
  if (missing) {
    op.underflow();
  } else {
    order = quiet ? float80::compare_quiet(op.context, op.st(0), source.value)
                  : float80::compare(op.context, op.st(0), source.value);
    note_memory_denormal(op.context, source, order == FpOrder::unordered);
  }
  op.condition_codes(condition_codes(order));
  if (op.retire()) {
    for (unsigned i = 0; i < pops; ++i) op.pop();
  }
  return true;
}

// FCOMI and its kin: like COMISD, OF, SF and AF are cleared.
bool compare_to_flags(Cpu& cpu, const Instruction& in, bool quiet, bool pops) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  op.keep_c1();
  FpOrder order = FpOrder::unordered;
  if (op.empty(0) || op.empty(in.rm)) {
    op.underflow();
  } else {
    order = quiet ? float80::compare_quiet(op.context, op.st(0), op.st(in.rm))
                  : float80::compare(op.context, op.st(0), op.st(in.rm));
  }
  const u16 codes = condition_codes(order);
  set_status_flags(cpu.state, (codes & kC0 ? rflags::kCf : 0) | (codes & kC2 ? rflags::kPf : 0) |
                                  (codes & kC3 ? rflags::kZf : 0));
  if (op.retire() && pops) op.pop();
  return true;
}

// ST(0) <- compute(ST(0)).
template <class Compute>
bool unary(Cpu& cpu, const Instruction& in, Compute compute) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  if (in.op == Op::FSIN || in.op == Op::FCOS) op.condition_code_c2(false);
  Float80 result = float80::kIndefinite;
  if (op.empty(0)) {
    op.underflow();
  } else {
    result = compute(op, op.st(0));
  }
  if (op.retire()) op.set(0, result);
  return true;
}

// destination <- compute(ST(0), ST(1)), then popped when the destination is ST(1).
template <class Compute>
bool binary(Cpu& cpu, const Instruction& in, unsigned destination, Compute compute) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  if (in.op == Op::FPREM || in.op == Op::FPREM1) op.condition_code_c2(false);
  Float80 result = float80::kIndefinite;
  if (op.empty(0) || op.empty(1)) {
    op.underflow();
  } else {
    result = compute(op, op.st(0), op.st(1));
  }
  if (op.retire()) {
    op.set(destination, result);
    if (destination == 1) op.pop();
  }
  return true;
}

// Without a quotient (stack fault, NaN or invalid operation) only C2 is cleared.
bool partial_remainder(Cpu& cpu, const Instruction& in,
                       float80::Remainder (*compute)(FpContext&, Float80, Float80)) {
  return binary(cpu, in, 0, [&](Operation& op, Float80 a, Float80 b) {
    const float80::Remainder result = compute(op.context, a, b);
    if (op.context.unmasked(kFpPreComputation) || is_nan(result.value)) return result.value;
    op.condition_codes(static_cast<u16>((result.quotient & 1 ? kC1 : 0) | (result.quotient & 2 ? kC3 : 0) |
                                        (result.quotient & 4 ? kC0 : 0) | (result.incomplete ? kC2 : 0)));
    return result.value;
  });
}

// FSIN and FCOS; C2 alone tells that the operand is out of range.
bool trigonometric(Cpu& cpu, const Instruction& in, float80::Trigonometric (*compute)(FpContext&, Float80)) {
  return unary(cpu, in, [&](Operation& op, Float80 a) {
    const float80::Trigonometric result = compute(op.context, a);
    op.condition_code_c2(result.incomplete);
    return result.value;
  });
}

// FSINCOS, FPTAN, FXTRACT: one operand, a result in its place and another pushed.
template <class Compute>
bool unary_and_push(Cpu& cpu, const Instruction& in, Compute compute) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  if (in.op != Op::FXTRACT) op.condition_code_c2(false);
  float80::Trigonometric result{float80::kIndefinite, float80::kIndefinite, false};
  if (op.empty(0)) {
    op.underflow();
  } else if (!op.empty(7)) {
    op.overflow();
  } else {
    result = compute(op);
  }
  if (op.retire() && !result.incomplete) {
    op.set(0, result.value);
    op.push(result.second);
  }
  return true;
}

bool trigonometric_push(Cpu& cpu, const Instruction& in,
                        float80::Trigonometric (*compute)(FpContext&, Float80)) {
  return unary_and_push(cpu, in, [&](Operation& op) {
    const float80::Trigonometric result = compute(op.context, op.st(0));
    op.condition_code_c2(result.incomplete);
    return result;
  });
}

}  // namespace

#define LAPWING_X87_ARITHMETIC(name, integer_name, compute)   \
  bool exec_##name(Cpu& cpu, const Instruction& in) {         \
    return arithmetic(cpu, in, compute, false, false);        \
  }                                                           \
  bool exec_##name##P(Cpu& cpu, const Instruction& in) {      \
    return arithmetic(cpu, in, compute, false, true);         \
  }                                                           \
  bool exec_##integer_name(Cpu& cpu, const Instruction& in) { \
    return arithmetic(cpu, in, compute, true, false);         \
  }

LAPWING_X87_ARITHMETIC(FADD, FIADD, float80::fast::add)
LAPWING_X87_ARITHMETIC(FMUL, FIMUL, float80::fast::multiply)
LAPWING_X87_ARITHMETIC(FSUB, FISUB, float80::fast::subtract)
LAPWING_X87_ARITHMETIC(FSUBR, FISUBR, reversed_subtract)
LAPWING_X87_ARITHMETIC(FDIV, FIDIV, float80::fast::divide)
LAPWING_X87_ARITHMETIC(FDIVR, FIDIVR, reversed_divide)
#undef LAPWING_X87_ARITHMETIC

bool exec_FCOM(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kOperand, false, 0);
}
bool exec_FCOMP(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kOperand, false, 1);
}
bool exec_FCOMPP(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kSt1, false, 2);
}
bool exec_FICOM(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kInteger, false, 0);
}
bool exec_FICOMP(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kInteger, false, 1);
}
bool exec_FUCOM(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kOperand, true, 0);
}
bool exec_FUCOMP(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kOperand, true, 1);
}
bool exec_FUCOMPP(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kSt1, true, 2);
}
bool exec_FTST(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, Source::kZero, false, 0);
}

bool exec_FCOMI(Cpu& cpu, const Instruction& in) {
  return compare_to_flags(cpu, in, false, false);
}
bool exec_FCOMIP(Cpu& cpu, const Instruction& in) {
  return compare_to_flags(cpu, in, false, true);
}
bool exec_FUCOMI(Cpu& cpu, const Instruction& in) {
  return compare_to_flags(cpu, in, true, false);
}
bool exec_FUCOMIP(Cpu& cpu, const Instruction& in) {
  return compare_to_flags(cpu, in, true, true);
}

bool exec_FXAM(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  const Float80 value = op.st(0);
  u16 codes = kC0 | kC3;  // empty
  if (!op.empty(0)) {
    switch (float80::classify(value)) {
      case float80::Kind::unsupported: codes = 0; break;
      case float80::Kind::nan: codes = kC0; break;
      case float80::Kind::normal: codes = kC2; break;
      case float80::Kind::infinity: codes = kC0 | kC2; break;
      case float80::Kind::zero: codes = kC3; break;
      case float80::Kind::denormal: codes = kC2 | kC3; break;
    }
  }
  op.condition_codes(static_cast<u16>(codes | (value.sign() ? kC1 : 0)));
  op.retire();
  return true;
}

bool exec_FCHS(Cpu& cpu, const Instruction& in) {
  return unary(cpu, in, [](Operation&, Float80 a) { return float80::negate(a); });
}
bool exec_FABS(Cpu& cpu, const Instruction& in) {
  return unary(cpu, in, [](Operation&, Float80 a) { return float80::absolute(a); });
}
bool exec_FSQRT(Cpu& cpu, const Instruction& in) {
  return unary(cpu, in, [](Operation& op, Float80 a) { return float80::square_root(op.context, a); });
}
bool exec_FRNDINT(Cpu& cpu, const Instruction& in) {
  return unary(cpu, in, [](Operation& op, Float80 a) { return float80::round_to_integer(op.context, a); });
}
bool exec_F2XM1(Cpu& cpu, const Instruction& in) {
  return unary(cpu, in, [](Operation& op, Float80 a) { return float80::f2xm1(op.context, a); });
}
bool exec_FSCALE(Cpu& cpu, const Instruction& in) {
  return binary(cpu, in, 0,
                [](Operation& op, Float80 a, Float80 b) { return float80::scale(op.context, a, b); });
}
bool exec_FYL2X(Cpu& cpu, const Instruction& in) {
  return binary(cpu, in, 1,
                [](Operation& op, Float80 x, Float80 y) { return float80::fyl2x(op.context, x, y); });
}
bool exec_FYL2XP1(Cpu& cpu, const Instruction& in) {
  return binary(cpu, in, 1,
                [](Operation& op, Float80 x, Float80 y) { return float80::fyl2xp1(op.context, x, y); });
}
bool exec_FPATAN(Cpu& cpu, const Instruction& in) {
  return binary(cpu, in, 1,
                [](Operation& op, Float80 x, Float80 y) { return float80::fpatan(op.context, x, y); });
}
bool exec_FPREM(Cpu& cpu, const Instruction& in) {
  return partial_remainder(cpu, in, float80::remainder_truncated);
}
bool exec_FPREM1(Cpu& cpu, const Instruction& in) {
  return partial_remainder(cpu, in, float80::remainder_nearest);
}
bool exec_FSIN(Cpu& cpu, const Instruction& in) {
  return trigonometric(cpu, in, float80::fsin);
}
bool exec_FCOS(Cpu& cpu, const Instruction& in) {
  return trigonometric(cpu, in, float80::fcos);
}
bool exec_FSINCOS(Cpu& cpu, const Instruction& in) {
  return trigonometric_push(cpu, in, float80::fsincos);
}
bool exec_FPTAN(Cpu& cpu, const Instruction& in) {
  return trigonometric_push(cpu, in, float80::fptan);
}

bool exec_FXTRACT(Cpu& cpu, const Instruction& in) {
  return unary_and_push(cpu, in, [](Operation& op) {
    const float80::Extracted result = float80::extract(op.context, op.st(0));
    return float80::Trigonometric{result.exponent, result.significand, false};
  });
}

}  // namespace lapwing
