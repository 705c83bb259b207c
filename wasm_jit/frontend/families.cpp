#include "wasm_jit/frontend/families.h"

namespace lapwing::jit {

namespace {

struct FamilyTable {
  Family of[static_cast<unsigned>(Op::kCount)] = {};
  constexpr FamilyTable() {
#define FAMILY(op, function) of[static_cast<unsigned>(Op::op)] = family::function;
#include "wasm_jit/frontend/families.inc"
#undef FAMILY
  }
};
constexpr FamilyTable kFamilies;

}  // namespace

Family family_of(Op op) {
  return kFamilies.of[static_cast<unsigned>(op)];
}

}  // namespace lapwing::jit
