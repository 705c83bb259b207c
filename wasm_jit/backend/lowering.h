// What lower.cpp, lower_memory.cpp and lower_frame.cpp share.
#pragma once

#include "wasm_jit/backend/encoder.h"
#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/backend/schedule.h"
#include "wasm_jit/passes/passes.h"
#include "wasm_jit/state_layout.h"

namespace lapwing::jit {

class Lowering {
 public:
  Lowering(const Function& function, const std::vector<Step>& steps) : function_(function), steps_(steps) {}
  std::vector<u8> run();

 private:
  // Locals: $cpu is 0.
  u32 add_local(Type type);
  u32 temporary(Type type);
  void release(u32 local);
  u32 var_local(Var var);
  void get(u32 local) { code_.op(WasmOp::kLocalGet, local); }
  void set(u32 local) { code_.op(WasmOp::kLocalSet, local); }
  void tee(u32 local) { code_.op(WasmOp::kLocalTee, local); }

  // Frame.
  void find_variables();
  void prologue(Encoder& out) const;
  void epilogue(Encoder& out) const;

  // x87.
  void find_x87_variables(bool (&used)[kVarCount]);
  void x87_place(Encoder& out, Var n) const;
  void load_x87(Encoder& out, u32 top) const;
  void store_x87(Encoder& out) const;
  void x87(const Node& node);

  // Structure.
  void step(const Step& step);
  void open(WasmOp op);
  void branch_to_exit() { code_.op(WasmOp::kBranch, depth_); }
  void branch_to_exit_if() { code_.op(WasmOp::kBranchIf, depth_); }
  void set_exit(u32 exit);

  // Values.
  void body(BlockId block);
  void root(u32 position);
  void value(Value v);
  void compute(Value v);
  void arguments(const Node& node);
  bool in_local(Value v, u32& local);
  const Node& node(Value v) const { return block_->nodes[v]; }

  // Memory.
  void check_access(Value address, unsigned size, bool write);
  void check_local(u32 at, unsigned size, bool write);
  void span(const Node& node);
  void guest_load(const Node& node);
  void guest_store(const Node& node);
  void simd(const Node& node);
  void call_handler(const Node& node);
  void host_load(Type type, u64 size, u64 offset = 0);
  void host_store(Type type, u64 size, u64 offset = 0);
  void fetch_check(const Node& node);
  void budget(const Node& node);
  void condition(const Node& node);
  void flags_call(const Node& node);
  void flag_arguments(const Node& node);
  bool is_wide() const { return function_.word == Type::kI64; }

  const Function& function_;
  const std::vector<Step>& steps_;
  Encoder code_;
  std::vector<Type> locals_{Type::kI32};
  std::vector<u32> free_[5];
  static constexpr u32 kNone = 0xFFFFFFFF;
  u32 vars_[kVarCount];
  bool written_[kVarCount] = {};
  u32 tlb_ = kNone, exit_ = kNone, budget_ = kNone, entry_rip_ = kNone, address_ = kNone, entry_ = kNone,
      linear_ = kNone;
  u32 x87_high_ = kNone;
  u32 dispatch_ = kNone;  // number of the entry to go to
  bool has_spans_ = false;
  u32 depth_ = 0;  // steps that enclose the code being made

  const IrBlock* block_ = nullptr;
  Schedule schedule_;
  struct Kept {
    u32 local = kNone;
    u32 left = 0;
  };
  std::vector<Kept> kept_;  // values of the block in locals
  static constexpr u32 kNoExit = 0xFFFFFFFF;
  u32 current_exit_ = kNoExit;
};

}  // namespace lapwing::jit
