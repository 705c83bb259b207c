// Recursion: Fibonacci numbers, Ackermann's function and queens on a board, each a call of its own.
#include "guest.h"

#define REAL_CALL __attribute__((noinline, noipa))
#ifdef __clang__
#undef REAL_CALL
#define REAL_CALL __attribute__((noinline, optnone))
#endif

REAL_CALL static u32 fibonacci(u32 n) {
  if (n < 2) return n;
  u32 before = fibonacci(n - 1);
  return before + fibonacci(n - 2);
}

REAL_CALL static u32 ackermann(u32 m, u32 n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  u32 inner = ackermann(m, n - 1);
  u32 result = ackermann(m - 1, inner);
  __asm__ volatile("" : "+r"(result));
  return result;
}

REAL_CALL static u32 queens(u32 rows, u32 columns, u32 left, u32 right) {
  if (columns == rows) return 1;
  u32 count = 0;
  u32 open = rows & ~(columns | left | right);
  while (open) {
    u32 place = open & -open;
    open ^= place;
    count += queens(rows, columns | place, (left | place) << 1, (right | place) >> 1);
  }
  return count;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 1000);
  u32 sum = 0;
  for (u32 i = 0; i < rounds; i++) {
    sum = mix(sum, fibonacci(24 + (i & 1)));
    sum = mix(sum, ackermann(2, 200 + (i & 7)));
    sum = mix(sum, queens(0x1ff, 0, 0, 0));
  }
  print_checksum("recursion", sum);
  return 0;
}
