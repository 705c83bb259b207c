// Page faults: fresh memory is touched page by page, half of it read first (the shared page of zeros), and given back.
#include "guest.h"

enum { kPage = 4096, kPages = 1024, kReadWrite = 3, kPrivateAnonymous = 0x22 };

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 400);
  u32 sum = 0;
  for (u32 n = 0; n < rounds; n++) {
    volatile u8* memory = map(kPages * kPage, kReadWrite, kPrivateAnonymous, -1, 0);
    for (u32 i = 0; i < kPages; i++) {
      if (i & 1) sum += memory[i * kPage];
      memory[i * kPage + (i & 0xfff)] = (u8)(i + n);
    }
    for (u32 i = 0; i < kPages; i += 7) sum = mix(sum, memory[i * kPage + (i & 0xfff)]);
    call(kMunmap, (word)memory, kPages * kPage, 0, 0);
  }
  print_checksum("page_faults", sum);
  return 0;
}
