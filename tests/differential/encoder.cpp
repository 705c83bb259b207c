#include "tests/differential/encoder.h"

namespace lapwing::differential {

using opcode::Encoding;
using opcode::Immediate;
using opcode::Row;
using opcode::Table;

namespace {

constexpr u8 kRegisterSlot = 8;  // in a group's slots: ModRM C0 and up

bool is_string(Op op) {
  return op >= Op::MOVS && op <= Op::OUTS;
}

bool is_vex(Table table) {
  return table == Table::kVex0f38 || table == Table::kVex0f3a;
}

// Registers that the generator loads with addresses of data, among the first eight.
constexpr unsigned kPointers[] = {3, 4, 5, 6, 7};

}  // namespace

Encoder::Encoder(Random& random, bool long_mode, const Row& row, const Row& parent)
    : random_(random),
      long_mode_(long_mode),
      row_(row),
      parent_(parent),
      grouped_(row.table >= Table::kFirstGroup) {}

void Encoder::byte(unsigned value) {
  piece_->bytes[piece_->length++] = static_cast<u8>(value);
}

void Encoder::dword(u32 value) {
  for (unsigned i = 0; i < 4; ++i) byte((value >> (8 * i)) & 0xFF);
}

u32 Encoder::data_address() {
  const u32 at = static_cast<u32>(kDataBase) + random_.below(kDataSize - 64);
  if (random_.chance(3)) return static_cast<u32>(kConstantBase) + random_.below(kConstantSize);
  if (random_.chance(4)) return static_cast<u32>(kDataBase + kDataSize) - random_.below(16);
  return random_.chance(75) ? at & ~15u : at;
}

void Encoder::legacy_prefixes() {
  constexpr unsigned kSegments[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
  const Row& at = place();
  if (at.prefixes == opcode::kAny || at.prefixes == 0) {
    if (random_.chance(20)) byte(0x66);
    if (is_string(row_.op) ? random_.chance(65) : random_.chance(2)) byte(random_.chance(50) ? 0xF3 : 0xF2);
  } else {
    unsigned chosen = random_.below(4);
    while ((at.prefixes >> chosen & 1) == 0) chosen = random_.below(4);
    constexpr unsigned kMandatory[] = {0, 0x66, 0xF3, 0xF2};
    if (chosen != 0) byte(kMandatory[chosen]);
    if (chosen > 1 && random_.chance(20)) byte(0x66);
  }
  if (random_.chance(long_mode_ ? 6 : 4)) byte(kSegments[random_.below(6)]);
  // In 32-bit code 16-bit addresses reach no data.
  if (random_.chance(long_mode_ ? 10 : 1)) {
    byte(0x67);
    address16_ = !long_mode_;
  }
  if ((row_.flags & opcode::kLock) != 0 ? random_.chance(10) : random_.chance(1)) byte(0xF0);
}

void Encoder::prefixes() {
  legacy_prefixes();
  if (!long_mode_ || !random_.chance(55)) return;
  unsigned rex = 0x40 | random_.below(16);
  // Extended registers are no pointers but for R12-R14: take B seldom.
  if (random_.chance(60)) rex &= ~1u;
  byte(rex);
}

void Encoder::escape() {
  switch (place().table) {
    case Table::kTwoByte: byte(0x0F); break;
    case Table::k0f38:
      byte(0x0F);
      byte(0x38);
      break;
    case Table::k0f3a:
      byte(0x0F);
      byte(0x3A);
      break;
    default: break;
  }
}

void Encoder::vex() {
  const Row& at = place();
  unsigned prefix = random_.below(4);
  while ((at.prefixes >> prefix & 1) == 0) prefix = random_.below(4);
  byte(0xC4);
  // R, X and B are inverted; outside 64-bit mode R and X must be ones.
  const unsigned extensions = long_mode_ ? 0x40u | random_.below(8) << 5 : 0xE0u;
  byte((extensions & 0xE0) | (at.table == Table::kVex0f38 ? 2 : 3));
  const bool takes_vvvv = row_.encoding != Encoding::kRMI;
  byte(random_.below(2) << 7 | (takes_vvvv ? random_.below(16) : 15u) << 3 | prefix);
}

// Destinations that are pointers come up less often.
unsigned Encoder::register_field() {
  const unsigned reg = random_.below(8);
  return reg >= 3 && random_.chance(60) ? random_.below(3) : reg;
}

void Encoder::memory_operand16(unsigned reg) {
  const unsigned mod = random_.below(3);
  byte(mod << 6 | reg << 3 | random_.below(8));
}

void Encoder::memory_operand(unsigned reg) {
  if (address16_) return memory_operand16(reg);
  const unsigned base = kPointers[random_.below(5)];
  const auto small =
      static_cast<u32>(static_cast<i32>(random_.below(256)) - 128) & (random_.chance(70) ? ~15u : ~0u);
  switch (random_.below(8)) {
    case 0:
    case 1:  // absolute
      byte(reg << 3 | 4);
      byte(0x25);
      return dword(data_address());
    case 2:
    case 3:  // in 64-bit mode RIP-relative
      byte(reg << 3 | 5);
      piece_->rip_offset = piece_->length;
      piece_->rip_target = data_address();
      return dword(static_cast<u32>(piece_->rip_target));
    case 4:  // base and index
      byte(0x40 | reg << 3 | 4);
      byte(random_.below(4) << 6 | (random_.chance(70) ? 1u : random_.below(8)) << 3 | base);
      return byte(small);
    case 5:  // base, long displacement
      byte(0x80 | reg << 3 | base);
      if (base == 4) byte(0x24);
      return dword(small);
    case 6:  // anything
      return byte((random_.below(3) << 6) | reg << 3 | random_.below(8));
    default:  // base
      byte(0x40 | reg << 3 | base);
      if (base == 4) byte(0x24);
      return byte(small);
  }
}

void Encoder::modrm() {
  unsigned reg = register_field();
  bool memory = random_.chance(50);
  if (grouped_) {
    const unsigned slot = row_.first + random_.below(row_.count);
    memory = slot < kRegisterSlot;
    if (!memory) return byte(0xC0 + slot - kRegisterSlot);
    reg = slot;
  } else {
    if ((row_.flags & opcode::kMem) != 0) memory = !random_.chance(2);
    if ((row_.flags & opcode::kReg) != 0) memory = random_.chance(2);
  }
  if (memory) return memory_operand(reg);
  byte(0xC0 | reg << 3 | register_field());
}

void Encoder::encode(Piece& piece) {
  piece_ = &piece;
  if (is_vex(place().table)) {
    if (random_.chance(5)) byte(0x67);
    vex();
  } else {
    prefixes();
    escape();
  }
  byte(place().first + (grouped_ ? 0 : random_.below(row_.count)));
  const Encoding encoding = place().encoding;
  if (grouped_ || (encoding != Encoding::kNone && encoding <= Encoding::kVM)) modrm();
  if (encoding == Encoding::kMoffsLoad || encoding == Encoding::kMoffsStore) {
    dword(data_address());
    dword(0);
  }
  // The rest: immediates.
  const unsigned kind = random_.below(3);
  while (piece.length < sizeof piece.bytes) {
    byte(kind == 0 ? 0 : kind == 1 && piece.length % 2 == 0 ? 0xFF : random_.below(256));
  }
}

u8 Encoder::branch_displacement_size(const Instruction& in) const {
  if (row_.immediate == Immediate::kS8) return 1;
  return in.operand_size == 2 ? 2 : 4;
}

}  // namespace lapwing::differential
