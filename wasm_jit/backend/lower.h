// IR of one region -> the body of a WebAssembly function (param $cpu i32) (result i32).
#pragma once

#include <vector>

#include "wasm_jit/ir/ir.h"
#include "wasm_jit/passes/passes.h"

namespace lapwing::jit {

std::vector<u8> lower(const Function& function, const std::vector<Step>& steps);

}  // namespace lapwing::jit
