// The kernel's paths: a short system call in a loop, a byte that goes back and forth between two processes
// through pipes, and fork with wait.
#include "guest.h"

static u32 call_loop(u32 count) {
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) sum += call(kGetppid, 0, 0, 0, 0) > 0;
  return sum;
}

static int wait_for(long child) {
  int status = -1;
  call(kWait4, (word)child, (word)&status, 0, 0);
  return status >> 8 & 0xff;
}

static u32 ping_pong(u32 count) {
  int there[2], back[2];
  if (call(kPipe, (word)there, 0, 0, 0) < 0 || call(kPipe, (word)back, 0, 0, 0) < 0) return 0;
  u8 ball = 1;
  long child = call(kFork, 0, 0, 0, 0);
  if (child == 0) {
    for (u32 i = 0; i < count; i++) {
      if (call(kRead, (word)there[0], (word)&ball, 1, 0) != 1) leave(1);
      ball = (u8)(ball * 5 + 1);
      call(kWrite, (word)back[1], (word)&ball, 1, 0);
    }
    leave(ball);
  }
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    call(kWrite, (word)there[1], (word)&ball, 1, 0);
    if (call(kRead, (word)back[0], (word)&ball, 1, 0) != 1) return 0;
    sum = mix(sum, ball);
  }
  return mix(sum, (u32)wait_for(child));
}

static u32 fork_loop(u32 count) {
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    long child = call(kFork, 0, 0, 0, 0);
    if (child == 0) leave((int)(i & 0x7f));
    sum = mix(sum, (u32)wait_for(child));
  }
  return sum;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 900);
  u32 sum = call_loop(rounds * 500);
  sum = mix(sum, ping_pong(rounds * 10));
  sum = mix(sum, fork_loop(rounds));
  print_checksum("syscalls_fork", sum);
  return 0;
}
