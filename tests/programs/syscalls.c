// A short system call in a loop: the way into the kernel and back.
#include "guest.h"

int main(int argc, char** argv) {
  u32 count = work_argument(argc, argv, 5000000);
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) sum = mix(sum, call(kGetppid, 0, 0, 0, 0) > 0);
  print_checksum("syscalls", sum);
  return 0;
}
