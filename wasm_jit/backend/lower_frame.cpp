// Entry and exit of a generated function: registers between CpuState and locals.
#include "wasm_jit/backend/lowering.h"

namespace lapwing::jit {

namespace {

constexpr bool is_gpr(Var var) {
  return var < 16;
}

constexpr bool is_flag(Var var) {
  return var >= kVarFlagKind && var <= kVarFlagC;
}

constexpr u32 flag_place(Var var) {
  return kStateLayout.flags + 8u * (var - kVarFlagKind);
}

constexpr bool is_xmm(Var var) {
  return var >= kVarXmm && var < kVarTarget;
}

}  // namespace

void Lowering::find_variables() {
  bool used[kVarCount] = {};
  for (const IrBlock& block : function_.blocks) {
    for (const Node& n : block.nodes) {
      if (n.op == IrOp::kReadVar) used[n.imm] = true;
      if (n.op == IrOp::kWriteVar) used[n.imm] = written_[n.imm] = true;
    }
  }
  find_x87_variables(used);
  for (Var var = 0; var < kVarCount; ++var)
    vars_[var] = used[var] ? add_local(function_.type_of(var)) : kNone;
}

void Lowering::prologue(Encoder& out) const {
  const auto load = [&](WasmOp op, u32 offset, u32 local) {
    out.op(WasmOp::kLocalGet, 0);
    out.memory(op, offset);
    out.op(WasmOp::kLocalSet, local);
  };
  load(WasmOp::kI32Load, kStateLayout.data_tlb, tlb_);
  load(WasmOp::kI64Load, kStateLayout.budget, budget_);
  load(WasmOp::kI64Load, kStateLayout.rip, entry_rip_);
  if (dispatch_ != kNone) load(WasmOp::kI32Load, kStateLayout.region_entry, dispatch_);
  for (Var var = 0; var < kVarCount; ++var) {
    if (vars_[var] == kNone) continue;
    if (is_xmm(var)) {
      out.op(WasmOp::kLocalGet, 0);
      out.byte(0xFD);
      out.memory(static_cast<WasmOp>(0x00), kStateLayout.xmm + 16u * (var - kVarXmm));
      out.op(WasmOp::kLocalSet, vars_[var]);
    }
    if (is_flag(var))
      load(function_.type_of(var) == Type::kI64 ? WasmOp::kI64Load : WasmOp::kI32Load, flag_place(var),
           vars_[var]);
    if (is_gpr(var))
      load(is_wide() ? WasmOp::kI64Load : WasmOp::kI32Load, kStateLayout.gpr + 8u * var, vars_[var]);
  }
  load_x87(out, 0);
}

void Lowering::epilogue(Encoder& out) const {
  out.op(WasmOp::kLocalGet, 0);
  out.op(WasmOp::kLocalGet, budget_);
  out.memory(WasmOp::kI64Store, kStateLayout.budget);
  if (has_spans_) {
    out.op(WasmOp::kLocalGet, 0);
    out.op(WasmOp::kLocalGet, address_);
    out.memory(is_wide() ? WasmOp::kI64Store : WasmOp::kI32Store, kStateLayout.span_address);
  }
  for (Var var = 0; var < kVarCount; ++var) {
    if (!written_[var]) continue;
    if (is_xmm(var)) {
      out.op(WasmOp::kLocalGet, 0);
      out.op(WasmOp::kLocalGet, vars_[var]);
      out.byte(0xFD);
      out.memory(static_cast<WasmOp>(0x0B), kStateLayout.xmm + 16u * (var - kVarXmm));
    }
    if (is_flag(var)) {
      out.op(WasmOp::kLocalGet, 0);
      out.op(WasmOp::kLocalGet, vars_[var]);
      out.memory(function_.type_of(var) == Type::kI64 ? WasmOp::kI64Store : WasmOp::kI32Store,
                 flag_place(var));
    }
    if (!is_gpr(var)) continue;
    out.op(WasmOp::kLocalGet, 0);
    out.op(WasmOp::kLocalGet, vars_[var]);
    // The upper half: 32-bit code clears it with every write.
    if (!is_wide()) out.op(WasmOp::kI64ExtendI32U);
    out.memory(WasmOp::kI64Store, kStateLayout.gpr + 8u * var);
  }
  store_x87(out);
  out.op(WasmOp::kLocalGet, exit_);
}

}  // namespace lapwing::jit
