// Facts about each Op, from ops.inc: mnemonic, attributes, status flags.
#pragma once

#include "core/cpu/decode/instruction.h"

namespace lapwing {

struct OpInfo {
  const char* mnemonic;  // with the variants described in ops.inc
  u16 attributes;
  u8 flags_read;     // StatusFlag set
  u8 flags_written;  // including those that become undefined
};

// Bits of OpInfo's flag sets.
enum StatusFlag : u8 {
  kStatusC = 1 << 0,
  kStatusP = 1 << 1,
  kStatusA = 1 << 2,
  kStatusZ = 1 << 3,
  kStatusS = 1 << 4,
  kStatusO = 1 << 5,
  kStatusAll = 0x3F,
};

namespace ops_inc {
constexpr u16 BRANCH = kAttrBranch, LEAVE = kAttrLeave, END = kAttrEndBlock, REP_BRANCH = kAttrRepBranch,
              MAYBE = kAttrFlagsMaybe;
constexpr u8 NONE = 0, ALL = kStatusAll, C = kStatusC, P = kStatusP, A = kStatusA, Z = kStatusZ, O = kStatusO,
             AC = A | C, CO = C | O, CZ = C | Z, CPZ = C | P | Z, NOT_C = ALL & ~C, NOT_O = ALL & ~O;
constexpr OpInfo kOps[] = {
#define OP(name, mnemonic, attributes, read, written) {mnemonic, attributes, read, written},
#include "core/cpu/decode/ops.inc"
#undef OP
};
}  // namespace ops_inc

constexpr const OpInfo& op_info(Op op) {
  return ops_inc::kOps[static_cast<u16>(op)];
}

// Flags that a condition code reads (SDM vol. 1, "EFLAGS Condition Codes").
constexpr u8 condition_flags(unsigned condition) {
  constexpr u8 kByPair[8] = {kStatusO,
                             kStatusC,
                             kStatusZ,
                             kStatusC | kStatusZ,
                             kStatusS,
                             kStatusP,
                             kStatusS | kStatusO,
                             kStatusZ | kStatusS | kStatusO};
  return kByPair[(condition >> 1) & 7];
}

constexpr u8 flags_read(const Instruction& in) {
  const bool conditional = in.op == Op::JCC || in.op == Op::SETCC || in.op == Op::CMOVCC;
  return conditional ? condition_flags(in.condition()) : op_info(in.op).flags_read;
}

// Whether the instruction writes RIP itself.
constexpr bool writes_rip(const Instruction& in) {
  const u16 attributes = op_info(in.op).attributes;
  if ((attributes & kAttrBranch) != 0) return true;
  return (attributes & kAttrRepBranch) != 0 && (in.prefixes & (kPrefixRep | kPrefixRepne)) != 0;
}

// Whether `in` must be the last of its block.
constexpr bool ends_block(const Instruction& in) {
  return (op_info(in.op).attributes & (kAttrLeave | kAttrEndBlock)) != 0 || writes_rip(in);
}

}  // namespace lapwing
