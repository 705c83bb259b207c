// A byte goes back and forth between two processes through pipes: the scheduler at each step.
#include "guest.h"

static void play(u32 count, int in, int out) {
  u8 ball;
  for (u32 i = 0; i < count; i++) {
    if (call(kRead, (word)in, (word)&ball, 1, 0) != 1) leave(1);
    ball = (u8)(ball * 5 + 1);
    call(kWrite, (word)out, (word)&ball, 1, 0);
  }
}

int main(int argc, char** argv) {
  u32 count = work_argument(argc, argv, 70000);
  int there[2], back[2];
  if (call(kPipe, (word)there, 0, 0, 0) < 0 || call(kPipe, (word)back, 0, 0, 0) < 0) return 1;
  long child = call(kFork, 0, 0, 0, 0);
  if (child == 0) {
    play(count, there[0], back[1]);
    leave(0);
  }
  u8 ball = 1;
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    call(kWrite, (word)there[1], (word)&ball, 1, 0);
    if (call(kRead, (word)back[0], (word)&ball, 1, 0) != 1) return 1;
    sum = mix(sum, ball);
  }
  call(kWait4, (word)child, 0, 0, 0);
  print_checksum("pipe", sum);
  return 0;
}
