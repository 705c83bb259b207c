// x87 data transfer, constants and stack instructions (Intel SDM vol. 1, 8.3.3 and 8.3.4; vol. 2).
#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/x87.h"

namespace lapwing {

namespace {

using x87::Operation;

// Memory layout of the 80-bit format.
struct [[gnu::packed]] Memory80 {
  u64 low;
  u16 high;
};

// Pushes `value`, or the indefinite when there is no room. A load reports a denormal but keeps its value even
// when that exception is unmasked; an invalid one is not pushed.
bool push(Operation& op, Float80 value) {
  if (!op.empty(7) && !op.has_stack_fault()) {
    op.context.flags = 0;
    op.overflow();
    value = float80::kIndefinite;
  }
  if (op.retire(kFpInvalid)) op.push(value);
  return true;
}

bool push_constant(Cpu& cpu, const Instruction& in, float80::Constant which) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  return push(op, float80::constant(which, op.context.rounding));
}

bool push_value(Cpu& cpu, const Instruction& in, Float80 value) {
  Operation op(cpu, in);
  return op.begin() && push(op, value);
}

bool locate80(Cpu& cpu, const Instruction& in, bool write, u64& linear) {
  return linear_address(cpu, in.segment, effective_address(cpu.state, in), sizeof(Memory80), write, linear);
}

// Two accesses, as in CPUs: the first is the one whose alignment may be checked, and of a store that faults
// in the second the first has happened.
bool load_value(Cpu& cpu, const Instruction& in, Memory80& value) {
  const bool stack = is_stack(in.segment);
  u64 linear;
  u64 low;
  u16 high;
  if (!locate80(cpu, in, false, linear) || !load_linear(cpu, linear, stack, low) ||
      !load_linear(cpu, (linear + sizeof low) & cpu.linear_mask(), stack, high)) {
    return false;
  }
  value = {low, high};
  return true;
}

bool load_memory(Cpu& cpu, const Instruction& in, FpContext& context, Float80& out) {
  if (in.operand_size == 4) {
    u32 bits;
    if (!load_operand(cpu, in, bits)) return false;
    out = float80::from_f32(context, bits);
    return true;
  }
  if (in.operand_size == 8) {
    u64 bits;
    if (!load_operand(cpu, in, bits)) return false;
    out = float80::from_f64(context, bits);
    return true;
  }
  Memory80 raw;
  if (!load_value(cpu, in, raw)) return false;
  out = {raw.low, raw.high};
  return true;
}

template <class T>
bool store_value(Cpu& cpu, const Instruction& in, T value) {
  return store_operand<T>(cpu, in, value);
}

bool store_value(Cpu& cpu, const Instruction& in, Memory80 value) {
  const bool stack = is_stack(in.segment);
  u64 linear;
  const u64 low = value.low;
  const u16 high = value.high;
  return locate80(cpu, in, true, linear) && store_linear(cpu, linear, stack, low) &&
         store_linear(cpu, (linear + sizeof low) & cpu.linear_mask(), stack, high);
}

// Converts ST(0), or the indefinite of an empty one, and stores it unless an unmasked exception forbids it.
template <class T, class Convert>
bool store_converted(Cpu& cpu, const Instruction& in, Operation& op, T indefinite, bool pops,
                     Convert convert) {
  T value = indefinite;
  if (op.empty(0)) {
    op.underflow();
  } else {
    value = convert(op.context, op.st(0));
  }
  constexpr u32 kUnstored = kFpInvalid | kFpOverflow | kFpUnderflow;
  if (!op.context.unmasked(kUnstored) && !store_value(cpu, in, value)) return false;
  if (op.retire(kUnstored) && pops) op.pop();
  return true;
}

Memory80 to_memory(Float80 value) {
  return {value.mantissa, value.sign_exponent};
}

// D9 D8+i, an old alias of FSTP ST(i), only pops when ST(0) is empty.
bool is_unchecked_alias(const Instruction& in) {
  return (in.imm & 0x7F8) == 0x1D8;
}

bool store_float(Cpu& cpu, const Instruction& in, bool pops) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  if (!in.rm_is_memory()) {
    Float80 value = op.st(0);
    const bool only_pops = op.empty(0) && is_unchecked_alias(in);
    if (op.empty(0) && !only_pops) {
      op.underflow();
      value = float80::kIndefinite;
    }
    if (op.retire()) {
      if (!only_pops) op.set(in.rm, value);
      if (pops) op.pop();
    }
    return true;
  }
  constexpr u32 kIndefinite32 = 0xFFC00000;
  constexpr u64 kIndefinite64 = 0xFFF8000000000000;
  switch (in.operand_size) {
    case 4: return store_converted<u32>(cpu, in, op, kIndefinite32, pops, float80::to_f32);
    case 8: return store_converted<u64>(cpu, in, op, kIndefinite64, pops, float80::to_f64);
    default:
      return store_converted<Memory80>(cpu, in, op, to_memory(float80::kIndefinite), pops,
                                       [](FpContext&, Float80 a) { return to_memory(a); });
  }
}

bool store_integer(Cpu& cpu, const Instruction& in, bool pops, bool truncates) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  if (truncates) op.context.rounding = Rounding::truncate;
  switch (in.operand_size) {
    case 2:
      return store_converted<u16>(cpu, in, op, u16{0x8000}, pops, [](FpContext& context, Float80 a) {
        return static_cast<u16>(float80::to_i16(context, a));
      });
    case 4:
      return store_converted<u32>(cpu, in, op, u32{1} << 31, pops, [](FpContext& context, Float80 a) {
        return static_cast<u32>(float80::to_i32(context, a));
      });
    default:
      return store_converted<u64>(cpu, in, op, u64{1} << 63, pops, [](FpContext& context, Float80 a) {
        return static_cast<u64>(float80::to_i64(context, a));
      });
  }
}

