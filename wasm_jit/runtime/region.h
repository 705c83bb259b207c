// A region: blocks that are translated together into one function, found by following direct jumps from a hot
// entry, and indirect ones where it is known where they go. It holds copies of what it was made from, so that
// the block cache may forget its own.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/cpu/cpu.h"
#include "wasm_jit/runtime/target_profile.h"
#include "wasm_jit/translate.h"

namespace lapwing {

struct Region {
  ModeKey mode{};
  // Where it can be entered: numbers of blocks, 0 first, and the cache's blocks that run the region from
  // there (nullptr: none does).
  std::vector<u16> entries;
  std::vector<u16> more_entries;  // when it is compiled again
  std::vector<Block*> entry_blocks;
  u32 slot = 0;           // of its function in the engine's table; 0: not compiled
  u32 module = 0;         // number of the module that holds it
  bool dead = false;      // its code was overwritten, or it was evicted
  bool detached = false;  // the block cache was emptied: no entry, code not watched (CodeCache::detach_all)
  bool waiting = false;   // to be compiled, perhaps again
  u32 straddles = 0;      // failed checks of spans
  u8 generation = 0;      // how often it was grown again, with wider limits
  i64 patience = 0;       // exits to other code until that
  i32 threshold = 0;      // what its entry's heat starts from again when it is dropped
  u32 instructions = 0;
  std::vector<RegionBlock> blocks;
  std::vector<Block> copies;                          // what `blocks` points to
  std::unique_ptr<Instruction[]> instruction_copies;  // each block's, closing pseudo-instruction included
  std::vector<u16> targets;                           // what RegionBlock::targets point into
  std::vector<DispatchEntry> dispatch;                // read by the function
  std::string listing;                                // when the translator was asked for one
  // Each block's fall-through [2n] and branch target [2n + 1].
  struct Successor {
    i64 delta = 0;           // RIP there minus RIP at the region's entry
    Block* block = nullptr;  // what was there last; checked before use
  };
  std::vector<Successor> successors;
  std::vector<i64> entry_deltas;  // of the entries' blocks

  bool has_entry(u16 block) const;
  // Those that were entered from elsewhere a quarter as often as makes one hot, when it is compiled again.
  void add_entries(const BlockCache& blocks);
  void take_entries();
  // RIP of instruction `index` of block `block`, not wrapped; the block's end when index is its count.
  u64 rip_of(u64 entry_rip, u32 block, u32 index) const;
  u64 physical() const { return copies[0].physical; }
  const Block& entry_copy(std::size_t entry) const { return copies[entries[entry]]; }
  // Whether all of `other`'s blocks are among its own.
  bool contains(const Region& other) const;
  // Whether a block has bytes in [begin, end), guest-physical.
  bool overlaps(u64 begin, u64 end) const;
};

struct RegionLimits {
  unsigned blocks = 24;
  unsigned instructions = 150;
  unsigned entries = 32;
  bool indirect = false;  // follow indirect jumps
  i32 share = 4;          // blocks entered less than this part of the threshold stay out
};

// How often a block is entered before it counts as hot: more often where code keeps changing.
class Thresholds {
 public:
  explicit Thresholds(i32 base) : base_(base) {}
  i32 of(u64 physical) const;
  // Generated code was dropped because its page changed.
  void note_change(u64 page) { ++changes_[page]; }

 private:
  i32 base_;
  std::unordered_map<u64, unsigned> changes_;
};

// The region at `entry`, where the CPU stands. nullptr: nothing that can be translated.
std::unique_ptr<Region> grow_region(Cpu& cpu, BlockCache& cache, const TargetProfile& profile, Block& entry,
                                    const Thresholds& thresholds, const RegionLimits& limits);

}  // namespace lapwing
