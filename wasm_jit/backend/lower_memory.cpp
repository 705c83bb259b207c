// Guest memory through the TLB, and the other checks that may leave.
#include "wasm_jit/backend/lowering.h"

namespace lapwing::jit {

namespace {
constexpr u32 kPageBytes = 4096;
}

// Leaves the host address of the access on the stack. `(address - tag) <=u 4096 - size` is false both for
// another page and for an access that crosses into one.
void Lowering::check_access(Value address, unsigned size, bool write) {
  u32 at = address_;
  if (in_local(address, at)) {
    get(at);
  } else {
    value(address);
    tee(at);
  }
  check_local(at, size, write);
}

// The runtime wants to know where it was.
void Lowering::span(const Node& n) {
  set_exit(n.exit);
  value(n.arguments[0]);
  tee(address_);
  check_local(address_, static_cast<unsigned>(n.imm), n.op == IrOp::kWriteSpan);
  has_spans_ = true;
}

void Lowering::check_local(u32 at, unsigned size, bool write) {
  constexpr unsigned kEntryShift = 5;
  static_assert(kStateLayout.tlb_entry_size == 1u << kEntryShift);
  const u32 tag = write ? kStateLayout.tlb_tag_write : kStateLayout.tlb_tag_read;
  const auto wrapped = [&] {
    get(at);
    if (is_wide()) code_.op(WasmOp::kI32WrapI64);
  };
  if (!is_wide() && function_.wide_tags) code_.op(WasmOp::kI64ExtendI32U);
  wrapped();
  code_.i32_const(12 - kEntryShift);
  code_.op(WasmOp::kI32ShrU);
  code_.i32_const((kStateLayout.tlb_entries - 1) << kEntryShift);
  code_.op(WasmOp::kI32And);
  get(tlb_);
  code_.op(WasmOp::kI32Add);
  tee(entry_);
  if (function_.wide_tags) {
    code_.memory(WasmOp::kI64Load, tag);
    code_.op(WasmOp::kI64Sub);
    code_.i64_const(kPageBytes - size);
    code_.op(WasmOp::kI64GtU);
  } else {
    code_.memory(WasmOp::kI32Load, tag);
    code_.op(WasmOp::kI32Sub);
    code_.i32_const(kPageBytes - size);
    code_.op(WasmOp::kI32GtU);
  }
  branch_to_exit_if();
  wrapped();
  get(entry_);
  code_.memory(WasmOp::kI32Load, kStateLayout.tlb_addend);
  code_.op(WasmOp::kI32Add);
}

namespace {

constexpr u8 kSimdPrefix = 0xFD;
constexpr u8 kV128Load = 0x00, kV128Store = 0x0B, kV128Const = 0x0C, kShuffleLanes = 0x0D;

void simd_memory(Encoder& code, u8 opcode, u64 offset) {
  code.byte(kSimdPrefix);
  code.memory(static_cast<WasmOp>(opcode), offset);
}

}  // namespace

void Lowering::host_load(Type type, u64 size, u64 offset) {
  if (type == Type::kV128) return simd_memory(code_, kV128Load, offset);
  if (type == Type::kI64) return code_.memory(WasmOp::kI64Load, offset);
  const WasmOp op = size == 1 ? WasmOp::kI32Load8U : size == 2 ? WasmOp::kI32Load16U : WasmOp::kI32Load;
  code_.memory(op, offset);
}

void Lowering::host_store(Type type, u64 size, u64 offset) {
  if (type == Type::kV128) return simd_memory(code_, kV128Store, offset);
  if (type == Type::kI64) return code_.memory(WasmOp::kI64Store, offset);
  const WasmOp op = size == 1 ? WasmOp::kI32Store8 : size == 2 ? WasmOp::kI32Store16 : WasmOp::kI32Store;
  code_.memory(op, offset);
}

void Lowering::simd(const Node& n) {
  constexpr u32 kFirstLaneOp = 21, kLastLaneOp = 34;
  arguments(n);
  code_.byte(kSimdPrefix);
  if (n.op == IrOp::kSimd) {
    const auto opcode = static_cast<u32>(n.imm & 0xFFFF);
    code_.unsigned_number(opcode);
    if (opcode >= kFirstLaneOp && opcode <= kLastLaneOp) code_.byte(static_cast<u8>(n.imm >> 16));
    return;
  }
  code_.byte(n.op == IrOp::kConst128 ? kV128Const : kShuffleLanes);
  for (const u64 half : {n.imm, n.imm_high}) {
    for (unsigned i = 0; i < 8; ++i) code_.byte(static_cast<u8>(half >> (8 * i)));
  }
}

void Lowering::call_handler(const Node& n) {
  get(0);
  get(budget_);
  code_.memory(WasmOp::kI64Store, kStateLayout.budget);
  get(0);
  code_.i32_const(static_cast<u32>(n.imm));
  code_.i32_const(static_cast<u32>(n.imm_high));
  code_.op(WasmOp::kCall, static_cast<u32>(Callee::kCallHandler));
  // Repeated strings take from the budget; some handlers change whose rights accesses have.
  get(0);
  code_.memory(WasmOp::kI64Load, kStateLayout.budget);
  set(budget_);
  get(0);
  code_.memory(WasmOp::kI32Load, kStateLayout.data_tlb);
  set(tlb_);
}

void Lowering::guest_load(const Node& n) {
  set_exit(n.exit);
  check_access(n.arguments[0], static_cast<unsigned>(n.imm), false);
  host_load(n.type, n.imm);
}

void Lowering::guest_store(const Node& n) {
  set_exit(n.exit);
  check_access(n.arguments[0], static_cast<unsigned>(n.imm), true);
  value(n.arguments[1]);
  host_store(node(n.arguments[1]).type, n.imm);
}

void Lowering::budget(const Node& n) {
  set_exit(n.exit);
  get(budget_);
  code_.i64_const(n.imm);
  code_.op(WasmOp::kI64Sub);
  tee(budget_);
  code_.i64_const(0);
  code_.op(WasmOp::kI64LtS);
  branch_to_exit_if();
}

void Lowering::fetch_check(const Node& n) {
  if (linear_ == kNone) linear_ = add_local(Type::kI64);
  set_exit(n.exit);
  value(n.arguments[0]);
  if (function_.code_has_base) {
    code_.op(WasmOp::kI32WrapI64);
    get(0);
    code_.memory(WasmOp::kI32Load, kStateLayout.code_base);
    code_.op(WasmOp::kI32Add);
    code_.op(WasmOp::kI64ExtendI32U);
  }
  tee(linear_);
  code_.i64_const(12);
  code_.op(WasmOp::kI64ShrU);
  code_.op(WasmOp::kI32WrapI64);
  code_.i32_const(kStateLayout.tlb_entries - 1);
  code_.op(WasmOp::kI32And);
  code_.i32_const(kStateLayout.fetch_entry_size);
  code_.op(WasmOp::kI32Mul);
  get(0);
  code_.memory(WasmOp::kI32Load, kStateLayout.fetch_tlb);
  code_.op(WasmOp::kI32Add);
  tee(entry_);
  code_.memory(WasmOp::kI64Load, kStateLayout.fetch_tag);
  get(linear_);
  code_.i64_const(~static_cast<u64>(kPageBytes - 1));
  code_.op(WasmOp::kI64And);
  code_.op(WasmOp::kI64Xor);
  get(entry_);
  code_.memory(WasmOp::kI64Load, kStateLayout.fetch_physical);
  value(n.arguments[1]);
  code_.op(WasmOp::kI64Xor);
  code_.op(WasmOp::kI64Or);
  code_.i64_const(0);
  code_.op(WasmOp::kI64Ne);
  branch_to_exit_if();
}

void Lowering::condition(const Node& n) {
  flag_arguments(n);
  code_.i32_const(static_cast<u32>(n.imm));
  code_.op(WasmOp::kCall, static_cast<u32>(Callee::kCondition));
}

void Lowering::flags_call(const Node& n) {
  flag_arguments(n);
  code_.op(WasmOp::kCall, static_cast<u32>(Callee::kStoreFlags));
}

void Lowering::flag_arguments(const Node& n) {
  get(0);
  for (unsigned i = 0; i < 5; ++i) {
    value(n.arguments[i]);
    const bool is_word = i >= 1 && i <= 3;
    if (is_word && !is_wide()) code_.op(WasmOp::kI64ExtendI32U);
  }
}

}  // namespace lapwing::jit
