// Scalar SSE2: bodies under gravity in double, with division and square root, and a filter in float. Nothing depends on
// the compiler's rounding: no contraction, no reassociation.
#include "guest.h"

enum { kBodies = 5, kSamples = 512 };

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

/** A resonant filter over integers that become floats and back. */
static u32 filter_work(u32 rounds) {
  static int samples[kSamples];
  u32 seed = 3;
  for (int i = 0; i < kSamples; i++) samples[i] = (int)(next_random(&seed) & 0xffff) - 0x8000;
  u32 sum = 0;
  for (u32 n = 0; n < rounds; n++) {
    float low = 0, band = 0, peak = 0;
    for (int i = 0; i < kSamples; i++) {
      float high = (float)samples[i] - low - band * 0.5f;
      band += high * 0.25f;
      low += band * 0.25f;
      if (low > peak) peak = low;
      samples[i] += (int)(low * 0.0625f);
      samples[i] &= 0xffff;
    }
    sum = mix(sum, (u32)(int)peak);
  }
  return sum;
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 1500000);
  u32 sum = scalar_work(rounds);
  sum = mix(sum, filter_work(rounds / 10));
  print_checksum("sse_scalar", sum);
  return 0;
}
