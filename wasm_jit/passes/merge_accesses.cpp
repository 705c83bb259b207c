#include <algorithm>

#include "wasm_jit/passes/passes.h"
#include "wasm_jit/translate.h"

namespace lapwing::jit {

namespace {

// Sums of displacements below this do not overflow.
constexpr i64 kFar = i64{1} << 60;

// Where an access goes: a value and a displacement. RIP at entry and nothing at all have no value of their
// own.
struct Place {
  static constexpr Value kAbsolute = 0xFFFE, kEntry = 0xFFFD;
  Value root = kNoValue;
  i64 offset = 0;
};

struct Group {
  Value root;
  i64 low;
  i64 high;  // behind the last byte
  bool writes;
  unsigned members = 0;
  Value host = kNoValue;
};

bool is_access(const Node& node) {
  return node.op == IrOp::kGuestLoad || node.op == IrOp::kGuestStore || node.op == IrOp::kGuestPlace;
}

bool is_write(const Node& node) {
  return node.op == IrOp::kGuestStore || (node.op == IrOp::kGuestPlace && node.imm_high == 0);
}

bool is_constant(const Node& node) {
  return node.op == IrOp::kConst32 || node.op == IrOp::kConst64;
}

i64 displacement(const Node& constant) {
  return constant.type == Type::kI32 ? static_cast<i32>(constant.imm) : static_cast<i64>(constant.imm);
}

Place place_of(const IrBlock& block, Value address) {
  const Node& node = block.nodes[address];
  const bool is_sum = node.op == IrOp::kAdd32 || node.op == IrOp::kAdd64;
  const Node& constant = is_sum ? block.nodes[node.arguments[1]] : node;
  if (!is_constant(constant)) return {address, 0};
  const i64 offset = displacement(constant);
  if (offset > kFar || offset < -kFar) return {address, 0};
  if (!is_sum) return {Place::kAbsolute, offset};
  if (block.nodes[node.arguments[0]].op == IrOp::kEntryRip) return {Place::kEntry, offset};
  return {node.arguments[0], offset};
}

class Merger {
 public:
  Merger(const Function& function, IrBlock& block) : function_(function), block_(block) {}
  void run() {
    find_groups();
    if (std::any_of(groups_.begin(), groups_.end(), is_worth)) rebuild();
  }

 private:
  static constexpr u32 kNoGroup = 0xFFFFFFFF;
  static bool is_worth(const Group& group) { return group.members > 1; }

  void find_groups();
  void rebuild();
  void convert(u32 at, Node node);
  Value add(const Node& node) {
    out_.push_back(node);
    return static_cast<Value>(out_.size() - 1);
  }
  Value add_constant(Type type, i64 value);
  Value root_of(const Group& group);
  Value open(const Group& group, const Node& first);

