#include "core/cpu/fpu/wide_int.h"

namespace lapwing::wide {

namespace {

// value * factor for a factor of few bits, which __int128 would do by a call on WebAssembly.
__int128 multiply_small(u64 value, i64 factor) {
  const i64 high = static_cast<i64>(value >> 32) * factor;
  const i64 low = static_cast<i64>(value & 0xFFFFFFFF) * factor;
  return (static_cast<__int128>(high) << 32) + low;
}

}  // namespace

// An estimate by the host, off by some thousand (53 bits of 64), one step of Newton's iteration, and what
// that is off by at most one or two. Conversions between integers and numbers are signed, because those are
// one instruction.
SquareRoot square_root(u64 high, u64 low) {
  const double half = __builtin_sqrt(static_cast<double>(static_cast<i64>(high >> 1)) * 0x1p63);
  u64 root = half >= 0x1p63 ? ~u64{0} : static_cast<u64>(static_cast<i64>(half)) << 1;
  const U64Pair square = multiply(root, root);
  const auto error = static_cast<__int128>(join(high, low) - join(square.high, square.low));
  const double distance = static_cast<double>(static_cast<i64>(error >> 16)) * 0x1p16;
  auto step = static_cast<i64>(distance / (half * 4));
  if (step > 0 && static_cast<u64>(step) > ~root) step = static_cast<i64>(~root);
  // The radicand less the square of root + step.
  auto rest = error - multiply_small(root, step) * 2 - step * step;
  root += static_cast<u64>(step);
  while (rest < 0) {
    rest += static_cast<__int128>(root) * 2 - 1;
    --root;
  }
  while (rest > static_cast<__int128>(root) * 2) {
    rest -= static_cast<__int128>(root) * 2 + 1;
    ++root;
  }
  return {root, rest > static_cast<__int128>(root), rest == 0};
}

}  // namespace lapwing::wide
