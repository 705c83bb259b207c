// Fuzzer of the NVMe controller: register writes, queue entries, PRP lists and time, in an order that the
// input chooses.
//   cmake --build build/asan --target nvme_fuzz && build/asan/nvme_fuzz -max_len=4096
#include "tests/fuzz/nvme.h"

extern "C" int LLVMFuzzerTestOneInput(const lapwing::u8* data, std::size_t size) {
  lapwing::fuzz::run_nvme(data, size);
  return 0;
}
