#include "wasm_jit/runtime/region.h"

#include <algorithm>
#include <bit>

#include "core/cpu/decode/op_info.h"

namespace lapwing {

namespace {

// What is left of the threshold for the blocks inside a new region: entries from elsewhere, after which it is
// translated again with one more entry.
constexpr i32 kAgain = 4;

const Instruction& last_of(const Block& block) {
  return block.first[block.count - 1];
}

bool ends_region(const Instruction& last) {
  return (op_info(last.op).attributes & (kAttrLeave | kAttrEndBlock)) != 0 && !goes_on_behind(last);
}

// How a block can be left for a place that is known in advance.
struct Exits {
  bool falls = false;     // to the following instruction (also where a call returns to)
  bool branches = false;  // to the target of a relative branch
};

Exits exits_of(const Block& block) {
  const Instruction& last = last_of(block);
  const u16 attributes = op_info(last.op).attributes;
  if (ends_region(last)) return {};
  const bool relative = last.form == Form::kJ && (last.operand_size == last.code_size || last.code_size == 8);
  switch (last.op) {
    case Op::JMP: return {.falls = false, .branches = relative};
    case Op::CALL: return {.falls = true, .branches = relative};
    case Op::JCC:
    case Op::JCXZ:
    case Op::LOOP:
    case Op::LOOPE:
    case Op::LOOPNE: return {.falls = relative, .branches = relative};
    default: break;
  }
  return {.falls = (attributes & kAttrBranch) == 0, .branches = false};
}

class Grower {
 public:
  Grower(Cpu& cpu, BlockCache& cache, const TargetProfile& profile, const Thresholds& thresholds,
         const RegionLimits& limits)
      : cpu_(cpu),
        cache_(cache),
        profile_(profile),
        thresholds_(thresholds),
        limits_(limits),
        rip_(cpu.state.rip) {}

  bool grow(Block& entry);
  std::unique_ptr<Region> finish();

 private:
  struct Found {
    Block* block;
    i64 delta;
    i64 weight;  // how often it is executed
  };
  void offer(i64 delta, i64 seen = 0);
  void offer_targets(const Found& found);
  i64 target_delta(const Found& from, i64 delta) const;
  void add_targets(Region& region) const;
  bool add_hottest();
  i64 executed(const Block& block) const { return thresholds_.of(block.physical) - block.heat; }
  u64 page_at(i64 delta, u64& linear) const;
  Block* block_at(i64 delta) const;
  std::vector<u16> find_entries() const;

