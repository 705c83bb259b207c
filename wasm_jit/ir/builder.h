// Appends values to a block, folding constants and identities as it goes, and forwarding what was written to
// a variable to its later reads in the block.
#pragma once

#include <initializer_list>

#include "wasm_jit/ir/ir.h"

namespace lapwing::jit {

// The 64-bit twin of a 32-bit operation, by operand width.
constexpr IrOp wide(IrOp op32, bool is_wide) {
  return is_wide ? static_cast<IrOp>(static_cast<u8>(op32) + 1) : op32;
}

class Builder {
 public:
  explicit Builder(const Function& function) : function_(function) {}
  // Starts appending to `block`, which is empty.
  void start(IrBlock& block);
  // More values than a block can number: the translation is given up.
  bool overflowed() const { return overflowed_; }

  Value c32(u32 value);
  Value c64(u64 value);
  // Of the width of general registers.
  Value word(u64 value) { return function_.word == Type::kI64 ? c64(value) : c32(static_cast<u32>(value)); }
  Value unary(IrOp op, Value a);
  Value binary(IrOp op, Value a, Value b);
  Value select(Value if_true, Value if_false, Value condition);

  Value read(Var var);
  void write(Var var, Value value);
  // Forgets what is known of all variables (a handler may have changed them).
  void forget_variables();

  Value entry_rip();
  Value load_state(Type type, u32 offset);
  void store_state(u32 offset, Value value);
  Value guest_load(Type type, unsigned size, Value address, u32 exit);
  void guest_store(unsigned size, Value address, Value value, u32 exit);
  Value guest_place(unsigned size, Value address, u32 exit, bool is_read = false);
  Value host_load(Type type, unsigned size, Value host);
  void host_store(unsigned size, Value host, Value value);
  void exit_if(Value condition, u32 exit);
  void exit_unless(Value likely, Value otherwise, u32 exit);
  void budget(u32 count, u32 exit);
  void fetch_check(Value rip, u64 physical_page, u32 exit);
  Value condition(unsigned code, const Value (&flags)[5]);
  void store_flags(const Value (&flags)[5]);
  Value call(u32 callee, u32 constant, std::initializer_list<Value> arguments);
  Value call_handler(u64 block, u64 instruction);
  struct X87Value {
    Value significand;
    Value exponent;
  };
  X87Value x87(u32 callee, u32 constant, std::initializer_list<X87Value> arguments);
  void x87_spill();
  void x87_reload(u32 top);

  Value const128(u64 low, u64 high);
  // Up to three operands; kNoValue = none.
  Value simd(u32 opcode, Type type, Value a, Value b = kNoValue, Value c = kNoValue, u8 lane = 0);
  Value float_op(u8 opcode, Type type, Value a, Value b = kNoValue);
  Value shuffle(Value a, Value b, const u8 (&lanes)[16]);

  Type type_of(Value value) const { return block_->nodes[value].type; }
  bool is_constant(Value value) const;
  u64 constant(Value value) const { return block_->nodes[value].imm; }

 private:
  Value append(const Node& node);
  Value append(IrOp op, Type type, u64 imm);
  Value fold_constants(IrOp op, u64 a, u64 b);
  Value fold_identity(IrOp op, Value a, Value b);
  unsigned known_bits(Value value) const;
  const Node& node(Value value) const { return block_->nodes[value]; }

  const Function& function_;
  IrBlock* block_ = nullptr;
  Value current_[kVarCount];
  bool overflowed_ = false;
};

}  // namespace lapwing::jit
