// x87 state between CpuState and a function's variables (ir.h says what these hold).
#include "wasm_jit/backend/lowering.h"

namespace lapwing::jit {

namespace {

constexpr u32 kC1 = 0x0200, kTopMask = 0x3800;
constexpr unsigned kTopShift = 11, kStatusShift = 16;

}  // namespace

// Whoever uses one of these variables uses all that are not registers.
void Lowering::find_x87_variables(bool (&used)[kVarCount]) {
  bool any_used = false, any_written = false;
  for (Var var = kVarX87Significand; var < kVarCount; ++var) {
    any_used = any_used || used[var];
    any_written = any_written || written_[var];
  }
  for (Var var = kVarX87Base; var < kVarCount; ++var) {
    used[var] = any_used;
    written_[var] = any_written;
  }
  // A register is moved as a whole.
  for (Var n = 0; n < 8; ++n) {
    const Var pair[2] = {static_cast<Var>(kVarX87Significand + n), static_cast<Var>(kVarX87Exponent + n)};
    used[pair[0]] = used[pair[1]] = used[pair[0]] || used[pair[1]];
    written_[pair[0]] = written_[pair[1]] = written_[pair[0]] || written_[pair[1]];
  }
}

// The address of register number n, less fpu_st, on the stack and in a local.
void Lowering::x87_place(Encoder& out, Var n) const {
  static_assert(kStateLayout.fpu_register_size == 16);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Base]);
  out.i32_const(n);
  out.op(WasmOp::kI32Add);
  out.i32_const(7);
  out.op(WasmOp::kI32And);
  out.i32_const(4);
  out.op(WasmOp::kI32Shl);
  out.op(WasmOp::kLocalGet, 0);
  out.op(WasmOp::kI32Add);
  out.op(WasmOp::kLocalTee, entry_);
}

void Lowering::load_x87(Encoder& out, u32 top) const {
  if (vars_[kVarX87Base] == kNone) return;
  const auto get_word = [&](u32 offset) {
    out.op(WasmOp::kLocalGet, 0);
    out.memory(WasmOp::kI32Load16U, offset);
  };
  const auto constant = [&](Var var, u32 value) {
    out.i32_const(value);
    out.op(WasmOp::kLocalSet, vars_[var]);
  };
  get_word(kStateLayout.fpu_status);
  out.op(WasmOp::kLocalTee, entry_);
  out.i32_const(kTopShift);
  out.op(WasmOp::kI32ShrU);
  out.i32_const(top);
  out.op(WasmOp::kI32Sub);
  out.i32_const(7);
  out.op(WasmOp::kI32And);
  out.op(WasmOp::kLocalSet, vars_[kVarX87Base]);
  out.op(WasmOp::kLocalGet, entry_);
  out.i32_const(kStatusShift);
  out.op(WasmOp::kI32Shl);
  out.op(WasmOp::kLocalTee, vars_[kVarX87Status]);
  out.op(WasmOp::kLocalSet, vars_[kVarX87Last]);
  constant(kVarX87Top, top);
  constant(kVarX87Ip, kNoX87Ip);
  constant(kVarX87Segment, 0);
  // Rotated to the right by the base.
  out.op(WasmOp::kLocalGet, 0);
  out.memory(WasmOp::kI32Load8U, kStateLayout.fpu_valid);
  out.i32_const(0x101);
  out.op(WasmOp::kI32Mul);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Base]);
  out.op(WasmOp::kI32ShrU);
  out.i32_const(0xFF);
  out.op(WasmOp::kI32And);
  out.op(WasmOp::kLocalSet, vars_[kVarX87Valid]);
  for (Var n = 0; n < 8; ++n) {
    if (vars_[kVarX87Significand + n] == kNone) continue;
    x87_place(out, n);
    out.memory(WasmOp::kI64Load, kStateLayout.fpu_st + kStateLayout.fpu_mantissa);
    out.op(WasmOp::kLocalSet, vars_[kVarX87Significand + n]);
    out.op(WasmOp::kLocalGet, entry_);
    out.memory(WasmOp::kI32Load16U, kStateLayout.fpu_st + kStateLayout.fpu_sign_exponent);
    out.op(WasmOp::kLocalSet, vars_[kVarX87Exponent + n]);
  }
}

