// Decoded instructions of a region -> IR. The class holds what all families share: operands, memory, flags,
// the edges between blocks. The families (families.inc) are free functions, one file each. Unsupported:
// 16-bit code, 16-bit stacks, code with a CS limit; instructions without a family leave to the interpreter.
#pragma once

#include <utility>
#include <vector>

#include "wasm_jit/ir/builder.h"
#include "wasm_jit/lazy_flags.h"
#include "wasm_jit/translate.h"

namespace lapwing::jit {

// The x87 register stack at a place in a block: the number of ST(0) (ir.h), which registers are known to be
// full or empty, and the control word, once it has been looked at.
struct X87Block {
  unsigned top = 0;
  u8 known = 0;
  u8 valid = 0;
  bool checked = false;
  Value control = kNoValue;

  bool require(unsigned n, bool full);
  bool apply(u8 reads, u8 writes, bool pushes, unsigned pops);
};

class Translator {
 public:
  Translator(const RegionSource& source, Function& function);
  // False: the region cannot be translated, or its first instruction cannot.
  bool run();

  // What families use.
  Builder& b() { return builder_; }
  bool is_64_bit() const { return source_.mode.code_size == 8; }
  // Exit code of the current instruction when it is left to the interpreter.
  u32 here() const;

  // The operation for operands of `size` bytes.
  Value op(IrOp op32, unsigned size, Value x, Value y) {
    return builder_.binary(wide(op32, size == 8), x, y);
  }
  Value op(IrOp op32, unsigned size, Value x) { return builder_.unary(wide(op32, size == 8), x); }
  Value number(unsigned size, u64 value) {
    return size == 8 ? builder_.c64(value) : builder_.c32(static_cast<u32>(value));
  }
  // An operand with the bits above its size cleared, or filled with its sign.
  Value zero_extend(unsigned size, Value value);
  Value sign_extend(unsigned size, Value value);
  // Operand width conversions: of `from` bytes (zero- or sign-extended) to an operand of `to` bytes.
  Value widen(unsigned from, unsigned to, Value value, bool is_signed);

  Value read_reg(unsigned size, u8 slot);
  void write_reg(unsigned size, u8 slot, Value value);
  // A whole register, as wide as registers are.
  Value word_reg(unsigned gpr) { return builder_.read(static_cast<Var>(kVarGpr + gpr)); }
  Value to_word(unsigned size, Value value);
  Value from_word(unsigned size, Value value);

  Value effective_address(const Instruction& in);
  Value linear(u8 segment, Value offset);
  Value load(unsigned size, u8 segment, Value offset);
  void store(unsigned size, u8 segment, Value offset, Value value);
  Value read_rm(const Instruction& in, unsigned size);
  void write_rm(const Instruction& in, unsigned size, Value value);

  // A read-modify-write of r/m: begin checks, commit cannot fail.
  struct Target {
    Value value = kNoValue;
    Value host = kNoValue;  // memory
  };
  Target begin_modify(const Instruction& in, unsigned size);
  Target begin_modify_at(unsigned size, u8 segment, Value offset);
  void commit(const Instruction& in, unsigned size, const Target& target, Value value);

  // The stack is as wide as registers are.
  bool has_stack() const { return is_64_bit() || source_.mode.wide_stack; }
  u8 stack_segment() const { return is_64_bit() || source_.mode.flat ? u8{kFlatStack} : u8{kSs}; }
  unsigned word_size() const { return is_64_bit() ? 8 : 4; }

  // Flags.
  void set_flags(FlagClass flag_class, unsigned size, Value a, Value second = kNoValue, Value r = kNoValue);
  // CF alone (0 or 1), CF and OF alone.
  void set_cf(Value cf);
  void set_cf_of(Value cf, Value of);
  void keep_cf_for_step(FlagClass flag_class, unsigned size, Value result);
  // flags_result and flags_carries as flags.h has them, carries with bits 63:62 at 31:30.
  void set_canonical(unsigned size, Value result, Value carries);
  // 0 or 1 by condition code.
  Value condition(unsigned code);
  Value carry() { return condition(2); }
  // What follows is undone when `happens` is 0: flags become those of before.
  struct SavedFlags {
    Value vars[5];
  };
  SavedFlags save_flags();
  void restore_flags_unless(Value happens, const SavedFlags& saved);

  // The generic handler of `in`, with the registers it reads in memory; and what it wrote, back.
  void call_handler(const Instruction& in);
  // The same in two steps, for handlers that make progress before they are interrupted.
  Value start_handler(const Instruction& in);
  void leave_unless(Value completed);
  // Behind an instruction that asks for the run loop, by what call_handler() (runtime/helpers.h) answered.
  void leave_for_run_loop(const Instruction& in, Value answer);
  void spill(Var var);
  void reload(Var var);
  void flags_in_memory();
  // What the handler of `in` sees and changes besides: the flags in memory.
  void spill_flags();
  // The handler has set RIP: on to the next instruction, or out of the region.
  void continue_behind(const Instruction& in);
  // Leaves unless SSE instructions may execute; unless the fast forms of floating-point ones may.
  void check_sse();
  void check_mxcsr();
  // Whether the low part of an XMM register is known to be zero or normal, as binary64 or binary32.
  bool is_ordinary(unsigned size, u8 xmm) const { return bit_of(ordinary_[size == 8 ? 1 : 0], xmm); }
  void note_ordinary(unsigned size, u8 xmm) { ordinary_[size == 8 ? 1 : 0] |= 1u << xmm; }
  void forget_ordinary(unsigned xmm) {
    for (u32& known : ordinary_) known &= ~(1u << xmm);
  }

