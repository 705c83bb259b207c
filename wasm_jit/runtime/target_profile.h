// Where indirect jumps, calls and returns have gone, by the physical address of the block that they end: a
// sample of the exits of generated code.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "core/types.h"

namespace lapwing {

class TargetProfile {
 public:
  struct Target {
    i64 delta = 0;  // RIP there minus RIP of the block
    u32 count = 0;
  };
  void note(u64 physical, i64 delta);
  std::span<const Target> of(u64 physical) const;

 private:
  static constexpr std::size_t kMostSites = 8192;
  static constexpr std::size_t kMostTargets = 96;
  std::unordered_map<u64, std::vector<Target>> sites_;
};

}  // namespace lapwing
