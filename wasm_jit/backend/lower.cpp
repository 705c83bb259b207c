#include "wasm_jit/backend/lower.h"

#include "wasm_jit/backend/lowering.h"

namespace lapwing::jit {

namespace {

u8 wasm_type(Type type) {
  switch (type) {
    case Type::kI64: return kWasmI64;
    case Type::kV128: return kWasmV128;
    case Type::kF32: return kWasmF32;
    case Type::kF64: return kWasmF64;
    default: return kWasmI32;
  }
}

}  // namespace

u32 Lowering::add_local(Type type) {
  locals_.push_back(type);
  return static_cast<u32>(locals_.size() - 1);
}

u32 Lowering::temporary(Type type) {
  std::vector<u32>& pool = free_[static_cast<unsigned>(type) - 1];
  if (pool.empty()) return add_local(type);
  const u32 local = pool.back();
  pool.pop_back();
  return local;
}

void Lowering::release(u32 local) {
  free_[static_cast<unsigned>(locals_[local]) - 1].push_back(local);
}

u32 Lowering::var_local(Var var) {
  return vars_[var];
}

void Lowering::open(WasmOp op) {
  code_.op(op);
  code_.byte(kWasmNoResult);
  ++depth_;
}

void Lowering::set_exit(u32 exit) {
  if (exit == current_exit_) return;
  current_exit_ = exit;
  code_.i32_const(exit);
  set(exit_);
}

bool Lowering::in_local(Value v, u32& local) {
  const Schedule::Entry& entry = schedule_.entries[v];
  if (node(v).op == IrOp::kReadVar && entry.place == Schedule::Place::kInline) {
    local = var_local(static_cast<Var>(node(v).imm));
    return true;
  }
  return false;
}

void Lowering::value(Value v) {
  Kept& kept = kept_[v];
  if (kept.local != kNone) {
    get(kept.local);
    if (--kept.left == 0) release(kept.local);
    return;
  }
  compute(v);
  const Schedule::Entry& entry = schedule_.entries[v];
  if (entry.place == Schedule::Place::kOnce && entry.uses > 1) {
    kept.local = temporary(node(v).type);
    kept.left = entry.uses - 1u;
    tee(kept.local);
  }
}

void Lowering::arguments(const Node& n) {
  for (unsigned i = 0; i < n.argument_count; ++i) value(n.arguments[i]);
}

void Lowering::compute(Value v) {
  const Node& n = node(v);
  if (const u8 simple = ir_op_info(n.op).wasm; simple != 0) {
    arguments(n);
    code_.byte(simple);
    return;
  }
  switch (n.op) {
    case IrOp::kConst32: code_.i32_const(static_cast<u32>(n.imm)); break;
    case IrOp::kConst64: code_.i64_const(n.imm); break;
    case IrOp::kReadVar: get(var_local(static_cast<Var>(n.imm))); break;
    case IrOp::kEntryRip: get(entry_rip_); break;
    case IrOp::kMulHighU:
    case IrOp::kMulHighS:
      arguments(n);
      code_.op(WasmOp::kCall,
               static_cast<u32>(n.op == IrOp::kMulHighU ? Callee::kMulHighU : Callee::kMulHighS));
      break;
    case IrOp::kLoadState:
      get(0);
      host_load(n.type, 8, n.imm);
      break;
    case IrOp::kConst128:
    case IrOp::kSimd:
    case IrOp::kShuffle: simd(n); break;
    case IrOp::kFloat:
      arguments(n);
      code_.byte(static_cast<u8>(n.imm));
      break;
    case IrOp::kGuestLoad: guest_load(n); break;
    case IrOp::kGuestPlace:
      set_exit(n.exit);
      check_access(n.arguments[0], static_cast<unsigned>(n.imm), n.imm_high == 0);
      break;
    case IrOp::kWriteSpan:
    case IrOp::kReadSpan: span(n); break;
    case IrOp::kHostLoad:
      arguments(n);
      host_load(n.type, n.imm, n.imm_high);
      break;
    case IrOp::kCondition: condition(n); break;
    case IrOp::kCallHandler: call_handler(n); break;
    case IrOp::kX87: x87(n); break;
    case IrOp::kX87High: get(x87_high_); break;
    case IrOp::kCall:
      get(0);
      code_.i32_const(static_cast<u32>(n.imm_high));
      arguments(n);
      code_.op(WasmOp::kCall, static_cast<u32>(n.imm));
      break;
    default: ASSERT(false);
  }
}

// A node at its own place in the order.
void Lowering::root(u32 position) {
  const auto v = static_cast<Value>(position);
  const Node& n = node(v);
  if (n.type != Type::kVoid) {
    const Schedule::Entry& entry = schedule_.entries[v];
    if (entry.place != Schedule::Place::kRoot) return;
    compute(v);
    if (entry.uses == 0) {
      code_.op(WasmOp::kDrop);
      return;
    }
    kept_[v] = Kept{.local = temporary(n.type), .left = entry.uses};
    set(kept_[v].local);
    return;
  }
  switch (n.op) {
    case IrOp::kNop: break;
    case IrOp::kWriteVar:
      value(n.arguments[0]);
      set(var_local(static_cast<Var>(n.imm)));
      break;
    case IrOp::kStoreState:
      get(0);
      value(n.arguments[0]);
      host_store(node(n.arguments[0]).type, 8, n.imm);
      break;
    case IrOp::kStoreFlags: flags_call(n); break;
    case IrOp::kX87Spill: store_x87(code_); break;
    case IrOp::kX87Reload: load_x87(code_, static_cast<u32>(n.imm)); break;
    case IrOp::kGuestStore: guest_store(n); break;
    case IrOp::kHostStore:
      arguments(n);
      host_store(node(n.arguments[1]).type, n.imm, n.imm_high);
      break;
    case IrOp::kExitIf:
      set_exit(n.exit);
      value(n.arguments[0]);
      branch_to_exit_if();
      break;
    // The unlikely value is computed first, so that what it shares with others is there on all ways; V8 moves
    // the rest to where it is needed.
    case IrOp::kExitUnless: {
      set_exit(n.exit);
      const u32 otherwise = temporary(Type::kI32);
      value(n.arguments[1]);
      set(otherwise);
      value(n.arguments[0]);
      code_.op(WasmOp::kI32Eqz);
      open(WasmOp::kIf);
      get(otherwise);
      code_.op(WasmOp::kI32Eqz);
      branch_to_exit_if();
      code_.op(WasmOp::kEnd);
      --depth_;
      release(otherwise);
      break;
    }
    case IrOp::kBudget: budget(n); break;
    case IrOp::kFetchCheck: fetch_check(n); break;
    default: ASSERT(false);
  }
}

void Lowering::body(BlockId block) {
  block_ = &function_.blocks[block];
  schedule_.compute(*block_);
  kept_.assign(block_->nodes.size(), Kept{});
  current_exit_ = kNoExit;
  for (u32 i = 0; i < block_->nodes.size(); ++i) root(i);
}

// The terminator's value is computed right behind the body of its block, so block_ is still that block.
void Lowering::step(const Step& step) {
  switch (step.kind) {
    case Step::Kind::kBlock: open(WasmOp::kBlock); break;
    case Step::Kind::kLoop: open(WasmOp::kLoop); break;
    case Step::Kind::kIf:
      value(function_.blocks[step.block].end.value);
      open(WasmOp::kIf);
      break;
    case Step::Kind::kEnd:
      code_.op(WasmOp::kEnd);
      --depth_;
      break;
    case Step::Kind::kEnter:
      get(dispatch_);
      code_.op(WasmOp::kBranchTable, step.depths.size() - 1);
      for (const u32 depth : step.depths) code_.unsigned_number(depth);
      break;
    case Step::Kind::kDispatch:
      if (const Value number = function_.blocks[step.block].end.value; number != kNoValue) {
        value(number);
      } else {
        code_.i32_const(step.entry);
      }
      set(dispatch_);
      code_.op(WasmOp::kBranch, step.depth);
      break;
    case Step::Kind::kBody: body(step.block); break;
    case Step::Kind::kBranch: code_.op(WasmOp::kBranch, step.depth); break;
    case Step::Kind::kBranchIf:
    case Step::Kind::kBranchUnless:
      value(function_.blocks[step.block].end.value);
      if (step.kind == Step::Kind::kBranchUnless) code_.op(WasmOp::kI32Eqz);
      code_.op(WasmOp::kBranchIf, step.depth);
      break;
    case Step::Kind::kExit: {
      const Terminator& end = function_.blocks[step.block].end;
      if (end.kind == Terminator::Kind::kExitNext) {
        get(0);
        value(end.value);
        code_.memory(WasmOp::kI64Store, kStateLayout.rip);
      }
      set_exit(end.exit);
      branch_to_exit();
      break;
    }
  }
}

std::vector<u8> Lowering::run() {
  tlb_ = add_local(Type::kI32);
  exit_ = add_local(Type::kI32);
  budget_ = add_local(Type::kI64);
  entry_rip_ = add_local(Type::kI64);
  address_ = add_local(function_.word);
  entry_ = add_local(Type::kI32);
  if (function_.dispatch != kNoBlock) dispatch_ = add_local(Type::kI32);
  find_variables();
  for (const Step& s : steps_) step(s);

  Encoder out;
  std::vector<std::pair<u32, Type>> runs;
  for (std::size_t i = 1; i < locals_.size(); ++i) {
    if (runs.empty() || runs.back().second != locals_[i]) runs.emplace_back(0, locals_[i]);
    ++runs.back().first;
  }
  out.unsigned_number(runs.size());
  for (const auto& [count, type] : runs) {
    out.unsigned_number(count);
    out.byte(wasm_type(type));
  }
  prologue(out);
  out.op(WasmOp::kBlock);
  out.byte(kWasmNoResult);
  out.append(code_.bytes);
  out.op(WasmOp::kUnreachable);
  out.op(WasmOp::kEnd);
  epilogue(out);
  out.op(WasmOp::kEnd);
  return std::move(out.bytes);
}

std::vector<u8> lower(const Function& function, const std::vector<Step>& steps) {
  return Lowering(function, steps).run();
}

}  // namespace lapwing::jit
