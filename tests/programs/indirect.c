// Indirect calls: objects of eight kinds with two methods each, in random order, and a sort with a comparison given as a
// pointer.
#include "guest.h"

enum { kObjects = 512, kKinds = 8, kKeys = 256 };

struct Object;
struct Methods {
  u32 (*act)(struct Object*, u32);
  u32 (*peek)(const struct Object*);
};
struct Object {
  const struct Methods* methods;
  u32 value;
};

#define KIND(name, change, look)                                            \
  static u32 act_##name(struct Object* self, u32 x) {                       \
    return self->value = (change);                                          \
  }                                                                         \
  static u32 peek_##name(const struct Object* self) {                       \
    return (look);                                                          \
  }
KIND(a, self->value + x, self->value)
KIND(b, self->value ^ (x << 1), self->value >> 1)
KIND(c, self->value * 3 + x, ~self->value)
KIND(d, (self->value << 5) - x, self->value & 0xffff)
KIND(e, self->value - (x >> 3), self->value + 17)
KIND(f, (self->value >> 1) | (x << 31), self->value ^ 0x55aa)
KIND(g, x - self->value, self->value * 9)
KIND(h, (self->value & x) + 1, self->value | 1)

static const struct Methods kMethods[kKinds] = {
    {act_a, peek_a}, {act_b, peek_b}, {act_c, peek_c}, {act_d, peek_d},
    {act_e, peek_e}, {act_f, peek_f}, {act_g, peek_g}, {act_h, peek_h},
};

static struct Object objects[kObjects];
static u32 keys[kKeys];

static int upwards(u32 a, u32 b) {
  return a < b;
}
static int downwards(u32 a, u32 b) {
  return a > b;
}
static int by_low_byte(u32 a, u32 b) {
  return (a & 0xff) < (b & 0xff);
}
static int (*const kOrders[3])(u32, u32) = {upwards, downwards, by_low_byte};

static void sort_keys(int (*before)(u32, u32)) {
  for (int gap = kKeys / 2; gap > 0; gap /= 2) {
    for (int i = gap; i < kKeys; i++) {
      u32 key = keys[i];
      int at = i;
      for (; at >= gap && before(key, keys[at - gap]); at -= gap) keys[at] = keys[at - gap];
      keys[at] = key;
    }
  }
}

int main(int argc, char** argv) {
  u32 rounds = work_argument(argc, argv, 30000);
  u32 seed = 77;
  u32 sum = 0;
  for (int i = 0; i < kObjects; i++) {
    objects[i].methods = &kMethods[next_random(&seed) % kKinds];
    objects[i].value = next_random(&seed);
  }
  for (u32 n = 0; n < rounds; n++) {
    for (int i = 0; i < kObjects; i++) {
      struct Object* object = &objects[i];
      sum += object->methods->act(object, sum);
      sum ^= object->methods->peek(object);
    }
    for (int i = 0; i < kKeys; i++) keys[i] = next_random(&seed);
    sort_keys(kOrders[n % 3]);
    sum = mix(sum, keys[n % kKeys]);
  }
  print_checksum("indirect", sum);
  return 0;
}
