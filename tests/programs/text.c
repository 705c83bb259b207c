// Writes a text of N KiB to standard output, the same everywhere: lines of words of three kinds, numbers and names. What
// gzip, awk and sort work on.
#include "guest.h"

enum { kBuffer = 1 << 16, kLine = 256 };

static char buffer[kBuffer];
static u32 filled;

static void put(char c) {
  buffer[filled++] = c;
  if (filled < kBuffer) return;
  call(kWrite, 1, (word)buffer, filled, 0);
  filled = 0;
}

/** A word by its number: the same number gives the same word, and small numbers are frequent. */
static u32 put_word(u32 number) {
  static const char kSyllables[16][4] = {"ba", "con", "de", "el", "for", "in", "ka", "lo",
                                         "mi", "nor", "pe", "ra", "sti", "to", "un", "ver"};
  u32 length = 0;
  do {
    for (const char* at = kSyllables[number & 15]; *at; at++, length++) put(*at);
    number >>= 4;
  } while (number);
  return length;
}

int main(int argc, char** argv) {
  u32 wanted = work_argument(argc, argv, 1024) * 1024;
  u32 seed = 2024;
  u32 written = 0;
  while (written < wanted) {
    u32 length = 0;
    while (length < 60) {
      u32 random = next_random(&seed);
      u32 scale = random >> 30;
      length += put_word((random & 0xffffff) >> (8 + 4 * scale));
      put((random & 0x1f000000) ? ' ' : ',');
      length++;
    }
    u32 number = next_random(&seed) % 100000;
    for (u32 place = 10000; place; place /= 10) put((char)('0' + number / place % 10));
    put('\n');
    written += length + 6;
  }
  call(kWrite, 1, (word)buffer, filled, 0);
  return 0;
}
