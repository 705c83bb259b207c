#include <random>

#include "tests/fuzz/nvme.h"
#include "tests/unit/catch.h"

using namespace lapwing;

TEST_CASE("nvme_stays_within_ram_and_recovers_under_random_use") {
  std::mt19937_64 random(20240229);
  std::vector<u8> input(512);
  for (unsigned run = 0; run < 2000; ++run) {
    for (u8& byte : input) byte = static_cast<u8>(random());
    CAPTURE(run);
    fuzz::run_nvme(input.data(), input.size());
  }
}
