// Raises the task priority of processor 0 above every vector for a while, so that its interrupts wait in the
// local APIC's IRR, and lowers it again: what a kernel does with CR8, done from outside through /dev/mem.
// Needs root and the local APIC in xAPIC mode at its usual address.
#include "guest.h"

enum { kSchedSetaffinity = 203, kTaskPriority = 0x80 / 4, kAllMasked = 0xf0 };

int main(int argc, char** argv) {
  const u32 rounds = work_argument(argc, argv, 100000);
  enum { kReadWrite = 2, kSync = 04010000, kMapReadWrite = 3, kShared = 1 };
  u64 first = 1;
  call((enum Call)kSchedSetaffinity, 0, sizeof first, (word)&first, 0);
  const long memory = call(kOpen, (word) "/dev/mem", kReadWrite | kSync, 0, 0);
  volatile u32* apic = memory < 0 ? 0 : map(4096, kMapReadWrite, kShared, (int)memory, 0xfee00000);
  if (memory < 0 || (word)apic > (word)-4096) {
    print("tpr failed: no access to /dev/mem\n");
    return 1;
  }
  const u32 before = apic[kTaskPriority];
  apic[kTaskPriority] = kAllMasked;
  for (volatile u32 i = 0; i < rounds; i++) __asm__ volatile("pause");
  apic[kTaskPriority] = before;
  print("tpr done\n");
  return 0;
}