void Lowering::store_x87(Encoder& out) const {
  if (!written_[kVarX87Base]) return;
  const auto get_high = [&](Var var) {
    out.op(WasmOp::kLocalGet, vars_[var]);
    out.i32_const(kStatusShift);
    out.op(WasmOp::kI32ShrU);
  };
  const auto selector = [&](u32 to) {
    out.memory(WasmOp::kI32Load16U, 0);
    out.memory(WasmOp::kI32Store16, to);
  };
  for (Var n = 0; n < 8; ++n) {
    if (!written_[kVarX87Significand + n]) continue;
    x87_place(out, n);
    out.op(WasmOp::kLocalGet, vars_[kVarX87Significand + n]);
    out.memory(WasmOp::kI64Store, kStateLayout.fpu_st + kStateLayout.fpu_mantissa);
    out.op(WasmOp::kLocalGet, entry_);
    out.op(WasmOp::kLocalGet, vars_[kVarX87Exponent + n]);
    out.memory(WasmOp::kI32Store16, kStateLayout.fpu_st + kStateLayout.fpu_sign_exponent);
  }
  out.op(WasmOp::kLocalGet, 0);
  get_high(kVarX87Status);
  out.i32_const(0xFFFF & ~(kC1 | kTopMask));
  out.op(WasmOp::kI32And);
  get_high(kVarX87Last);
  out.i32_const(kC1);
  out.op(WasmOp::kI32And);
  out.op(WasmOp::kI32Or);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Base]);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Top]);
  out.op(WasmOp::kI32Add);
  out.i32_const(7);
  out.op(WasmOp::kI32And);
  out.i32_const(kTopShift);
  out.op(WasmOp::kI32Shl);
  out.op(WasmOp::kI32Or);
  out.memory(WasmOp::kI32Store16, kStateLayout.fpu_status);
  // Rotated to the left by the base.
  out.op(WasmOp::kLocalGet, 0);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Valid]);
  out.i32_const(0x101);
  out.op(WasmOp::kI32Mul);
  out.i32_const(8);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Base]);
  out.op(WasmOp::kI32Sub);
  out.op(WasmOp::kI32ShrU);
  out.memory(WasmOp::kI32Store8, kStateLayout.fpu_valid);

  const auto begin_if = [&](u32 unless) {
    out.i32_const(unless);
    out.op(WasmOp::kI32Ne);
    out.op(WasmOp::kIf);
    out.byte(kWasmNoResult);
    out.op(WasmOp::kLocalGet, 0);
  };
  out.op(WasmOp::kLocalGet, vars_[kVarX87Ip]);
  begin_if(kNoX87Ip);
  out.op(WasmOp::kLocalGet, entry_rip_);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Ip]);
  out.op(WasmOp::kI64ExtendI32S);
  out.op(WasmOp::kI64Add);
  if (!is_wide()) {
    out.i64_const(0xFFFFFFFF);
    out.op(WasmOp::kI64And);
  }
  out.memory(WasmOp::kI64Store, kStateLayout.fpu_ip);
  out.op(WasmOp::kLocalGet, 0);
  out.op(WasmOp::kLocalGet, 0);
  out.memory(WasmOp::kI32Load16U,
             kStateLayout.segment + kCs * kStateLayout.segment_size + kStateLayout.segment_selector);
  out.memory(WasmOp::kI32Store16, kStateLayout.fpu_cs);
  out.op(WasmOp::kEnd);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Segment]);
  begin_if(0);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Dp]);
  if (!is_wide()) out.op(WasmOp::kI64ExtendI32U);
  out.memory(WasmOp::kI64Store, kStateLayout.fpu_dp);
  out.op(WasmOp::kLocalGet, 0);
  out.op(WasmOp::kLocalGet, 0);
  out.op(WasmOp::kLocalGet, vars_[kVarX87Segment]);
  out.op(WasmOp::kI32Add);
  selector(kStateLayout.fpu_ds);
  out.op(WasmOp::kEnd);
}

// Functions of the module return both words, the core's the significand and leave the other in memory.
void Lowering::x87(const Node& n) {
  if (x87_high_ == kNone) x87_high_ = add_local(Type::kI32);
  const bool is_core = n.imm == static_cast<u64>(Callee::kX87);
  get(0);
  if (is_core) code_.i32_const(static_cast<u32>(n.imm_high));
  arguments(n);
  // The second operand may be missing.
  for (unsigned i = n.argument_count; i < 4; i += 2) {
    code_.i64_const(0);
    code_.i32_const(0);
  }
  code_.op(WasmOp::kCall, n.imm);
  if (is_core) {
    get(0);
    code_.memory(WasmOp::kI32Load, kStateLayout.x87_high);
  }
  set(x87_high_);
}

}  // namespace lapwing::jit
