#include "core/cpu/debug.h"

namespace lapwing {

u64 matching_breakpoints(const CpuState& s, u64 address, unsigned size, unsigned kinds, bool enabled_only) {
  // LEN field: 1, 2, 8 and 4 bytes.
  constexpr unsigned kLengths[4] = {1, 2, 8, 4};
  u64 matches = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const u64 control = s.dr[7] >> (16 + 4 * i);
    if (((kinds >> (control & 3)) & 1) == 0) continue;
    const bool enabled = ((s.dr[7] >> (2 * i)) & 3) != 0;
    if (enabled_only && !enabled) continue;
    const unsigned length = kLengths[(control >> 2) & 3];
    const u64 start = s.dr[i] & ~static_cast<u64>(length - 1);
    if (start < address + size && address < start + length) matches |= 1ull << i;
  }
  return matches;
}

}  // namespace lapwing
