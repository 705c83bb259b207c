// What the CPU offers to an engine that runs generated code (wasm_jit), which core itself does not know: the
// few words beyond CpuState that generated functions read, and the calls with which the interpreter hands
// over.
#pragma once

#include "core/cpu/decode/instruction.h"
#include "core/memory/tlb.h"
#include "core/types.h"

namespace lapwing {

// Lies directly behind CpuState. Every field has a slot of 8 bytes, so that offsets do not depend on the size
// of a pointer. Kept true by Cpu::update_mode().
struct GeneratedView {
  alignas(8) TlbEntry* data_tlb = nullptr;  // of the current data mode; all absent under alignment checking
  alignas(8) FetchEntry* fetch_tlb = nullptr;  // of the current privilege
  alignas(8) u64 linear_mask = 0xFFFFFFFF;     // linear addresses are 32 bits wide outside 64-bit mode
  alignas(8) u64 code_base = 0;                // CS base, 0 in 64-bit mode: linear fetch address = base + RIP
  alignas(8) u32 simple_segments = 0;          // Cpu::simple_segments()
};

}  // namespace lapwing
