// What became of a region, as text: the guest's instructions, the IR after the passes, the WebAssembly
// function.
#pragma once

#include <string>
#include <vector>

#include "core/types.h"

namespace lapwing {

struct RegionSource;
namespace jit {
struct Function;
}

struct Listing {
  static constexpr u32 kGuest = 1, kIr = 2, kWasm = 4;
  u32 parts = 0;  // which; 0: no text is made
  std::string text;
};

void list_region(Listing& listing, const RegionSource& source, const jit::Function& function,
                 const std::vector<u8>& body);

}  // namespace lapwing
