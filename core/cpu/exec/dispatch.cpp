#include "core/cpu/exec/dispatch.h"

#include "core/types.h"

namespace lapwing {

namespace {

// What a row of hot.inc is found by.
constexpr u32 key(Op op, Form form, unsigned size, unsigned kind) {
  return static_cast<u32>(op) << 16 | static_cast<u32>(form) << 11 | size << 6 | kind;
}

enum OperandKind : unsigned { kKindReg, kKindMem, kKindNone, kKindCondition };

constexpr unsigned kind_of(const Instruction& in) {
  const bool memory = in.rm_is_memory();
  if (in.op == Op::JCC) return kKindCondition + in.condition();
  if ((in.op == Op::CMOVCC || in.op == Op::SETCC) && !memory) return kKindCondition + in.condition();
  switch (in.form) {
    case Form::kNone:
    case Form::kI:
    case Form::kJ: return kKindNone;
    default: return memory ? kKindMem : kKindReg;
  }
}

struct Row {
  u32 key;
  HotOp hot;
};

constexpr unsigned REG = kKindReg, MEM = kKindMem, NONE = kKindNone;
constexpr unsigned CC(unsigned condition) {
  return kKindCondition + condition;
}

constexpr Row kRows[] = {
#define HOT(name, op, form, size, kind, expression) {key(Op::op, Form::k##form, size, kind), HotOp::name},
#define HOT_BRANCH(name, op, form, size, kind, expression) HOT(name, op, form, size, kind, expression)
#include "core/cpu/exec/hot.inc"
#undef HOT_BRANCH
#undef HOT
};

// Open addressing with linear probing. Filled at first use: the page would have to download it otherwise.
constexpr unsigned kSlots = 2048;
static_assert(sizeof(kRows) / sizeof(Row) < kSlots / 2);

constexpr unsigned slot_of(u32 key) {
  return (key * 0x9E3779B1u) >> 21;
}

struct RowTable {
  Row slots[kSlots];

  RowTable() {
    for (Row& slot : slots) slot = {0, HotOp::kEndFall};
    for (const Row& row : kRows) {
      unsigned at = slot_of(row.key);
      while (slots[at].hot != HotOp::kEndFall) at = (at + 1) % kSlots;
      slots[at] = row;
    }
  }
};

constexpr bool all_different() {
  for (const Row& row : kRows) {
    for (const Row* other = kRows; other != &row; ++other) {
      if (other->key == row.key) return false;
    }
  }
  return true;
}
static_assert(all_different(), "two rows of hot.inc for the same instruction");

}  // namespace

u16 select_handler(const Instruction& in) {
  static const RowTable table;
  const u32 wanted = key(in.op, in.form, in.operand_size, kind_of(in));
  for (unsigned at = slot_of(wanted); table.slots[at].hot != HotOp::kEndFall; at = (at + 1) % kSlots) {
    if (table.slots[at].key == wanted) return static_cast<u16>(table.slots[at].hot);
  }
  return generic_handler(in.op);
}

}  // namespace lapwing
