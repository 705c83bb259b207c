// Copies as C libraries make them: blocks of many sizes and alignments by 16-byte moves, and words for the rest.
#include "guest.h"

typedef u8 Wide __attribute__((vector_size(16), aligned(1), may_alias));

enum { kArea = 1 << 20, kReadWrite = 3, kPrivateAnonymous = 0x22 };

static void copy(u8* to, const u8* from, u32 count) {
  for (; count >= 64; count -= 64, to += 64, from += 64) {
    Wide a = ((const Wide*)from)[0], b = ((const Wide*)from)[1];
    Wide c = ((const Wide*)from)[2], d = ((const Wide*)from)[3];
    ((Wide*)to)[0] = a, ((Wide*)to)[1] = b;
    ((Wide*)to)[2] = c, ((Wide*)to)[3] = d;
  }
  for (; count >= 4; count -= 4, to += 4, from += 4) {
    u32 value;
    __asm__("movl %1, %0" : "=r"(value) : "m"(*(const u32(*)[1])from));
    __asm__("movl %1, %0" : "=m"(*(u32(*)[1])to) : "r"(value));
  }
  for (; count; count--) *to++ = *from++;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 7500);
  u8* area = map(2 * kArea, kReadWrite, kPrivateAnonymous, -1, 0);
  u8* other = area + kArea;
  u32 seed = 21;
  for (u32 i = 0; i < kArea; i += 4) *(u32*)(area + i) = next_random(&seed);
  u32 sum = 0;
  for (u32 n = 0; n < rounds; n++) {
    copy(other, area, kArea);
    for (u32 k = 0; k < 256; k++) {
      u32 random = next_random(&seed);
      u32 size = (random >> 20) & 0x7ff;
      copy(area + (random & 0xfffff & ~0xfffu), other + ((random >> 3) & 0xffff), size);
    }
    sum = mix(sum, *(u32*)(area + (n & 0xff) * 4096));
  }
  print_checksum("memcpy", sum);
  return 0;
}
