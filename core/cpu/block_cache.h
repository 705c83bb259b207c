// Decoded code, cached by physical page: blocks of consecutive instructions ending at a branch, at an
// instruction that changes what decoding or events depend on, or at the end of the page. Not machine state:
// dropping everything at any time changes nothing a guest can see. Shared by all CPUs.
#pragma once

#include <memory>
#include <vector>

#include "core/cpu/decode/instruction.h"
#include "core/cpu/generated.h"
#include "core/cpu/model.h"
#include "core/memory/physical.h"

namespace lapwing {

// What decoding depends on, packed. User and supervisor code are kept apart so that a link between blocks
// never crosses a privilege change.
struct ModeKey {
  u8 code_size;  // 2, 4, 8
  bool flat;     // see DecodeMode
  bool user;
  bool checked;     // CS limit must be compared
  bool wide_stack;  // SS.B, or 64-bit code
  bool long_mode;   // EFER.LMA: the TLB may hold addresses beyond 32 bits
  u32 packed() const {
    return static_cast<u32>(code_size) | (flat ? 0x10u : 0) | (user ? 0x20u : 0) | (checked ? 0x40u : 0) |
           (wide_stack ? 0x80u : 0) | (long_mode ? 0x100u : 0);
  }
};

// Block::heat where entries do not count, and where each entry goes to the block's region.
constexpr i64 kNoHeat = 0;
constexpr i64 kHeatOfRegion = 1;

struct Block {
  u64 physical = 0;     // of the first byte
  u64 second_page = 0;  // page address holding the tail of a page-crossing instruction, else kNoSecondPage
  u32 mode = 0;         // ModeKey::packed
  u16 count = 0;        // instructions
  u16 bytes = 0;
  const Instruction* first = nullptr;  // count instructions and one closing pseudo-instruction
  i64 heat = kNoHeat;                  // entries left until the block counts as hot
  Region* region = nullptr;            // generated code that starts here
  Block* hash_next = nullptr;
  // How it is entered: beside the rest, so that going from region to region waits for few cache lines.
  struct RegionEntry {
    i64 delta = 0;  // of RIP from that of the region's first block
    u32 slot = 0;   // of the region's function in the engine's table
    u16 number = 0;
  };
  RegionEntry entry;
  // Successors seen lately, valid while the stamp equals the CPU's.
  struct Link {
    u64 rip = 0;
    u64 stamp = 0;
    Block* block = nullptr;
  };
  Link links[2];
};

constexpr u64 kNoSecondPage = ~0ull;
constexpr u32 kDroppedBlock = ~0u;  // Block::mode of one that is not in the cache any more
constexpr unsigned kMaxBlockInstructions = 64;

// What follows a block's last instruction: the next block, the same unless there is something for the run
// loop to do, or the run loop in any case.
enum class BlockEnd : u8 { kNext, kLook, kLeave };

// The pseudo-instruction that closes a block after its last real instruction.
Instruction closing_instruction(const Instruction& last, BlockEnd then);
// Whether it is of the kind kLook.
bool asks_for_run_loop(const Instruction& closing);

class BlockCache {
 public:
  explicit BlockCache(PhysicalMemory& memory);
  // Instructions that this CPU model lacks decode as undefined. Without a model none is missing.
  void set_model(const CpuModel& model) { model_ = &model; }
  // From here on blocks count their entries for `generated`; drops everything.
  void set_generated(GeneratedCode* generated);
  // Makes the interpreter enter `region` (nullptr: the block's instructions again) where it meets `block`.
  static void set_region(Block& block, Region* region, const Block::RegionEntry& entry = {});

  Block* find(u64 physical, u32 mode) const {
    for (Block* block = buckets_[hash(physical)]; block != nullptr; block = block->hash_next) {
      if (block->physical == physical && block->mode == mode) return block;
    }
    return nullptr;
  }
  // Decodes a block starting at `physical`. An instruction that leaves the page makes a block of its own,
  // whose tail lies at the start of `second_page` (kNoSecondPage: not known yet; the result is then nullptr
  // and the caller translates the next page and asks again).
  Block* build(u64 physical, const ModeKey& mode, u64 second_page);
  // Decodes just the instruction at `physical`, followed by a leaving pseudo-instruction, into `out[0..1]`.
  // Bytes that are not RAM are read through the memory map. False: needs second_page.
  bool decode_one(u64 physical, const ModeKey& mode, u64 second_page, Instruction (&out)[2]);

  // Drops the blocks that overlap [address, address + size) and un-marks the bytes that no block uses any
  // more.
  void invalidate(u64 address, u64 size);
  // Whether a block has bytes in [address, address + size), which lies in one page.
  bool overlaps_code(u64 address, u64 size) const;
  void flush();

  // Stamps order the validity of links; a fresh one makes all older links of its owner stale.
  u64 new_stamp() { return ++stamp_; }
  u64 invalidations() const { return invalidations_; }
  // Of links within one page: changes when blocks were dropped.
  u64 page_stamp() const { return page_stamp_; }

  u64 built() const { return built_; }
  u64 flushes() const { return flushes_; }

 private:
  static constexpr unsigned kBuckets = 1u << 16;
  static constexpr std::size_t kArenaInstructions = 320 * 1024;
  static constexpr std::size_t kArenaBlocks = 80 * 1024;
  static unsigned hash(u64 physical) {
    return static_cast<unsigned>((physical * 0x9E3779B97F4A7C15ull) >> 48) & (kBuckets - 1);
  }
  void refuse_missing(Instruction& in) const;
  unsigned fetch_bytes(u64 physical, u64 second_page, u8 (&buffer)[32]);
  // The part of a block's bytes that lies in `page`, one of its pages.
  struct Span {
    u64 begin, size;
    bool overlaps(u64 address, u64 bytes) const { return begin < address + bytes && address < begin + size; }
  };
  static Span span_in(const Block& block, u64 page);
  void invalidate_in_page(u64 page, std::vector<Block*>& list, u64 address, u64 size);
  void remove_from_hash(Block* block);
  void insert(Block* block);

  PhysicalMemory& memory_;
  const CpuModel* model_ = nullptr;
  GeneratedCode* generated_ = nullptr;
  std::vector<Block*> buckets_;
  std::unique_ptr<Instruction[]> instructions_;
  std::unique_ptr<Block[]> blocks_;
  std::size_t used_instructions_ = 0;
  std::size_t used_blocks_ = 0;
  std::vector<std::vector<Block*>> by_page_;  // per RAM page
  std::vector<u32> pages_in_use_;
  u64 stamp_ = 1;
  u64 page_stamp_ = 1;
  u64 invalidations_ = 0;
  u64 built_ = 0;
  u64 flushes_ = 0;
};

}  // namespace lapwing
