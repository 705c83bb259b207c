#include "wasm_jit/runtime/helpers.h"

#include "core/cpu/cpu.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

u32 call_handler(CpuState* state, const Block* block, const Instruction* in) {
  // The view behind the state knows its CPU.
  Cpu& cpu = *reinterpret_cast<GeneratedView*>(state + 1)->cpu;
  cpu.set_executing(block);
  return kGenericHandlers[static_cast<u16>(in->op)](cpu, *in) ? 1 : 0;
}

}  // namespace lapwing
