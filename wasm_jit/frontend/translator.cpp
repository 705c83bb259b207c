#include "wasm_jit/frontend/translator.h"

#include <algorithm>

#include "core/cpu/decode/op_info.h"

namespace lapwing::jit {

namespace {
constexpr unsigned kMaxBlocks = 400;
constexpr BlockId kMaxIrBlocks = 4000;
}  // namespace

Translator::Translator(const RegionSource& source, Function& function)
    : source_(source), function_(function), builder_(function) {
  function_.word = is_64_bit() ? Type::kI64 : Type::kI32;
  function_.wide_tags = is_64_bit() || source.long_mode;
  function_.code_has_base = !is_64_bit();
}

u32 Translator::here() const {
  return exit_code(GeneratedExit::kInterpret, block_, instruction_);
}

i64 Translator::next_delta(const Instruction& in) const {
  return source_.blocks[block_].rip_delta + static_cast<i64>(in.next_offset());
}

Value Translator::rip_value(i64 delta) {
  return builder_.binary(IrOp::kAdd64, builder_.entry_rip(), builder_.c64(static_cast<u64>(delta)));
}

Value Translator::rip_of(const Instruction& in) {
  const Value rip = rip_value(source_.blocks[block_].rip_delta + static_cast<i64>(in.offset));
  return is_64_bit() ? rip : builder_.binary(IrOp::kAnd64, rip, builder_.c64(0xFFFFFFFF));
}

BlockId Translator::add_block() {
  function_.blocks.emplace_back();
  return static_cast<BlockId>(function_.blocks.size() - 1);
}

BlockId Translator::exit_block(u32 exit) {
  const BlockId id = add_block();
  function_.blocks[id].end = Terminator{.kind = Terminator::Kind::kExit, .exit = exit};
  return id;
}

bool Translator::same_page(unsigned from, unsigned to) const {
  const RegionBlock& a = source_.blocks[from];
  const RegionBlock& b = source_.blocks[to];
  const bool same = (a.block->physical & ~kPageMask) == (b.block->physical & ~kPageMask);
  return same && static_cast<i64>(b.block->physical - a.block->physical) == b.rip_delta - a.rip_delta;
}

// Where control goes for a static successor of the current block: the block itself, one that checks the page
// first, or an exit.
BlockId Translator::edge(i64 target_delta, unsigned which) {
  const u32 leave = exit_code(GeneratedExit::kEdge, block_, which);
  const auto found = std::lower_bound(by_delta_.begin(), by_delta_.end(), target_delta,
                                      [](const auto& entry, i64 delta) { return entry.first < delta; });
  if (found == by_delta_.end() || found->first != target_delta) return exit_block(leave);
  const BlockId target = found->second;
  if (same_page(block_, target)) {
    note_edge(static_cast<BlockId>(block_), target);
    return x87_edge(target, target);
  }
  const BlockId check = add_block();
  Builder edge_builder(function_);
  edge_builder.start(function_.blocks[check]);
  const Value rip = edge_builder.binary(IrOp::kAdd64, edge_builder.entry_rip(),
                                        edge_builder.c64(static_cast<u64>(target_delta)));
  edge_builder.fetch_check(rip, source_.blocks[target].block->physical & ~kPageMask, leave);
  function_.blocks[check].end = Terminator{.kind = Terminator::Kind::kJump, .targets = {target, kNoBlock}};
  note_edge(static_cast<BlockId>(block_), target);
  return x87_edge(target, check);
}

void Translator::note_edge(BlockId from, BlockId to) {
  flag_edges_.push_back({from, to, kind_known_ ? kind_ : kind_changed_ ? kMixed : kUnchanged});
}

void Translator::start_flags(unsigned index) {
  kind_known_ = kind_at_[index] < kUnchanged;
  kind_ = kind_known_ ? kind_at_[index] : 0;
  kind_changed_ = cf_known_ = false;
}

// What a block can rely on is what all its predecessors agree on: dataflow to the largest fixed point.
void Translator::solve_kinds() {
  std::vector<u32> kinds(source_.blocks.size(), kUnseen);
  for (const u16 entry : source_.entries) kinds[entry] = kMixed;
  for (bool changed = true; changed;) {
    changed = false;
    for (const FlagEdge& edge : flag_edges_) {
      const u32 kind = edge.kind == kUnchanged ? kinds[edge.from] : edge.kind;
      u32& at = kinds[edge.to];
      const u32 both = at == kUnseen ? kind : kind == kUnseen || kind == at ? at : kMixed;
      changed = changed || both != at;
      at = both;
    }
  }
  kind_at_ = std::move(kinds);
}

// Leaves to the interpreter if a branch may come near the ends of the canonical halves.
void Translator::check_distance(i64 delta) {
  const auto is_close = [](i64 offset) {
    constexpr i64 kUnchecked = kBoundaryReach / 4;
    return offset > -kUnchecked && offset < kUnchecked;
  };
  if (!is_64_bit() || (is_close(delta) && is_close(source_.blocks[block_].rip_delta))) return;
  constexpr u64 kReach = 8ull << 30;
  const Value shifted = builder_.binary(IrOp::kShl64, rip_value(delta), builder_.c64(16));
  const Value distance = builder_.binary(IrOp::kAdd64, shifted, builder_.c64((kReach << 16) - (1ull << 63)));
  builder_.exit_if(builder_.binary(IrOp::kLtU64, distance, builder_.c64(kReach << 17)), here());
}

void Translator::jump(const Instruction& in) {
  const i64 target = target_delta(in);
  end_ = Terminator{.kind = Terminator::Kind::kJump};
  end_.targets[0] = edge(target, 1);
  ended_ = true;
}

void Translator::branch(const Instruction& in, Value taken) {
  end_ = Terminator{.kind = Terminator::Kind::kBranch, .value = taken};
  const i64 target = target_delta(in);
  end_.targets[0] = edge(target, 1);
  end_.targets[1] = edge(next_delta(in), 0);
  ended_ = true;
}

void Translator::check_target(Value target) {
  if (!is_64_bit()) return;
  // Canonical: bits 63:47 are all equal.
  const Value shifted = builder_.binary(IrOp::kShl64, target, builder_.c64(16));
  const Value extended = builder_.binary(IrOp::kShrS64, shifted, builder_.c64(16));
  builder_.exit_if(builder_.binary(IrOp::kNe64, extended, target), here());
}

// The instruction's bytes in the next page are those of the region only while that page is mapped as it was.
void Translator::check_second_page(const Block& block) {
  const u64 rest = kPageSize - (block.physical & kPageMask);
  if (block.bytes <= rest) return;
  builder_.store_state(kStateLayout.rip, rip_of(*block.first));
  builder_.fetch_check(rip_value(source_.blocks[block_].rip_delta + static_cast<i64>(rest)),
                       block.second_page, exit_code(GeneratedExit::kNext, block_));
}

void Translator::translate_block(unsigned index) {
  const Block& block = *source_.blocks[index].block;
  block_ = index;
  instruction_ = 0;
  ended_ = false;
  rip_slot_stored_ = sse_checked_ = mxcsr_checked_ = false;
  ordinary_[0] = ordinary_[1] = 0;
  if (x87_top_at_[index] == kNoTop) x87_top_at_[index] = 0;
  x87_ = {.top = x87_top_at_[index]};
  // Blocks are appended while this one grows, so its nodes are moved in at the end.
  IrBlock out;
  builder_.start(out);
  start_flags(index);
  check_second_page(block);
  builder_.budget(block.count, exit_code(GeneratedExit::kBudget, index));
  for (; instruction_ < block.count; ++instruction_) {
    const Instruction& in = block.first[instruction_];
    const Family family = family_of(in.op);
    if (family == nullptr || !family(*this, in)) {
      end_ = Terminator{.kind = Terminator::Kind::kExit, .exit = here()};
      ended_ = true;
    }
    if (ended_) break;
  }
  if (!ended_) {
    end_ = Terminator{.kind = Terminator::Kind::kJump};
    end_.targets[0] = edge(next_delta(block.first[block.count - 1]), 0);
  }
  out.end = end_;
  function_.blocks[index] = std::move(out);
}

bool Translator::run() {
  const std::size_t count = source_.blocks.size();
  if (count == 0 || count > kMaxBlocks || source_.mode.code_size == 2 || source_.mode.checked) return false;
  const Instruction& first = *source_.blocks[0].block->first;
  if (family_of(first.op) == nullptr) return false;
  for (unsigned i = 0; i < count; ++i) {
    add_block();
    by_delta_.emplace_back(source_.blocks[i].rip_delta, static_cast<BlockId>(i));
  }
  std::sort(by_delta_.begin(), by_delta_.end());
  find_targets();
  // First as if nothing were known at the blocks' starts; then those again that asked for what is known.
  kind_at_.assign(count, kMixed);
  wants_kind_.assign(count, false);
  x87_top_at_.assign(count, kNoTop);
  for (const u16 entry : source_.entries) x87_top_at_[entry] = 0;
  for (const BlockId target : dispatched_) x87_top_at_[target] = 0;
  for (unsigned i = 0; i < count; ++i) {
    translate_block(i);
    if (builder_.overflowed() || function_.blocks.size() > kMaxIrBlocks) return false;
  }
  solve_kinds();
  for (unsigned i = 0; i < count; ++i) {
    if (!wants_kind_[i] || kind_at_[i] >= kUnchanged) continue;
    translate_block(i);
    if (builder_.overflowed() || function_.blocks.size() > kMaxIrBlocks) return false;
  }
  function_.entries.assign(source_.entries.begin(), source_.entries.end());
  add_dispatch_entries();
  if (function_.entries.size() > 1) function_.add_dispatch();
  return true;
}

}  // namespace lapwing::jit
