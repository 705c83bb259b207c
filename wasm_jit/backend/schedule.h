// Decides, for the values of one block, where the stack machine computes each: in the expression that uses it
// first, or at its own place into a local.
#pragma once

#include <vector>

#include "wasm_jit/ir/ir.h"

namespace lapwing::jit {

struct Schedule {
  enum class Place : u8 {
    kNowhere,  // dead, or no value
    kInline,   // computed (again) in each expression that uses it: constants, unchanged variables
    kOnce,     // in the expression that uses it first; kept in a local when there are more uses
    kRoot,     // at its own position, into a local
  };
  struct Entry {
    Place place = Place::kNowhere;
    u16 uses = 0;
    u32 first_use = 0;  // positions of the roots whose expressions use it
    u32 last_use = 0;
  };
  std::vector<Entry> entries;

  void compute(const IrBlock& block);
};

}  // namespace lapwing::jit
