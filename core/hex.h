// Hexadecimal text, lower case. (printf would cost every page that loads the engine several kilobytes.)
#pragma once

#include <string>

#include "core/types.h"

namespace lapwing {

// At least `digits` digits, more where the value needs them; no prefix.
std::string hex(u64 value, unsigned digits = 1);

}  // namespace lapwing
