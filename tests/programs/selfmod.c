// Code that changes: a program's own compiler writes small functions into a writable and executable page and calls
// them, a loop's constant is patched while its code is in use, and a finished function runs many times.
#include "guest.h"

enum { kPage = 4096, kReadWriteExecute = 7, kPrivateAnonymous = 0x22 };

typedef u32 (*Function)(void);

static u8* put32(u8* at, u32 value) {
  for (int i = 0; i < 4; i++) *at++ = (u8)(value >> (8 * i));
  return at;
}

static u8* put_operation(u8* at, u8 opcode, u32 value) {
  *at++ = opcode;
  return put32(at, value);
}

/** mov eax, A; then length times one of: add, xor, sub eax, imm; rol eax, 5; ret. */
static Function compile(u8* at, u32 length, u32* seed) {
  u8* start = at;
  at = put_operation(at, 0xb8, next_random(seed));
  for (u32 i = 0; i < length; i++) {
    u32 choice = next_random(seed);
    static const u8 kOpcodes[3] = {0x05, 0x35, 0x2d};
    at = put_operation(at, kOpcodes[choice % 3], choice);
    *at++ = 0xc1, *at++ = 0xc0, *at++ = 5;
  }
  *at = 0xc3;
  return (Function)(word)start;
}

/** mov ecx, COUNT; xor eax, eax; loop: add eax, IMM; rol eax, 3; dec ecx (two bytes in both modes); jnz loop; ret. */
static Function make_loop(u8* at, u32 count, u8** patch) {
  Function start = (Function)(word)at;
  at = put_operation(at, 0xb9, count);
  *at++ = 0x31, *at++ = 0xc0;
  u8* loop = at;
  *at++ = 0x05;
  *patch = at;
  at = put32(at, 1);
  *at++ = 0xc1, *at++ = 0xc0, *at++ = 3;
  *at++ = 0xff, *at++ = 0xc9;
  *at++ = 0x75;
  *at = (u8)(loop - (at + 1));
  at++;
  *at = 0xc3;
  return start;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 60000);
  u8* page = map(4 * kPage, kReadWriteExecute, kPrivateAnonymous, -1, 0);
  u32 seed = 5;
  u32 sum = 0;
  u8* patch;
  Function loop = make_loop(page + 3 * kPage, 300, &patch);
  for (u32 i = 0; i < rounds; i++) {
    Function once = compile(page + (i * 192) % (2 * kPage), 4 + (i & 7), &seed);
    sum = mix(sum, once());
    put32(patch, sum);
    sum = mix(sum, loop());
    if (i % 16 != 0) continue;
    Function often = compile(page + 2 * kPage + (i & 0x300), 8, &seed);
    for (u32 k = 0; k < 400; k++) sum += often();
  }
  print_checksum("selfmod", sum);
  return 0;
}
