// What must hold of IR after every pass: values are used behind their definition in the same block, with the
// types that operations take; targets exist.
#pragma once

#include <string>

#include "wasm_jit/ir/ir.h"

namespace lapwing::jit {

// Empty: nothing wrong.
std::string verify(const Function& function);

}  // namespace lapwing::jit
