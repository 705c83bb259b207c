// IR as text, for golden files and for the eye.
#pragma once

#include <string>

#include "wasm_jit/ir/ir.h"

namespace lapwing::jit {

std::string print(const Function& function);

}  // namespace lapwing::jit
