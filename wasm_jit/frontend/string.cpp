// String instructions (interpreter: core/cpu/exec/string.h). Single ones in place; repeated ones by their
// handler, which moves whole pages: the region goes on behind them unless the budget ended first.
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

namespace {

// Bytes to the next element: the size, negative when DF is set.
Value element_step(Translator& t, unsigned size) {
  Builder& b = t.b();
  const Value flags = b.load_state(Type::kI32, kStateLayout.rflags_rest);
  constexpr unsigned kDfBit = 10;
  static_assert(rflags::kDf == 1u << kDfBit);
  const Value backward = b.binary(IrOp::kAnd32, b.binary(IrOp::kShrU32, flags, b.c32(kDfBit)), b.c32(1));
  const Value twice = b.binary(IrOp::kMul32, backward, b.c32(2 * size));
  const Value step = b.binary(IrOp::kSub32, b.c32(size), twice);
  return t.is_64_bit() ? b.unary(IrOp::kExtendS, step) : step;
}

void advance(Translator& t, Gpr reg, Value step) {
  t.b().write(reg, t.b().binary(wide(IrOp::kAdd32, t.is_64_bit()), t.word_reg(reg), step));
}

bool single(Translator& t, const Instruction& in) {
  if (in.address_size != t.word_size()) return false;
  constexpr u8 kAl = 8 * kRax;
  const unsigned size = in.operand_size;
  const bool reads_source = in.op == Op::MOVS || in.op == Op::LODS || in.op == Op::CMPS;
  const bool uses_target = in.op != Op::LODS;
  Value source = kNoValue;
  Value target = kNoValue;
  if (in.op == Op::SCAS || in.op == Op::CMPS) target = t.load(size, in.reg, t.word_reg(kRdi));
  if (reads_source) source = t.load(size, in.segment, t.word_reg(kRsi));
  if (in.op == Op::MOVS) t.store(size, in.reg, t.word_reg(kRdi), source);
  if (in.op == Op::STOS) t.store(size, in.reg, t.word_reg(kRdi), t.read_reg(size, kAl));
  if (in.op == Op::LODS) t.write_reg(size, kAl, source);
  if (in.op == Op::SCAS) t.set_flags(FlagClass::kSub, size, t.read_reg(size, kAl), target);
  if (in.op == Op::CMPS) t.set_flags(FlagClass::kSub, size, source, target);
  const Value step = element_step(t, size);
  if (reads_source) advance(t, kRsi, step);
  if (uses_target) advance(t, kRdi, step);
  return true;
}

}  // namespace

bool string(Translator& t, const Instruction& in) {
  if ((in.prefixes & (kPrefixRep | kPrefixRepne)) == 0) return single(t, in);
  const bool compares = in.op == Op::SCAS || in.op == Op::CMPS;
  for (const Gpr reg : {kRax, kRcx, kRsi, kRdi}) t.spill(reg);
  if (compares) t.spill_flags();
  const Value completed = t.start_handler(in);
  if (in.op == Op::LODS) t.reload(kRax);
  for (const Gpr reg : {kRcx, kRsi, kRdi}) t.reload(reg);
  t.leave_unless(completed);
  t.continue_behind(in);
  return true;
}

}  // namespace lapwing::jit::family
