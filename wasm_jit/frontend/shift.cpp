// Shifts and rotates (interpreter: core/cpu/exec/shift.h). A count that masks to zero leaves everything.
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

namespace {

constexpr unsigned count_mask(unsigned size) {
  return size == 8 ? 63 : 31;
}

// The masked count as an operand of `size`; `fixed` is set when it is known.
Value shift_count(Translator& t, const Instruction& in, unsigned size, unsigned& fixed) {
  constexpr unsigned kVariable = ~0u;
  fixed = kVariable;
  if (in.form == Form::kM1) fixed = 1;
  if (in.form == Form::kMI || in.form == Form::kMRI) fixed = static_cast<unsigned>(in.imm) & count_mask(size);
  if (fixed != kVariable) return t.number(size, fixed);
  return t.op(IrOp::kAnd32, size, t.read_reg(size < 4 ? 4 : size, 8 * kRcx),
              t.number(size, count_mask(size)));
}

// Runs `body(count)` so that a variable count of zero changes no flags.
template <class Body>
void with_flags_kept_for_zero(Translator& t, unsigned size, unsigned fixed, Value count, Body body) {
  if (fixed != ~0u) return body();
  const Translator::SavedFlags saved = t.save_flags();
  body();
  const Value is_zero = t.op(IrOp::kEqz32, size, count);
  t.restore_flags_unless(t.b().unary(IrOp::kEqz32, is_zero), saved);
}

Value top_bit(Translator& t, unsigned size, Value value) {
  const Value shifted = t.op(IrOp::kShrU32, size, t.zero_extend(size, value), t.number(size, 8 * size - 1));
  return size == 8 ? t.b().unary(IrOp::kWrap, shifted) : shifted;
}

Value low_bit(Translator& t, unsigned size, Value value) {
  const Value low = size == 8 ? t.b().unary(IrOp::kWrap, value) : value;
  return t.b().binary(IrOp::kAnd32, low, t.b().c32(1));
}

}  // namespace

bool shift(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  unsigned fixed;
  const Value count = shift_count(t, in, size, fixed);
  const Translator::Target target = t.begin_modify(in, size);
  if (fixed == 0) {
    t.commit(in, size, target, target.value);
    return true;
  }
  Value result;
  FlagClass flags = FlagClass::kShl;
  Value value = target.value;
  if (in.op == Op::SHL) {
    result = t.op(IrOp::kShl32, size, value, count);
  } else if (in.op == Op::SHR) {
    value = t.zero_extend(size, value);
    result = t.op(IrOp::kShrU32, size, value, count);
    flags = FlagClass::kShr;
  } else {
    value = t.sign_extend(size, value);
    result = t.op(IrOp::kShrS32, size, value, count);
    flags = FlagClass::kSar;
  }
  with_flags_kept_for_zero(t, size, fixed, count, [&] { t.set_flags(flags, size, value, count); });
  t.commit(in, size, target, result);
  return true;
}

bool rotate(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const bool left = in.op == Op::ROL;
  unsigned fixed;
  const Value count = shift_count(t, in, size, fixed);
  const Translator::Target target = t.begin_modify(in, size);
  if (fixed == 0) {
    t.commit(in, size, target, target.value);
    return true;
  }
  Value result;
  const Value value = target.value;
  if (size >= 4) {
    result = t.op(left ? IrOp::kRotl32 : IrOp::kRotr32, size, value, count);
  } else {
    // The operand repeated over 32 bits turns like a narrow one.
    Value repeated = t.zero_extend(size, value);
    repeated = t.b().binary(IrOp::kMul32, repeated, t.b().c32(size == 1 ? 0x01010101 : 0x00010001));
    result = t.b().binary(left ? IrOp::kRotl32 : IrOp::kRotr32, repeated, count);
  }
  with_flags_kept_for_zero(t, size, fixed, count, [&] {
    const Value cf = left ? low_bit(t, size, result) : top_bit(t, size, result);
    const bool keeps_of = in.form == Form::kMI && !in.rm_is_memory() && fixed != 1;
    if (keeps_of) return t.set_cf(cf);
    const Value other =
        left ? t.op(IrOp::kXor32, size, value, t.op(IrOp::kShl32, size, value, t.number(size, 1))) : value;
    const Value of = left ? top_bit(t, size, other)
                          : t.b().binary(IrOp::kXor32, low_bit(t, size, value), top_bit(t, size, value));
    t.set_cf_of(cf, of);
  });
  t.commit(in, size, target, result);
  return true;
}

