// A random walk through 16 MB: each load waits for the one before, and most meet another page.
#include "guest.h"

enum { kSlots = 4 << 20, kReadWrite = 3, kPrivateAnonymous = 0x22 };

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

int main(int argc, char** argv) {
  u32 steps = work_argument(argc, argv, 14000000);
  slots = map(kSlots * 4, kReadWrite, kPrivateAnonymous, -1, 0);
  make_cycle();
  u32 at = 0;
  u32 sum = 0;
  for (u32 i = 0; i < steps; i++) {
    at = slots[at];
    sum += at;
  }
  print_checksum("chase", mix(sum, at));
  return 0;
}
