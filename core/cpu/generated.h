// What the CPU offers to an engine that runs generated code (wasm_jit), which core itself does not know: the
// few words beyond CpuState that generated functions read, and the calls with which the interpreter hands
// over.
#pragma once

#include <string>

#include "core/cpu/decode/instruction.h"
#include "core/memory/tlb.h"
#include "core/types.h"

namespace lapwing {

class Cpu;
struct Block;
struct Region;  // wasm_jit's

// Lies directly behind CpuState. Every field has a slot of 8 bytes, so that offsets do not depend on the size
// of a pointer. Kept true by Cpu::update_mode().
struct GeneratedView {
  alignas(8) TlbEntry* data_tlb = nullptr;  // of the current data mode; all absent under alignment checking
  alignas(8) FetchEntry* fetch_tlb = nullptr;  // of the current privilege
  alignas(8) u64 linear_mask = 0xFFFFFFFF;     // linear addresses are 32 bits wide outside 64-bit mode
  alignas(8) u64 code_base = 0;                // CS base, 0 in 64-bit mode: linear fetch address = base + RIP
  alignas(8) u32 simple_segments = 0;          // Cpu::simple_segments()
  alignas(8) u32 region_entry = 0;             // where the region is entered: its number among the entries
  alignas(8) Cpu* cpu = nullptr;               // whose state this is
  // Status flags as generated code left them (wasm_jit/lazy_flags.h). Kind 0, as everybody else sees it: they
  // are in CpuState.
  alignas(8) u32 flag_kind = 0;
  alignas(8) u64 flag_a = 0;
  alignas(8) u64 flag_b = 0;
  alignas(8) u64 flag_r = 0;
  alignas(8) u32 flag_c = 0;
  alignas(8) u64 span_address = 0;  // where the last check for several accesses began
  alignas(8) u32 x87_high = 0;      // second result of x87::compute()
};

// What the interpreter does when generated code has ended.
struct GeneratedEnd {
  enum class Then : u8 {
    kEnter,        // runs `block` from its start; RIP is there
    kResume,       // goes on at `in` in the middle of `block`, whose budget and RIP slot are charged and set
    kInterrupted,  // the handler of `in` in `block` (charged, as above) returned false
    kLeave,        // RIP is exact; the run loop looks for events
    kBudget,       // RIP is exact; the next block is longer than the budget
    kNoBlock,      // fetching the next block faulted, or its bytes cannot be cached
  };
  Then then;
  Block* block = nullptr;
  const Instruction* in = nullptr;
};

// The engine behind `accel=jit`.
class GeneratedCode {
 public:
  virtual ~GeneratedCode() = default;

  // Runs from `block`, which has a region and whose RIP is in CpuState.
  virtual GeneratedEnd run(Cpu& cpu, Block& block) = 0;
  // `block`, at whose start the CPU is, has been entered as often as the threshold says.
  virtual void hot(Cpu& cpu, Block& block) = 0;
  // Entries until hot() is called, for a block that was just decoded.
  virtual i32 threshold(u64 physical) const = 0;
  // Guest memory [begin, end), within one page, is about to change; the blocks there have been dropped.
  virtual void invalidate(u64 begin, u64 end) = 0;
  // All blocks are about to be dropped.
  virtual void flush() = 0;
  // A JSON object.
  virtual std::string statistics() const = 0;
};

}  // namespace lapwing
