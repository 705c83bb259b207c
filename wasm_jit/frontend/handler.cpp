// Instructions that generated code gives to their generic handlers: x87, MMX, and what SSE has no short form
// for. They touch memory, x87 state, XMM registers and few general registers, neither time nor control flow.
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit {

void Translator::spill(Var var) {
  const bool xmm = var >= kVarXmm;
  const u32 at = xmm ? kStateLayout.xmm + 16u * (var - kVarXmm) : kStateLayout.gpr + 8u * var;
  builder_.store_state(at, builder_.read(var));
}

void Translator::reload(Var var) {
  const bool xmm = var >= kVarXmm;
  const u32 at = xmm ? kStateLayout.xmm + 16u * (var - kVarXmm) : kStateLayout.gpr + 8u * var;
  builder_.write(var, builder_.load_state(function_.type_of(var), at));
}

void Translator::flags_in_memory() {
  builder_.write(kVarFlagKind, builder_.c32(0));
  kind_known_ = true;
  kind_ = 0;
  cf_known_ = false;
}

void Translator::call_handler(const Instruction& in) {
  if (!rip_slot_stored_) {
    builder_.store_state(kStateLayout.gpr + 8u * kRipSlot, rip_value(source_.blocks[block_].rip_delta));
    rip_slot_stored_ = true;
  }
  builder_.call_handler(reinterpret_cast<std::uintptr_t>(source_.blocks[block_].block),
                        reinterpret_cast<std::uintptr_t>(&in),
                        exit_code(GeneratedExit::kInterrupted, block_, instruction_));
}

void Translator::check_sse() {
  if (sse_checked_) return;
  sse_checked_ = true;
  const Value cr0 = builder_.load_state(Type::kI32, kStateLayout.cr0);
  const Value cr4 = builder_.load_state(Type::kI32, kStateLayout.cr4);
  const Value off = builder_.binary(IrOp::kAnd32, cr0, builder_.c32(cr0::kEm | cr0::kTs));
  const Value flipped = builder_.binary(IrOp::kXor32, cr4, builder_.c32(cr4::kOsfxsr));
  const Value missing = builder_.binary(IrOp::kAnd32, flipped, builder_.c32(cr4::kOsfxsr));
  builder_.exit_if(builder_.binary(IrOp::kOr32, off, missing), here());
}

namespace family {

namespace {

bool in_range(Op op, Op first, Op last) {
  return op >= first && op <= last;
}

bool is_x87(Op op) {
  return in_range(op, Op::FADD, Op::FNSETPM);
}

// What an operand number of `in` means.
enum class Operand : u8 { kNone, kXmm, kGpr };

struct Operands {
  Operand reg = Operand::kXmm;
  Operand rm = Operand::kXmm;
};

Operands operands_of(const Instruction& in) {
  if (is_x87(in.op)) return {Operand::kNone, in.op == Op::FNSTSW ? Operand::kGpr : Operand::kNone};
  switch (in.op) {
    case Op::MOVD:
    case Op::CVTSI2SS:
    case Op::CVTSI2SD:
    case Op::PINSRB:
    case Op::PINSRD:
    case Op::PEXTRB:
    case Op::PEXTRD:
    case Op::EXTRACTPS: return {Operand::kXmm, Operand::kGpr};
    case Op::MOVD_MMX: return {Operand::kNone, Operand::kGpr};
    case Op::PINSRW: return {in.operand_size == 8 ? Operand::kNone : Operand::kXmm, Operand::kGpr};
    case Op::PEXTRW:
      if (in.form == Form::kMRI) return {Operand::kXmm, Operand::kGpr};
      return {Operand::kGpr, in.operand_size == 8 ? Operand::kNone : Operand::kXmm};
    case Op::MOVMSKPS:
    case Op::MOVMSKPD:
    case Op::PMOVMSKB:
    case Op::CVTTSS2SI:
    case Op::CVTTSD2SI:
    case Op::CVTSS2SI:
    case Op::CVTSD2SI: return {Operand::kGpr, Operand::kXmm};
    default: return {};
  }
}

bool writes_flags(Op op) {
  return in_range(op, Op::FCOMI, Op::FUCOMIP) || in_range(op, Op::UCOMISS, Op::COMISD) || op == Op::PTEST;
}

// Implicit operands, or flags read.
bool is_excluded(Op op) {
  return in_range(op, Op::FCMOVB, Op::FCMOVNU) || op == Op::MASKMOVQ || op == Op::MASKMOVDQU ||
         in_range(op, Op::PBLENDVB, Op::BLENDVPD) || in_range(op, Op::PCMPESTRM, Op::PCMPISTRI);
}

template <class Action>
void for_each_register(const Instruction& in, const Operands& operands, Action action) {
  const auto one = [&](Operand kind, u8 number) {
    if (kind == Operand::kXmm) action(static_cast<Var>(kVarXmm + (number & 15)));
    if (kind == Operand::kGpr) action(static_cast<Var>(kVarGpr + (number >> 3)));
  };
  one(operands.reg, in.reg);
  if (!in.rm_is_memory()) one(operands.rm, in.rm);
}

}  // namespace

bool handler(Translator& t, const Instruction& in) {
  if (is_excluded(in.op)) return false;
  if (in.rm_is_memory()) {
    if (in.base < 16) t.spill(in.base);
    if (in.index < 16) t.spill(in.index);
  }
  const Operands operands = operands_of(in);
  for_each_register(in, operands, [&](Var var) { t.spill(var); });
  t.call_handler(in);
  for_each_register(in, operands, [&](Var var) { t.reload(var); });
  if (writes_flags(in.op)) t.flags_in_memory();
  return true;
}

}  // namespace family
}  // namespace lapwing::jit