bool conditional_move(Cpu& cpu, const Instruction& in, bool condition) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  op.keep_c1();
  Float80 value = op.st(condition ? in.rm : 0);
  if (op.empty(0) || op.empty(in.rm)) {
    op.underflow();
    value = float80::kIndefinite;
  }
  if (op.retire()) op.set(0, value);
  return true;
}

}  // namespace

bool exec_FLD(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  Float80 value = float80::kIndefinite;
  if (in.rm_is_memory()) {
    if (!load_memory(cpu, in, op.context, value)) return false;
  } else if (op.empty(in.rm)) {
    op.underflow();
  } else {
    value = op.st(in.rm);
  }
  return push(op, value);
}

bool exec_FILD(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  i64 value = 0;
  u16 word;
  u32 dword;
  u64 qword;
  switch (in.operand_size) {
    case 2:
      if (!load_operand(cpu, in, word)) return false;
      value = static_cast<i16>(word);
      break;
    case 4:
      if (!load_operand(cpu, in, dword)) return false;
      value = static_cast<i32>(dword);
      break;
    default:
      if (!load_operand(cpu, in, qword)) return false;
      value = static_cast<i64>(qword);
  }
  return push(op, float80::from_i64(value));
}

bool exec_FBLD(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  Memory80 raw;
  if (!load_value(cpu, in, raw)) return false;
  return push(op, float80::from_bcd({raw.low, raw.high}));
}

bool exec_FST(Cpu& cpu, const Instruction& in) {
  return store_float(cpu, in, false);
}
bool exec_FSTP(Cpu& cpu, const Instruction& in) {
  return store_float(cpu, in, true);
}
bool exec_FIST(Cpu& cpu, const Instruction& in) {
  return store_integer(cpu, in, false, false);
}
bool exec_FISTP(Cpu& cpu, const Instruction& in) {
  return store_integer(cpu, in, true, false);
}
bool exec_FISTTP(Cpu& cpu, const Instruction& in) {
  return store_integer(cpu, in, true, true);
}

bool exec_FBSTP(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  constexpr Memory80 kBcdIndefinite{0xC000000000000000, 0xFFFF};
  return store_converted<Memory80>(cpu, in, op, kBcdIndefinite, true, [](FpContext& context, Float80 a) {
    const float80::PackedBcd value = float80::to_bcd(context, a);
    return Memory80{value.digits, value.sign_and_digits};
  });
}

bool exec_FXCH(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  if (op.empty(0) || op.empty(in.rm)) op.underflow();
  const Float80 a = op.empty(0) ? float80::kIndefinite : op.st(0);
  const Float80 b = op.empty(in.rm) ? float80::kIndefinite : op.st(in.rm);
  if (op.retire()) {
    op.set(0, b);
    op.set(in.rm, a);
  }
  return true;
}

bool exec_FLD1(Cpu& cpu, const Instruction& in) {
  return push_value(cpu, in, float80::kOne);
}
bool exec_FLDZ(Cpu& cpu, const Instruction& in) {
  return push_value(cpu, in, float80::zero(false));
}
bool exec_FLDL2T(Cpu& cpu, const Instruction& in) {
  return push_constant(cpu, in, float80::Constant::log2_10);
}
bool exec_FLDL2E(Cpu& cpu, const Instruction& in) {
  return push_constant(cpu, in, float80::Constant::log2_e);
}
bool exec_FLDPI(Cpu& cpu, const Instruction& in) {
  return push_constant(cpu, in, float80::Constant::pi);
}
bool exec_FLDLG2(Cpu& cpu, const Instruction& in) {
  return push_constant(cpu, in, float80::Constant::log10_2);
}
bool exec_FLDLN2(Cpu& cpu, const Instruction& in) {
  return push_constant(cpu, in, float80::Constant::ln_2);
}

bool exec_FCMOVB(Cpu& cpu, const Instruction& in) {
  return conditional_move(cpu, in, flag_cf(cpu.state));
}
bool exec_FCMOVNB(Cpu& cpu, const Instruction& in) {
  return conditional_move(cpu, in, !flag_cf(cpu.state));
}
bool exec_FCMOVE(Cpu& cpu, const Instruction& in) {
  return conditional_move(cpu, in, flag_zf(cpu.state));
}
bool exec_FCMOVNE(Cpu& cpu, const Instruction& in) {
  return conditional_move(cpu, in, !flag_zf(cpu.state));
}
bool exec_FCMOVBE(Cpu& cpu, const Instruction& in) {
  return conditional_move(cpu, in, flag_cf(cpu.state) || flag_zf(cpu.state));
}
bool exec_FCMOVNBE(Cpu& cpu, const Instruction& in) {
  return conditional_move(cpu, in, !flag_cf(cpu.state) && !flag_zf(cpu.state));
}
bool exec_FCMOVU(Cpu& cpu, const Instruction& in) {
  return conditional_move(cpu, in, flag_pf(cpu.state));
}
bool exec_FCMOVNU(Cpu& cpu, const Instruction& in) {
  return conditional_move(cpu, in, !flag_pf(cpu.state));
}

bool exec_FINCSTP(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  if (op.retire()) op.rotate(1);
  return true;
}

bool exec_FDECSTP(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  if (op.retire()) op.rotate(-1);
  return true;
}

bool exec_FFREE(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  op.retire();
  op.free(in.rm);
  return true;
}

bool exec_FFREEP(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  op.retire();
  op.free(in.rm);
  op.pop();
  return true;
}

bool exec_FNOP(Cpu& cpu, const Instruction& in) {
  Operation op(cpu, in);
  if (!op.begin()) return false;
  op.keep_c1();
  op.retire();
  return true;
}

}  // namespace lapwing
