// SSE2: bodies under gravity in scalar double (with division and square root), then packed float and packed
// integer loops. Nothing depends on rounding of the compiler: no contraction, no reassociation.
#include "guest.h"

typedef float Float4 __attribute__((vector_size(16)));
typedef int Int4 __attribute__((vector_size(16)));
typedef unsigned char Byte16 __attribute__((vector_size(16)));

enum { kBodies = 5, kVectors = 256 };

struct Body {
  double x[3];
  double v[3];
  double mass;
};

static struct Body bodies[kBodies] = {
    {{0, 0, 0}, {0, 0, 0}, 39.5},
    {{4.84, -1.16, -0.10}, {0.606, 2.81, -0.02}, 0.0377},
    {{8.34, 4.12, -0.40}, {-1.01, 1.82, 0.008}, 0.0113},
    {{12.9, -15.1, -0.22}, {1.08, 0.868, -0.01}, 0.00172},
    {{15.4, -25.9, 0.18}, {0.979, 0.594, -0.03}, 0.00203},
};

static double square_root(double value) {
  __asm__("sqrtsd %0, %0" : "+x"(value));
  return value;
}

static void pull(struct Body* a, struct Body* b, double step) {
  double d[3];
  double square = 0.01;
  for (int k = 0; k < 3; k++) {
    d[k] = a->x[k] - b->x[k];
    square += d[k] * d[k];
  }
  double force = step / (square * square_root(square));
  for (int k = 0; k < 3; k++) {
    a->v[k] -= d[k] * b->mass * force;
    b->v[k] += d[k] * a->mass * force;
  }
}

static u32 scalar_work(u32 steps) {
  const double step = 0.001;
  for (u32 n = 0; n < steps; n++) {
    for (int i = 0; i < kBodies; i++) {
      for (int j = i + 1; j < kBodies; j++) pull(&bodies[i], &bodies[j], step);
    }
    for (int i = 0; i < kBodies; i++) {
      for (int k = 0; k < 3; k++) bodies[i].x[k] += step * bodies[i].v[k];
    }
  }
  u32 sum = 0;
  for (int i = 0; i < kBodies; i++) {
    for (int k = 0; k < 3; k++) {
      union {
        double number;
        u32 half[2];
      } bits = {bodies[i].x[k]};
      sum = mix(mix(sum, bits.half[0]), bits.half[1]);
    }
  }
  return sum;
}

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

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 100000);
  u32 sum = scalar_work(rounds * 3);
  sum = mix(sum, float_work(rounds / 2));
  sum = mix(sum, byte_work(rounds / 2));
  print_checksum("sse", sum);
  return 0;
}
