#include "core/cpu/fpu/wide_int.h"

namespace lapwing::wide {

// Digit by digit: `root` doubles each step and takes a bit when the remainder allows it.
SquareRoot square_root(u64 high, u64 low) {
  u128 radicand = join(high, low);
  u64 root = 0;
  u128 rest = 0;
  for (int step = 0; step < 64; ++step) {
    rest = (rest << 2) | (radicand >> 126);
    radicand <<= 2;
    const u128 trial = (static_cast<u128>(root) << 2) | 1;
    root <<= 1;
    if (rest >= trial) {
      rest -= trial;
      root |= 1;
    }
  }
  return {root, rest > root, rest == 0};
}

}  // namespace lapwing::wide
