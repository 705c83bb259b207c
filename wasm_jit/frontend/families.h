// The families' functions, named in families.inc.
#pragma once

#include "wasm_jit/frontend/translator.h"

namespace lapwing::jit::family {

#define FAMILY(op, function) bool function(Translator& t, const Instruction& in);
#include "wasm_jit/frontend/families.inc"
#undef FAMILY

bool sse_simd(Translator& t, const Instruction& in);
bool handler(Translator& t, const Instruction& in);
bool zero_count(Translator& t, const Instruction& in);

}  // namespace lapwing::jit::family
