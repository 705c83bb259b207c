// The host's own x87 and SSE units as oracles for the floating-point library, and operands that favour edge
// cases. x86-64 hosts only. Every x87 call runs with the given control word and leaves the unit in its reset
// state.
#pragma once

#if defined(__x86_64__)

#include <cstdio>
#include <string>

#include "core/cpu/fpu/float80.h"

namespace lapwing::test {

// xorshift64*: one seed, one sequence, on every host.
class Random {
 public:
  explicit Random(u64 seed) : state_(seed) {}
  u64 next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }
  u64 below(u64 limit) { return (next() >> 16) % limit; }

 private:
  u64 state_;
};

// Bits that are runs of ones or zeros, sparse, or random: the shapes that find rounding faults.
inline u64 edge_bits(Random& random) {
  switch (random.below(6)) {
    case 0: return random.next();
    case 1: return u64{1} << random.below(64);
    case 2: return ~u64{0} << random.below(64);
    case 3: return ~u64{0} >> random.below(64);
    case 4: return (~u64{0} << random.below(64)) ^ (u64{1} << random.below(64));
    default: return random.next() & (~u64{0} << random.below(64));
  }
}

struct alignas(16) HostFloat80 {
  u64 mantissa = 0;
  u16 sign_exponent = 0;
  u16 padding[3] = {};
};

inline HostFloat80 to_host(Float80 value) {
  return {value.mantissa, value.sign_exponent, {}};
}
inline Float80 from_host(const HostFloat80& value) {
  return {value.mantissa, value.sign_exponent};
}

inline Float80 edge_float80(Random& random) {
  static constexpr u16 kExponents[] = {0,      0,      1,      2,      0x7FFF, 0x7FFF, 0x7FFE,
                                       0x7FFD, 0x3FFF, 0x3FFE, 0x3FFD, 0x3FFF, 0x4000, 0x403E,
                                       0x403D, 0x4010, 0x401E, 0x407F, 0x3F81, 0x3F6A, 0x43FE,
                                       0x3C01, 0x3BCC, 0x43FF, 0x1FFF, 0x2000, 0x5FFF};
  u64 mantissa = edge_bits(random);
  u16 exponent = static_cast<u16>(random.next() >> 20);
  switch (random.below(8)) {
    case 0: exponent = static_cast<u16>(0x3FFF - 70 + random.below(140)); break;
    case 1: exponent = static_cast<u16>(random.below(80)); break;
    case 2: exponent = static_cast<u16>(0x7FFF - random.below(80)); break;
    case 3: break;
    default: exponent = kExponents[random.below(sizeof kExponents / sizeof kExponents[0])];
  }
  if (random.below(16) != 0 && (exponent & 0x7FFF) != 0) {
    mantissa |= u64{1} << 63;
  }
  if (random.below(24) == 0) {
    mantissa = 0;
  }
  return {mantissa, static_cast<u16>((exponent & 0x7FFF) | (random.next() >> 63 << 15))};
}

struct HostResult {
  Float80 value;   // ST0 after the instruction
  Float80 second;  // ST1 after the instruction
  u16 status = 0;
};

