// Addition, subtraction, logic and exchange-and-operate (interpreter: core/cpu/exec/alu.h, atomic.cpp,
// bmi.cpp).
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

namespace {

// `x op y` with its flags.
Value compute(Translator& t, Op what, unsigned size, Value x, Value y) {
  const auto logic = [&](IrOp op) {
    const Value result = t.op(op, size, x, y);
    t.set_flags(FlagClass::kLogic, size, result);
    return result;
  };
  switch (what) {
    case Op::ADD: {
      const Value result = t.op(IrOp::kAdd32, size, x, y);
      t.set_flags(FlagClass::kAdd, size, x, y);
      return result;
    }
    case Op::SUB:
    case Op::CMP: {
      const Value result = t.op(IrOp::kSub32, size, x, y);
      t.set_flags(FlagClass::kSub, size, x, y);
      return result;
    }
    case Op::ADC:
    case Op::SBB: {
      const bool add = what == Op::ADC;
      const IrOp op = add ? IrOp::kAdd32 : IrOp::kSub32;
      const Value carry = size == 8 ? t.b().unary(IrOp::kExtendU, t.carry()) : t.carry();
      const Value result = t.op(op, size, t.op(op, size, x, y), carry);
      t.set_flags(add ? FlagClass::kAdc : FlagClass::kSbb, size, x, y, result);
      return result;
    }
    case Op::OR: return logic(IrOp::kOr32);
    case Op::XOR: return logic(IrOp::kXor32);
    default: return logic(IrOp::kAnd32);
  }
}

}  // namespace

bool alu(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  if (in.form == Form::kRM) {
    const Value source = t.read_rm(in, size);
    const Value result = compute(t, in.op, size, t.read_reg(size, in.reg), source);
    if (in.op != Op::CMP && in.op != Op::TEST) t.write_reg(size, in.reg, result);
    return true;
  }
  if (in.form != Form::kMR && in.form != Form::kMI) return false;
  const Value source = in.form == Form::kMR ? t.read_reg(size, in.reg) : t.number(size, in.imm);
  if (in.op == Op::CMP || in.op == Op::TEST) {
    compute(t, in.op, size, t.read_rm(in, size), source);
    return true;
  }
  const Translator::Target target = t.begin_modify(in, size);
  t.commit(in, size, target, compute(t, in.op, size, target.value, source));
  return true;
}

bool unary(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Translator::Target target = t.begin_modify(in, size);
  Value result;
  if (in.op == Op::NOT) {
    result = t.op(IrOp::kXor32, size, target.value, t.number(size, ~0ull));
  } else if (in.op == Op::NEG) {
    const Value zero = t.number(size, 0);
    result = t.op(IrOp::kSub32, size, zero, target.value);
    t.set_flags(FlagClass::kSub, size, zero, target.value);
  } else {
    const bool up = in.op == Op::INC;
    result = t.op(up ? IrOp::kAdd32 : IrOp::kSub32, size, target.value, t.number(size, 1));
    t.keep_cf_for_step(up ? FlagClass::kInc : FlagClass::kDec, size, result);
  }
  t.commit(in, size, target, result);
  return true;
}

bool xadd(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value source = t.read_reg(size, in.reg);
  const Translator::Target target = t.begin_modify(in, size);
  const Value sum = compute(t, Op::ADD, size, target.value, source);
  t.write_reg(size, in.reg, target.value);
  t.commit(in, size, target, sum);
  return true;
}

bool cmpxchg(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  if (!in.rm_is_memory() && in.rm >> 3 == kRax) return false;
  const Value source = t.read_reg(size, in.reg);
  const Value expected = t.read_reg(size, 8 * kRax);
  const Translator::Target target = t.begin_modify(in, size);
  compute(t, Op::CMP, size, expected, target.value);
  const Value equal = t.condition(4);
  const bool memory = in.rm_is_memory();
  if (memory) t.commit(in, size, target, t.b().select(source, target.value, equal));
  // Only the one that changes is written, which matters for the upper halves.
  const Value old_rax = t.word_reg(kRax);
  Value old_rm = kNoValue;
  if (!memory) old_rm = t.word_reg(in.rm >> 3);
  t.write_reg(size, 8 * kRax, target.value);
  t.b().write(kVarGpr + kRax, t.b().select(old_rax, t.word_reg(kRax), equal));
  if (memory) return true;
  const unsigned rm = in.rm >> 3;
  t.write_reg(size, in.rm, source);
  const Var var = static_cast<Var>(kVarGpr + rm);
  t.b().write(var, t.b().select(t.word_reg(rm), old_rm, equal));
  return true;
}

namespace {

// SF and ZF of the result, CF; OF, AF, PF clear.
void set_sf_zf_cf(Translator& t, unsigned size, Value result, Value cf) {
  Builder& b = t.b();
  const Value low = size == 8 ? b.unary(IrOp::kWrap, result) : result;
  const Value flipped = b.binary(IrOp::kXor32, low, b.c32(1));
  const Value odd = b.binary(IrOp::kShl32, b.binary(IrOp::kAnd32, flipped, b.c32(0xFF)), b.c32(8));
  const Value carries = b.binary(IrOp::kMul32, cf, b.c32(0xC0000000));
  t.set_canonical(size, result, b.binary(IrOp::kOr32, odd, carries));
}

}  // namespace

// VEX instructions are undefined in virtual-8086 mode, which has no flat 32-bit code.
bool andn(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value source = t.read_rm(in, size);
  const Value mask = t.op(IrOp::kXor32, size, t.read_reg(size, in.vex), t.number(size, ~0ull));
  const Value result = t.op(IrOp::kAnd32, size, mask, source);
  set_sf_zf_cf(t, size, result, t.b().c32(0));
  t.write_reg(size, in.reg, result);
  return true;
}

bool lowest_bit(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value source = t.read_rm(in, size);
  const Value less_one = t.op(IrOp::kSub32, size, source, t.number(size, 1));
  const Value is_zero = t.op(IrOp::kEqz32, size, source);
  Value result;
  Value cf = is_zero;
  if (in.op == Op::BLSI) {
    result = t.op(IrOp::kAnd32, size, source, t.op(IrOp::kSub32, size, t.number(size, 0), source));
    cf = t.b().unary(IrOp::kEqz32, is_zero);
  } else {
    result = t.op(in.op == Op::BLSMSK ? IrOp::kXor32 : IrOp::kAnd32, size, source, less_one);
  }
  set_sf_zf_cf(t, size, result, cf);
  t.write_reg(size, in.vex, result);
  return true;
}

}  // namespace lapwing::jit::family
