// Fixed-width integer names used by the whole engine, and the two assertion forms.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lapwing {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

// Reports a broken invariant of the engine to the host and stops; never returns. Never reachable by guest
// input.
[[noreturn]] void engine_failure(const char* file, int line, const char* condition);

}  // namespace lapwing

#define ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::lapwing::engine_failure(__FILE__, __LINE__, #condition))
