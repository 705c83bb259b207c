// PUSH POP LEAVE (interpreter: core/cpu/exec/stack.h). 16-bit operands and stacks are left to the
// interpreter.
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

namespace {

Value stack_plus(Translator& t, Value sp, i64 bytes) {
  return t.b().binary(wide(IrOp::kAdd32, t.is_64_bit()), sp, t.b().word(static_cast<u64>(bytes)));
}

bool usable(Translator& t, const Instruction& in) {
  return t.has_stack() && in.operand_size == t.word_size();
}

}  // namespace

bool push(Translator& t, const Instruction& in) {
  if (!usable(t, in)) return false;
  const unsigned size = in.operand_size;
  const Value value = in.form == Form::kI ? t.number(size, in.imm) : t.read_rm(in, size);
  const Value sp = stack_plus(t, t.word_reg(kRsp), -static_cast<i64>(size));
  t.store(size, t.stack_segment(), sp, value);
  t.b().write(kVarGpr + kRsp, sp);
  return true;
}

bool pop(Translator& t, const Instruction& in) {
  // The address of a memory operand that uses rSP is computed with rSP already incremented.
  if (!usable(t, in) || (in.rm_is_memory() && (in.base == kRsp || in.index == kRsp))) return false;
  const unsigned size = in.operand_size;
  const Value sp = t.word_reg(kRsp);
  const Value value = t.load(size, t.stack_segment(), sp);
  if (in.rm_is_memory()) t.write_rm(in, size, value);
  t.b().write(kVarGpr + kRsp, stack_plus(t, sp, size));
  if (!in.rm_is_memory()) t.write_reg(size, in.rm, value);
  return true;
}

bool leave(Translator& t, const Instruction& in) {
  if (!usable(t, in)) return false;
  const unsigned size = in.operand_size;
  const Value frame = t.word_reg(kRbp);
  const Value value = t.load(size, t.stack_segment(), frame);
  t.b().write(kVarGpr + kRsp, stack_plus(t, frame, size));
  t.b().write(kVarGpr + kRbp, value);
  return true;
}

}  // namespace lapwing::jit::family
