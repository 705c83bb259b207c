#include "wasm_jit/runtime/compile.h"

#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/listing.h"

namespace lapwing {

void compile_regions(std::span<Region* const> regions, const CpuModel& model, u32 listing_parts,
                     std::vector<Region*>& translated, std::vector<u8>& bytes) {
  ModuleBuilder module;
  for (Region* region : regions) {
    const RegionSource source{.blocks = region->blocks,
                              .entries = region->entries,
                              .dispatch = &region->dispatch,
                              .mode = region->mode,
                              .long_mode = region->mode.long_mode,
                              .has_tzcnt = model.has(Feature::BMI1),
                              .has_lzcnt = model.has(Feature::LZCNT)};
    Listing listing{.parts = listing_parts, .text = {}};
    if (!translate(source, module, listing_parts != 0 ? &listing : nullptr)) continue;
    region->listing = std::move(listing.text);
    translated.push_back(region);
  }
  if (!translated.empty()) bytes = module.finish();
}

}  // namespace lapwing
