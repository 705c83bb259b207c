// The passes over a region's IR, in the order in which translate() runs them.
#pragma once

#include <vector>

#include "wasm_jit/ir/ir.h"

namespace lapwing {
struct RegionSource;
}

namespace lapwing::jit {

constexpr unsigned kMaxSpan = 512;  // longer ones would straddle pages too often
// One check for the accesses of a block that go by the same register: [register + least displacement, +
// greatest) must lie in one page that the TLB holds, writable if one of them writes. Leaves with kSpan
// otherwise.
void merge_accesses(Function& function, const RegionSource& source);
// Writes of variables that are overwritten before anything can see them: mostly flags.
void remove_dead_writes(Function& function);
// Values that nobody uses.
void remove_dead_code(Function& function);

// One step of structured control flow. Depths count the enclosing steps kBlock, kLoop and kIf, 0 = innermost.
struct Step {
  enum class Kind : u8 {
    kBlock,  // up to its kEnd; a branch to it goes behind the end
    kLoop,   // a branch to it goes to its start
    kIf,     // the terminator of `block`: taken when its value is not zero; up to its kEnd
    kEnd,
    kBody,      // the nodes of `block`
    kBranch,    // to the step at `depth`
    kBranchIf,  // by the value of `block`'s terminator
    kBranchUnless,
    kExit,      // the exit terminator of `block`
    kEnter,     // by the number of the entry: to the steps at `depths`
    kDispatch,  // makes `entry` the number, or the value of `block`'s terminator; then to the step at `depth`
  };
  Kind kind;
  BlockId block = kNoBlock;
  u32 depth = 0;
  u32 entry = 0;
  std::vector<u32> depths;
};

// The control flow graph as structured code, by the dominator tree (N. Ramsey, "Beyond Relooper", ICFP 2022).
// Edges into a loop other than through its header go by way of the dispatch block.
std::vector<Step> structure(Function& function);

}  // namespace lapwing::jit
