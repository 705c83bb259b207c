// The inner loop: one switch over specialised operations (exec/hot.inc), running decoded blocks and following
// links between them until the budget ends, an instruction asks to leave, or one is interrupted.
#pragma once

#include "core/cpu/block_cache.h"
#include "core/cpu/cpu.h"

namespace lapwing {

class Interpreter {
 public:
  enum class End : u8 {
    kLeave,        // state.rip is exact; look for events
    kBudget,       // the next block is longer than the budget: state.rip is exact
    kInterrupted,  // Cpu::interruption() says why; handled already
    kNoBlock,      // fetching the next block faulted, or its bytes cannot be cached
  };
  // Runs from `block`, whose first instruction is at state.rip.
  static End run(Cpu& cpu, Block* block);
};

}  // namespace lapwing
