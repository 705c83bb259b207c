#include "core/cpu/fpu/transcendental.h"
#include "tests/unit/catch.h"
#include "tests/unit/fpu_host.h"

#if defined(__x86_64__)

namespace lapwing::test {
namespace {

using namespace lapwing::float80;

constexpr int kRounds = 30'000;
constexpr u16 kC2 = 0x400;
// C1 and a last-place difference go together, and underflow may differ with it; the other flags may not.
constexpr u16 kComparedFlags = kFpInvalid | kFpDenormal | kFpZeroDivide | kFpOverflow | kFpPrecision | kC2;

// Neighbours in the register format: the same value or one unit in the last place apart.
bool within_one_ulp(Float80 a, Float80 b) {
  if (a == b) {
    return true;
  }
  if (a.sign() != b.sign()) {
    return false;
  }
  const bool a_larger = a.exponent() != b.exponent() ? a.exponent() > b.exponent() : a.mantissa > b.mantissa;
  const Float80 high = a_larger ? a : b;
  const Float80 low = a_larger ? b : a;
  if (high.exponent() == low.exponent()) {
    return high.mantissa - low.mantissa == 1;
  }
  const u64 last = low.exponent() == 0 ? ~kIntegerBit : ~u64{0};
  return high.exponent() - low.exponent() == 1 && high.mantissa == kIntegerBit && low.mantissa == last;
}

// What the instruction leaves in ST0 and ST1 (`second` only where it pushes).
struct Outcome {
  Float80 value;
  Float80 second;
  u16 status = 0;
};

Outcome from_push(const Trigonometric& result, Float80 a, Float80 b) {
  return result.incomplete ? Outcome{a, b, kC2} : Outcome{result.second, result.value, 0};
}

// Operands around one (`near_one`) or up to beyond 2^63, mixed with edge cases.
template <typename Soft>
void compare_with_host(HostResult (*host)(u16, Float80, Float80), Soft soft, bool near_one, bool pushes) {
  Random random(0x7A45);
  for (int i = 0; i < kRounds; ++i) {
    Float80 a = edge_float80(random);
    Float80 b = edge_float80(random);
    if (random.below(8) != 0) {
      const u64 exponent = near_one ? kBias - random.below(12) : kBias - 10 + random.below(76);
      a = {edge_bits(random) | kIntegerBit, static_cast<u16>((a.sign_exponent & 0x8000) | exponent)};
    }
    const u16 control = random_control(random) | 0x3F;
    const HostResult expected = host(control, a, b);
    FpContext context = x87_context(control);
    const Outcome actual = soft(context, a, b);
    const bool equal_flags =
        ((actual.status | context.flags) & kComparedFlags) == (expected.status & kComparedFlags);
    if (equal_flags && within_one_ulp(actual.value, expected.value) &&
        (!pushes || within_one_ulp(actual.second, expected.second))) {
      continue;
    }
    CAPTURE(i, control, text(a), text(b), text(expected.value), text(actual.value), text(expected.second));
    CAPTURE(text(actual.second), expected.status, context.flags);
    REQUIRE(false);
  }
}

TEST_CASE("transcendental instructions are within one ulp of the host, with its flags") {
  SECTION("f2xm1") {
    compare_with_host(
        host_f2xm1, [](FpContext& c, Float80 a, Float80) { return Outcome{f2xm1(c, a), {}, 0}; }, true,
        false);
  }
  SECTION("fyl2x") {
    compare_with_host(
        host_fyl2x, [](FpContext& c, Float80 a, Float80 b) { return Outcome{fyl2x(c, a, b), {}, 0}; }, true,
        false);
  }
  SECTION("fyl2xp1") {
    compare_with_host(
        host_fyl2xp1, [](FpContext& c, Float80 a, Float80 b) { return Outcome{fyl2xp1(c, a, b), {}, 0}; },
        true, false);
  }
  SECTION("fpatan") {
    compare_with_host(
        host_fpatan, [](FpContext& c, Float80 a, Float80 b) { return Outcome{fpatan(c, a, b), {}, 0}; }, true,
        false);
  }
  SECTION("fsin") {
    compare_with_host(
        host_fsin,
        [](FpContext& c, Float80 a, Float80) {
          const Trigonometric result = fsin(c, a);
          return Outcome{result.value, {}, static_cast<u16>(result.incomplete ? kC2 : 0)};
        },
        false, false);
  }
  SECTION("fcos") {
    compare_with_host(
        host_fcos,
        [](FpContext& c, Float80 a, Float80) {
          const Trigonometric result = fcos(c, a);
          return Outcome{result.value, {}, static_cast<u16>(result.incomplete ? kC2 : 0)};
        },
        false, false);
  }
  SECTION("fsincos") {
    compare_with_host(
        host_fsincos, [](FpContext& c, Float80 a, Float80 b) { return from_push(fsincos(c, a), a, b); },
        false, true);
  }
  SECTION("fptan") {
    compare_with_host(
        host_fptan, [](FpContext& c, Float80 a, Float80 b) { return from_push(fptan(c, a), a, b); }, false,
        true);
  }
}

}  // namespace
}  // namespace lapwing::test

#endif
