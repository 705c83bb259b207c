// Instruction -> text in Intel syntax ("mov eax, dword ptr [rbx+rcx*4+0x10]"), from the decoder's tables.
#pragma once

#include <string>

#include "core/cpu/decode/instruction.h"

namespace lapwing {

// `rip` is the address of the instruction itself, for branch targets and the note behind RIP-relative
// operands.
std::string disassemble(const Instruction& in, u64 rip);

}  // namespace lapwing