  X87Block& x87() { return x87_; }
  void x87_check();
  void x87_spill();
  void x87_reload();
  void calls_x87() { function_.uses_x87 = true; }
  // Of an instruction of the current block, from RIP at entry.
  i64 delta_of(const Instruction& in) const;

  // Control flow; each ends the block. RIPs are offsets from RIP at entry, as the decoder gives targets.
  void jump(const Instruction& in);
  void branch(const Instruction& in, Value taken);
  void jump_indirect(Value target);
  i64 next_delta(const Instruction& in) const;
  Value rip_value(i64 delta);
  // Of an instruction of the current block, as wide as RIP is.
  Value rip_of(const Instruction& in);
  // Leaves to the interpreter unless a branch to `target` is allowed.
  void check_target(Value target);
  void check_distance(i64 delta);
  // Where a direct branch goes, as an offset from RIP at entry.
  i64 target_delta(const Instruction& in) const {
    return source_.blocks[block_].rip_delta + static_cast<i64>(in.imm);
  }
  // TZCNT and LZCNT are what they are called on this CPU model.
  bool counts_zeros(Op op) const {
    return (op == Op::TZCNT && source_.has_tzcnt) || (op == Op::LZCNT && source_.has_lzcnt);
  }

 private:
  void check_second_page(const Block& block);
  void translate_block(unsigned index);
  void start_flags(unsigned index);
  void note_edge(BlockId from, BlockId to);
  void solve_kinds();
  BlockId edge(i64 target_delta, unsigned which);
  BlockId exit_block(u32 exit);
  // Indirect jumps, calls and returns to blocks of the region.
  void find_targets();
  void make_dispatch_table();
  void add_dispatch_entries();
  BlockId add_block(IrBlock block);
  BlockId checked_edge(BlockId target, u32 from);
  BlockId add_test(BlockId target, BlockId otherwise);
  BlockId add_lookup(BlockId otherwise);
  BlockId add_leave();
  Value dispatch_slot(Builder& b, Value& delta) const;
  void x87_renumber(Builder& b, unsigned to);
  BlockId x87_edge(BlockId target, BlockId way);
  BlockId add_block();
  bool same_page(unsigned from, unsigned to) const;
  Value flag_value(Var var, unsigned size);
  Value compare_condition(unsigned pair, unsigned size);
  Value result_condition(unsigned pair, unsigned size, Value result);
  Value known_condition(unsigned pair);
  Value parity(Value result);

  const RegionSource& source_;
  Function& function_;
  Builder builder_;
  unsigned block_ = 0;
  unsigned instruction_ = 0;
  bool ended_ = false;
  Terminator end_;
  std::vector<std::pair<i64, BlockId>> by_delta_;

  // What is known of the flag variables' kind here.
  bool kind_known_ = false;
  bool kind_changed_ = false;  // it is not what it was at the block's start, and not known
  bool cf_known_ = false;      // CF is in c although the kind is not known
  u32 kind_ = 0;
  // What is known at each block's start, and which blocks would have used it.
  static constexpr u32 kUnseen = 0xFFFFFFFF, kMixed = 0xFFFFFFFE, kUnchanged = 0xFFFFFFFD;
  std::vector<u32> kind_at_;
  std::vector<bool> wants_kind_;
  struct FlagEdge {
    BlockId from;
    BlockId to;
    u32 kind;
  };
  std::vector<FlagEdge> flag_edges_;
  std::vector<std::vector<BlockId>> targets_;  // where each block's indirect jump may go
  std::vector<bool> looks_up_;                 // it finds them in the dispatch table, but for the likely ones
  std::vector<BlockId> dispatched_;            // blocks in that table
  u32 dispatch_factor_ = 0, dispatch_bits_ = 0;
  bool rip_slot_stored_ = false;
  bool sse_checked_ = false;
  bool mxcsr_checked_ = false;
  u32 ordinary_[2] = {};
  X87Block x87_;
  static constexpr u8 kNoTop = 0xFF;
  std::vector<u8> x87_top_at_;  // number of ST(0) at each block's start
};

// A family's function: false = it cannot; nothing with an effect has been appended.
using Family = bool (*)(Translator& t, const Instruction& in);
Family family_of(Op op);
// Of MOV to a control register: not CR3 or CR4.
inline bool keeps_translations(const Instruction& in) {
  return in.reg != 3 && in.reg != 4;
}

}  // namespace lapwing::jit
