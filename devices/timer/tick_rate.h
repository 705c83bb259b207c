// Exact conversion between virtual nanoseconds and ticks of a fixed frequency: no drift, no rounding that
// adds up.
#pragma once

#include "core/types.h"

namespace lapwing {

constexpr u64 kNsPerSecond = 1'000'000'000;

template <u64 hz>
struct TickRate {
  static_assert(hz > 0 && hz < kNsPerSecond);
  // Ticks completed at `ns`: floor(ns * hz / 10^9).
  static constexpr u64 ticks_at(u64 ns) {
    return ns / kNsPerSecond * hz + ns % kNsPerSecond * hz / kNsPerSecond;
  }
  // First nanosecond at which `tick` ticks are complete.
  static constexpr u64 ns_of(u64 tick) {
    return tick / hz * kNsPerSecond + (tick % hz * kNsPerSecond + hz - 1) / hz;
  }
};

}  // namespace lapwing
