// Copies and fills by string instructions: REP MOVSD and MOVSB, REP STOSD, from a few bytes to a megabyte.
#include "guest.h"

enum { kArea = 1 << 20, kReadWrite = 3, kPrivateAnonymous = 0x22 };

static void copy_words(void* to, const void* from, word count) {
  __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

static void copy_bytes(void* to, const void* from, word count) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

static void fill_words(void* to, u32 value, word count) {
  __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 10000);
  u8* area = map(2 * kArea, kReadWrite, kPrivateAnonymous, -1, 0);
  u8* other = area + kArea;
  u32 seed = 9;
  for (u32 i = 0; i < kArea; i += 4) *(u32*)(area + i) = next_random(&seed);
  u32 sum = 0;
  for (u32 n = 0; n < rounds; n++) {
    copy_words(other, area, kArea / 4);
    for (u32 k = 0; k < 64; k++) {
      u32 random = next_random(&seed);
      copy_bytes(area + (random & 0xff000), other + ((random >> 3) & 0xffff), random >> 22);
    }
    fill_words(other + ((n & 0x7f) << 12), sum, 8192);
    sum = mix(sum, *(u32*)(area + (n & 0xff) * 4096));
  }
  print_checksum("rep_movs", sum);
  return 0;
}
