#include "wasm_jit/runtime/helpers.h"

#include "core/cpu/cpu.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

u32 call_handler(CpuState* state, const Block* block, const Instruction* in) {
  // The view behind the state knows its CPU.
  Cpu& cpu = *reinterpret_cast<GeneratedView*>(state + 1)->cpu;
  cpu.set_executing(block);
  const u64 translations = cpu.fetch_generation();
  if (!kGenericHandlers[static_cast<u16>(in->op)](cpu, *in)) return 0;
  if (!asks_for_run_loop(in[1])) return 1;
  state->rip = cpu.next_rip(*in);
  const bool same = cpu.packed_mode() == block->mode && cpu.fetch_generation() == translations;
  return same && cpu.goes_on() ? 1 : 2;
}

}  // namespace lapwing
