// Memory: a random walk through 16 MB (each load waits for the one before), copies by 32-bit moves and by
// rep movs/stos, and byte-wise scans.
#include "guest.h"

enum { kSlots = 4 << 20, kCopy = 1 << 20 };

static u32* slots;

/** One cycle through all slots (Sattolo's shuffle). */
static void make_cycle(void) {
  u32 seed = 7;
  for (u32 i = 0; i < kSlots; i++) slots[i] = i;
  for (u32 i = kSlots - 1; i > 0; i--) {
    u32 j = (u32)(((u64)next_random(&seed) * i) >> 32);
    u32 other = slots[j];
    slots[j] = slots[i];
    slots[i] = other;
  }
}

static u32 chase(u32 steps) {
  u32 at = 0;
  for (u32 i = 0; i < steps; i++) at = slots[at];
  return at;
}

static void copy_words(u32* to, const u32* from, u32 count) {
  for (u32 i = 0; i < count; i++) {
    to[i] = from[i];
    __asm__ volatile("" ::: "memory");
  }
}

static void rep_copy(void* to, const void* from, word count) {
  __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

static void rep_fill(void* to, u32 value, word count) {
  __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

static u32 sum_bytes(const u8* at, u32 count) {
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    sum += at[i];
    __asm__ volatile("" : "+r"(sum));
  }
  return sum;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 12);
  slots = map(kSlots * 4, 3, 0x22, -1, 0);
  u8* copy = map(kCopy * 2, 3, 0x22, -1, 0);
  make_cycle();
  u32 sum = 0;
  for (u32 i = 0; i < rounds; i++) {
    sum = mix(sum, chase(500000));
    copy_words((u32*)copy, slots + (i << 12), kCopy / 4);
    rep_fill(copy + kCopy, sum, kCopy / 16);
    for (int k = 0; k < 8; k++) rep_copy(copy + kCopy, copy, kCopy / 4);
    sum = mix(sum, sum_bytes(copy + kCopy, kCopy));
  }
  print_checksum("memory", sum);
  return 0;
}
