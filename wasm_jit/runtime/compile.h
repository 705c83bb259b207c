// From regions to the bytes of one module.
#pragma once

#include <span>
#include <vector>

#include "wasm_jit/runtime/region.h"

namespace lapwing {

// Translates `regions` into one module whose export "n" is the function of translated[n]; those that the
// translator refuses are left out. `listing_parts`: what each region keeps as text (Listing).
void compile_regions(std::span<Region* const> regions, const CpuModel& model, u32 listing_parts,
                     std::vector<Region*>& translated, std::vector<u8>& bytes);

}  // namespace lapwing
