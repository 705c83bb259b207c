// A decoded instruction: what the interpreter executes, the disassembler prints and the translator reads. 32
// bytes, independent of the linear address it was fetched from (targets are relative to the block).
#pragma once

#include "core/cpu/state.h"
#include "core/types.h"

namespace lapwing {

// Mnemonics, one per row of ops.inc.
enum class Op : u16 {
#define OP(name, ...) name,
#include "core/cpu/decode/ops.inc"
#undef OP
  kCount,
};

// Which operands there are and where they come from. M = ModRM r/m (register or memory), R = ModRM reg; the
// decoder maps accumulator and opcode-embedded registers to M as a register, so handlers see few shapes.
enum class Form : u8 {
  kNone,        // implicit operands only
  kM,           // rm
  kMR,          // rm <- rm op reg
  kRM,          // reg <- reg op rm
  kMI,          // rm op imm (also accumulator, imm)
  kRMI,         // reg, rm, imm
  kMRI,         // rm, reg, imm (SHLD imm)
  kMRC,         // rm, reg, CL
  kM1,          // rm, 1 (shift)
  kMC,          // rm, CL (shift)
  kI,           // imm
  kII,          // ENTER imm16, imm8: imm = imm16 | imm8 << 16
  kJ,           // relative branch: imm = target RIP - RIP of the block's first instruction (sign-extended 64)
  kRVM,         // reg <- vex op rm
  kRMV,         // reg <- rm op vex
  kVM,          // vex <- op rm
  kA,           // far pointer: imm = offset, disp = selector
  kMoffsLoad,   // accumulator <- [imm], a 64-bit address (one that fits in disp is decoded as kRM)
  kMoffsStore,  // [imm] <- accumulator
  kPortImm,     // IN/OUT with imm8 port
  kPortDx,      // IN/OUT with DX
};

// Prefix bits kept for handlers.
enum Prefix : u8 {
  kPrefixLock = 1 << 0,
  kPrefixRep = 1 << 1,     // F3
  kPrefixRepne = 1 << 2,   // F2
  kPrefixOpsize = 1 << 3,  // 66
  kPrefixRexW = 1 << 4,
  kPrefixRex = 1 << 5,
};

// rm holds this when the operand is memory.
constexpr u8 kMemory = 0xFF;

struct Instruction {
  u16 handler = 0;  // index in the interpreter's switch (HotOp, or the generic handler of op)
  Op op{};
  u16 offset = 0;  // of this instruction's first byte from the block's first byte
  u8 length = 0;
  u8 prefixes = 0;
  Form form = Form::kNone;
  u8 operand_size = 0;  // bytes: 1 2 4 8 (16 for whole XMM)
  u8 address_size = 0;  // bytes: 2 4 8
  u8 segment = kFlat;   // Seg of the memory operand, override applied, or kFlat / kFlatStack
  // General registers are byte offsets into CpuState::gpr (8n; 8n+1 for AH CH DH BH), others are register
  // numbers.
  u8 reg = 0;
  u8 rm = kMemory;
  u8 base = kZeroSlot;   // Gpr slot
  u8 index = kZeroSlot;  // Gpr slot
  u8 scale = 0;          // shift count 0-3
  u8 code_size = 0;      // bytes: 2 4 8: mode of the code segment
  u8 vex = 0;            // VEX.vvvv, as reg
  u8 opcode = 0;         // last opcode byte (condition code in bits 3:0 for Jcc/SETcc/CMOVcc)
  i32 disp = 0;
  u64 imm = 0;  // immediate, sign-extended to 64 bits where the manual extends it; x87: FOP

  constexpr bool rm_is_memory() const { return rm == kMemory; }
  constexpr unsigned condition() const { return opcode & 15; }
  // RIP of the following instruction relative to the block's start.
  u64 next_offset() const { return static_cast<u64>(offset) + length; }
};
static_assert(sizeof(Instruction) == 32);

// Attributes of an Op. Rules of single encodings (LOCK, 64-bit mode, memory only) are in opcode_tables.h.
enum OpAttribute : u16 {
  kAttrNone = 0,
  kAttrBranch = 1 << 0,    // sets RIP itself; last in its block
  kAttrLeave = 1 << 1,     // last in its block, then the run loop looks for events (STI, OUT, MOV CR, HLT...)
  kAttrEndBlock = 1 << 2,  // last in its block (state that decoding depends on may have changed)
  kAttrRepBranch = 1 << 3,   // kAttrBranch when a REP prefix is present
  kAttrFlagsMaybe = 1 << 4,  // may leave the status flags that it "writes" as they were
};

}  // namespace lapwing
