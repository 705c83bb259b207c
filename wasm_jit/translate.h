// The translator's face: decoded blocks of one region in, one WebAssembly function out. It knows no cache, no
// hotness and no host; wasm_jit/runtime chooses regions, collects functions into modules and runs them.
//
// A generated function has the type (param $cpu i32) (result i32): $cpu is the address of CpuState, the
// result an exit code (exit_code below). It is independent of the linear address at which its code is mapped:
// RIPs are the RIP at entry (CpuState::rip) plus constants. At every return the state in memory is exact:
// registers, flags and budget; RIP as the kind of exit says.
//   - flags: lazily, in GeneratedView (lazy_flags.h); whoever goes on with the interpreter settles them.
//   - budget: at each block's entry the block's instruction count is subtracted from state.budget; leave with
//     kBudget when the result is negative. Nothing is given back: after kBudget and kInterpret the runtime
//     adds what has not retired (the block's count less the exit's instruction number).
//   - memory: a load or store that misses the TLB (or is not plain RAM) leaves with kInterpret; the
//   instruction has had no
//     effect.
//   - an edge to another page leaves with kEdge unless the fetch TLB holds the target page where the region
//   was built
//     (its tag is the page of code_base + RIP, its physical the page of the target block's `physical`). A
//     block whose instruction lies in two pages (Block::second_page) begins with such a check of the second
//     one, and leaves with kNext.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/cpu/block_cache.h"
#include "core/types.h"
#include "wasm_jit/state_layout.h"

namespace lapwing {

// kBudget, kInterpret, kInterrupted, kEdge and kSpan name a place in the region by block and instruction
// number and RIP in memory then means nothing: the runtime computes it from RIP at entry. The others store
// RIP.
enum class GeneratedExit : u32 {
  kNext,         // RIP in memory is the next instruction: go on with whatever is there
  kBudget,       // the budget is too small for block `block` (instruction 0)
  kInterpret,    // this instruction needs the interpreter (slow access, fault, untranslated); then go on
  kInterrupted,  // the handler of this instruction, called from generated code, returned false
  kLeave,        // RIP in memory: an instruction that asks for the run loop has retired
  kEdge,  // block `block` is done and its static successor lies elsewhere: instruction 0 = the fall-through
          // (also the end of a block without a branch, and of a call nothing else), 1 = the branch target
  kSpan,  // as kInterpret: a check for several accesses failed, from GeneratedView::span_address on
};

// The function's result: bits 3:0 kind, 15:4 number of the instruction in its block, 31:16 number of the
// block in RegionSource::blocks.
constexpr u32 exit_code(GeneratedExit kind, u32 block = 0, u32 instruction = 0) {
  return static_cast<u32>(kind) | instruction << 4 | block << 16;
}

// One block of the region. Instructions and Block stay at their addresses for the region's life.
struct RegionBlock {
  const Block* block = nullptr;
  i64 rip_delta = 0;  // RIP of its first instruction minus RIP at the region's entry
  // Where its indirect jump, call or return has gone, most often first: numbers of blocks. The first `likely`
  // ones are most of it.
  std::span<const u16> targets{};
  u16 likely = 0;
  bool separate = false;  // each access checks for itself (passes/merge_accesses.cpp)
};

// What generated code looks up to go on with a block by its RIP minus RIP at entry.
struct DispatchEntry {
  i64 delta = 0;
  u32 number = 0;  // among Function::entries
};
static_assert(sizeof(DispatchEntry) == 16 && offsetof(DispatchEntry, number) == 8);

constexpr u16 kFirstBlock[] = {0};

struct RegionSource {
  std::span<const RegionBlock> blocks;
  // Where the function can be entered: numbers of blocks, the first is 0. The caller puts the place in this
  // list into GeneratedView::region_entry, and into RIP that of block 0.
  std::span<const u16> entries = kFirstBlock;
  // Filled by translate(), with a power of two of entries: read by the function as long as it lives. nullptr:
  // few targets of an indirect jump are compared, no more.
  std::vector<DispatchEntry>* dispatch = nullptr;
  ModeKey mode{};
  bool long_mode = false;  // EFER.LMA: linear addresses of 32-bit code share the TLB with 64-bit ones
  bool has_tzcnt = false;  // the CPU model has BMI1 ...
  bool has_lzcnt = false;  // ... and LZCNT; without them these encodings are BSF and BSR
};

// Generated 64-bit code may only be entered further from the ends of the canonical halves (2^47 and -2^47)
// than this; direct jumps within a quarter of it around block 0 are not checked.
constexpr u64 kBoundaryReach = 64u << 20;
constexpr bool is_near_boundary(u64 rip, u64 reach = kBoundaryReach) {
  return (rip << 16) - (1ull << 63) + (reach << 16) < reach << 17;
}

// Whether a region can go on behind an instruction, be it one that asks for the run loop.
bool goes_on_behind(const Instruction& in);

class ModuleBuilder;
struct Listing;

// Appends the region's function to `module`, and what it became to `listing`. False: it cannot be translated
// (and nothing was appended).
bool translate(const RegionSource& source, ModuleBuilder& module, Listing* listing = nullptr);

}  // namespace lapwing