  const Function& function_;
  IrBlock& block_;
  std::vector<Group> groups_;
  std::vector<u32> group_of_;
  std::vector<i64> offset_of_;
  std::vector<Value> renamed_;
  std::vector<Node> out_;
};

// What lies between the first access of a group and its others changes no mapping; handlers may.
void Merger::find_groups() {
  group_of_.assign(block_.nodes.size(), kNoGroup);
  offset_of_.assign(block_.nodes.size(), 0);
  std::size_t oldest = 0;
  for (std::size_t i = 0; i < block_.nodes.size(); ++i) {
    const Node& node = block_.nodes[i];
    if (node.op == IrOp::kCallHandler) oldest = groups_.size();
    if (!is_access(node)) continue;
    const Place place = place_of(block_, node.arguments[0]);
    const i64 end = place.offset + static_cast<i64>(node.imm);
    offset_of_[i] = place.offset;
    std::size_t found = groups_.size();
    for (std::size_t g = groups_.size(); g-- > oldest;) {
      const i64 low = std::min(groups_[g].low, place.offset);
      const i64 high = std::max(groups_[g].high, end);
      if (groups_[g].root != place.root || high - low > i64{kMaxSpan}) continue;
      groups_[g].low = low;
      groups_[g].high = high;
      found = g;
      break;
    }
    if (found == groups_.size())
      groups_.push_back({.root = place.root, .low = place.offset, .high = end, .writes = false});
    groups_[found].writes = groups_[found].writes || is_write(node);
    ++groups_[found].members;
    group_of_[i] = static_cast<u32>(found);
  }
}

Value Merger::add_constant(Type type, i64 value) {
  const bool is_wide = type == Type::kI64;
  const u64 bits = static_cast<u64>(value);
  return add({.op = is_wide ? IrOp::kConst64 : IrOp::kConst32,
              .type = type,
              .imm = is_wide ? bits : static_cast<u32>(bits)});
}

// The span's lowest address.
Value Merger::root_of(const Group& group) {
  const Type word = function_.word;
  if (group.root == Place::kAbsolute) return add_constant(word, group.low);
  const bool is_entry = group.root == Place::kEntry;
  const Value root = is_entry ? add({.op = IrOp::kEntryRip, .type = Type::kI64}) : renamed_[group.root];
  if (group.low == 0) return root;
  const Value low = add_constant(word, group.low);
  return add({.op = word == Type::kI64 ? IrOp::kAdd64 : IrOp::kAdd32,
              .type = word,
              .argument_count = 2,
              .arguments = {root, low}});
}

Value Merger::open(const Group& group, const Node& first) {
  const Value low = root_of(group);
  const u32 place = first.exit & ~15u;
  return add({.op = group.writes ? IrOp::kWriteSpan : IrOp::kReadSpan,
              .type = Type::kI32,
              .argument_count = 1,
              .arguments = {low},
              .exit = place | static_cast<u32>(GeneratedExit::kSpan),
              .imm = static_cast<u64>(group.high - group.low)});
}

void Merger::convert(u32 at, Node node) {
  Group& group = groups_[group_of_[at]];
  if (group.host == kNoValue) group.host = open(group, node);
  const i64 offset = offset_of_[at] - group.low;
  if (node.op == IrOp::kGuestPlace) {
    const Value distance = add_constant(Type::kI32, offset);
    renamed_[at] = add(
        {.op = IrOp::kAdd32, .type = Type::kI32, .argument_count = 2, .arguments = {group.host, distance}});
    return;
  }
  node.op = node.op == IrOp::kGuestLoad ? IrOp::kHostLoad : IrOp::kHostStore;
  node.arguments[0] = group.host;
  node.imm_high = static_cast<u64>(offset);
  node.exit = 0;
  renamed_[at] = add(node);
}

void Merger::rebuild() {
  renamed_.assign(block_.nodes.size(), kNoValue);
  for (u32 i = 0; i < block_.nodes.size(); ++i) {
    Node node = block_.nodes[i];
    const auto is_merged = [&](Value v) {
      return block_.nodes[v].op == IrOp::kGuestPlace && is_worth(groups_[group_of_[v]]);
    };
    const Value first = node.argument_count > 0 ? node.arguments[0] : Value{0};
    for (unsigned a = 0; a < node.argument_count; ++a) node.arguments[a] = renamed_[node.arguments[a]];
    if (is_access(node) && is_worth(groups_[group_of_[i]])) {
      convert(i, node);
      continue;
    }
    const bool is_host = node.op == IrOp::kHostLoad || node.op == IrOp::kHostStore;
    if (is_host && is_merged(first)) {
      const Group& group = groups_[group_of_[first]];
      node.arguments[0] = group.host;
      node.imm_high += static_cast<u64>(offset_of_[first] - group.low);
    }
    renamed_[i] = add(node);
  }
  if (block_.end.value != kNoValue) block_.end.value = renamed_[block_.end.value];
  block_.nodes = std::move(out_);
}

}  // namespace

void merge_accesses(Function& function, const RegionSource& source) {
  // Blocks of the region come first; those of edges have no accesses.
  for (std::size_t i = 0; i < source.blocks.size(); ++i) {
    if (!source.blocks[i].separate) Merger(function, function.blocks[i]).run();
  }
}

}  // namespace lapwing::jit
