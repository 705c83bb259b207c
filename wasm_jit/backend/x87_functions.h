// x87 addition and multiplication as functions of each module that needs them: ($cpu, significand and
// exponent of both operands) -> (significand, exponent as kVarX87Exponent has it, with C1 and PE above).
// Normal operands and results, 64-bit precision, rounding to nearest; anything else goes on to the core's
// x87::compute(). As core/cpu/fpu/float80_fast.h; Intel SDM vol. 1, 8.1.5.
#pragma once

#include <vector>

#include "core/types.h"

namespace lapwing::jit {

// The body of Callee::kX87Add or kX87Multiply.
std::vector<u8> x87_function(bool adds);

}  // namespace lapwing::jit
