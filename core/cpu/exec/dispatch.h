// Which case of the interpreter's switch runs an instruction.
#pragma once

#include "core/cpu/decode/instruction.h"

namespace lapwing {

enum class HotOp : u16 {
  // What closes a block: RIP falls through or was set by the branch before; then the next block, the same
  // unless the run loop is wanted (Cpu::goes_on), or the run loop.
  kEndFall,
  kEndBranch,
  kEndFallLook,
  kEndBranchLook,
  kEndFallLeave,
  kEndBranchLeave,
#define HOT(name, ...) name,
#define HOT_BRANCH(name, ...) name,
#include "core/cpu/exec/hot.inc"
#undef HOT
#undef HOT_BRANCH
  kFirstGeneric,  // + Op: the generic handler
};

constexpr u16 generic_handler(Op op) {
  return static_cast<u16>(static_cast<u16>(HotOp::kFirstGeneric) + static_cast<u16>(op));
}

// Instruction::handler of a decoded instruction.
u16 select_handler(const Instruction& in);

}  // namespace lapwing
