#include "wasm_jit/backend/schedule.h"

namespace lapwing::jit {

namespace {

// Whether values that are read from memory may differ behind this node.
bool changes_memory(const Node& node) {
  return (node.effect() == Effect::kWrite && node.op != IrOp::kWriteVar) || node.op == IrOp::kGuestStore ||
         node.op == IrOp::kCallHandler;
}

}  // namespace

void Schedule::compute(const IrBlock& block) {
  constexpr u32 kNever = 0xFFFFFFFF;
  const auto count = static_cast<u32>(block.nodes.size());
  entries.assign(count, Entry{.first_use = kNever});
  u32 next_write[kVarCount];
  for (u32& position : next_write) position = kNever;
  u32 next_memory_change = kNever;
  u32 next_effect = kNever;

  const auto use = [&](Value value, u32 position) {
    Entry& entry = entries[value];
    ++entry.uses;
    if (position < entry.first_use) entry.first_use = position;
    if (entry.last_use < position || entry.uses == 1) entry.last_use = position;
  };
  if (block.end.value != kNoValue) use(block.end.value, count);

  for (u32 i = count; i-- > 0;) {
    const Node& node = block.nodes[i];
    Entry& entry = entries[i];
    u32 position = i;
    if (node.type != Type::kVoid) {
      const u32 at = entry.first_use;
      switch (node.effect()) {
        case Effect::kPure: entry.place = node.argument_count == 0 ? Place::kInline : Place::kOnce; break;
        case Effect::kRead:
          if (node.op == IrOp::kReadVar) {
            entry.place = next_write[node.imm] >= entry.last_use ? Place::kInline : Place::kRoot;
          } else {
            entry.place = next_memory_change >= at ? Place::kOnce : Place::kRoot;
          }
          break;
        default: entry.place = entry.uses > 0 && next_effect >= at ? Place::kOnce : Place::kRoot; break;
      }
      if (entry.uses == 0 && node.effect() != Effect::kExit && node.op != IrOp::kX87) {
        entry.place = Place::kNowhere;
        continue;
      }
      if (entry.place == Place::kOnce) position = at;
    }
    for (unsigned a = 0; a < node.argument_count; ++a) use(node.arguments[a], position);
    if (node.op == IrOp::kWriteVar) next_write[node.imm] = i;
    if (node.op == IrOp::kX87Reload) {
      for (unsigned var = 0; var < kVarCount; ++var) {
        if (is_x87(static_cast<Var>(var))) next_write[var] = i;
      }
    }
    if (changes_memory(node)) next_memory_change = i;
    if (node.effect() == Effect::kWrite || node.effect() == Effect::kExit) next_effect = i;
  }
}

}  // namespace lapwing::jit
