#include <algorithm>
#include <utility>

#include "wasm_jit/passes/passes.h"

namespace lapwing::jit {

namespace {

// Reachable blocks in reverse postorder, and their dominators (Cooper, Harvey, Kennedy: "A Simple, Fast
// Dominance Algorithm").
class Graph {
 public:
  explicit Graph(const Function& function) : function_(function) {
    const std::size_t count = function.blocks.size();
    number_.assign(count, kUnreached);
    dominator_.assign(count, kNoBlock);
    predecessors_.resize(count);
    order_blocks();
    find_dominators();
  }
  const std::vector<BlockId>& order() const { return order_; }
  const std::vector<BlockId>& predecessors(BlockId block) const { return predecessors_[block]; }
  BlockId dominator(BlockId block) const { return dominator_[block]; }
  bool is_backward(BlockId from, BlockId to) const { return number_[to] <= number_[from]; }
  bool dominates(BlockId above, BlockId below) const {
    while (number_[below] > number_[above]) below = dominator_[below];
    return below == above;
  }

 private:
  static constexpr u32 kUnreached = 0xFFFFFFFF;

  // Depth first; the first target is visited last, so that it follows directly in the order.
  void order_blocks() {
    std::vector<bool> seen(function_.blocks.size(), false);
    struct Frame {
      BlockId block;
      unsigned next;
    };
    std::vector<Frame> stack{{function_.first_block(), 0}};
    seen[function_.first_block()] = true;
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const unsigned count = function_.successor_count(frame.block);
      if (frame.next == count) {
        order_.push_back(frame.block);
        stack.pop_back();
        continue;
      }
      const BlockId target = function_.successor(frame.block, count - 1 - frame.next++);
      predecessors_[target].push_back(frame.block);
      if (!seen[target]) {
        seen[target] = true;
        stack.push_back({target, 0});
      }
    }
    std::reverse(order_.begin(), order_.end());
    for (u32 i = 0; i < order_.size(); ++i) number_[order_[i]] = i;
  }

  BlockId common(BlockId a, BlockId b) const {
    while (a != b) {
      while (number_[a] > number_[b]) a = dominator_[a];
      while (number_[b] > number_[a]) b = dominator_[b];
    }
    return a;
  }

  void find_dominators() {
    const BlockId first = function_.first_block();
    dominator_[first] = first;
    for (bool changed = true; changed;) {
      changed = false;
      for (const BlockId block : order_) {
        if (block == first) continue;
        BlockId found = kNoBlock;
        for (const BlockId from : predecessors_[block]) {
          if (dominator_[from] == kNoBlock) continue;
          found = found == kNoBlock ? from : common(from, found);
        }
        if (found == dominator_[block]) continue;
        dominator_[block] = found;
        changed = true;
      }
    }
  }

  const Function& function_;
  std::vector<BlockId> order_;
  std::vector<u32> number_;
  std::vector<BlockId> dominator_;
  std::vector<std::vector<BlockId>> predecessors_;
};

// Edges into the middle of loops become jumps to the dispatch block. True when there were any.
bool redirect_irreducible_edges(Function& function, const Graph& graph) {
  std::vector<std::pair<BlockId, BlockId>> made;  // target, its kDispatch block
  const auto jump_to = [&](BlockId target) {
    for (const auto& [known, block] : made) {
      if (known == target) return block;
    }
    auto entry = std::find(function.entries.begin(), function.entries.end(), target);
    if (entry == function.entries.end()) entry = function.entries.insert(entry, target);
    const auto block = static_cast<BlockId>(function.blocks.size());
    Terminator& end = function.blocks.emplace_back().end;
    end.kind = Terminator::Kind::kDispatch;
    end.exit = static_cast<u32>(entry - function.entries.begin());
    made.emplace_back(target, block);
    return block;
  };
  for (const BlockId block : graph.order()) {
    for (unsigned i = 0; i < function.blocks[block].end.target_count(); ++i) {
      const BlockId target = function.blocks[block].end.targets[i];
      if (!graph.is_backward(block, target) || graph.dominates(target, block)) continue;
      const BlockId jump = jump_to(target);
      function.blocks[block].end.targets[i] = jump;
    }
  }
  if (!made.empty() && function.dispatch == kNoBlock) function.add_dispatch();
  return !made.empty();
}

class Structurer {
 public:
  Structurer(const Function& function, const Graph& graph) : function_(function), graph_(graph) {
    children_.resize(function.blocks.size());
    is_entry_.resize(function.blocks.size(), false);
    if (function.dispatch != kNoBlock) {
      for (const BlockId block : function.entries) is_entry_[block] = true;
    }
    for (const BlockId block : graph.order()) {
      if (block != function.first_block()) children_[graph.dominator(block)].push_back(block);
    }
  }
  std::vector<Step> run() {
    tree(function_.first_block());
    return std::move(steps_);
  }

