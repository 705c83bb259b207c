// What generated code calls in the engine. web/engine exports each under "lwj_" and its name; the host passes
// them to generated modules as imports "e" "name".
#pragma once

#include "core/cpu/block_cache.h"
#include "core/types.h"
#include "wasm_jit/lazy_flags.h"

namespace lapwing {

// Runs the handler of `in`, an instruction of `block` (both a region's copies): registers, flags and budget
// are in memory, the whole block is charged, gpr[kRipSlot] is its RIP. 0: interrupted, see
// GeneratedExit::kInterrupted. 1: the region goes on. 2: the instruction asks for the run loop, which has
// something to do, or it changed the mode; RIP is behind it.
u32 call_handler(CpuState* state, const Block* block, const Instruction* in);

}  // namespace lapwing
