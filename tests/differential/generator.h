// Random user-mode instruction sequences, made from the decoder's own opcode tables. Everything follows from
// the seed.
#pragma once

#include "core/cpu/decode/decoder.h"
#include "core/cpu/decode/opcode_tables.h"
#include "tests/differential/layout.h"

namespace lapwing::differential {

struct GeneratorOptions {
  bool integer = true;
  bool x87 = true;
  bool sse = true;
  bool modes64 = true;
  bool modes32 = true;
  unsigned max_pieces = 8;
  std::string only;        // mnemonic prefix; empty = all
  bool same_maker = true;  // the host's undefined flags are those of the table
};

enum class Family : u8 { kInteger, kX87, kSse };
Family family_of(Op op);
// Results are right within a bound, not to the bit.
bool is_approximate(Op op);

class Generator {
 public:
  explicit Generator(const GeneratorOptions& options);
  Sequence make(u64 seed) const;
  static void fill_registers(Random& random, Sequence& sequence);
  // Contents of the data pages for a seed.
  static void fill_memory(u64 seed, Memory& memory);
  // How many (op, encoding) choices there are.
  std::size_t choices() const { return by_mode_[0].size() + by_mode_[1].size(); }

 private:
  struct Choice {
    u16 row;
    u16 parent;  // the opcode's row when `row` belongs to a group, else 0
  };

  bool allowed(Op op) const;
  void add_choices(bool long_mode);
  bool make_piece(Random& random, bool long_mode, Piece& piece, Op& op) const;

  GeneratorOptions options_;
  std::vector<Choice> by_mode_[2];  // 32-bit, 64-bit code
};

}  // namespace lapwing::differential
