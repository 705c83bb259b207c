// Data movement (interpreter: core/cpu/exec/move.h).
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

bool mov(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  switch (in.form) {
    case Form::kRM: t.write_reg(size, in.reg, t.read_rm(in, size)); return true;
    case Form::kMR: t.write_rm(in, size, t.read_reg(size, in.reg)); return true;
    case Form::kMI: t.write_rm(in, size, t.number(size, in.imm)); return true;
    case Form::kMoffsLoad:
      t.write_reg(size, 8 * kRax, t.load(size, in.segment, t.b().word(in.imm)));
      return true;
    case Form::kMoffsStore:
      t.store(size, in.segment, t.b().word(in.imm), t.read_reg(size, 8 * kRax));
      return true;
    default: return false;
  }
}

bool movzx(Translator& t, const Instruction& in) {
  const unsigned from = in.op == Op::MOVZX_B ? 1 : 2;
  t.write_reg(in.operand_size, in.reg, t.widen(from, in.operand_size, t.read_rm(in, from), false));
  return true;
}

bool movsx(Translator& t, const Instruction& in) {
  const unsigned from = in.op == Op::MOVSX_B ? 1 : 2;
  t.write_reg(in.operand_size, in.reg, t.widen(from, in.operand_size, t.read_rm(in, from), true));
  return true;
}

bool movsxd(Translator& t, const Instruction& in) {
  const unsigned from = in.operand_size == 2 ? 2 : 4;
  t.write_reg(in.operand_size, in.reg, t.widen(from, in.operand_size, t.read_rm(in, from), true));
  return true;
}

bool lea(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  t.write_reg(size, in.reg, t.from_word(size, t.effective_address(in)));
  return true;
}

bool xchg(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value source = t.read_reg(size, in.reg);
  const Translator::Target target = t.begin_modify(in, size);
  t.write_reg(size, in.reg, target.value);
  t.commit(in, size, target, source);
  return true;
}

namespace {

Value reverse_bytes(Translator& t, unsigned size, Value value) {
  Builder& b = t.b();
  if (size == 2) {
    const Value low = t.zero_extend(2, value);
    return b.binary(IrOp::kOr32, b.binary(IrOp::kShl32, low, b.c32(8)),
                    b.binary(IrOp::kShrU32, low, b.c32(8)));
  }
  if (size == 4) {
    const Value odd = b.binary(IrOp::kAnd32, b.binary(IrOp::kRotl32, value, b.c32(8)), b.c32(0x00FF00FF));
    const Value even = b.binary(IrOp::kAnd32, b.binary(IrOp::kRotr32, value, b.c32(8)), b.c32(0xFF00FF00));
    return b.binary(IrOp::kOr32, odd, even);
  }
  const Value low = reverse_bytes(t, 4, b.unary(IrOp::kWrap, value));
  const Value high = reverse_bytes(t, 4, b.unary(IrOp::kWrap, b.binary(IrOp::kShrU64, value, b.c64(32))));
  return b.binary(IrOp::kOr64, b.binary(IrOp::kShl64, b.unary(IrOp::kExtendU, low), b.c64(32)),
                  b.unary(IrOp::kExtendU, high));
}

}  // namespace

bool bswap(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  // The 16-bit form is undefined; Intel CPUs give zero.
  t.write_reg(size, in.rm, size == 2 ? t.b().c32(0) : reverse_bytes(t, size, t.read_reg(size, in.rm)));
  return true;
}

bool movbe(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  if (in.form == Form::kMR) {
    t.write_rm(in, size, reverse_bytes(t, size, t.read_reg(size, in.reg)));
  } else {
    t.write_reg(size, in.reg, reverse_bytes(t, size, t.read_rm(in, size)));
  }
  return true;
}

bool xlat(Translator& t, const Instruction& in) {
  if (in.address_size != t.word_size()) return false;
  const Value index = t.to_word(4, t.zero_extend(1, t.read_reg(1, 8 * kRax)));
  const Value address = t.b().binary(wide(IrOp::kAdd32, t.is_64_bit()), t.word_reg(kRbx), index);
  t.write_reg(1, 8 * kRax, t.load(1, in.segment, address));
  return true;
}

bool cbw(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  t.write_reg(size, 8 * kRax, t.widen(size / 2, size, t.read_reg(size / 2, 8 * kRax), true));
  return true;
}

bool cwd(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value value = t.sign_extend(size, t.read_reg(size, 8 * kRax));
  t.write_reg(size, 8 * kRdx, t.op(IrOp::kShrS32, size, value, t.number(size, size == 8 ? 63 : 31)));
  return true;
}

bool cmovcc(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value source = t.read_rm(in, size);
  const Value condition = t.condition(in.condition());
  t.write_reg(size, in.reg, t.b().select(source, t.read_reg(size, in.reg), condition));
  return true;
}

bool setcc(Translator& t, const Instruction& in) {
  t.write_rm(in, 1, t.condition(in.condition()));
  return true;
}

bool nop(Translator&, const Instruction&) {
  return true;
}

}  // namespace lapwing::jit::family
