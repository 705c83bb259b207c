#include "wasm_jit/passes/passes.h"

namespace lapwing::jit {

// Every block starts with an exit (its budget check), so all variables are live at each block's end.
void remove_dead_writes(Function& function) {
  constexpr u64 kAll = ~0ull;
  for (IrBlock& block : function.blocks) {
    u64 live = kAll;
    for (auto node = block.nodes.rbegin(); node != block.nodes.rend(); ++node) {
      const bool is_access = node->op == IrOp::kWriteVar || node->op == IrOp::kReadVar;
      const u64 bit = is_access ? 1ull << node->imm : 0;
      if (node->op == IrOp::kWriteVar) {
        if ((live & bit) == 0) *node = Node{};
        live &= ~bit;
      } else if (node->op == IrOp::kReadVar) {
        live |= bit;
      } else if (node->effect() == Effect::kExit || node->op == IrOp::kX87Spill) {
        live = kAll;
      }
    }
  }
}

}  // namespace lapwing::jit
