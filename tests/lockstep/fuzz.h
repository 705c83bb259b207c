// Decoder -> IR -> wasm under random code, run in lockstep with the interpreter: sequences from the opcode
// tables, random bytes, and pieces of real programs, changed or not. Everything follows from a batch's seed.
#pragma once

#include "tests/differential/generator.h"
#include "tests/lockstep/lockstep.h"

namespace lapwing::lockstep {

struct FuzzCounts {
  u64 batches = 0;
  u64 pieces = 0;
  u64 executions = 0;
  u64 generated = 0;  // instructions that ran as generated code
  u64 regions = 0;
  u64 modules = 0;
  u64 module_bytes = 0;
};

class Fuzzer {
 public:
  explicit Fuzzer(ModuleHost& host);
  // Bytes of a real program's code.
  void add_corpus(u8 code_size, std::vector<u8> bytes) { corpora_.push_back({code_size, std::move(bytes)}); }
  // Empty: no difference. `rounds`: how often each piece runs once its code is generated.
  std::string batch(u64 seed, unsigned rounds);
  const FuzzCounts& counts() const { return counts_; }

 private:
  struct Corpus {
    u8 code_size;
    std::vector<u8> bytes;
  };
  Piece make_piece(Random& random, u64 address, unsigned room) const;
  void table_code(Random& random, Piece& piece, unsigned room, bool only_x87) const;
  void corpus_code(Random& random, Piece& piece, unsigned room) const;
  Run make_run(Random& random, const Piece& piece) const;
  void count(const Jit& jit);

  Lockstep lockstep_;
  differential::Generator generator32_;
  differential::Generator generator64_;
  differential::Generator x87_generator32_;
  differential::Generator x87_generator64_;
  std::vector<Corpus> corpora_;
  std::vector<Memory> memories_;
  FuzzCounts counts_;
};

}  // namespace lapwing::lockstep
