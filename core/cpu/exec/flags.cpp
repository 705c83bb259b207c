#include "core/cpu/exec/flags.h"

namespace lapwing {

bool condition_holds(const CpuState& s, unsigned code) {
  bool holds = false;
  switch ((code >> 1) & 7) {
    case 0: holds = flag_of(s); break;
    case 1: holds = flag_cf(s); break;
    case 2: holds = flag_zf(s); break;
    case 3: holds = flag_cf(s) || flag_zf(s); break;
    case 4: holds = flag_sf(s); break;
    case 5: holds = flag_pf(s); break;
    case 6: holds = flag_sf(s) != flag_of(s); break;
    default: holds = flag_zf(s) || flag_sf(s) != flag_of(s); break;
  }
  return holds != bit_of(code, 0);
}

}  // namespace lapwing
