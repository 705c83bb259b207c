// A short, deterministic run of the controllers' fuzzer.
#include <string>

#include "tests/fuzz/controllers.h"
#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

// Marsaglia's xorshift64.
u64 next_random(u64& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

}  // namespace

TEST_CASE("controllers_survive_arbitrary_accesses_and_restore_in_the_middle") {
  constexpr unsigned kRuns = 1500;
  for (unsigned run = 1; run <= kRuns; ++run) {
    u64 random = run * 0x9E3779B97F4A7C15ull;
    std::vector<u8> data(200 + next_random(random) % 1800);
    for (u8& byte : data) byte = static_cast<u8>(next_random(random) >> 33);
    const char* why = "";
    const bool held = fuzz::run_controllers(data.data(), data.size(), why);
    INFO("run " << run << ": " << std::string(why));
    REQUIRE(held);
  }
}
