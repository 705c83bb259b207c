// What the guest programs stand on: Linux system calls and a little output, without a C library.
// i386 (int 0x80) and x86-64 (syscall); see start.c for the entry point and what the compiler expects to
// find.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long word;

struct Time {
  long seconds;
  long nanoseconds;
};

#ifdef __x86_64__
enum Call {
  kRead = 0,
  kWrite = 1,
  kOpen = 2,
  kMmap = 9,
  kMunmap = 11,
  kPipe = 22,
  kNanosleep = 35,
  kGetppid = 110,
  kFork = 57,
  kExit = 60,
  kWait4 = 61,
  kIopl = 172,
  kClockGettime = 228
};
#else
enum Call {
  kExit = 1,
  kFork = 2,
  kRead = 3,
  kWrite = 4,
  kOpen = 5,
  kPipe = 42,
  kGetppid = 64,
  kMunmap = 91,
  kIopl = 110,
  kWait4 = 114,
  kNanosleep = 162,
  kMmap = 192,
  kClockGettime = 265
};
#endif

/** Up to four arguments; `mmap` has its own function. Negative results are error numbers. */
long call(enum Call number, word a, word b, word c, word d);
void* map(word size, word protection, word flags, int file, word offset);
_Noreturn void leave(int status);

void print(const char* text);
void print_hex(u32 value);
void print_decimal(u64 value);
/** Prints "NAME checksum HEX", the line that the bench compares across machines. */
void print_checksum(const char* name, u32 checksum);

int main(int argc, char** argv);
/** How much work to do: the first argument as a number; "/N": an Nth of the usual amount; else the usual. */
u32 work_argument(int argc, char** argv, u32 usual);

void* memcpy(void* to, const void* from, word size);
void* memset(void* to, int value, word size);

/** xorshift32: the same numbers everywhere. */
static inline u32 next_random(u32* state) {
  u32 x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

/** One step of a checksum that depends on the order. */
static inline u32 mix(u32 sum, u32 value) {
  sum ^= value;
  sum *= 0x01000193u;
  return sum ^ (sum >> 15);
}
