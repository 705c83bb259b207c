// A function's body as WebAssembly text, one instruction a line (core specification, "Text Format").
#pragma once

#include <string>
#include <vector>

#include "core/types.h"

namespace lapwing::jit {

std::string wasm_text(const std::vector<u8>& body);

}  // namespace lapwing::jit
