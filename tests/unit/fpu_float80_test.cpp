#include "core/cpu/fpu/float80.h"
#include "core/cpu/fpu/float80_fast.h"
#include "tests/unit/catch.h"
#include "tests/unit/fpu_host.h"

#if defined(__x86_64__)

namespace lapwing::test {
namespace {

using namespace lapwing::float80;

constexpr int kRounds = 200'000;
constexpr u16 kFlags = kFpAllExceptions | kFpRoundedUp;
constexpr u16 kConditionCodes = 0x4700;
constexpr u16 kC0 = 0x100;
constexpr u16 kC1 = 0x200;
constexpr u16 kC2 = 0x400;
constexpr u16 kC3 = 0x4000;

struct Case {
  u16 control;
  Float80 a;
  Float80 b;
};

Case random_case(Random& random) {
  Case result{random_control(random), edge_float80(random), edge_float80(random)};
  if (random.below(4) == 0) {
    result.b.sign_exponent = static_cast<u16>(result.a.sign_exponent + random.below(5) - 2);
  }
  return result;
}

// What an operation did: the value for ST0, and the status bits it set.
struct Outcome {
  Float80 value;
  u16 status;
};

using HostOperation = HostResult (*)(u16, Float80, Float80);

template <typename Soft>
void compare_with_host(HostOperation host, Soft soft, u16 status_mask = kFlags) {
  Random random(0x1234'5678'9ABC);
  for (int i = 0; i < kRounds; ++i) {
    const Case c = random_case(random);
    const HostResult expected = host(c.control, c.a, c.b);
    FpContext context = x87_context(c.control);
    Outcome actual = soft(context, c.a, c.b);
    context.settle();
    if (context.unmasked(kFpPreComputation)) {
      actual.value = c.a;
    }
    actual.status = static_cast<u16>(actual.status | context.flags);
    if (actual.value == expected.value && actual.status == (expected.status & status_mask)) {
      continue;
    }
    CAPTURE(i, c.control, text(c.a), text(c.b), text(expected.value), text(actual.value));
    CAPTURE(expected.status & status_mask, actual.status);
    REQUIRE(false);
  }
}

template <typename Operation>
void compare_arithmetic(HostOperation host, Operation operation) {
  compare_with_host(
      host, [&](FpContext& context, Float80 a, Float80 b) { return Outcome{operation(context, a, b), 0}; });
}

u16 condition_codes(FpOrder order) {
  switch (order) {
    case FpOrder::less: return kC0;
    case FpOrder::equal: return kC3;
    case FpOrder::greater: return 0;
    case FpOrder::unordered: break;
  }
  return kC0 | kC2 | kC3;
}

template <typename Operation>
Outcome remainder_outcome(Operation operation, FpContext& context, Float80 a, Float80 b) {
  const Remainder result = operation(context, a, b);
  if (context.unmasked(kFpPreComputation)) {
    return {a, 0};
  }
  const int bits = (result.quotient & 1 ? kC1 : 0) | (result.quotient & 2 ? kC3 : 0) |
                   (result.quotient & 4 ? kC0 : 0) | (result.incomplete ? kC2 : 0);
  return {result.value, static_cast<u16>(bits)};
}

template <typename T, typename Soft>
void compare_store(HostStore<T> (*host)(u16, Float80), Soft soft) {
  Random random(0x51ED'0001);
  for (int i = 0; i < kRounds; ++i) {
    const Case c = random_case(random);
    const HostStore<T> expected = host(c.control, c.a);
    FpContext context = x87_context(c.control);
    T actual = soft(context, c.a);
    context.settle();
    if (context.unmasked(kFpInvalid | kFpOverflow | kFpUnderflow)) {
      actual = T{};
    }
    if (actual == expected.stored && context.flags == (expected.status & kFlags)) {
      continue;
    }
    CAPTURE(i, c.control, text(c.a), expected.stored, actual, expected.status & kFlags, context.flags);
    REQUIRE(false);
  }
}

TEST_CASE("float80 arithmetic equals the host in value, flags and C1 in every mode") {
  SECTION("add") {
    compare_arithmetic(host_add, add);
  }
  SECTION("subtract") {
    compare_arithmetic(host_subtract, subtract);
  }
  SECTION("multiply") {
    compare_arithmetic(host_multiply, multiply);
  }
  SECTION("divide") {
    compare_arithmetic(host_divide, divide);
  }
  SECTION("scale") {
    compare_arithmetic(host_scale, scale);
  }
  SECTION("square root") {
    compare_arithmetic(host_square_root,
                       [](FpContext& context, Float80 a, Float80) { return square_root(context, a); });
  }
  SECTION("round to integer") {
    compare_arithmetic(host_round,
                       [](FpContext& context, Float80 a, Float80) { return round_to_integer(context, a); });
  }
  SECTION("extract") {
    compare_arithmetic(
        host_extract, [](FpContext& context, Float80 a, Float80) { return extract(context, a).significand; });
  }
}

TEST_CASE("float80 fast paths equal the host") {
  SECTION("add") {
    compare_arithmetic(host_add, fast::add);
  }
  SECTION("subtract") {
    compare_arithmetic(host_subtract, fast::subtract);
  }
  SECTION("multiply") {
    compare_arithmetic(host_multiply, fast::multiply);
  }
  SECTION("divide") {
    compare_arithmetic(host_divide, fast::divide);
  }
}

TEST_CASE("float80 partial remainders equal the host in value, quotient bits and C2") {
  SECTION("fprem") {
    compare_with_host(
        host_remainder,
        [](FpContext& context, Float80 a, Float80 b) {
          return remainder_outcome(remainder_truncated, context, a, b);
        },
        kFlags | kConditionCodes);
  }
  SECTION("fprem1") {
    compare_with_host(
        host_remainder1,
        [](FpContext& context, Float80 a, Float80 b) {
          return remainder_outcome(remainder_nearest, context, a, b);
        },
        kFlags | kConditionCodes);
  }
}

TEST_CASE("float80 comparisons equal the host") {
  SECTION("ordered") {
    compare_with_host(
        host_compare,
        [](FpContext& context, Float80 a, Float80 b) {
          return Outcome{a, condition_codes(compare(context, a, b))};
        },
        kFlags | kConditionCodes);
  }
  SECTION("unordered") {
    compare_with_host(
        host_compare_quiet,
        [](FpContext& context, Float80 a, Float80 b) {
          return Outcome{a, condition_codes(compare_quiet(context, a, b))};
        },
        kFlags | kConditionCodes);
  }
}

TEST_CASE("float80 stores equal the host, also when an unmasked exception stores nothing") {
  SECTION("m32fp") {
    compare_store(host_fst32, to_f32);
  }
  SECTION("m64fp") {
    compare_store(host_fst64, to_f64);
  }
  SECTION("m16int") {
    compare_store(host_fist16, to_i16);
  }
  SECTION("m32int") {
    compare_store(host_fist32, to_i32);
  }
  SECTION("m64int") {
    compare_store(host_fistp64, to_i64);
  }
  SECTION("m64int truncated") {
    compare_store(host_fisttp64, [](FpContext& context, Float80 a) {
      context.rounding = Rounding::truncate;
      return to_i64(context, a);
    });
  }
}

TEST_CASE("float80 packed decimal equals the host") {
  Random random(0xBCD);
  for (int i = 0; i < kRounds; ++i) {
    const Case c = random_case(random);
    const HostStore<HostFloat80> expected = host_fbstp(c.control | 0x3F, c.a);
    FpContext context = x87_context(c.control | 0x3F);
    const PackedBcd actual = to_bcd(context, c.a);
    const PackedBcd host{expected.stored.mantissa, expected.stored.sign_exponent};
    if (!(actual == host) || context.flags != (expected.status & kFlags)) {
      CAPTURE(i, text(c.a), actual.digits, host.digits, actual.sign_and_digits, host.sign_and_digits,
              context.flags);
      REQUIRE(false);
    }
    if (host.sign_and_digits != 0xFFFF && !(from_bcd(actual) == host_fbld(expected.stored).value)) {
      CAPTURE(i, actual.digits);
      REQUIRE(false);
    }
  }
}

TEST_CASE("float80 loads equal the host") {
  Random random(0x10AD);
  for (int i = 0; i < kRounds; ++i) {
    const u64 bits = edge_bits(random) & ~(random.below(3) == 0 ? u64{0x7FF0'0000'7F80'0000} : 0);
    FpContext context;
    const HostResult single = host_fld32(static_cast<u32>(bits));
    const bool single_equal = from_f32(context, static_cast<u32>(bits)) == single.value &&
                              context.flags == (single.status & kFlags);
    context.flags = 0;
    const HostResult wide = host_fld64(bits);
    const bool double_equal =
        from_f64(context, bits) == wide.value && context.flags == (wide.status & kFlags);
    const bool integer_equal = from_i64(static_cast<i64>(bits)) == host_fild64(static_cast<i64>(bits)).value;
    if (!single_equal || !double_equal || !integer_equal) {
      CAPTURE(i, bits, single_equal, double_equal, integer_equal);
      REQUIRE(false);
    }
  }
}

#define LAPWING_HOST_CONSTANT(name, instruction)                                   \
  Float80 name(u16 control) {                                                      \
    HostFloat80 value;                                                             \
    __asm__ volatile("fninit\n\tfldcw %1\n\t" instruction "\n\tfstpt %0\n\tfninit" \
                     : "=m"(value)                                                 \
                     : "m"(control));                                              \
    return from_host(value);                                                       \
  }
LAPWING_HOST_CONSTANT(host_fldl2t, "fldl2t")
LAPWING_HOST_CONSTANT(host_fldl2e, "fldl2e")
LAPWING_HOST_CONSTANT(host_fldpi, "fldpi")
LAPWING_HOST_CONSTANT(host_fldlg2, "fldlg2")
LAPWING_HOST_CONSTANT(host_fldln2, "fldln2")

TEST_CASE("float80 constants follow rounding control like the host's") {
  for (u16 mode = 0; mode < 4; ++mode) {
    const u16 control = static_cast<u16>(0x037F | mode << 10);
    const Rounding rounding = static_cast<Rounding>(mode);
    CHECK(constant(Constant::log2_10, rounding) == host_fldl2t(control));
    CHECK(constant(Constant::log2_e, rounding) == host_fldl2e(control));
    CHECK(constant(Constant::pi, rounding) == host_fldpi(control));
    CHECK(constant(Constant::log10_2, rounding) == host_fldlg2(control));
    CHECK(constant(Constant::ln_2, rounding) == host_fldln2(control));
  }
}

}  // namespace
}  // namespace lapwing::test

#endif
