#include "wasm_jit/runtime/code_cache.h"

#include <algorithm>

namespace lapwing {

namespace {

constexpr u32 kTableGrowth = 1024;

}  // namespace

std::vector<u64> CodeCache::pages_of(const Region& region) {
  std::vector<u64> pages;
  for (const Block& block : region.copies) {
    const u64 page = block.physical & ~kPageMask;
    if (std::find(pages.begin(), pages.end(), page) == pages.end()) pages.push_back(page);
  }
  return pages;
}

Region& CodeCache::add(std::unique_ptr<Region> region) {
  Region& added = *region;
  for (const u64 page : pages_of(added)) by_page_[page].push_back(&added);
  regions_.emplace(&added, std::move(region));
  ++live_regions_;
  copied_instructions_ += added.instructions;
  return added;
}

void CodeCache::installed(std::span<Region* const> regions, std::span<const u32> slots, u32 bytes) {
  Module& module = modules_[next_module_];
  module.bytes = bytes;
  live_bytes_ += bytes;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    Region& region = *regions[i];
    region.slot = slots[i];
    region.module = next_module_;
    module.regions.push_back(&region);
    ++module.alive;
    BlockCache::set_region(*region.entry, &region);
  }
  ++next_module_;
}

void CodeCache::remove_from_page(u64 page, const Region& region) {
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return;
  std::erase(found->second, &region);
  if (found->second.empty()) by_page_.erase(found);
}

void CodeCache::drop(Region& region) {
  if (region.dead) return;
  region.dead = true;
  if (region.entry->region == &region) BlockCache::set_region(*region.entry, nullptr);
  region.entry->heat = region.threshold;
  for (const u64 page : pages_of(region)) remove_from_page(page, region);
  --live_regions_;
  copied_instructions_ -= region.instructions;
  if (region.slot != 0) {
    dropped_slots_.push_back(region.slot);
    Module& module = modules_[region.module];
    std::erase(module.regions, &region);
    if (--module.alive == 0) {
      live_bytes_ -= module.bytes;
      modules_.erase(region.module);
    }
  }
  const auto owned = regions_.find(&region);
  dropped_.push_back(std::move(owned->second));
  regions_.erase(owned);
}

u32 CodeCache::invalidate(u64 begin, u64 end) {
  const auto found = by_page_.find(begin & ~kPageMask);
  if (found == by_page_.end()) return 0;
  const std::vector<Region*> candidates = found->second;
  u32 count = 0;
  for (Region* region : candidates) {
    if (!region->overlaps(begin, end)) continue;
    drop(*region);
    ++count;
  }
  return count;
}

void CodeCache::flush() {
  while (!regions_.empty()) drop(*regions_.begin()->first);
}

u32 CodeCache::evict_oldest() {
  while (oldest_module_ < next_module_ && !modules_.contains(oldest_module_)) ++oldest_module_;
  const auto oldest = modules_.find(oldest_module_);
  if (oldest == modules_.end()) return 0;
  const std::vector<Region*> regions = oldest->second.regions;
  for (Region* region : regions) drop(*region);
  return static_cast<u32>(regions.size());
}

void CodeCache::collect() {
  if (!dropped_slots_.empty()) {
    host_.release(dropped_slots_);
    return_slots(dropped_slots_);
    dropped_slots_.clear();
  }
  dropped_.clear();
}

std::vector<u32> CodeCache::take_slots(u32 count) {
  if (free_slots_.size() < count) {
    const u32 grown = std::max(count, kTableGrowth);
    const u32 first = host_.grow_table(grown);
    if (first == 0) return {};
    for (u32 i = grown; i-- > 0;) free_slots_.push_back(first + i);
  }
  std::vector<u32> slots;
  for (u32 i = 0; i < count; ++i) {
    slots.push_back(free_slots_.back());
    free_slots_.pop_back();
  }
  return slots;
}

void CodeCache::return_slots(std::span<const u32> slots) {
  free_slots_.insert(free_slots_.end(), slots.rbegin(), slots.rend());
}

}  // namespace lapwing
