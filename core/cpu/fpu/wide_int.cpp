#include "core/cpu/fpu/wide_int.h"

namespace lapwing::wide {

namespace {

// Estimates may be off by some thousand: 53 bits of 64.
u64 estimate_root(u64 high) {
  const double estimate = __builtin_sqrt(static_cast<double>(high)) * 0x1p32;
  return estimate >= 0x1p64 ? ~u64{0} : static_cast<u64>(estimate);
}

u128 square(u64 value) {
  const U64Pair product = multiply(value, value);
  return join(product.high, product.low);
}

}  // namespace

// An estimate, one step of Newton's iteration, and what that is off by at most one or two.
SquareRoot square_root(u64 high, u64 low) {
  const u128 radicand = join(high, low);
  u64 root = estimate_root(high);
  const u128 first = square(root);
  const bool too_small = first <= radicand;
  const u128 error = too_small ? radicand - first : first - radicand;
  const double twice = static_cast<double>(root) * 2;
  const double distance =
      static_cast<double>(high_half(error)) * 0x1p64 + static_cast<double>(low_half(error));
  const auto step = static_cast<u64>(distance / twice);
  root = too_small ? (step > ~root ? ~u64{0} : root + step) : root - step;
  u128 below = square(root);
  while (below > radicand) {
    below -= static_cast<u128>(root) * 2 - 1;
    --root;
  }
  while (radicand - below > static_cast<u128>(root) * 2) {
    below += static_cast<u128>(root) * 2 + 1;
    ++root;
  }
  const u128 rest = radicand - below;
  return {root, rest > root, rest == 0};
}

}  // namespace lapwing::wide
