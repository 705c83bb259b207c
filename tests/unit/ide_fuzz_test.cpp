// A short, deterministic run of the IDE controller's fuzzer.
#include <string>

#include "tests/fuzz/ide.h"
#include "tests/unit/catch.h"

using namespace lapwing;

TEST_CASE("ide_survives_arbitrary_accesses_and_restores_in_the_middle") {
  constexpr unsigned kRuns = 600;
  for (unsigned run = 1; run <= kRuns; ++run) {
    u64 random = run * 0x9E3779B97F4A7C15ull;
    // Marsaglia's xorshift64.
    const auto next = [&random] {
      random ^= random << 13;
      random ^= random >> 7;
      return random ^= random << 17;
    };
    std::vector<u8> data(100 + next() % 700);
    for (u8& byte : data) byte = static_cast<u8>(next() >> 33);
    const char* why = "";
    const bool held = fuzz::run_ide(data.data(), data.size(), why);
    INFO("run " << run << ": " << std::string(why));
    REQUIRE(held);
  }
}
