#include "wasm_jit/ir/ir.h"

namespace lapwing::jit {

namespace {
constexpr IrOpInfo kOps[] = {
#define IR(name, text, type, arguments, effect, wasm) \
  {text, Type::k##type, arguments, Effect::k##effect, wasm},
#include "wasm_jit/ir/opcodes.inc"
#undef IR
};
}  // namespace

const IrOpInfo& ir_op_info(IrOp op) {
  return kOps[static_cast<unsigned>(op)];
}

}  // namespace lapwing::jit
