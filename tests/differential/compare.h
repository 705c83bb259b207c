// Compares how a sequence ended on the host and in the interpreter, and prints sequences.
#pragma once

#include "tests/differential/layout.h"

namespace lapwing::differential {

// Empty when equal, else one line per difference. Not strict: only vector, RIP and general registers.
std::string compare(const Sequence& sequence, const Outcome& host, const Memory& host_memory,
                    const Outcome& guest, const Memory& guest_memory, bool strict);
// Registers and instructions.
std::string describe(const Sequence& sequence);
std::string last_mnemonic(const Sequence& sequence);

}  // namespace lapwing::differential
