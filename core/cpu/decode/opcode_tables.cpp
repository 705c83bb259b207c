#include "core/cpu/decode/opcode_tables.h"

#include <initializer_list>
#include <iterator>

namespace lapwing::opcode {

// The .inc files spell the enumerators without k; the macros below add it.
constexpr u8 kRegisterSlot = 8;
#define PLACED(table, first, count, prefixes, op, enc, size, imm, reg, rm, flags) \
  Row{Op::op,                                                                     \
      Encoding::k##enc,                                                           \
      Size::k##size,                                                              \
      Immediate::k##imm,                                                          \
      RegisterClass::k##reg,                                                      \
      RegisterClass::k##rm,                                                       \
      flags,                                                                      \
      Table::kNoGroup,                                                            \
      Table::k##table,                                                            \
      first,                                                                      \
      count,                                                                      \
      prefixes},
#define TO_GROUP(table, first, prefixes, group, enc, size, imm, reg, rm, flags) \
  Row{Op::INVALID,                                                              \
      Encoding::k##enc,                                                         \
      Size::k##size,                                                            \
      Immediate::k##imm,                                                        \
      RegisterClass::k##reg,                                                    \
      RegisterClass::k##rm,                                                     \
      flags,                                                                    \
      Table::k##group,                                                          \
      Table::k##table,                                                          \
      first,                                                                    \
      1,                                                                        \
      prefixes},

constexpr Row kRows[] = {
    Row{},

#define ROW(first, count, op, enc, size, imm, flags) \
  PLACED(OneByte, first, count, kAny, op, enc, size, imm, General, General, flags)
#define CLASSES(first, op, enc, size, reg, rm, flags) \
  PLACED(OneByte, first, 1, kAny, op, enc, size, None, reg, rm, flags)
#define GROUP(first, group, enc, size, imm, flags) \
  TO_GROUP(OneByte, first, kAny, group, enc, size, imm, General, General, flags)
#include "core/cpu/decode/one_byte.inc"
#undef ROW
#undef CLASSES
#undef GROUP

#define ROW(first, count, op, enc, size, imm, flags) \
  PLACED(TwoByte, first, count, kAny, op, enc, size, imm, General, General, flags)
#define GROUP(prefixes, first, group, enc, size, imm, reg, rm) \
  TO_GROUP(TwoByte, first, prefixes, group, enc, size, imm, reg, rm, 0)
#define PREFIXED(prefixes, first, op, enc, size, imm, reg, rm, flags) \
  PLACED(TwoByte, first, 1, prefixes, op, enc, size, imm, reg, rm, flags)
#define SSE(prefix, opcode, op, size) PREFIXED(prefix, opcode, op, RM, size, None, Xmm, Xmm, 0)
#define SSEI(prefix, opcode, op, size) PREFIXED(prefix, opcode, op, RMI, size, U8, Xmm, Xmm, 0)
#define STORE(prefix, opcode, op, size) PREFIXED(prefix, opcode, op, MR, size, None, Xmm, Xmm, 0)
#define STORE_MEM(prefix, opcode, op, size) PREFIXED(prefix, opcode, op, MR, size, None, Xmm, Xmm, kMem)
#define PACKED(opcode, op)                            \
  PREFIXED(kNP, opcode, op, RM, Q, None, Mmx, Mmx, 0) \
  PREFIXED(k66, opcode, op, RM, X, None, Xmm, Xmm, 0)
#define FOUR(opcode, op)      \
  SSE(kNP, opcode, op##PS, X) \
  SSE(k66, opcode, op##PD, X) \
  SSE(kF3, opcode, op##SS, D) \
  SSE(kF2, opcode, op##SD, Q)
#include "core/cpu/decode/two_byte.inc"
#undef ROW
#undef GROUP

#undef PREFIXED
#define PREFIXED(prefixes, first, op, enc, size, imm, reg, rm, flags) \
  PLACED(0f38, first, 1, prefixes, op, enc, size, imm, reg, rm, flags)
#include "core/cpu/decode/map_0f38.inc"
#undef PREFIXED
#define PREFIXED(prefixes, first, op, enc, size, imm, reg, rm, flags) \
  PLACED(0f3a, first, 1, prefixes, op, enc, size, imm, reg, rm, flags)
#include "core/cpu/decode/map_0f3a.inc"
#undef PREFIXED
#undef SSE
#undef SSEI
#undef STORE
#undef STORE_MEM
#undef PACKED
#undef FOUR

#define VEX(map, prefix, opcode, op, enc, size, imm) \
  PLACED(Vex##map, opcode, 1, prefix, op, enc, size, imm, General, General, 0)
#define VEX_GROUP(map, prefix, opcode, group, enc, size) \
  TO_GROUP(Vex##map, opcode, prefix, group, enc, size, None, General, General, 0)
#include "core/cpu/decode/vex.inc"
#undef VEX
#undef VEX_GROUP

#define IN_MEMORY(group, digit, count, op, enc, size, imm, reg, rm, flags) \
  PLACED(group, digit, count, 0, op, enc, size, imm, reg, rm, flags)
#define IN_REGISTER(group, byte, count, op, enc, size, imm, reg, rm, flags) \
  PLACED(group, kRegisterSlot + ((byte) & 63), count, 0, op, enc, size, imm, reg, rm, flags)
#define MEM(group, digit, op, enc, size, flags) \
  IN_MEMORY(group, digit, 1, op, enc, size, None, General, General, flags)
#define REG(group, digit, op, enc, size, flags) \
  IN_REGISTER(group, (digit) * 8, 8, op, enc, size, None, General, General, flags)
#define BOTH(group, digit, op, enc, size, flags) \
  MEM(group, digit, op, enc, size, flags) REG(group, digit, op, enc, size, flags)
#define SAME(group, digit, op, flags) BOTH(group, digit, op, Inherit, None, flags)
#define SAME_REG(group, digit, op) REG(group, digit, op, Inherit, None, 0)
#define SHAPE(group, digit, op, enc, size, imm)                       \
  IN_MEMORY(group, digit, 1, op, enc, size, imm, General, General, 0) \
  IN_REGISTER(group, (digit) * 8, 8, op, enc, size, imm, General, General, 0)
#define ALL_MEM(group, op, enc, size, reg, rm) IN_MEMORY(group, 0, 8, op, enc, size, None, reg, rm, 0)
#define ALL_REG(group, op, enc, size, reg, rm) IN_REGISTER(group, 0, 64, op, enc, size, None, reg, rm, 0)
#define MODRM(group, byte, op, flags) \
  IN_REGISTER(group, byte, 1, op, None, None, None, General, General, flags)
#define MODRM8(group, byte, op) IN_REGISTER(group, byte, 8, op, None, None, None, General, General, 0)
#include "core/cpu/decode/groups.inc"

#define MEMORY87(group, digit, op, enc, size) IN_MEMORY(group, digit, 1, op, enc, size, None, Stack, Stack, 0)
#define STACK87(group, byte, op, enc) IN_REGISTER(group, byte, 8, op, enc, T, None, Stack, Stack, 0)
#define PLAIN87(group, byte, op) IN_REGISTER(group, byte, 1, op, None, T, None, Stack, Stack, 0)
#define REG87(group, byte, op, enc, size) IN_REGISTER(group, byte, 1, op, enc, size, None, Stack, General, 0)
#include "core/cpu/decode/x87.inc"
};
constexpr unsigned kRowCount = static_cast<unsigned>(std::size(kRows));

// Not constexpr, so that a constant expression that gets here does not compile.
void two_rows_in_one_place() {}

constexpr void put(u16& slot, unsigned row) {
  if (slot != 0) two_rows_in_one_place();
  slot = static_cast<u16>(row);
}

constexpr void put_one_byte(Lookup& out, unsigned opcode, unsigned row) {
  const u8 flags = kRows[row].flags;
  if ((flags & kOnly64) == 0) put(out.one_byte[0][opcode], row);
  if ((flags & kNot64) == 0) put(out.one_byte[1][opcode], row);
}

constexpr void put_prefixed(u16 (&map)[4][256], unsigned opcode, unsigned row) {
  for (unsigned column = 0; column < 4; ++column) {
    if (((kRows[row].prefixes >> column) & 1) != 0) put(map[column][opcode], row);
  }
}

constexpr void put_anywhere(Lookup& out, unsigned place, unsigned row) {
  switch (kRows[row].table) {
    case Table::kOneByte: put_one_byte(out, place, row); break;
    case Table::kTwoByte: put_prefixed(out.two_byte, place, row); break;
    case Table::k0f38: put_prefixed(out.map_0f38, place, row); break;
    case Table::k0f3a: put_prefixed(out.map_0f3a, place, row); break;
    case Table::kVex0f38: put_prefixed(out.vex_0f38, place, row); break;
    case Table::kVex0f3a: put_prefixed(out.vex_0f3a, place, row); break;
    default: put(out.group[group_index(kRows[row].table)][place], row); break;
  }
}

constexpr Lookup make_lookup() {
  Lookup out{};
  for (unsigned row = 1; row < kRowCount; ++row) {
    for (unsigned i = 0; i < kRows[row].count; ++i) put_anywhere(out, kRows[row].first + i, row);
  }
  return out;
}

static_assert(make_lookup().one_byte[0][0x90] != 0, "two rows in one place");

// Not constant for the compiler: a page would download what it can compute.
Lookup compute_lookup() {
  return make_lookup();
}

const Lookup& lookup() {
  static const Lookup table = compute_lookup();
  return table;
}

// PAUSE and CMPXCHG16B are variants that the decoder derives from another row.
constexpr bool every_op_has_a_row() {
  bool found[static_cast<unsigned>(Op::kCount)] = {};
  for (Op op : {Op::INVALID, Op::TOO_LONG, Op::PAUSE, Op::CMPXCHG16B})
    found[static_cast<unsigned>(op)] = true;
  for (const Row& row : kRows) found[static_cast<unsigned>(row.op)] = true;
  for (bool one : found) {
    if (!one) return false;
  }
  return true;
}
static_assert(every_op_has_a_row());

}  // namespace lapwing::opcode
