// Bodies under gravity on the x87: numbers in memory are doubles in one run and 80-bit in the other, and everything
// between is 80-bit, so that all machines and both word sizes agree to the last bit.
#include "guest.h"

enum { kBodies = 5 };

static long double square_root(long double value) {
  __asm__("fsqrt" : "+t"(value));
  return value;
}

#define BODIES(Number, name)                                                                        \
  struct name##_body {                                                                              \
    Number x[3], v[3], mass;                                                                        \
  };                                                                                                \
  static struct name##_body name##_bodies[kBodies] = {                                              \
      {{0, 0, 0}, {0, 0, 0}, 39.5},                                                                 \
      {{4.84, -1.16, -0.10}, {0.606, 2.81, -0.02}, 0.0377},                                         \
      {{8.34, 4.12, -0.40}, {-1.01, 1.82, 0.008}, 0.0113},                                          \
      {{12.9, -15.1, -0.22}, {1.08, 0.868, -0.01}, 0.00172},                                        \
      {{15.4, -25.9, 0.18}, {0.979, 0.594, -0.03}, 0.00203},                                        \
  };                                                                                                \
  static void name##_pull(struct name##_body* a, struct name##_body* b, long double step) {         \
    long double dx = (long double)a->x[0] - b->x[0];                                                \
    long double dy = (long double)a->x[1] - b->x[1];                                                \
    long double dz = (long double)a->x[2] - b->x[2];                                                \
    long double square = dx * dx + dy * dy + dz * dz + 0.0625L;                                     \
    long double force = step / (square * square_root(square));                                      \
    long double fa = force * b->mass, fb = force * a->mass;                                         \
    a->v[0] = (Number)(a->v[0] - dx * fa), b->v[0] = (Number)(b->v[0] + dx * fb);                   \
    a->v[1] = (Number)(a->v[1] - dy * fa), b->v[1] = (Number)(b->v[1] + dy * fb);                   \
    a->v[2] = (Number)(a->v[2] - dz * fa), b->v[2] = (Number)(b->v[2] + dz * fb);                   \
  }                                                                                                 \
  static u32 name##_work(u32 steps) {                                                               \
    const long double step = 0.0009765625L;                                                         \
    for (u32 n = 0; n < steps; n++) {                                                               \
      for (int i = 0; i < kBodies; i++) {                                                           \
        for (int j = i + 1; j < kBodies; j++) name##_pull(&name##_bodies[i], &name##_bodies[j], step); \
      }                                                                                             \
      for (int i = 0; i < kBodies; i++) {                                                           \
        struct name##_body* body = &name##_bodies[i];                                               \
        for (int k = 0; k < 3; k++) body->x[k] = (Number)(body->x[k] + step * body->v[k]);          \
      }                                                                                             \
    }                                                                                               \
    u32 sum = 0;                                                                                    \
    for (int i = 0; i < kBodies; i++) {                                                             \
      for (int k = 0; k < 3; k++) {                                                                 \
        union {                                                                                     \
          Number number;                                                                            \
          u32 half[3];                                                                              \
        } bits = {name##_bodies[i].x[k]};                                                           \
        sum = mix(mix(sum, bits.half[0]), bits.half[1]);                                            \
      }                                                                                             \
    }                                                                                               \
    return sum;                                                                                     \
  }

BODIES(double, double)
BODIES(long double, extended)

int main(int argc, char** argv) {
  u32 steps = work_argument(argc, argv, 500000);
  u32 sum = mix(double_work(steps), extended_work(steps / 3));
  print_checksum("x87", sum);
  return 0;
}
