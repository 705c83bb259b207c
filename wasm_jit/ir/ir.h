// The intermediate representation of one region: blocks of typed values, single assignment within a block.
// Guest registers and lazy flags are region variables, read and written at block level; nothing else crosses
// a block's end. Whatever may leave the function (Exit rows of opcodes.inc, exit terminators) sees the
// variables as written before it in program order. Opcodes: opcodes.inc.
#pragma once

#include <vector>

#include "core/types.h"

namespace lapwing::jit {

enum class Type : u8 { kVoid, kI32, kI64, kV128, kF32, kF64, kAny };
enum class Effect : u8 { kPure, kRead, kWrite, kExit };

enum class IrOp : u8 {
#define IR(name, ...) k##name,
#include "wasm_jit/ir/opcodes.inc"
#undef IR
  kCount,
};

struct IrOpInfo {
  const char* text;
  Type type;
  u8 arguments;
  Effect effect;
  u8 wasm;
};
const IrOpInfo& ir_op_info(IrOp op);

// Region variables.
using Var = u8;
constexpr Var kVarGpr = 0;  // 16, by encoding
constexpr Var kVarFlagKind = 16, kVarFlagA = 17, kVarFlagB = 18, kVarFlagR = 19, kVarFlagC = 20;
constexpr Var kVarXmm = 21;     // 16
constexpr Var kVarTarget = 37;  // of an indirect jump, while it is compared with known ones
// x87. Registers are numbered from where ST(0) was when the function was entered: number n is physical
// register (kVarX87Base + n) & 7. Exponents have the sign in bit 15; bits 30:16 mean nothing, bit 31 is
// clear.
constexpr Var kVarX87Significand = 38, kVarX87Exponent = 46;  // 8 each
constexpr Var kVarX87Base = 54;
constexpr Var kVarX87Top = 55;      // number of ST(0)
constexpr Var kVarX87Valid = 56;    // bit n: number n is not empty
constexpr Var kVarX87Status = 57;   // status word in bits 31:16, but for C1 and TOP
constexpr Var kVarX87Last = 58;     // C1 of the last instruction, as it stands there
constexpr Var kVarX87Ip = 59;       // of the last instruction, from RIP at entry; kNoX87Ip: as in CpuState
constexpr Var kVarX87Segment = 60;  // offset in CpuState of the last operand's selector; 0: none since
constexpr Var kVarX87Dp = 61;       // its offset
constexpr u32 kNoX87Ip = 0x80000000;
constexpr unsigned kVarCount = 62;
constexpr bool is_x87(Var var) {
  return var >= kVarX87Significand;
}

// Index of a value in its block.
using Value = u16;
constexpr Value kNoValue = 0xFFFF;

struct Node {
  IrOp op = IrOp::kNop;
  Type type = Type::kVoid;
  u8 argument_count = 0;
  Value arguments[5] = {};
  u32 exit = 0;  // code with which an Exit row leaves
  u64 imm = 0;
  u64 imm_high = 0;  // upper half of 16 bytes

  Effect effect() const { return ir_op_info(op).effect; }
};

using BlockId = u16;
constexpr BlockId kNoBlock = 0xFFFF;

// How a block ends.
struct Terminator {
  enum class Kind : u8 {
    kJump,      // targets[0]
    kBranch,    // value != 0 ? targets[0] : targets[1]
    kExit,      // leave with `exit`
    kExitNext,  // leave with `exit`, RIP = value
    kEnter,     // Function::dispatch alone: to the entry whose number the caller gave
    kDispatch,  // to entry number `exit`, or number `value` if there is one, by way of Function::dispatch
  };
  Kind kind = Kind::kExit;
  Value value = kNoValue;
  BlockId targets[2] = {kNoBlock, kNoBlock};
  u32 exit = 0;

  unsigned target_count() const { return kind == Kind::kJump ? 1 : kind == Kind::kBranch ? 2 : 0; }
};

struct IrBlock {
  std::vector<Node> nodes;
  Terminator end;
};

struct Function {
  std::vector<IrBlock> blocks;
  // Where the function can be entered; [0] without a dispatch block. Behind those that the runtime knows come
  // those that only kDispatch uses.
  std::vector<BlockId> entries{0};
  BlockId dispatch = kNoBlock;  // ends in kEnter
  Type word = Type::kI64;       // of general registers: I32 outside 64-bit mode
  bool wide_tags = true;        // linear addresses are compared with all 64 bits of a TLB tag
  bool uses_x87 = false;        // calls Callee::kX87Add or kX87Multiply
  bool code_has_base = false;   // linear address of code = RIP + CS base, 32 bits

  BlockId first_block() const { return dispatch != kNoBlock ? dispatch : entries[0]; }
  unsigned successor_count(BlockId block) const {
    switch (blocks[block].end.kind) {
      case Terminator::Kind::kEnter: return static_cast<unsigned>(entries.size());
      case Terminator::Kind::kDispatch: return 1;
      default: return blocks[block].end.target_count();
    }
  }
  BlockId successor(BlockId block, unsigned which) const {
    switch (blocks[block].end.kind) {
      case Terminator::Kind::kEnter: return entries[which];
      case Terminator::Kind::kDispatch: return dispatch;
      default: return blocks[block].end.targets[which];
    }
  }
  // Adds the dispatch block.
  void add_dispatch() {
    dispatch = static_cast<BlockId>(blocks.size());
    blocks.emplace_back().end.kind = Terminator::Kind::kEnter;
  }

  Type type_of(Var var) const {
    if (var >= kVarXmm && var < kVarTarget) return Type::kV128;
    if (is_x87(var) && var != kVarX87Dp) return var < kVarX87Exponent ? Type::kI64 : Type::kI32;
    return var == kVarFlagKind || var == kVarFlagC ? Type::kI32 : word;
  }
};

}  // namespace lapwing::jit
