// Near control transfer (interpreter: core/cpu/exec/branch.h). 16-bit operands are left to the interpreter.
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

namespace {

bool usable(Translator& t, const Instruction& in) {
  return in.operand_size == t.word_size();
}

// Stores the return address; the stack pointer changes when nothing can fail any more.
void push_return(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value rip = t.rip_value(t.next_delta(in));
  const Value sp = t.b().binary(wide(IrOp::kAdd32, t.is_64_bit()), t.word_reg(kRsp),
                                t.b().word(static_cast<u64>(-static_cast<i64>(size))));
  t.store(size, t.stack_segment(), sp, size == 8 ? rip : t.b().unary(IrOp::kWrap, rip));
  t.b().write(kVarGpr + kRsp, sp);
}

}  // namespace

bool jmp(Translator& t, const Instruction& in) {
  if (!usable(t, in)) return false;
  if (in.form == Form::kJ) {
    t.check_distance(t.target_delta(in));
    t.jump(in);
    return true;
  }
  const Value target = t.read_rm(in, in.operand_size);
  t.check_target(target);
  t.jump_indirect(target);
  return true;
}

bool call(Translator& t, const Instruction& in) {
  if (!usable(t, in) || !t.has_stack()) return false;
  if (in.form == Form::kJ) {
    t.check_distance(t.target_delta(in));
    push_return(t, in);
    t.jump(in);
    return true;
  }
  const Value target = t.read_rm(in, in.operand_size);
  t.check_target(target);
  push_return(t, in);
  t.jump_indirect(target);
  return true;
}

bool ret(Translator& t, const Instruction& in) {
  if (!usable(t, in) || !t.has_stack()) return false;
  const unsigned size = in.operand_size;
  const Value sp = t.word_reg(kRsp);
  const Value target = t.load(size, t.stack_segment(), sp);
  t.check_target(target);
  const u64 bytes = size + (in.form == Form::kI ? in.imm & 0xFFFF : 0);
  t.b().write(kVarGpr + kRsp, t.b().binary(wide(IrOp::kAdd32, t.is_64_bit()), sp, t.b().word(bytes)));
  t.jump_indirect(target);
  return true;
}

bool jcc(Translator& t, const Instruction& in) {
  if (!usable(t, in)) return false;
  t.check_distance(t.target_delta(in));
  t.branch(in, t.condition(in.condition()));
  return true;
}

bool loop(Translator& t, const Instruction& in) {
  if (!usable(t, in) || in.address_size == 2) return false;
  const unsigned size = in.address_size;
  const Value left = t.op(IrOp::kSub32, size, t.read_reg(size, 8 * kRcx), t.number(size, 1));
  Value taken = t.op(IrOp::kNe32, size, left, t.number(size, 0));
  if (in.op != Op::LOOP) {
    taken = t.b().binary(IrOp::kAnd32, taken, t.condition(in.op == Op::LOOPE ? 4 : 5));
  }
  t.write_reg(size, 8 * kRcx, left);
  t.branch(in, taken);
  return true;
}

bool jcxz(Translator& t, const Instruction& in) {
  if (!usable(t, in)) return false;
  const unsigned size = in.address_size;
  t.branch(in, t.op(IrOp::kEqz32, size, t.zero_extend(size, t.read_reg(size, 8 * kRcx))));
  return true;
}

}  // namespace lapwing::jit::family
