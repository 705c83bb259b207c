// libFuzzer entry for one controller, named by the environment variable LAPWING_CHIP (without it the first
// byte of the input chooses).
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/chips.h"

namespace {

const lapwing::fuzz::ChipRow* chosen() {
  const char* name = std::getenv("LAPWING_CHIP");
  if (name == nullptr) return nullptr;
  for (const auto& row : lapwing::fuzz::kChips) {
    if (row.name == name) return &row;
  }
  std::fprintf(stderr, "no controller '%s'\n", name);
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const lapwing::u8* data, std::size_t size) {
  static const lapwing::fuzz::ChipRow* const only = chosen();
  if (only == nullptr && size == 0) return 0;
  const auto& row =
      only != nullptr ? *only : lapwing::fuzz::kChips[data[0] % std::size(lapwing::fuzz::kChips)];
  const char* why = "";
  if (!lapwing::fuzz::run_chip(row, data, size, why)) {
    std::fprintf(stderr, "%s: %s\n", row.name.data(), why);
    std::abort();
  }
  return 0;
}
