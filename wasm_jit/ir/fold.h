// Constant evaluation of the IR's operations.
#pragma once

#include "wasm_jit/ir/ir.h"

namespace lapwing::jit {

// False: not an operation that is evaluated here (or it would trap). 32-bit results have their upper half
// clear.
bool evaluate(IrOp op, u64 a, u64 b, u64& result);

}  // namespace lapwing::jit