  Cpu& cpu_;
  BlockCache& cache_;
  const TargetProfile& profile_;
  const Thresholds& thresholds_;
  const RegionLimits& limits_;
  const u64 rip_;
  unsigned instructions_ = 0;
  std::vector<Found> taken_;
  std::vector<Found> offered_;
};

constexpr u64 kUnknownPage = kNoSecondPage - 1;

// Physical page at entry RIP + delta, found without side effects: the fetch TLB must know it.
u64 Grower::page_at(i64 delta, u64& linear) const {
  const u64 rip = cpu_.wrap_rip(rip_ + static_cast<u64>(delta));
  linear = (cpu_.view.code_base + rip) & cpu_.view.linear_mask;
  const FetchEntry& entry = cpu_.view.fetch_tlb[Tlb::index_of(linear)];
  return entry.tag == (linear & ~kPageMask) ? entry.physical : kUnknownPage;
}

// The cached block at entry RIP + delta.
Block* Grower::block_at(i64 delta) const {
  u64 linear;
  const u64 page = page_at(delta, linear);
  if (page == kUnknownPage) return nullptr;
  Block* block = cache_.find(page | (linear & kPageMask), cpu_.packed_mode());
  if (block == nullptr || block->second_page == kNoSecondPage) return block;
  const u64 second = page_at(delta + static_cast<i64>(kPageSize - (linear & kPageMask)), linear);
  return block->second_page == second ? block : nullptr;
}

// `seen`: that often, by an indirect jump.
void Grower::offer(i64 delta, i64 seen) {
  const auto known = [delta](const Found& found) { return found.delta == delta; };
  if (std::any_of(taken_.begin(), taken_.end(), known)) return;
  if (std::any_of(offered_.begin(), offered_.end(), known)) return;
  Block* block = block_at(delta);
  if (block == nullptr) return;
  const i64 weight = std::max<i64>(executed(*block), seen);
  if (weight <= thresholds_.of(block->physical) / limits_.share) return;
  offered_.push_back({block, delta, weight});
}

bool Grower::add_hottest() {
  const auto cooler = [](const Found& a, const Found& b) { return a.weight < b.weight; };
  const auto best = std::max_element(offered_.begin(), offered_.end(), cooler);
  if (best == offered_.end()) return false;
  const Found found = *best;
  offered_.erase(best);
  if (instructions_ + found.block->count > limits_.instructions) return true;
  taken_.push_back(found);
  instructions_ += found.block->count;
  const Exits exits = exits_of(*found.block);
  if (exits.falls) offer(found.delta + found.block->bytes);
  if (exits.branches) offer(found.delta + static_cast<i64>(last_of(*found.block).imm));
  offer_targets(found);
  return true;
}

i64 Grower::target_delta(const Found& from, i64 delta) const {
  const i64 sum = from.delta + delta;
  return cpu_.mode().code_size == 8 ? sum : static_cast<i32>(sum);
}

// Where its indirect jump went, but for what is rare or far away.
void Grower::offer_targets(const Found& found) {
  // A function that is called from everywhere is not a reason to have all its callers, and callers are less
  // urgent than what is near.
  const bool returns = last_of(*found.block).op == Op::RET;
  const u64 rare = returns ? 8 : 128;
  constexpr i64 kSampled = 16;  // a count stands for so many
  constexpr i64 kFar = kBoundaryReach / 4;
  if (!limits_.indirect) return;
  const std::span<const TargetProfile::Target> targets = profile_.of(found.block->physical);
  u64 total = 0;
  for (const auto& target : targets) total += target.count;
  for (const auto& target : targets) {
    const i64 delta = target_delta(found, target.delta);
    if (target.count * rare < total || delta <= -kFar || delta >= kFar) continue;
    offer(delta, returns ? 1 : i64{target.count} * kSampled);
  }
}

bool Grower::grow(Block& entry) {
  offered_.push_back({&entry, 0, 0});
  while (taken_.size() < limits_.blocks && add_hottest()) {
  }
  return !taken_.empty();
}

// Block 0, and where the rest of the guest is likely to come in: behind calls, and where calls go.
std::vector<u16> Grower::find_entries() const {
  std::vector<u16> entries{0};
  const auto add = [&](i64 delta) {
    for (std::size_t i = 1; i < taken_.size(); ++i) {
      if (taken_[i].delta != delta) continue;
      const auto number = static_cast<u16>(i);
      if (std::find(entries.begin(), entries.end(), number) == entries.end()) entries.push_back(number);
    }
  };
  for (const Found& found : taken_) {
    if (entries.size() >= limits_.entries) break;
    const Instruction& last = last_of(*found.block);
    if (last.op == Op::CALL || ends_region(last)) add(found.delta + found.block->bytes);
    if (last.op == Op::CALL && last.form == Form::kJ) add(found.delta + static_cast<i64>(last.imm));
  }
  // Where other regions are entered, too: this one takes their place if it has all of them.
  for (const Found& found : taken_) {
    if (limits_.indirect && found.block->region != nullptr && entries.size() < limits_.entries)
      add(found.delta);
  }
  return entries;
}

// Blocks of the region that others jump to indirectly.
void Grower::add_targets(Region& region) const {
  struct Seen {
    u32 count;
    u16 number;
  };
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    std::vector<Seen> list;
    u32 total = 0;
    for (const auto& target : profile_.of(taken_[i].block->physical)) {
      const i64 delta = target_delta(taken_[i], target.delta);
      total += target.count;
      const auto to = std::find_if(taken_.begin(), taken_.end(),
                                   [delta](const Found& found) { return found.delta == delta; });
      if (to != taken_.end()) list.push_back({target.count, static_cast<u16>(to - taken_.begin())});
    }
    std::sort(list.begin(), list.end(), [](const Seen& a, const Seen& b) { return a.count > b.count; });
    u16 likely = 0;
    for (u32 left = total; likely < list.size() && 2 * list[likely].count >= left; ++likely) {
      left -= list[likely].count;
    }
    region.blocks[i].likely = likely;
    places.emplace_back(region.targets.size(), list.size());
    for (const Seen& seen : list) region.targets.push_back(seen.number);
  }
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    region.blocks[i].targets = std::span(region.targets).subspan(places[i].first, places[i].second);
  }
}

