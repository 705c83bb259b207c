// libFuzzer entry: clang++ -fsanitize=fuzzer,address,undefined with the core and devices rooms.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/vga.h"

extern "C" int LLVMFuzzerTestOneInput(const lapwing::u8* data, std::size_t size) {
  const char* why = "";
  if (!lapwing::fuzz::run_vga(data, size, why)) {
    std::fprintf(stderr, "%s\n", why);
    std::abort();
  }
  return 0;
}
