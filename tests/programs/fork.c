// fork, the child's end and wait, again and again.
#include "guest.h"

int main(int argc, char** argv) {
  u32 count = work_argument(argc, argv, 6000);
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    long child = call(kFork, 0, 0, 0, 0);
    if (child == 0) leave((int)(i & 0x7f));
    int status = -1;
    call(kWait4, (word)child, (word)&status, 0, 0);
    sum = mix(sum, (u32)status);
  }
  print_checksum("fork", sum);
  return 0;
}
