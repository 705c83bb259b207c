#include "core/cpu/block_cache.h"

#include <algorithm>
#include <cstring>

#include "core/cpu/decode/decoder.h"
#include "core/cpu/decode/op_info.h"
#include "core/cpu/exec/dispatch.h"
#include "core/cpu/op_feature.h"

namespace lapwing {

namespace {

constexpr unsigned kMaxInstructionBytes = 15;

static_assert(static_cast<u16>(HotOp::kEndFallLook) == 2 * static_cast<u16>(BlockEnd::kLook) &&
              static_cast<u16>(HotOp::kEndBranchLeave) == 2 * static_cast<u16>(BlockEnd::kLeave) + 1);

DecodeMode decode_mode(const ModeKey& mode) {
  return DecodeMode{.code_size = mode.code_size, .flat = mode.flat};
}

}  // namespace

Instruction closing_instruction(const Instruction& last, BlockEnd then) {
  Instruction end;
  end.offset = static_cast<u16>(last.next_offset());
  // A row for each BlockEnd: by falling through, by a branch.
  end.handler = static_cast<u16>(2 * static_cast<u16>(then) + (writes_rip(last) ? 1 : 0));
  return end;
}

bool asks_for_run_loop(const Instruction& closing) {
  return closing.handler == static_cast<u16>(HotOp::kEndFallLook) ||
         closing.handler == static_cast<u16>(HotOp::kEndBranchLook);
}

BlockCache::BlockCache(PhysicalMemory& memory)
    : memory_(memory),
      buckets_(kBuckets, nullptr),
      instructions_(std::make_unique<Instruction[]>(kArenaInstructions)),
      blocks_(std::make_unique<Block[]>(kArenaBlocks)) {
  by_page_.resize(static_cast<size_t>(memory.ram_size() / kPageSize));
  memory.on_code_write([this](u64 address, u64 size) { invalidate(address, size); });
}

// Bytes from `physical` on, up to the page's end or, with a second page, beyond it. Through the memory map
// where the page is not RAM or ROM.
unsigned BlockCache::fetch_bytes(u64 physical, u64 second_page, u8 (&buffer)[32]) {
  const auto in_first =
      static_cast<unsigned>(std::min<u64>(kPageSize - (physical & kPageMask), kMaxInstructionBytes));
  const unsigned total = second_page == kNoSecondPage ? in_first : kMaxInstructionBytes;
  for (unsigned i = 0; i < total; ++i) {
    const u64 address = i < in_first ? physical + i : second_page + (i - in_first);
    buffer[i] = static_cast<u8>(memory_.read(address, 1));
  }
  return total;
}

void BlockCache::refuse_missing(Instruction& in) const {
  if (model_ != nullptr && !model_has(*model_, in)) in.op = Op::INVALID;
}

bool BlockCache::decode_one(u64 physical, const ModeKey& mode, u64 second_page, Instruction (&out)[2]) {
  u8 buffer[32];
  const unsigned available = fetch_bytes(physical, second_page, buffer);
  out[0] = Instruction{};
  const DecodeResult result = decode(buffer, available, decode_mode(mode), 0, out[0]);
  if (result == DecodeResult::kNeedMore) return false;
  refuse_missing(out[0]);
  out[0].handler = generic_handler(out[0].op);
  out[1] = closing_instruction(out[0], BlockEnd::kLeave);
  return true;
}

void BlockCache::set_generated(GeneratedCode* generated) {
  flush();
  generated_ = generated;
}

void BlockCache::set_region(Block& block, Region* region, const Block::RegionEntry& entry) {
  block.region = region;
  block.entry = entry;
  if (region != nullptr) block.heat = kHeatOfRegion;
}

Block* BlockCache::build(u64 physical, const ModeKey& mode, u64 second_page) {
  const u8* page = memory_.readable_page(physical);
  // Plain memory of a device changes unseen.
  if (page == nullptr || memory_.is_direct(physical)) return nullptr;
  if (second_page != kNoSecondPage && memory_.is_direct(second_page)) return nullptr;
  if (used_blocks_ == kArenaBlocks || used_instructions_ + kMaxBlockInstructions + 2 > kArenaInstructions)
    flush();

  const auto start = static_cast<unsigned>(physical & kPageMask);
  Instruction* first = &instructions_[used_instructions_];
  unsigned count = 0;
  unsigned offset = 0;
  bool crosses = false;
  while (count < kMaxBlockInstructions && start + offset < kPageSize) {
    Instruction& in = first[count];
    in = Instruction{};
    const unsigned available = static_cast<unsigned>(kPageSize) - start - offset;
    DecodeResult result =
        decode(page + start + offset, available, decode_mode(mode), static_cast<u16>(offset), in);
    if (result == DecodeResult::kNeedMore) {
      if (count > 0) break;  // the page-crossing instruction becomes a block of its own
      if (second_page == kNoSecondPage) return nullptr;
      u8 buffer[32];
      const unsigned total = fetch_bytes(physical, second_page, buffer);
      result = decode(buffer, total, decode_mode(mode), 0, in);
      crosses = true;
    }
    refuse_missing(in);
    in.handler = select_handler(in);
    offset += in.length;
    ++count;
    if (crosses || ends_block(in)) break;
  }
  const bool look = (op_info(first[count - 1].op).attributes & kAttrLeave) != 0;
  first[count] = closing_instruction(first[count - 1], look ? BlockEnd::kLook : BlockEnd::kNext);
  used_instructions_ += count + 1;

  Block* block = &blocks_[used_blocks_++];
  *block = Block{};
  block->physical = physical;
  block->second_page = crosses ? second_page : kNoSecondPage;
  block->mode = mode.packed();
  block->count = static_cast<u16>(count);
  block->bytes = static_cast<u16>(offset);
  block->first = first;
  if (generated_ != nullptr) block->heat = generated_->threshold(physical);
  insert(block);
  ++built_;
  return block;
}

void BlockCache::insert(Block* block) {
  Block*& bucket = buckets_[hash(block->physical)];
  block->hash_next = bucket;
  bucket = block;
  const u64 in_first = std::min<u64>(block->bytes, kPageSize - (block->physical & kPageMask));
  const auto note = [this, block](u64 address, u64 size) {
    u64 offset;
    if (!memory_.ram_page_number(address, offset)) return;  // ROM never changes
    std::vector<Block*>& list = by_page_[static_cast<size_t>(offset)];
    if (list.empty()) pages_in_use_.push_back(static_cast<u32>(offset));
    list.push_back(block);
    memory_.mark_code(address, size);
  };
  note(block->physical, in_first);
  if (block->bytes > in_first) note(block->second_page, block->bytes - in_first);
}

void BlockCache::remove_from_hash(Block* block) {
  Block** link = &buckets_[hash(block->physical)];
  while (*link != nullptr && *link != block) link = &(*link)->hash_next;
  if (*link == block) *link = block->hash_next;
  block->mode = kDroppedBlock;
}

BlockCache::Span BlockCache::span_in(const Block& block, u64 page) {
  const u64 head = std::min<u64>(block.bytes, kPageSize - (block.physical & kPageMask));
  const bool is_tail = (block.physical & ~kPageMask) != page;
  return is_tail ? Span{page, block.bytes - head} : Span{block.physical, head};
}

bool BlockCache::overlaps_code(u64 address, u64 size) const {
  const u64 page = address & ~kPageMask;
  u64 number;
  if (!memory_.ram_page_number(page, number)) return false;
  const std::vector<Block*>& list = by_page_[static_cast<size_t>(number)];
  return std::any_of(list.begin(), list.end(),
                     [=](const Block* block) { return span_in(*block, page).overlaps(address, size); });
}

void BlockCache::invalidate_in_page(u64 page, std::vector<Block*>& list, u64 address, u64 size) {
  const auto dropped = std::partition(list.begin(), list.end(), [=](const Block* block) {
    return !span_in(*block, page).overlaps(address, size);
  });
  if (dropped == list.end()) return;
  ++invalidations_;
  page_stamp_ = new_stamp();
  for (auto block = dropped; block != list.end(); ++block) remove_from_hash(*block);
  list.erase(dropped, list.end());
  if (generated_ != nullptr) {
    generated_->invalidate(std::max(page, address), std::min(page + kPageSize, address + size));
  }
  memory_.clear_code(page);
  for (const Block* block : list) {
    const Span span = span_in(*block, page);
    memory_.mark_code(span.begin, span.size);
  }
}

void BlockCache::invalidate(u64 address, u64 size) {
  for (u64 page = address & ~kPageMask; page < address + size; page += kPageSize) {
    u64 number;
    if (!memory_.ram_page_number(page, number)) continue;
    invalidate_in_page(page, by_page_[static_cast<size_t>(number)], address, size);
  }
}

void BlockCache::flush() {
  if (generated_ != nullptr) generated_->flush();
  std::fill(buckets_.begin(), buckets_.end(), nullptr);
  for (const u32 number : pages_in_use_) {
    by_page_[number].clear();
    memory_.clear_code_of_page_number(number);
  }
  pages_in_use_.clear();
  used_instructions_ = 0;
  used_blocks_ = 0;
  ++invalidations_;
  page_stamp_ = new_stamp();
  ++flushes_;
}

}  // namespace lapwing
