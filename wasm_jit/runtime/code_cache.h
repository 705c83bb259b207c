// The regions that exist, found by the guest pages they were made from, and the modules that hold their
// functions. What was overwritten or evicted loses its place at once; its memory lives on until collect(),
// because the interpreter may still be in the middle of one of its blocks.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "wasm_jit/runtime/module_host.h"
#include "wasm_jit/runtime/region.h"

namespace lapwing {

class CodeCache {
 public:
  explicit CodeCache(ModuleHost& host) : host_(host) {}

  // Takes a region that has no function yet; its code is watched from here on.
  Region& add(std::unique_ptr<Region> region);
  // The regions of one module got their functions: slots[n] belongs to regions[n]. `bytes`: the module's
  // size.
  void installed(std::span<Region* const> regions, std::span<const u32> slots, u32 bytes,
                 const BlockCache& blocks);

  // Drops the regions that have bytes in [begin, end), within one page. Returns how many.
  u32 invalidate(u64 begin, u64 end);
  // The block cache forgets everything: compiled regions wait until their entry is met again, others are
  // dropped.
  void detach_all();
  bool has_detached(u64 physical) const { return detached_.contains(physical); }
  // Gives a waiting region back to `entry`, if what is in memory is still what it was made from. Decodes its
  // blocks again, so that their bytes are watched.
  bool reattach(Block& entry, BlockCache& blocks);
  static void attach(Region& region, const BlockCache& blocks);
  void flush();
  // Drops one region, or the oldest module (gives back how many regions it had).
  void remove(Region& region) { drop(region); }
  u32 evict_oldest();
  Region* find_inside(const Block& block, u16& number) const;
  // Frees what was dropped. Nobody may be inside a region or hold one.
  void collect();

  // Table slots: a region's own when it is compiled again, else empty ones; none when the table cannot grow.
  std::vector<u32> take_slots(std::span<Region* const> regions);
  void return_slots(std::span<const u32> slots);

  u32 live_regions() const { return live_regions_; }
  u32 live_modules() const { return static_cast<u32>(modules_.size()); }
  u64 live_bytes() const { return live_bytes_; }
  u64 copied_instructions() const { return copied_instructions_; }

 private:
  struct Module {
    std::vector<Region*> regions;
    u32 alive = 0;
    u32 bytes = 0;
  };
  void drop(Region& region);
  void leave_module(Region& region);
  static bool is_unchanged(const Region& region, BlockCache& blocks);
  void watch(Region& region);
  void forget_place(Region& region);
  void remove_from_page(u64 page, const Region& region);
  static std::vector<u64> pages_of(const Region& region);

  ModuleHost& host_;
  std::unordered_map<u64, std::vector<Region*>> by_page_;
  std::unordered_map<Region*, std::unique_ptr<Region>> regions_;
  std::unordered_map<u64, std::vector<Region*>> detached_;  // by physical address of each entry
  std::vector<std::unique_ptr<Region>> dropped_;
  std::vector<u32> dropped_slots_;
  std::vector<u32> free_slots_;
  std::unordered_map<u32, Module> modules_;
  u32 next_module_ = 1;
  u32 oldest_module_ = 1;
  u32 live_regions_ = 0;
  u64 live_bytes_ = 0;
  u64 copied_instructions_ = 0;
};

}  // namespace lapwing
