#include "wasm_jit/runtime/compile.h"

#include "wasm_jit/backend/module_builder.h"

namespace lapwing {

void compile_regions(std::span<Region* const> regions, const CpuModel& model,
                     std::vector<Region*>& translated, std::vector<u8>& bytes) {
  ModuleBuilder module;
  for (Region* region : regions) {
    const RegionSource source{.blocks = region->blocks,
                              .mode = region->mode,
                              .long_mode = region->mode.long_mode,
                              .has_tzcnt = model.has(Feature::BMI1),
                              .has_lzcnt = model.has(Feature::LZCNT)};
    if (translate(source, module)) translated.push_back(region);
  }
  if (!translated.empty()) bytes = module.finish();
}

}  // namespace lapwing
