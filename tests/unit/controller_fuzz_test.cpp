// Short, deterministic runs of the controllers' fuzzers.
#include <string>

#include "tests/fuzz/chips.h"
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

TEST_CASE("each_controller_alone_survives_arbitrary_accesses") {
  constexpr unsigned kRuns = 1500;
  for (const fuzz::ChipRow& row : fuzz::kChips) {
    for (unsigned run = 1; run <= kRuns; ++run) {
      u64 random = run * 0x9E3779B97F4A7C15ull;
      std::vector<u8> data(8 * (1 + next_random(random) % 60));
      for (u8& byte : data) byte = static_cast<u8>(next_random(random) >> 33);
      const char* why = "";
      const bool held = fuzz::run_chip(row, data.data(), run % 10 == 0 ? data.size() : data.size() - 1, why);
      INFO(std::string(row.name) << " run " << run << ": " << std::string(why));
      REQUIRE(held);
    }
  }
}
