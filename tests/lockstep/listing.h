// One piece of code through the translator alone: its listing, for the golden files.
#pragma once

#include <span>
#include <string>

#include "core/types.h"

namespace lapwing::lockstep {

// All blocks that direct jumps reach from the first byte make one region. Empty: the translator refuses it.
std::string listing_of(std::span<const u8> code, u8 code_size);

}  // namespace lapwing::lockstep
