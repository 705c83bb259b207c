// Entry point, system calls and output of the guest programs (guest.h).
#include "guest.h"

#ifdef __x86_64__
__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xorl %ebp, %ebp\n"
    "  movq (%rsp), %rdi\n"
    "  leaq 8(%rsp), %rsi\n"
    "  andq $-16, %rsp\n"
    "  call start_main\n");

static long raw_call(word number, word a, word b, word c, word d, word e, word f) {
  register word r10 __asm__("r10") = d;
  register word r8 __asm__("r8") = e;
  register word r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

void* map(word size, word protection, word flags, int file, word offset) {
  return (void*)raw_call(kMmap, 0, size, protection, flags, (word)file, offset);
}
#else
__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xorl %ebp, %ebp\n"
    "  movl (%esp), %eax\n"
    "  leal 4(%esp), %edx\n"
    "  andl $-16, %esp\n"
    "  subl $8, %esp\n"
    "  pushl %edx\n"
    "  pushl %eax\n"
    "  call start_main\n");

// The sixth argument travels in EBP, which the compiler may use for itself: saved and set around the call.
static long raw_call(word number, word a, word b, word c, word d, word e, word f) {
  long result;
  word first_and_sixth[2] = {a, f};
  word* pair = first_and_sixth;
  __asm__ volatile(
      "pushl %%ebp\n"
      "movl 4(%%ebx), %%ebp\n"
      "movl (%%ebx), %%ebx\n"
      "int $0x80\n"
      "popl %%ebp"
      : "=a"(result), "+b"(pair)
      : "a"(number), "c"(b), "d"(c), "S"(d), "D"(e)
      : "memory");
  return result;
}

void* map(word size, word protection, word flags, int file, word offset) {
  return (void*)raw_call(kMmap, 0, size, protection, flags, (word)file, offset >> 12);
}
#endif

long call(enum Call number, word a, word b, word c, word d) {
  return raw_call(number, a, b, c, d, 0, 0);
}

void leave(int status) {
  for (;;) call(kExit, (word)status, 0, 0, 0);
}

__attribute__((used)) void start_main(int argc, char** argv) {
  leave(main(argc, argv));
}

void print(const char* text) {
  word length = 0;
  while (text[length]) length++;
  call(kWrite, 1, (word)text, length, 0);
}

void print_hex(u32 value) {
  char text[9];
  for (int i = 7; i >= 0; i--, value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  text[8] = 0;
  print(text);
}

/** value / 10 by 32-bit steps: a 64-bit division on i386 would need the compiler's library. */
static u32 divide_by_ten(u64* value) {
  u32 remainder = 0;
  u64 quotient = 0;
  for (int part = 3; part >= 0; part--) {
    u32 digits = (remainder << 16) | (u32)((*value >> (16 * part)) & 0xffff);
    quotient = (quotient << 16) | (digits / 10);
    remainder = digits % 10;
  }
  *value = quotient;
  return remainder;
}

void print_decimal(u64 value) {
  char text[24];
  int at = 23;
  text[at] = 0;
  do {
    text[--at] = (char)('0' + divide_by_ten(&value));
  } while (value);
  print(text + at);
}

void print_checksum(const char* name, u32 checksum) {
  print(name);
  print(" checksum ");
  print_hex(checksum);
  print("\n");
}

u32 work_argument(int argc, char** argv, u32 usual) {
  if (argc < 2) return usual;
  const char* at = argv[1];
  int is_part = *at == '/';
  u32 value = 0;
  for (at += is_part; *at >= '0' && *at <= '9'; at++) value = value * 10 + (u32)(*at - '0');
  if (!is_part || value == 0) return value;
  return usual < value ? 1 : usual / value;
}

// The compiler may call these two for assignments of structures and arrays.
void* memcpy(void* to, const void* from, word size) {
  u8* out = to;
  for (const u8* in = from; size; size--) *out++ = *in++;
  return to;
}

void* memset(void* to, int value, word size) {
  for (u8* out = to; size; size--) *out++ = (u8)value;
  return to;
}
