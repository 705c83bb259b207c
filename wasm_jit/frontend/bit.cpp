// Bits and flags (interpreter: core/cpu/exec/bit.h, bit.cpp, flag_ops.cpp).
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

namespace {

// Value with bit `bit` (an operand) changed as the operation says; CF gets the old one.
Value test_and_change(Translator& t, Op op, unsigned size, Value value, Value bit) {
  const Value shifted = t.op(IrOp::kShrU32, size, value, bit);
  const Value low = size == 8 ? t.b().unary(IrOp::kWrap, shifted) : shifted;
  t.set_cf(t.b().binary(IrOp::kAnd32, low, t.b().c32(1)));
  if (op == Op::BT) return value;
  const Value mask = t.op(IrOp::kShl32, size, t.number(size, 1), bit);
  if (op == Op::BTS) return t.op(IrOp::kOr32, size, value, mask);
  if (op == Op::BTC) return t.op(IrOp::kXor32, size, value, mask);
  return t.op(IrOp::kAnd32, size, value, t.op(IrOp::kXor32, size, mask, t.number(size, ~0ull)));
}

// With a register offset and a memory operand the offset reaches outside the operand.
Value bit_string_address(Translator& t, const Instruction& in, unsigned size) {
  const unsigned shift = size == 2 ? 4 : size == 4 ? 5 : 6;
  const unsigned word = t.word_size();
  Value offset = t.sign_extend(size, t.read_reg(size, in.reg));
  offset = t.op(IrOp::kShrS32, size, offset, t.number(size, shift));
  offset = t.op(IrOp::kShl32, size, offset, t.number(size, shift - 3));
  if (size != 8 && word == 8) offset = t.b().unary(IrOp::kExtendS, offset);
  return t.op(IrOp::kAdd32, word, t.effective_address(in), offset);
}

}  // namespace

bool bit_test(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const bool by_register = in.form == Form::kMR;
  const Value mask = t.number(size, 8 * size - 1);
  const Value bit = by_register ? t.op(IrOp::kAnd32, size, t.read_reg(size, in.reg), mask)
                                : t.number(size, in.imm & (8 * size - 1));
  if (!in.rm_is_memory()) {
    const Value result = test_and_change(t, in.op, size, t.read_reg(size, in.rm), bit);
    if (in.op != Op::BT) t.write_reg(size, in.rm, result);
    return true;
  }
  if (by_register && in.address_size != t.word_size()) return false;
  const Value address = by_register ? bit_string_address(t, in, size) : t.effective_address(in);
  if (in.op == Op::BT) {
    test_and_change(t, in.op, size, t.load(size, in.segment, address), bit);
    return true;
  }
  const Translator::Target target = t.begin_modify_at(size, in.segment, address);
  t.commit(in, size, target, test_and_change(t, in.op, size, target.value, bit));
  return true;
}

// BSF and BSR; TZCNT and LZCNT where the CPU model lacks them act so too.
bool bit_scan(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  Builder& b = t.b();
  const bool reverse = in.op == Op::BSR || in.op == Op::LZCNT;
  if (t.counts_zeros(in.op)) return zero_count(t, in);
  const Value source = t.zero_extend(size, t.read_rm(in, size));
  const Value is_zero = t.op(IrOp::kEqz32, size, source);
  Value position;
  if (reverse) {
    const Value top = t.number(size, size == 8 ? 63 : 31);
    position = t.op(IrOp::kSub32, size, top, t.op(IrOp::kClz32, size, source));
  } else {
    position = t.op(IrOp::kCtz32, size, source);
  }
  const Value low = size == 8 ? b.unary(IrOp::kWrap, position) : position;
  // Bit 8 is in no flag but ZF.
  const Value result = b.select(b.c32(0), b.binary(IrOp::kOr32, low, b.c32(0x100)), is_zero);
  t.set_canonical(4, result, b.c32(0));
  const Value old = t.word_reg(in.reg >> 3);
  t.write_reg(size, in.reg, position);
  b.write(static_cast<Var>(kVarGpr + (in.reg >> 3)), b.select(old, t.word_reg(in.reg >> 3), is_zero));
  return true;
}

namespace {

// Only CF and ZF. A result of 0 has even parity, 1 odd: PF must be flipped for ZF.
void set_cf_zf_only(Translator& t, Value cf, Value zf) {
  Builder& b = t.b();
  const Value flip = b.binary(IrOp::kShl32, zf, b.c32(8));
  const Value carries = b.binary(IrOp::kMul32, cf, b.c32(0xC0000000));
  t.set_canonical(4, b.binary(IrOp::kXor32, zf, b.c32(1)), b.binary(IrOp::kOr32, flip, carries));
}

}  // namespace

bool zero_count(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value source = t.zero_extend(size, t.read_rm(in, size));
  const Value is_zero = t.op(IrOp::kEqz32, size, source);
  Value count;
  if (in.op == Op::TZCNT) {
    count = size == 2 ? t.b().unary(IrOp::kCtz32, t.b().binary(IrOp::kOr32, source, t.b().c32(0x10000)))
                      : t.op(IrOp::kCtz32, size, source);
  } else {
    count = t.op(IrOp::kClz32, size, source);
    if (size == 2) count = t.b().binary(IrOp::kSub32, count, t.b().c32(16));
  }
  set_cf_zf_only(t, is_zero, t.op(IrOp::kEqz32, size, count));
  t.write_reg(size, in.reg, count);
  return true;
}

bool popcnt(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value source = t.zero_extend(size, t.read_rm(in, size));
  set_cf_zf_only(t, t.b().c32(0), t.op(IrOp::kEqz32, size, source));
  t.write_reg(size, in.reg, t.op(IrOp::kPopcnt32, size, source));
  return true;
}

bool flag_op(Translator& t, const Instruction& in) {
  if (in.op == Op::CMC) {
    t.set_cf(t.b().unary(IrOp::kEqz32, t.carry()));
  } else {
    t.set_cf(t.b().c32(in.op == Op::STC ? 1 : 0));
  }
  return true;
}

bool direction(Translator& t, const Instruction& in) {
  Builder& b = t.b();
  const Value old = b.load_state(Type::kI32, kStateLayout.rflags_rest);
  const auto df = static_cast<u32>(rflags::kDf);
  b.store_state(kStateLayout.rflags_rest, in.op == Op::STD ? b.binary(IrOp::kOr32, old, b.c32(df))
                                                           : b.binary(IrOp::kAnd32, old, b.c32(~df)));
  return true;
}

}  // namespace lapwing::jit::family
