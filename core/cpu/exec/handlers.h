// The generic handlers: one function per row of ops.inc, each good for every form and size of its
// instruction. True = completed; false = interrupted with nothing changed (a fault was raised, or slow mode
// is needed).
#pragma once

#include "core/cpu/decode/instruction.h"

namespace lapwing {

class Cpu;

#define OP(name, ...) bool exec_##name(Cpu& cpu, const Instruction& in);
#include "core/cpu/decode/ops.inc"
#undef OP

using Handler = bool (*)(Cpu&, const Instruction&);

// Indexed by Op.
extern const Handler kGenericHandlers[static_cast<unsigned>(Op::kCount)];

}  // namespace lapwing
