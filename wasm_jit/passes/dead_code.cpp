#include "wasm_jit/passes/passes.h"

namespace lapwing::jit {

void remove_dead_code(Function& function) {
  std::vector<bool> used;
  for (IrBlock& block : function.blocks) {
    used.assign(block.nodes.size(), false);
    if (block.end.value != kNoValue) used[block.end.value] = true;
    for (std::size_t i = block.nodes.size(); i-- > 0;) {
      Node& node = block.nodes[i];
      const Effect effect = node.effect();
      if (!used[i] && (effect == Effect::kPure || effect == Effect::kRead)) {
        node = Node{};
        continue;
      }
      for (unsigned a = 0; a < node.argument_count; ++a) used[node.arguments[a]] = true;
    }
  }
}

}  // namespace lapwing::jit
