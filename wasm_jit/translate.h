// The translator's face: decoded blocks of one region in, one WebAssembly function out. It knows no cache, no hotness and
// no host; wasm_jit/runtime chooses regions, collects functions into modules and runs them.
//
// A generated function has the type (param $cpu i32) (result i32): $cpu is the address of CpuState, the result a
// GeneratedExit. It is independent of the linear address at which its code is mapped: RIPs are the RIP at entry
// (CpuState::rip) plus constants. At every return the state in memory is exact: registers, flags, RIP and budget.
//   - budget: at each block's entry, when state.budget < the block's instruction count, leave with kBudget and RIP at the
//     block; else subtract it. An exit in the middle of a block gives back what has not retired.
//   - memory: a load or store that misses the TLB (or is not plain RAM) leaves with kInterpret, RIP at the instruction, which
//     has had no effect.
//   - an edge to another page leaves with kNext unless the fetch TLB holds the target page where the region was built.
#pragma once

#include <span>
#include <vector>

#include "core/cpu/block_cache.h"
#include "core/types.h"

namespace lapwing {

enum class GeneratedExit : u32 {
  kNext,         // RIP is at the next instruction, nothing special: go on with whatever is there
  kBudget,       // the next block is longer than the budget
  kInterpret,    // the instruction at RIP needs the interpreter (slow access, fault, untranslated); then go on
  kInterrupted,  // a handler called from generated code returned false: see GeneratedView::interrupted
  kLeave,        // an instruction that asks for the run loop has retired
};

// Where the state that generated code touches lies: byte offsets from $cpu. Filled by the runtime from the real types.
struct StateLayout;

// One block of the region. Instructions and Block stay at their addresses for the region's life.
struct RegionBlock {
  const Block* block = nullptr;
  i64 rip_delta = 0;  // RIP of its first instruction minus RIP at the region's entry
};

struct RegionSource {
  std::span<const RegionBlock> blocks;  // [0] is the only entry
  ModeKey mode{};
  bool long_mode = false;  // EFER.LMA: linear addresses of 32-bit code share the TLB with 64-bit ones
};

}  // namespace lapwing
