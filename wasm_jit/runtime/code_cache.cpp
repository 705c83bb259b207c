#include "wasm_jit/runtime/code_cache.h"

#include <algorithm>
#include <cstring>

namespace lapwing {

namespace {

constexpr u32 kTableGrowth = 1024;

}  // namespace

std::vector<u64> CodeCache::pages_of(const Region& region) {
  std::vector<u64> pages;
  const auto add = [&pages](u64 page) {
    if (std::find(pages.begin(), pages.end(), page) == pages.end()) pages.push_back(page);
  };
  for (const Block& block : region.copies) {
    add(block.physical & ~kPageMask);
    if (block.second_page != kNoSecondPage) add(block.second_page);
  }
  return pages;
}

void CodeCache::watch(Region& region) {
  for (const u64 page : pages_of(region)) by_page_[page].push_back(&region);
}

Region& CodeCache::add(std::unique_ptr<Region> region) {
  Region& added = *region;
  watch(added);
  regions_.emplace(&added, std::move(region));
  ++live_regions_;
  copied_instructions_ += added.instructions;
  return added;
}

// Lets the cache's blocks run the region, each from its place. Those that run another one already go on so
// unless it is less grown or part of the region; block 0 always runs the region.
void CodeCache::attach(Region& region, const BlockCache& blocks) {
  for (u16 i = 0; i < region.entries.size(); ++i) {
    const Block& copy = region.entry_copy(i);
    Block* block = blocks.find(copy.physical, copy.mode);
    if (block == nullptr || block->second_page != copy.second_page) continue;
    const Region* old = block->region;
    if (i > 0 && old != nullptr && old->generation >= region.generation && !region.contains(*old)) continue;
    region.entry_blocks[i] = block;
    BlockCache::set_region(*block, &region,
                           {.delta = region.entry_deltas[i], .slot = region.slot, .number = i});
  }
}

void CodeCache::installed(std::span<Region* const> regions, std::span<const u32> slots, u32 bytes,
                          const BlockCache& blocks) {
  Module& module = modules_[next_module_];
  module.bytes = bytes;
  live_bytes_ += bytes;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    Region& region = *regions[i];
    if (region.slot != 0) leave_module(region);
    region.slot = slots[i];
    region.module = next_module_;
    module.regions.push_back(&region);
    ++module.alive;
    attach(region, blocks);
  }
  ++next_module_;
}

void CodeCache::remove_from_page(u64 page, const Region& region) {
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return;
  std::erase(found->second, &region);
  if (found->second.empty()) by_page_.erase(found);
}

// Takes a region away from the block that enters it and from the pages that are watched for it.
void CodeCache::forget_place(Region& region) {
  if (region.detached) {
    for (std::size_t i = 0; i < region.entries.size(); ++i) {
      const auto found = detached_.find(region.entry_copy(i).physical);
      if (found == detached_.end()) continue;
      std::erase(found->second, &region);
      if (found->second.empty()) detached_.erase(found);
    }
    return;
  }
  for (Block*& block : region.entry_blocks) {
    if (block != nullptr && block->region == &region) {
      BlockCache::set_region(*block, nullptr);
      block->heat = region.threshold;
    }
    block = nullptr;
  }
  for (const u64 page : pages_of(region)) remove_from_page(page, region);
}

void CodeCache::detach_all() {
  std::vector<Region*> all;
  for (const auto& [region, owner] : regions_) {
    if (!region->detached) all.push_back(region);
  }
  for (Region* region : all) {
    if (region->slot == 0) {
      drop(*region);
      continue;
    }
    forget_place(*region);
    region->detached = true;
    for (Region::Successor& successor : region->successors) successor.block = nullptr;
    for (std::size_t i = 0; i < region->entries.size(); ++i)
      detached_[region->entry_copy(i).physical].push_back(region);
  }
}

bool CodeCache::is_unchanged(const Region& region, BlockCache& blocks) {
  return std::all_of(region.copies.begin(), region.copies.end(), [&](const Block& copy) {
    const Block* block = blocks.find(copy.physical, copy.mode);
    if (block == nullptr) block = blocks.build(copy.physical, region.mode, copy.second_page);
    return block != nullptr && block->second_page == copy.second_page && block->count == copy.count &&
           std::memcmp(block->first, copy.first, copy.count * sizeof(Instruction)) == 0;
  });
}

bool CodeCache::reattach(Block& entry, BlockCache& blocks) {
  const auto found = detached_.find(entry.physical);
  if (found == detached_.end()) return false;
  const auto fits = [&entry](const Region* region) { return region->mode.packed() == entry.mode; };
  const auto place = std::find_if(found->second.begin(), found->second.end(), fits);
  if (place == found->second.end()) return false;
  Region& region = **place;
  const u64 flushes = blocks.flushes();
  const bool unchanged = is_unchanged(region, blocks);
  if (flushes != blocks.flushes()) return false;  // `entry` is gone
  if (!unchanged) {
    drop(region);
    return false;
  }
  forget_place(region);
  region.detached = false;
  watch(region);
  attach(region, blocks);
  return true;
}

// A small region one of whose blocks is `block`, and which.
Region* CodeCache::find_inside(const Block& block, u16& number) const {
  const auto found = by_page_.find(block.physical & ~kPageMask);
  if (found == by_page_.end()) return nullptr;
  for (Region* region : found->second) {
    if (region->generation > 0 || region->mode.packed() != block.mode) continue;
    for (std::size_t i = 1; i < region->copies.size(); ++i) {
      number = static_cast<u16>(i);
      const bool is_place = region->copies[i].physical == block.physical;
      if (is_place && (region->waiting || !region->has_entry(number))) return region;
    }
  }
  return nullptr;
}

void CodeCache::leave_module(Region& region) {
  Module& module = modules_[region.module];
  std::erase(module.regions, &region);
  if (--module.alive > 0) return;
  live_bytes_ -= module.bytes;
  modules_.erase(region.module);
}

void CodeCache::drop(Region& region) {
  if (region.dead) return;
  region.dead = true;
  forget_place(region);
  --live_regions_;
  copied_instructions_ -= region.instructions;
  if (region.slot != 0) {
    dropped_slots_.push_back(region.slot);
    leave_module(region);
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

std::vector<u32> CodeCache::take_slots(std::span<Region* const> regions) {
  const auto has_none = [](const Region* region) { return region->slot == 0; };
  const auto count = static_cast<u32>(std::count_if(regions.begin(), regions.end(), has_none));
  if (free_slots_.size() < count) {
    const u32 grown = std::max(count, kTableGrowth);
    const u32 first = host_.grow_table(grown);
    if (first == 0) return {};
    for (u32 i = grown; i-- > 0;) free_slots_.push_back(first + i);
  }
  std::vector<u32> slots;
  for (const Region* region : regions) {
    slots.push_back(region->slot);
    if (region->slot != 0) continue;
    slots.back() = free_slots_.back();
    free_slots_.pop_back();
  }
  return slots;
}

void CodeCache::return_slots(std::span<const u32> slots) {
  free_slots_.insert(free_slots_.end(), slots.rbegin(), slots.rend());
}

}  // namespace lapwing
