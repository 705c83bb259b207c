#include "wasm_jit/runtime/target_profile.h"

#include <algorithm>

namespace lapwing {

void TargetProfile::note(u64 physical, i64 delta) {
  if (sites_.size() >= kMostSites) sites_.clear();
  std::vector<Target>& targets = sites_[physical];
  const auto known = std::find_if(targets.begin(), targets.end(),
                                  [delta](const Target& target) { return target.delta == delta; });
  if (known != targets.end()) {
    ++known->count;
  } else if (targets.size() < kMostTargets) {
    targets.push_back({delta, 1});
  }
}

std::span<const TargetProfile::Target> TargetProfile::of(u64 physical) const {
  const auto found = sites_.find(physical);
  if (found == sites_.end()) return {};
  return found->second;
}

}  // namespace lapwing
