// Instructions that generated code gives to their generic handlers: what x87, MMX and SSE have no short form
// for, and system instructions that do not branch. Before the call the registers and flags that the handler
// sees are in memory; what it changed is read back. Behind those that ask for the run loop the region goes on
// if that has nothing to do and the mode is what it was.
#include <initializer_list>

#include "core/cpu/decode/op_info.h"
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
  if (xmm) forget_ordinary(var - kVarXmm);
  builder_.write(var, builder_.load_state(function_.type_of(var), at));
}

void Translator::flags_in_memory() {
  builder_.write(kVarFlagKind, builder_.c32(0));
  kind_known_ = true;
  kind_ = 0;
  cf_known_ = false;
}

void Translator::spill_flags() {
  if (kind_known_ && kind_ == 0) return;
  const Value flags[5] = {builder_.read(kVarFlagKind), builder_.read(kVarFlagA), builder_.read(kVarFlagB),
                          builder_.read(kVarFlagR), builder_.read(kVarFlagC)};
  builder_.store_flags(flags);
  flags_in_memory();
}

void Translator::continue_behind(const Instruction& in) {
  const BlockId elsewhere = add_block();
  Builder leave(function_);
  leave.start(function_.blocks[elsewhere]);
  const Value rip = leave.load_state(Type::kI64, kStateLayout.rip);
  function_.blocks[elsewhere].end = Terminator{
      .kind = Terminator::Kind::kExitNext, .value = rip, .exit = exit_code(GeneratedExit::kNext, block_)};
  const Value next = builder_.load_state(Type::kI64, kStateLayout.rip);
  end_ = Terminator{.kind = Terminator::Kind::kBranch};
  end_.value = builder_.binary(IrOp::kEq64, next, rip_value(next_delta(in)));
  end_.targets[0] = edge(next_delta(in), 0);
  end_.targets[1] = elsewhere;
  ended_ = true;
}

void Translator::call_handler(const Instruction& in) {
  leave_unless(start_handler(in));
}

void Translator::leave_for_run_loop(const Instruction& in, Value answer) {
  if ((op_info(in.op).attributes & kAttrLeave) == 0) return;
  const Value leaves = builder_.binary(IrOp::kShrU32, answer, builder_.c32(1));
  builder_.exit_if(leaves, exit_code(GeneratedExit::kLeave, block_));
}

void Translator::leave_unless(Value completed) {
  builder_.exit_if(builder_.unary(IrOp::kEqz32, completed),
                   exit_code(GeneratedExit::kInterrupted, block_, instruction_));
}

Value Translator::start_handler(const Instruction& in) {
  if (!rip_slot_stored_) {
    builder_.store_state(kStateLayout.gpr + 8u * kRipSlot, rip_value(source_.blocks[block_].rip_delta));
    rip_slot_stored_ = true;
  }
  return builder_.call_handler(reinterpret_cast<std::uintptr_t>(source_.blocks[block_].block),
                               reinterpret_cast<std::uintptr_t>(&in));
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
  if (is_x87(in.op)) return {Operand::kNone, Operand::kNone};
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
  return in_range(op, Op::UCOMISS, Op::COMISD) || op == Op::PTEST;
}

// Implicit operands.
bool is_excluded(Op op) {
  return op == Op::MASKMOVQ || op == Op::MASKMOVDQU || in_range(op, Op::PCMPESTRM, Op::PCMPISTRI);
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
  if (in_range(in.op, Op::PBLENDVB, Op::BLENDVPD)) t.spill(kVarXmm);
  t.x87_spill();
  const Value completed = t.start_handler(in);
  t.x87_reload();
  t.leave_unless(completed);
  for_each_register(in, operands, [&](Var var) { t.reload(var); });
  if (writes_flags(in.op)) t.flags_in_memory();
  return true;
}

namespace {

// General registers that a handler reads or writes besides the operands, and what it does with the flags.
struct Touched {
  u16 registers = 0;
  bool flags = false;
};

constexpr u16 bits(std::initializer_list<Gpr> registers) {
  unsigned mask = 0;
  for (const Gpr reg : registers) mask |= 1u << reg;
  return static_cast<u16>(mask);
}

Touched touched_by(Op op) {
  switch (op) {
    case Op::RDTSC: return {bits({kRax, kRdx})};
    case Op::RDTSCP:
    case Op::RDMSR:
    case Op::WRMSR:
    case Op::RDPKRU:
    case Op::XGETBV: return {bits({kRax, kRcx, kRdx})};
    case Op::CPUID: return {bits({kRax, kRbx, kRcx, kRdx})};
    case Op::CMPXCHG8B:
    case Op::CMPXCHG16B: return {bits({kRax, kRbx, kRcx, kRdx}), true};
    case Op::PUSHF:
    case Op::POPF: return {bits({kRsp}), true};
    case Op::RDRAND:
    case Op::RDSEED: return {0, true};
    case Op::LAHF:
    case Op::SAHF: return {bits({kRax}), true};
    case Op::PUSH_SEG:
    case Op::POP_SEG: return {bits({kRsp})};
    case Op::ENTER: return {bits({kRsp, kRbp})};
    case Op::PUSHA:
    case Op::POPA: return {bits({kRax, kRcx, kRdx, kRbx, kRsp, kRbp, kRsi, kRdi})};
    default: return {};
  }
}

bool has_rm(Op op) {
  switch (op) {
    case Op::MOV_TO_SEG:
    case Op::MOV_FROM_SEG:
    case Op::MOV_FROM_CR:
    case Op::MOV_TO_CR:
    case Op::CMPXCHG8B:
    case Op::CMPXCHG16B:
    case Op::RDFSBASE:
    case Op::RDGSBASE:
    case Op::WRFSBASE:
    case Op::WRGSBASE:
    case Op::RDRAND:
    case Op::RDSEED: return true;
    default: return false;
  }
}

}  // namespace

// System and other rare instructions that do not branch.
bool general_handler(Translator& t, const Instruction& in) {
  if (in.op == Op::MOV_TO_CR && !keeps_translations(in)) return false;
  Touched touched = touched_by(in.op);
  u16 read = touched.registers;
  if (has_rm(in.op) && in.rm_is_memory()) {
    if (in.base < 16) read = static_cast<u16>(read | 1u << in.base);
    if (in.index < 16) read = static_cast<u16>(read | 1u << in.index);
  } else if (has_rm(in.op)) {
    touched.registers = static_cast<u16>(touched.registers | 1u << (in.rm >> 3));
    read = static_cast<u16>(read | touched.registers);
  }
  const auto for_each = [](u16 mask, auto action) {
    for (Var var = 0; var < 16; ++var) {
      if (bit_of(mask, var)) action(var);
    }
  };
  for_each(read, [&](Var var) { t.spill(var); });
  if (touched.flags) t.spill_flags();
  // The x87's data selector is read when its pointers are stored.
  const bool loads_segment = in.op == Op::MOV_TO_SEG || in.op == Op::POP_SEG;
  if (loads_segment) t.x87_spill();
  const Value answer = t.start_handler(in);
  if (loads_segment) t.x87_reload();
  t.leave_unless(answer);
  for_each(touched.registers, [&](Var var) { t.reload(var); });
  t.leave_for_run_loop(in, answer);
  return true;
}

}  // namespace family
}  // namespace lapwing::jit