std::unique_ptr<Region> Grower::finish() {
  // In guest order, the entry first.
  std::sort(taken_.begin() + 1, taken_.end(),
            [](const Found& a, const Found& b) { return a.delta < b.delta; });
  auto region = std::make_unique<Region>();
  region->mode = cpu_.mode();
  region->instructions = instructions_;
  region->threshold = thresholds_.of(taken_[0].block->physical);
  region->copies.reserve(taken_.size());
  region->instruction_copies = std::make_unique<Instruction[]>(instructions_ + taken_.size());
  Instruction* at = region->instruction_copies.get();
  for (const Found& found : taken_) {
    Block& copy = region->copies.emplace_back(*found.block);
    std::copy_n(found.block->first, found.block->count + 1u, at);
    copy.first = at;
    copy.region = nullptr;
    copy.hash_next = nullptr;
    copy.links[0] = copy.links[1] = {};
    at += found.block->count + 1u;
    region->blocks.push_back({.block = &copy, .rip_delta = found.delta});
    const bool inside = region->blocks.size() > 1 && found.block->region == nullptr;
    if (inside) found.block->heat = std::max<i64>(1, thresholds_.of(found.block->physical) / kAgain);
    copy.heat = found.block->heat;
  }
  add_targets(*region);
  for (const Found& found : taken_) {
    region->successors.push_back({.delta = found.delta + found.block->bytes});
    region->successors.push_back({.delta = found.delta + static_cast<i64>(last_of(*found.block).imm)});
  }
  region->entries = find_entries();
  region->entry_blocks.resize(region->entries.size(), nullptr);
  for (const u16 entry : region->entries) region->entry_deltas.push_back(region->blocks[entry].rip_delta);
  return region;
}

}  // namespace

bool Region::has_entry(u16 block) const {
  const auto has = [block](const std::vector<u16>& list) {
    return std::find(list.begin(), list.end(), block) != list.end();
  };
  return has(entries) || has(more_entries);
}

void Region::add_entries(const BlockCache& cache) {
  for (u16 i = 1; i < copies.size(); ++i) {
    const Block* block = cache.find(copies[i].physical, copies[i].mode);
    if (block == nullptr || block->region != nullptr || has_entry(i)) continue;
    if (copies[i].heat - block->heat >= copies[i].heat / 4) more_entries.push_back(i);
  }
}

void Region::take_entries() {
  entries.insert(entries.end(), more_entries.begin(), more_entries.end());
  entry_blocks.resize(entries.size(), nullptr);
  for (const u16 entry : more_entries) entry_deltas.push_back(blocks[entry].rip_delta);
  more_entries.clear();
}

i32 Thresholds::of(u64 physical) const {
  const auto found = changes_.find(physical & ~kPageMask);
  if (found == changes_.end()) return base_;
  // A kernel patches its code a few times and then leaves it alone.
  constexpr unsigned kFew = 2;
  constexpr int kMostDoublings = 6;
  return base_ << std::min(static_cast<int>(std::bit_width(found->second >> kFew)), kMostDoublings);
}

u64 Region::rip_of(u64 entry_rip, u32 block, u32 index) const {
  const Block& b = *blocks[block].block;
  const u64 offset = index < b.count ? b.first[index].offset : b.bytes;
  return entry_rip + static_cast<u64>(blocks[block].rip_delta) + offset;
}

bool Region::contains(const Region& other) const {
  return std::all_of(other.copies.begin(), other.copies.end(), [this](const Block& block) {
    return std::any_of(copies.begin(), copies.end(),
                       [&](const Block& own) { return own.physical == block.physical; });
  });
}

bool Region::overlaps(u64 begin, u64 end) const {
  return std::any_of(copies.begin(), copies.end(), [begin, end](const Block& block) {
    const u64 head = std::min<u64>(block.bytes, kPageSize - (block.physical & kPageMask));
    if (block.physical < end && begin < block.physical + head) return true;
    return block.bytes > head && block.second_page < end && begin < block.second_page + block.bytes - head;
  });
}

std::unique_ptr<Region> grow_region(Cpu& cpu, BlockCache& cache, const TargetProfile& profile, Block& entry,
                                    const Thresholds& thresholds, const RegionLimits& limits) {
  Grower grower(cpu, cache, profile, thresholds, limits);
  return grower.grow(entry) ? grower.finish() : nullptr;
}

}  // namespace lapwing
