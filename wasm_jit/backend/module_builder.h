// Collects generated functions into one WebAssembly module: imports memory "e" "m" and the core's helper
// functions (imports.inc), exports functions "0", "1", ... of type (i32) -> (i32).
#pragma once

#include <vector>

#include "core/types.h"

namespace lapwing {

class ModuleBuilder {
 public:
  // A function's body: local declarations and code; whether it calls kX87Add or kX87Multiply. Returns its
  // number.
  unsigned add(std::vector<u8> body, bool uses_x87 = false);
  unsigned count() const { return static_cast<unsigned>(bodies_.size()); }
  // Of the functions so far.
  std::size_t bytes() const { return bytes_; }
  // The whole module; starts anew.
  std::vector<u8> finish();

 private:
  std::vector<std::vector<u8>> bodies_;
  std::size_t bytes_ = 0;
  bool uses_x87_ = false;
};

namespace jit {

// Function indices that generated code calls.
enum class Callee : u8 {
#define IMPORT(name, ...) k##name,
#include "wasm_jit/backend/imports.inc"
#undef IMPORT
  kImportCount,
  kMulHighU = kImportCount,  // the module's own
  kMulHighS,
  kX87Add,
  kX87Multiply,
  kFirstRegion,
};

}  // namespace jit
}  // namespace lapwing
