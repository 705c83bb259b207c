// Encodes one random instruction of a given row of the opcode tables. Operands mostly lie where memory is;
// the rest is random.
#pragma once

#include "core/cpu/decode/decoder.h"
#include "core/cpu/decode/opcode_tables.h"
#include "tests/differential/layout.h"

namespace lapwing::differential {

class Encoder {
 public:
  // `parent` is the row of the opcode when `row` belongs to a group.
  Encoder(Random& random, bool long_mode, const opcode::Row& row, const opcode::Row& parent);
  // Fills all 16 bytes; the decoder tells how many count.
  void encode(Piece& piece);
  u8 branch_displacement_size(const Instruction& in) const;

 private:
  const opcode::Row& place() const { return grouped_ ? parent_ : row_; }
  void byte(unsigned value);
  void dword(u32 value);
  void prefixes();
  void legacy_prefixes();
  void escape();
  void vex();
  void modrm();
  void memory_operand(unsigned reg);
  void memory_operand16(unsigned reg);
  unsigned register_field();
  u32 data_address();

  Random& random_;
  const bool long_mode_;
  const opcode::Row& row_;
  const opcode::Row& parent_;
  const bool grouped_;
  Piece* piece_ = nullptr;
  bool address16_ = false;
};

}  // namespace lapwing::differential
