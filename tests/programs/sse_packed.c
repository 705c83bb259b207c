// Packed SSE2: float, double, and integers of 8, 16 and 32 bits.
#include "guest.h"

typedef float Float4 __attribute__((vector_size(16)));
typedef double Double2 __attribute__((vector_size(16)));
typedef int Int4 __attribute__((vector_size(16)));
typedef unsigned short Short8 __attribute__((vector_size(16)));
typedef unsigned char Byte16 __attribute__((vector_size(16)));

enum { kVectors = 256 };

static Float4 signal[kVectors], filtered[kVectors];
static Byte16 picture[kVectors], blended[kVectors];

static u32 float_work(u32 rounds) {
  const Float4 decay = {0.75f, 0.5f, 0.25f, 0.125f};
  for (int i = 0; i < kVectors; i++) {
    float n = (float)i;
    signal[i] = (Float4){n, n * 0.5f, 100.0f - n, n * n * 0.01f};
  }
  for (u32 n = 0; n < rounds; n++) {
    Float4 state = {1, 2, 3, 4};
    for (int i = 0; i < kVectors; i++) {
      state = state * decay + signal[i];
      filtered[i] = state - filtered[i] * decay;
    }
  }
  u32 sum = 0;
  for (int i = 0; i < kVectors; i++) {
    Int4 bits = (Int4)filtered[i];
    for (int k = 0; k < 4; k++) sum = mix(sum, (u32)bits[k]);
  }
  return sum;
}

static u32 byte_work(u32 rounds) {
  u32 seed = 99;
  for (int i = 0; i < kVectors; i++) {
    for (int k = 0; k < 16; k++) picture[i][k] = (u8)next_random(&seed);
  }
  for (u32 n = 0; n < rounds; n++) {
    for (int i = 0; i < kVectors; i++) {
      Byte16 a = picture[i];
      Byte16 b = blended[i];
      Byte16 larger = (Byte16)(a == b);
      blended[i] = (a ^ (b + a)) - (larger & (a & b));
    }
  }
  u32 sum = 0;
  for (int i = 0; i < kVectors; i++) {
    for (int k = 0; k < 16; k++) sum = mix(sum, blended[i][k]);
  }
  return sum;
}

static u32 double_work(u32 rounds) {
  static Double2 field[kVectors];
  for (int i = 0; i < kVectors; i++) field[i] = (Double2){i * 0.5, 100.0 - i};
  const Double2 quarter = {0.25, 0.25};
  for (u32 n = 0; n < rounds; n++) {
    for (int i = 1; i + 1 < kVectors; i++)
      field[i] = (field[i - 1] + field[i + 1]) * quarter + field[i] * (quarter + quarter);
  }
  u32 sum = 0;
  for (int i = 0; i < kVectors; i++) {
    Int4 bits = (Int4)field[i];
    for (int k = 0; k < 4; k++) sum = mix(sum, (u32)bits[k]);
  }
  return sum;
}

/** Products, sums, shifts and shuffles of integers, as a picture's colours are mixed. */
static u32 integer_work(u32 rounds) {
  static Short8 colours[kVectors];
  u32 seed = 12;
  for (int i = 0; i < kVectors; i++) {
    for (int k = 0; k < 8; k++) colours[i][k] = (u16)next_random(&seed);
  }
  Int4 total = {1, 2, 3, 4};
  for (u32 n = 0; n < rounds; n++) {
    for (int i = 0; i < kVectors; i++) {
      Short8 value = colours[i] * 77 + (colours[i] >> 3);
      colours[i] = value ^ (value << 5);
      total += (Int4)value;
      total ^= total << 7;
    }
  }
  u32 sum = 0;
  for (int k = 0; k < 4; k++) sum = mix(sum, (u32)total[k]);
  return sum;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 400000);
  u32 sum = float_work(rounds);
  sum = mix(sum, byte_work(rounds));
  sum = mix(sum, double_work(rounds));
  sum = mix(sum, integer_work(rounds));
  print_checksum("sse_packed", sum);
  return 0;
}
