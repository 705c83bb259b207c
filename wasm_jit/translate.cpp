#include "wasm_jit/translate.h"

#include "wasm_jit/backend/lower.h"
#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/frontend/translator.h"
#include "wasm_jit/passes/passes.h"

namespace lapwing {

bool translate(const RegionSource& source, ModuleBuilder& module) {
  jit::Function function;
  if (!jit::Translator(source, function).run()) return false;
  jit::remove_dead_writes(function);
  jit::remove_dead_code(function);
  const std::vector<jit::Step> steps = jit::structure(function);
  module.add(jit::lower(function, steps));
  return true;
}

}  // namespace lapwing
