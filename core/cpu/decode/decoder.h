// Instruction bytes -> Instruction: prefixes, opcode maps, ModRM, SIB, displacement, immediate (SDM vol. 2,
// chapter 2 "Instruction Format" and appendix A "Opcode Map"), with the legality rules that need no CPU state
// (LOCK, 64-bit mode, memory or register only). Follows Intel where makers differ (near branches ignore 66 in
// 64-bit mode). Left to handlers: #UD in real and virtual-8086 mode (ARPL, LAR, LSL, SLDT.., VEX), missing
// CPUID features, CR and DR numbers by CR4.DE. Unsupported: EVEX, XOP, vector VEX (all decode as INVALID); a
// RIP-relative displacement so near +2 GiB that adding the position in the block overflows 32 bits wraps.
#pragma once

#include "core/cpu/decode/instruction.h"

namespace lapwing {

constexpr unsigned kMaxInstructionLength = 15;

struct DecodeMode {
  u8 code_size = 2;   // bytes: 2 4 8
  bool flat = false;  // ES, SS, DS: base 0, limit 4 GiB, writable. Always true for 64-bit code.
};

enum class DecodeResult : u8 {
  kOk,        // also for undefined encodings: Op::INVALID, and for over 15 bytes: Op::TOO_LONG
  kNeedMore,  // the instruction goes on behind the available bytes; `out` is meaningless
};

// Decodes one instruction from `bytes`, of which `available` can be read. `offset` is its distance from the
// first byte of its block: it goes into out.offset, RIP-relative displacements and branch targets.
DecodeResult decode(const u8* bytes, unsigned available, DecodeMode mode, u16 offset, Instruction& out);

}  // namespace lapwing