 private:
  // What encloses the code being made; a branch finds its depth here.
  struct Label {
    BlockId block;  // kNoBlock: an if
    bool loop;
  };

  void open(Step::Kind kind, BlockId block, Label label) {
    steps_.push_back({.kind = kind, .block = block, .depths = {}});
    labels_.push_back(label);
  }
  void close() {
    steps_.push_back({.kind = Step::Kind::kEnd, .depths = {}});
    labels_.pop_back();
  }

  bool is_merge(BlockId block) const {
    unsigned forward = 0;
    if (is_entry_[block]) return true;
    for (const BlockId from : graph_.predecessors(block)) forward += graph_.is_backward(from, block) ? 0 : 1;
    return forward > 1;
  }
  bool is_loop(BlockId block) const {
    for (const BlockId from : graph_.predecessors(block)) {
      if (graph_.is_backward(from, block)) return true;
    }
    return false;
  }

  // A block with everything it dominates.
  void tree(BlockId block) {
    std::vector<BlockId> merges;
    for (const BlockId child : children_[block]) {
      if (is_merge(child)) merges.push_back(child);
    }
    // The last in order is outermost, so that earlier ones can branch to it.
    const bool loop = is_loop(block);
    if (loop) open(Step::Kind::kLoop, block, {block, true});
    for (auto merge = merges.rbegin(); merge != merges.rend(); ++merge) {
      open(Step::Kind::kBlock, *merge, {*merge, false});
    }
    body(block);
    for (const BlockId merge : merges) {
      close();
      tree(merge);
    }
    if (loop) close();
  }

  u32 depth_of(BlockId target, bool loop) const {
    for (std::size_t i = labels_.size(); i-- > 0;) {
      if (labels_[i].block == target && labels_[i].loop == loop)
        return static_cast<u32>(labels_.size() - 1 - i);
    }
    return 0;
  }

  bool is_branch(BlockId from, BlockId to) const { return graph_.is_backward(from, to) || is_merge(to); }

  void go(BlockId from, BlockId to) {
    if (!is_branch(from, to)) return tree(to);
    steps_.push_back(
        {.kind = Step::Kind::kBranch, .depth = depth_of(to, graph_.is_backward(from, to)), .depths = {}});
  }

  void body(BlockId block) {
    steps_.push_back({.kind = Step::Kind::kBody, .block = block, .depths = {}});
    const Terminator& end = function_.blocks[block].end;
    switch (end.kind) {
      case Terminator::Kind::kExit:
      case Terminator::Kind::kExitNext:
        steps_.push_back({.kind = Step::Kind::kExit, .block = block, .depths = {}});
        break;
      case Terminator::Kind::kJump: go(block, end.targets[0]); break;
      case Terminator::Kind::kBranch: branch(block, end); break;
      case Terminator::Kind::kEnter: enter(block); break;
      case Terminator::Kind::kDispatch:
        steps_.push_back({.kind = Step::Kind::kDispatch,
                          .block = block,
                          .depth = depth_of(function_.dispatch, true),
                          .entry = end.exit,
                          .depths = {}});
        break;
    }
  }

  void enter(BlockId block) {
    Step step{.kind = Step::Kind::kEnter, .block = block, .depths = {}};
    for (const BlockId entry : function_.entries) step.depths.push_back(depth_of(entry, false));
    steps_.push_back(std::move(step));
  }

  void branch(BlockId block, const Terminator& end) {
    for (unsigned i = 0; i < 2; ++i) {
      const BlockId target = end.targets[i];
      if (!is_branch(block, target)) continue;
      const Step::Kind kind = i == 0 ? Step::Kind::kBranchIf : Step::Kind::kBranchUnless;
      const u32 depth = depth_of(target, graph_.is_backward(block, target));
      steps_.push_back({.kind = kind, .block = block, .depth = depth, .depths = {}});
      return go(block, end.targets[1 - i]);
    }
    open(Step::Kind::kIf, block, {kNoBlock, false});
    go(block, end.targets[0]);
    close();
    go(block, end.targets[1]);
  }

  const Function& function_;
  const Graph& graph_;
  std::vector<std::vector<BlockId>> children_;
  std::vector<bool> is_entry_;  // reached by the dispatch block's table
  std::vector<Label> labels_;
  std::vector<Step> steps_;
};

}  // namespace

std::vector<Step> structure(Function& function) {
  for (;;) {
    const Graph graph(function);
    if (!redirect_irreducible_edges(function, graph)) return Structurer(function, graph).run();
  }
}

}  // namespace lapwing::jit
