#include "wasm_jit/frontend/families.h"

#include "core/cpu/decode/op_info.h"

namespace lapwing::jit {

namespace {

struct FamilyTable {
  Family of[static_cast<unsigned>(Op::kCount)] = {};
  constexpr FamilyTable() {
    // x87, MMX, SSE: whatever has no row.
    for (auto op = static_cast<unsigned>(Op::FADD); op <= static_cast<unsigned>(Op::PCLMULQDQ); ++op) {
      of[op] = family::handler;
    }
#define SIMD(op, opcode) of[static_cast<unsigned>(Op::op)] = family::sse_simd;
#define SIMD_SWAPPED(op, opcode) SIMD(op, opcode)
#include "wasm_jit/frontend/sse.inc"
#undef SIMD
#undef SIMD_SWAPPED
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

namespace lapwing {

bool goes_on_behind(const Instruction& in) {
  if (in.op == Op::MOV_TO_CR) return jit::keeps_translations(in);
  return (op_info(in.op).attributes & kAttrBranch) == 0 && jit::family_of(in.op) != nullptr;
}

}  // namespace lapwing