// Through CF, by one: the only common count.
bool rotate_carry(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  unsigned fixed;
  if (in.form == Form::kMC) return false;
  shift_count(t, in, size, fixed);
  if (fixed != 1) return false;
  const Value carry = t.carry();
  const Translator::Target target = t.begin_modify(in, size);
  const Value value = target.value;
  const Value carry_in = size == 8 ? t.b().unary(IrOp::kExtendU, carry) : carry;
  const Value one = t.number(size, 1);
  Value result;
  if (in.op == Op::RCL) {
    result = t.op(IrOp::kOr32, size, t.op(IrOp::kShl32, size, value, one), carry_in);
    t.set_cf_of(top_bit(t, size, value), top_bit(t, size, t.op(IrOp::kXor32, size, value, result)));
  } else {
    const Value top = t.op(IrOp::kShl32, size, carry_in, t.number(size, 8 * size - 1));
    result = t.op(IrOp::kOr32, size, t.op(IrOp::kShrU32, size, t.zero_extend(size, value), one), top);
    t.set_cf_of(low_bit(t, size, value), t.b().binary(IrOp::kXor32, top_bit(t, size, value), carry));
  }
  t.commit(in, size, target, result);
  return true;
}

bool double_shift(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  if (size == 2) return false;
  const bool left = in.op == Op::SHLD;
  unsigned fixed;
  const Value count = shift_count(t, in, size, fixed);
  const Value source = t.read_reg(size, in.reg);
  const Translator::Target target = t.begin_modify(in, size);
  if (fixed == 0) {
    t.commit(in, size, target, target.value);
    return true;
  }
  const Value value = target.value;
  // wasm masks counts, so a variable count of zero is shifted in two steps.
  const Value back = t.op(IrOp::kSub32, size, t.number(size, 8 * size - 1), count);
  const Value one = t.number(size, 1);
  const IrOp forth = left ? IrOp::kShl32 : IrOp::kShrU32;
  const IrOp other = left ? IrOp::kShrU32 : IrOp::kShl32;
  const Value incoming = t.op(other, size, t.op(other, size, source, one), back);
  const Value result = t.op(IrOp::kOr32, size, t.op(forth, size, value, count), incoming);
  with_flags_kept_for_zero(t, size, fixed, count, [&] {
    const Value less_one = t.op(IrOp::kSub32, size, count, one);
    const Value before = t.op(forth, size, value, less_one);
    const Value cf = left ? top_bit(t, size, before) : low_bit(t, size, before);
    const Value of =
        left ? top_bit(t, size, t.op(IrOp::kXor32, size, value, t.op(IrOp::kShl32, size, value, one)))
             : t.b().binary(IrOp::kXor32, low_bit(t, size, source), top_bit(t, size, value));
    const Value both = t.b().binary(IrOp::kOr32, cf, t.b().binary(IrOp::kShl32, of, t.b().c32(1)));
    t.set_flags(FlagClass::kShifted, size, result, size == 8 ? t.b().unary(IrOp::kExtendU, both) : both);
  });
  t.commit(in, size, target, result);
  return true;
}

bool rorx(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value count = t.number(size, in.imm & (8 * size - 1));
  t.write_reg(size, in.reg, t.op(IrOp::kRotr32, size, t.read_rm(in, size), count));
  return true;
}

bool shift_by_register(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const IrOp op = in.op == Op::SHLX ? IrOp::kShl32 : in.op == Op::SHRX ? IrOp::kShrU32 : IrOp::kShrS32;
  const Value source = t.read_rm(in, size);
  t.write_reg(size, in.reg, t.op(op, size, source, t.read_reg(size, in.vex)));
  return true;
}

}  // namespace lapwing::jit::family
