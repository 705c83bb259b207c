#include "wasm_jit/translate.h"

#include "wasm_jit/backend/lower.h"
#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/frontend/translator.h"
#include "wasm_jit/listing.h"
#include "wasm_jit/passes/passes.h"

namespace lapwing {

bool translate(const RegionSource& source, ModuleBuilder& module, Listing* listing) {
  jit::Function function;
  if (!jit::Translator(source, function).run()) return false;
  jit::merge_accesses(function, source);
  jit::remove_dead_writes(function);
  jit::remove_dead_code(function);
  const std::vector<jit::Step> steps = jit::structure(function);
  std::vector<u8> body = jit::lower(function, steps);
  if (listing != nullptr) list_region(*listing, source, function, body);
  module.add(std::move(body), function.uses_x87);
  return true;
}

}  // namespace lapwing