// A two-operand instruction with a in ST0 and b in ST1.
#define LAPWING_HOST_X87(name, instruction)                                                  \
  inline HostResult name(u16 control, Float80 a, Float80 b) {                                \
    HostFloat80 x = to_host(a);                                                              \
    HostFloat80 y = to_host(b);                                                              \
    HostFloat80 value;                                                                       \
    HostFloat80 second;                                                                      \
    u16 status;                                                                              \
    __asm__ volatile("fninit\n\tfldt %4\n\tfldt %3\n\tfnclex\n\tfldcw %5\n\t" instruction    \
                     "\n\tfnstsw %2\n\tfnclex\n\t"                                           \
                     "fstpt %0\n\tfstpt %1\n\tfninit"                                        \
                     : "=m"(value), "=m"(second), "=m"(status)                               \
                     : "m"(x), "m"(y), "m"(control)                                          \
                     : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"); \
    return {from_host(value), from_host(second), status};                                    \
  }

LAPWING_HOST_X87(host_add, "fadd %%st(1), %%st")
LAPWING_HOST_X87(host_subtract, "fsub %%st(1), %%st")
LAPWING_HOST_X87(host_multiply, "fmul %%st(1), %%st")
LAPWING_HOST_X87(host_divide, "fdiv %%st(1), %%st")
LAPWING_HOST_X87(host_square_root, "fsqrt")
LAPWING_HOST_X87(host_round, "frndint")
LAPWING_HOST_X87(host_scale, "fscale")
LAPWING_HOST_X87(host_extract, "fxtract")
LAPWING_HOST_X87(host_remainder, "fprem")
LAPWING_HOST_X87(host_remainder1, "fprem1")
LAPWING_HOST_X87(host_compare, "fcom")
LAPWING_HOST_X87(host_compare_quiet, "fucom")
LAPWING_HOST_X87(host_f2xm1, "f2xm1")
LAPWING_HOST_X87(host_fsin, "fsin")
LAPWING_HOST_X87(host_fcos, "fcos")
LAPWING_HOST_X87(host_fsincos, "fsincos")
LAPWING_HOST_X87(host_fptan, "fptan")
#undef LAPWING_HOST_X87

// Instructions that pop: the result alone.
#define LAPWING_HOST_X87_POP(name, instruction)                                              \
  inline HostResult name(u16 control, Float80 a, Float80 b) {                                \
    HostFloat80 x = to_host(a);                                                              \
    HostFloat80 y = to_host(b);                                                              \
    HostFloat80 value;                                                                       \
    u16 status;                                                                              \
    __asm__ volatile("fninit\n\tfldt %3\n\tfldt %2\n\tfnclex\n\tfldcw %4\n\t" instruction    \
                     "\n\tfnstsw %1\n\tfnclex\n\tfstpt %0\n\tfninit"                         \
                     : "=m"(value), "=m"(status)                                             \
                     : "m"(x), "m"(y), "m"(control)                                          \
                     : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"); \
    return {from_host(value), {}, status};                                                   \
  }

LAPWING_HOST_X87_POP(host_fpatan, "fpatan")
LAPWING_HOST_X87_POP(host_fyl2x, "fyl2x")
LAPWING_HOST_X87_POP(host_fyl2xp1, "fyl2xp1")
#undef LAPWING_HOST_X87_POP

// A store from ST0 to a T in memory; `stored` keeps its pattern when the instruction stores nothing.
template <typename T>
struct HostStore {
  T stored;
  u16 status;
};
#define LAPWING_HOST_X87_STORE(name, T, instruction)                                         \
  inline HostStore<T> name(u16 control, Float80 a) {                                         \
    HostFloat80 x = to_host(a);                                                              \
    T stored{};                                                                              \
    u16 status;                                                                              \
    __asm__ volatile("fninit\n\tfldt %2\n\tfnclex\n\tfldcw %3\n\t" instruction               \
                     " %0\n\tfnstsw %1\n\tfnclex\n\tfninit"                                  \
                     : "+m"(stored), "=m"(status)                                            \
                     : "m"(x), "m"(control)                                                  \
                     : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"); \
    return {stored, status};                                                                 \
  }

LAPWING_HOST_X87_STORE(host_fst32, u32, "fsts")
LAPWING_HOST_X87_STORE(host_fst64, u64, "fstl")
LAPWING_HOST_X87_STORE(host_fist16, i16, "fists")
LAPWING_HOST_X87_STORE(host_fist32, i32, "fistl")
LAPWING_HOST_X87_STORE(host_fistp64, i64, "fistpll")
LAPWING_HOST_X87_STORE(host_fisttp64, i64, "fisttpll")
LAPWING_HOST_X87_STORE(host_fbstp, HostFloat80, "fbstp")
#undef LAPWING_HOST_X87_STORE

// A load of a T in memory to ST0.
#define LAPWING_HOST_X87_LOAD(name, T, instruction)                                              \
  inline HostResult name(T source) {                                                             \
    HostFloat80 value;                                                                           \
    u16 status;                                                                                  \
    __asm__ volatile("fninit\n\t" instruction " %2\n\tfnstsw %1\n\tfnclex\n\tfstpt %0\n\tfninit" \
                     : "=m"(value), "=m"(status)                                                 \
                     : "m"(source)                                                               \
                     : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");     \
    return {from_host(value), {}, status};                                                       \
  }

LAPWING_HOST_X87_LOAD(host_fld32, u32, "flds")
LAPWING_HOST_X87_LOAD(host_fld64, u64, "fldl")
LAPWING_HOST_X87_LOAD(host_fild64, i64, "fildll")
LAPWING_HOST_X87_LOAD(host_fbld, HostFloat80, "fbld")
#undef LAPWING_HOST_X87_LOAD

inline std::string text(Float80 a) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%04x:%016llx", a.sign_exponent,
                static_cast<unsigned long long>(a.mantissa));
  return buffer;
}

// A random control word: any rounding, precision 24, 53 or 64, and all exceptions masked or a random choice
// of them.
inline u16 random_control(Random& random) {
  static constexpr u16 kPrecisions[] = {0x000, 0x200, 0x300};
  const u64 masks = random.below(2) == 0 ? 0x3F : random.below(64);
  return static_cast<u16>(random.below(4) << 10 | kPrecisions[random.below(3)] | masks);
}

}  // namespace lapwing::test

#endif
