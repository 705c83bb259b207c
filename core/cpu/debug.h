// Debug registers: which breakpoints match. SDM vol. 3, "Debug Registers".
#pragma once

#include "core/cpu/state.h"

namespace lapwing {

namespace dr6 {
constexpr u64 kBd = 1u << 13, kBs = 1u << 14, kBt = 1u << 15;
constexpr u64 kBreakpoints = 0xF;
}  // namespace dr6
namespace dr7 {
constexpr u64 kEnables = 0xFF;
constexpr u64 kGd = 1u << 13;
}  // namespace dr7

namespace debugctl {
constexpr u64 kBtf = 1u << 1;
}

enum class BreakOn : u8 { kExecute = 0, kWrite = 1, kIo = 2, kReadWrite = 3 };

// Breakpoints 0-3 whose condition is in `kinds` (bit n = BreakOn n) and whose range overlaps [address,
// address + size), as DR6 bits 3:0. Disabled ones match too (DR6 reports them) unless `enabled_only`.
u64 matching_breakpoints(const CpuState& s, u64 address, unsigned size, unsigned kinds, bool enabled_only);

inline bool breakpoints_enabled(const CpuState& s) {
  return (s.dr[7] & dr7::kEnables) != 0;
}

constexpr unsigned kind_bit(BreakOn kind) {
  return 1u << static_cast<unsigned>(kind);
}

}  // namespace lapwing
