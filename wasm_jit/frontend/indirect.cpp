// Indirect jumps, calls and returns whose targets are blocks of the region: compared with few likely ones,
// looked up among many in a table, and else the region is left.
#include <algorithm>
#include <bit>

#include "wasm_jit/frontend/translator.h"

namespace lapwing::jit {

namespace {

constexpr std::size_t kMostReturnSites = 6;  // that nobody has seen used
constexpr std::size_t kMostCompared = 4;     // without a table
constexpr std::size_t kMostDispatched = 128;
constexpr unsigned kMostBits = 11;
constexpr unsigned kSlotShift = 4;
static_assert(sizeof(DispatchEntry) == 1u << kSlotShift);

bool is_indirect(const Instruction& last) {
  return last.op == Op::RET || ((last.op == Op::JMP || last.op == Op::CALL) && last.form != Form::kJ);
}

u32 slot_of(i64 delta, u32 factor, unsigned bits) {
  return static_cast<u32>(delta) * factor >> (32 - bits);
}

template <class List>
bool contains(const List& list, BlockId block) {
  return std::find(list.begin(), list.end(), block) != list.end();
}

}  // namespace

// What was seen, and for returns the places behind the region's calls.
void Translator::find_targets() {
  const auto last_of = [](const RegionBlock& b) -> const Instruction& {
    return b.block->first[b.block->count - 1];
  };
  std::vector<BlockId> sites;
  for (const RegionBlock& from : source_.blocks) {
    if (last_of(from).op != Op::CALL || sites.size() >= kMostReturnSites) continue;
    const i64 delta = from.rip_delta + static_cast<i64>(last_of(from).next_offset());
    const auto site = std::lower_bound(by_delta_.begin(), by_delta_.end(), delta,
                                       [](const auto& entry, i64 d) { return entry.first < d; });
    if (site != by_delta_.end() && site->first == delta) sites.push_back(site->second);
  }
  targets_.resize(source_.blocks.size());
  looks_up_.resize(source_.blocks.size());
  for (std::size_t i = 0; i < source_.blocks.size(); ++i) {
    const RegionBlock& block = source_.blocks[i];
    if (!is_indirect(last_of(block))) continue;
    targets_[i].assign(block.targets.begin(), block.targets.end());
    if (last_of(block).op == Op::RET) {
      for (const BlockId site : sites) {
        if (!contains(targets_[i], site)) targets_[i].push_back(site);
      }
    }
    if (source_.dispatch == nullptr || targets_[i].size() <= kMostCompared) continue;
    looks_up_[i] = true;
    for (const BlockId target : targets_[i]) {
      if (!contains(dispatched_, target) && dispatched_.size() < kMostDispatched)
        dispatched_.push_back(target);
    }
  }
  if (!dispatched_.empty()) make_dispatch_table();
}

// A factor with which no two targets share a slot.
void Translator::make_dispatch_table() {
  constexpr unsigned kTries = 64;
  const auto delta_of = [this](BlockId block) { return source_.blocks[block].rip_delta; };
  const auto fits = [&](u32 factor, unsigned bits) {
    std::vector<bool> taken(1u << bits);
    for (const BlockId block : dispatched_) {
      const u32 slot = slot_of(delta_of(block), factor, bits);
      if (taken[slot]) return false;
      taken[slot] = true;
    }
    return true;
  };
  u32 factor = 0x9E3779B1;
  unsigned bits = static_cast<unsigned>(std::bit_width(dispatched_.size()));
  for (unsigned tries = 0; !fits(factor, bits); factor = factor * 0x5851F42D + 2) {
    if (++tries % kTries != 0) continue;
    if (bits < kMostBits) {
      ++bits;
    } else {
      dispatched_.pop_back();
    }
  }
  dispatch_factor_ = factor;
  dispatch_bits_ = bits;
  // Slots without a target hold one of another slot.
  source_.dispatch->assign(std::size_t{1} << bits, {.delta = delta_of(dispatched_[0]), .number = 0});
  for (std::size_t i = 0; i < dispatched_.size(); ++i) {
    const i64 delta = delta_of(dispatched_[i]);
    (*source_.dispatch)[slot_of(delta, factor, bits)] = {
        .delta = delta, .number = static_cast<u32>(source_.entries.size() + i)};
  }
}

BlockId Translator::add_block(IrBlock block) {
  function_.blocks.push_back(std::move(block));
  return static_cast<BlockId>(function_.blocks.size() - 1);
}

// To `target`, when RIP is its: by a check of its page.
BlockId Translator::checked_edge(BlockId target, u32 from) {
  const RegionBlock& to = source_.blocks[target];
  IrBlock check;
  Builder b(function_);
  b.start(check);
  const Value rip = b.binary(IrOp::kAdd64, b.entry_rip(), b.c64(static_cast<u64>(to.rip_delta)));
  b.store_state(kStateLayout.rip, is_64_bit() ? rip : b.binary(IrOp::kAnd64, rip, b.c64(0xFFFFFFFF)));
  b.fetch_check(rip, to.block->physical & ~kPageMask, exit_code(GeneratedExit::kNext, from));
  check.end = Terminator{.kind = Terminator::Kind::kJump, .targets = {target, kNoBlock}};
  return add_block(std::move(check));
}

BlockId Translator::add_test(BlockId target, BlockId otherwise) {
  note_edge(static_cast<BlockId>(block_), target);
  const BlockId to = x87_edge(target, same_page(block_, target) ? target : checked_edge(target, block_));
  IrBlock test;
  Builder b(function_);
  b.start(test);
  const i64 delta = source_.blocks[target].rip_delta;
  Value rip = b.binary(IrOp::kAdd64, b.entry_rip(), b.c64(static_cast<u64>(delta)));
  if (!is_64_bit()) rip = b.unary(IrOp::kWrap, rip);
  test.end = Terminator{.kind = Terminator::Kind::kBranch,
                        .value = b.binary(wide(IrOp::kEq32, is_64_bit()), b.read(kVarTarget), rip),
                        .targets = {to, otherwise}};
  return add_block(std::move(test));
}

// Host address of the table's entry for the target, and the target's distance from RIP at entry.
Value Translator::dispatch_slot(Builder& b, Value& delta) const {
  const Value target = b.read(kVarTarget);
  delta = is_64_bit() ? b.binary(IrOp::kSub64, target, b.entry_rip())
                      : b.binary(IrOp::kSub32, target, b.unary(IrOp::kWrap, b.entry_rip()));
  const Value low = is_64_bit() ? b.unary(IrOp::kWrap, delta) : delta;
  const Value hash = b.binary(IrOp::kMul32, low, b.c32(dispatch_factor_));
  const Value number = b.binary(IrOp::kShrU32, hash, b.c32(32 - dispatch_bits_));
  const auto table = static_cast<u32>(reinterpret_cast<std::uintptr_t>(source_.dispatch->data()));
  return b.binary(IrOp::kAdd32, b.binary(IrOp::kShl32, number, b.c32(kSlotShift)), b.c32(table));
}

BlockId Translator::add_lookup(BlockId otherwise) {
  for (const BlockId target : dispatched_) note_edge(static_cast<BlockId>(block_), target);
  Builder b(function_);
  IrBlock found;
  b.start(found);
  if (x87_.top != 0) x87_renumber(b, 0);
  Value delta;
  const Value entry = dispatch_slot(b, delta);
  found.end =
      Terminator{.kind = Terminator::Kind::kDispatch,
                 .value = b.host_load(Type::kI32, 4,
                                      b.binary(IrOp::kAdd32, entry, b.c32(offsetof(DispatchEntry, number))))};
  IrBlock look;
  b.start(look);
  const Value slot = dispatch_slot(b, delta);
  const Value known = b.host_load(function_.word, word_size(), slot);
  look.end = Terminator{.kind = Terminator::Kind::kBranch,
                        .value = b.binary(wide(IrOp::kEq32, is_64_bit()), known, delta),
                        .targets = {add_block(std::move(found)), otherwise}};
  return add_block(std::move(look));
}

BlockId Translator::add_leave() {
  IrBlock leave;
  Builder b(function_);
  b.start(leave);
  const Value target = b.read(kVarTarget);
  leave.end = Terminator{.kind = Terminator::Kind::kExitNext,
                         .value = is_64_bit() ? target : b.unary(IrOp::kExtendU, target),
                         .exit = exit_code(GeneratedExit::kNext, block_)};
  return add_block(std::move(leave));
}

void Translator::jump_indirect(Value target) {
  const std::vector<BlockId>& targets = targets_[block_];
  ended_ = true;
  if (targets.empty()) {
    end_ = Terminator{.kind = Terminator::Kind::kExitNext,
                      .value = is_64_bit() ? target : builder_.unary(IrOp::kExtendU, target),
                      .exit = exit_code(GeneratedExit::kNext, block_)};
    return;
  }
  builder_.write(kVarTarget, target);
  BlockId next = add_leave();
  if (looks_up_[block_]) next = add_lookup(next);
  const std::size_t compared = looks_up_[block_] ? source_.blocks[block_].likely : targets.size();
  for (std::size_t i = compared; i-- > 0;) next = add_test(targets[i], next);
  end_ = Terminator{.kind = Terminator::Kind::kJump, .targets = {next, kNoBlock}};
}

// The blocks that the table knows, in its order: behind a check of the page unless all that look up lie in
// it.
void Translator::add_dispatch_entries() {
  for (const BlockId target : dispatched_) {
    bool checked = false;
    for (unsigned i = 0; i < looks_up_.size(); ++i)
      checked = checked || (looks_up_[i] && !same_page(i, target));
    function_.entries.push_back(checked ? checked_edge(target, target) : target);
  }
}

}  // namespace lapwing::jit
