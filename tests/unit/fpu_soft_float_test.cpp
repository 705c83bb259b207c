#include "core/cpu/fpu/fast_sse.h"
#include "core/cpu/fpu/soft_float.h"
#include "tests/unit/catch.h"
#include "tests/unit/fpu_host.h"

#if defined(__x86_64__) && defined(__linux__)

#include <ucontext.h>
#include <csignal>

namespace lapwing::test {
namespace {

using namespace lapwing::soft_float;

constexpr int kRounds = 100'000;
constexpr int kUnmaskedRounds = 4'000;  // each exception costs a signal
constexpr u32 kAllMasked = 0x1F80;

// MXCSR as the faulting instruction left it; 0 when none faulted.
volatile u32 faulting_mxcsr = 0;

// Records the flags, masks everything and runs the instruction again.
void on_sigfpe(int, siginfo_t*, void* raw) {
  auto* context = static_cast<ucontext_t*>(raw);
  faulting_mxcsr = context->uc_mcontext.fpregs->mxcsr;
  context->uc_mcontext.fpregs->mxcsr |= kAllMasked;
}

class SigfpeScope {
 public:
  SigfpeScope() {
    struct sigaction action{};
    action.sa_sigaction = on_sigfpe;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGFPE, &action, &previous_);
  }
  ~SigfpeScope() { sigaction(SIGFPE, &previous_, nullptr); }

 private:
  struct sigaction previous_{};
};

// An instruction on XMM0 = a and XMM1 = b; the result is XMM0. `mxcsr` returns the flags.
#define LAPWING_HOST_SSE(name, instruction)                                             \
  u64 name(u32& mxcsr, u64 a, u64 b) {                                                  \
    u32 restored = kAllMasked;                                                          \
    u32 control = mxcsr;                                                                \
    u64 result;                                                                         \
    faulting_mxcsr = 0;                                                                 \
    __asm__ volatile("movq %2, %%xmm0\n\tmovq %3, %%xmm1\n\tldmxcsr %1\n\t" instruction \
                     "\n\tstmxcsr %1\n\tldmxcsr %4\n\tmovq %%xmm0, %0"                  \
                     : "=r"(result), "+m"(control)                                      \
                     : "r"(a), "r"(b), "m"(restored)                                    \
                     : "xmm0", "xmm1", "memory", "rax", "cc");                          \
    mxcsr = faulting_mxcsr != 0 ? faulting_mxcsr : control;                             \
    return result;                                                                      \
  }
#define LAPWING_HOST_SSE_BOTH(name, mnemonic)               \
  LAPWING_HOST_SSE(name##_u32, mnemonic "s %%xmm1, %%xmm0") \
  LAPWING_HOST_SSE(name##_u64, mnemonic "d %%xmm1, %%xmm0")
#define LAPWING_HOST_SSE_IMMEDIATE(name, mnemonic, imm)                      \
  LAPWING_HOST_SSE(name##_u32_##imm, mnemonic "s $" #imm ", %%xmm1, %%xmm0") \
  LAPWING_HOST_SSE(name##_u64_##imm, mnemonic "d $" #imm ", %%xmm1, %%xmm0")

LAPWING_HOST_SSE_BOTH(host_add, "adds")
LAPWING_HOST_SSE_BOTH(host_sub, "subs")
LAPWING_HOST_SSE_BOTH(host_mul, "muls")
LAPWING_HOST_SSE_BOTH(host_div, "divs")
LAPWING_HOST_SSE_BOTH(host_min, "mins")
LAPWING_HOST_SSE_BOTH(host_max, "maxs")
LAPWING_HOST_SSE_BOTH(host_sqrt, "sqrts")
LAPWING_HOST_SSE_IMMEDIATE(host_cmp, "cmps", 0)
LAPWING_HOST_SSE_IMMEDIATE(host_cmp, "cmps", 1)
LAPWING_HOST_SSE_IMMEDIATE(host_cmp, "cmps", 2)
LAPWING_HOST_SSE_IMMEDIATE(host_cmp, "cmps", 3)
LAPWING_HOST_SSE_IMMEDIATE(host_cmp, "cmps", 4)
LAPWING_HOST_SSE_IMMEDIATE(host_cmp, "cmps", 5)
LAPWING_HOST_SSE_IMMEDIATE(host_cmp, "cmps", 6)
LAPWING_HOST_SSE_IMMEDIATE(host_cmp, "cmps", 7)
LAPWING_HOST_SSE_IMMEDIATE(host_round, "rounds", 0)
LAPWING_HOST_SSE_IMMEDIATE(host_round, "rounds", 1)
LAPWING_HOST_SSE_IMMEDIATE(host_round, "rounds", 2)
LAPWING_HOST_SSE_IMMEDIATE(host_round, "rounds", 3)
LAPWING_HOST_SSE_IMMEDIATE(host_round, "rounds", 4)
LAPWING_HOST_SSE_IMMEDIATE(host_round, "rounds", 12)
LAPWING_HOST_SSE(host_ss2si32, "cvtss2si %%xmm1, %%eax\n\tmovq %%rax, %%xmm0")
LAPWING_HOST_SSE(host_sd2si32, "cvtsd2si %%xmm1, %%eax\n\tmovq %%rax, %%xmm0")
LAPWING_HOST_SSE(host_ss2si64, "cvtss2si %%xmm1, %%rax\n\tmovq %%rax, %%xmm0")
LAPWING_HOST_SSE(host_tsd2si64, "cvttsd2si %%xmm1, %%rax\n\tmovq %%rax, %%xmm0")
LAPWING_HOST_SSE(host_ss2sd, "cvtss2sd %%xmm1, %%xmm0")
LAPWING_HOST_SSE(host_sd2ss, "cvtsd2ss %%xmm1, %%xmm0")
LAPWING_HOST_SSE(host_si2sd, "movq %%xmm1, %%rax\n\tcvtsi2sd %%rax, %%xmm0")
LAPWING_HOST_SSE(host_si2ss, "movq %%xmm1, %%rax\n\tcvtsi2ss %%rax, %%xmm0")
LAPWING_HOST_SSE(host_comiss,
                 "comiss %%xmm1, %%xmm0\n\tlahf\n\tmovzx %%ah, %%eax\n\tand $69, %%eax\n\tmovq %%rax, %%xmm0")
LAPWING_HOST_SSE(
    host_ucomisd,
    "ucomisd %%xmm1, %%xmm0\n\tlahf\n\tmovzx %%ah, %%eax\n\tand $69, %%eax\n\tmovq %%rax, %%xmm0")

// Operands with exponents at the ends of the format, around one, and around the integer ranges.
template <typename T>
T edge_operand(Random& random) {
  constexpr u64 kMax = (u64{1} << Format<T>::kExponentBits) - 1;
  T bits = static_cast<T>(edge_bits(random));
  if (random.below(2) == 0) {
    bits = static_cast<T>(edge_bits(random) >> (64 - 8 * sizeof(T)));
  }
  u64 exponent = random.next() & kMax;
  switch (random.below(8)) {
    case 0: exponent = 0; break;
    case 1: exponent = random.below(4); break;
    case 2: exponent = kMax - random.below(4); break;
    case 3: exponent = kMax; break;
    case 4:
    case 5: exponent = kMax / 2 - 30 + random.below(100); break;
    case 6: exponent = (kMax / 2 - 70 + random.below(4)) & kMax; break;
    default: break;
  }
  const T fraction = random.below(20) == 0 ? 0 : bits & kFractionMask<T>;
  const T sign = random.below(2) == 0 ? kSignBit<T> : T{0};
  return static_cast<T>(sign | static_cast<T>(exponent << Format<T>::kFractionBits) | fraction);
}

// T: the operands; R: the part of the result that counts.
template <typename T, typename R = T, typename Soft>
void compare_rounds(u64 (*host)(u32&, u64, u64), Soft soft, bool unmasked) {
  Random random(unmasked ? 7 : 5);
  for (int i = 0; i < (unmasked ? kUnmaskedRounds : kRounds); ++i) {
    const T a = edge_operand<T>(random);
    T b = edge_operand<T>(random);
    if (random.below(4) == 0) {
      b = static_cast<T>(a + random.below(5) - 2) ^ (random.below(2) == 0 ? kSignBit<T> : T{0});
    }
    const u32 masks = unmasked ? static_cast<u32>(random.below(64) << 7) : kAllMasked;
    const u32 control =
        static_cast<u32>(masks | random.below(4) << 13 | random.below(2) << 15 | random.below(2) << 6);
    u32 mxcsr = control;
    const R expected = static_cast<R>(host(mxcsr, a, b));
    FpContext context = sse_context(control);
    const R actual = static_cast<R>(soft(context, a, b));
    context.settle();
    const bool faults = context.unmasked(kFpAllExceptions);
    if ((mxcsr & kFpAllExceptions) == context.flags && (faults || actual == expected)) {
      continue;
    }
    CAPTURE(i, control, a, b, expected, actual, mxcsr & kFpAllExceptions, context.flags);
    REQUIRE(false);
  }
}

template <typename T, typename R = T, typename Soft>
void compare_with_host(u64 (*host)(u32&, u64, u64), Soft soft) {
  const SigfpeScope scope;
  compare_rounds<T, R>(host, soft, false);
  compare_rounds<T, R>(host, soft, true);
}

#define LAPWING_COMPARE_BOTH(host, function)         \
  compare_with_host<u32>(host##_u32, function<u32>); \
  compare_with_host<u64>(host##_u64, function<u64>);

template <u8 predicate>
void compare_predicates(u64 (*host32)(u32&, u64, u64), u64 (*host64)(u32&, u64, u64)) {
  compare_with_host<u32>(host32, [](FpContext& context, u32 a, u32 b) {
    return compare_predicate<u32>(context, a, b, predicate) ? ~u32{0} : 0;
  });
  compare_with_host<u64>(host64, [](FpContext& context, u64 a, u64 b) {
    return compare_predicate<u64>(context, a, b, predicate) ? ~u64{0} : 0;
  });
}

template <int imm>
void compare_rounding(u64 (*host32)(u32&, u64, u64), u64 (*host64)(u32&, u64, u64)) {
  const auto soft = [](FpContext& context, auto, auto b) {
    const Rounding rounding = (imm & 4) != 0 ? context.rounding : static_cast<Rounding>(imm & 3);
    return round_to_integral(context, b, rounding, (imm & 8) != 0);
  };
  compare_with_host<u32>(host32, soft);
  compare_with_host<u64>(host64, soft);
}

u32 ordering_flags(FpOrder order) {
  constexpr u32 kCarry = 1;
  constexpr u32 kParity = 4;
  constexpr u32 kZero = 0x40;
  switch (order) {
    case FpOrder::less: return kCarry;
    case FpOrder::equal: return kZero;
    case FpOrder::greater: return 0;
    case FpOrder::unordered: break;
  }
  return kCarry | kParity | kZero;
}

TEST_CASE("soft float arithmetic equals the host's SSE in value and flags, masked and unmasked") {
  SECTION("add"){LAPWING_COMPARE_BOTH(host_add, add)} SECTION("subtract"){LAPWING_COMPARE_BOTH(
      host_sub, subtract)} SECTION("multiply"){LAPWING_COMPARE_BOTH(host_mul, multiply)} SECTION("divide"){
      LAPWING_COMPARE_BOTH(host_div, divide)} SECTION("minimum"){
      LAPWING_COMPARE_BOTH(host_min, minimum)} SECTION("maximum"){
      LAPWING_COMPARE_BOTH(host_max, maximum)} SECTION("square root") {
    compare_with_host<u32>(host_sqrt_u32, [](FpContext& c, u32, u32 b) { return square_root(c, b); });
    compare_with_host<u64>(host_sqrt_u64, [](FpContext& c, u64, u64 b) { return square_root(c, b); });
  }
}

TEST_CASE("soft float comparisons equal the host's SSE") {
  SECTION("predicates") {
    compare_predicates<0>(host_cmp_u32_0, host_cmp_u64_0);
    compare_predicates<1>(host_cmp_u32_1, host_cmp_u64_1);
    compare_predicates<2>(host_cmp_u32_2, host_cmp_u64_2);
    compare_predicates<3>(host_cmp_u32_3, host_cmp_u64_3);
    compare_predicates<4>(host_cmp_u32_4, host_cmp_u64_4);
    compare_predicates<5>(host_cmp_u32_5, host_cmp_u64_5);
    compare_predicates<6>(host_cmp_u32_6, host_cmp_u64_6);
    compare_predicates<7>(host_cmp_u32_7, host_cmp_u64_7);
  }
  SECTION("to flags") {
    compare_with_host<u32>(host_comiss,
                           [](FpContext& c, u32 a, u32 b) { return ordering_flags(compare(c, a, b)); });
    compare_with_host<u64>(host_ucomisd,
                           [](FpContext& c, u64 a, u64 b) { return ordering_flags(compare_quiet(c, a, b)); });
  }
}

TEST_CASE("soft float rounding and conversions equal the host's SSE") {
  SECTION("round to integral") {
    compare_rounding<0>(host_round_u32_0, host_round_u64_0);
    compare_rounding<1>(host_round_u32_1, host_round_u64_1);
    compare_rounding<2>(host_round_u32_2, host_round_u64_2);
    compare_rounding<3>(host_round_u32_3, host_round_u64_3);
    compare_rounding<4>(host_round_u32_4, host_round_u64_4);
    compare_rounding<12>(host_round_u32_12, host_round_u64_12);
  }
  SECTION("to integers") {
    compare_with_host<u32>(host_ss2si32, [](FpContext& c, u32, u32 b) { return to_i32(c, b, c.rounding); });
    compare_with_host<u64, u32>(host_sd2si32,
                                [](FpContext& c, u64, u64 b) { return to_i32(c, b, c.rounding); });
    compare_with_host<u32, u64>(host_ss2si64,
                                [](FpContext& c, u32, u32 b) { return to_i64(c, b, c.rounding); });
    compare_with_host<u64>(host_tsd2si64,
                           [](FpContext& c, u64, u64 b) { return to_i64(c, b, Rounding::truncate); });
  }
  SECTION("between formats and from integers") {
    compare_with_host<u32, u64>(host_ss2sd, [](FpContext& c, u32, u32 b) { return to_f64(c, b); });
    compare_with_host<u64, u32>(host_sd2ss, [](FpContext& c, u64, u64 b) { return to_f32(c, b); });
    compare_with_host<u64>(host_si2sd,
                           [](FpContext& c, u64, u64 b) { return from_i64<u64>(c, static_cast<i64>(b)); });
    compare_with_host<u64, u32>(
        host_si2ss, [](FpContext& c, u64, u64 b) { return from_i64<u32>(c, static_cast<i64>(b)); });
  }
}

// A fast path that applies must give the soft result, with no flag but inexact.
template <typename T, typename Fast, typename Soft>
void compare_fast(Fast fast, Soft soft) {
  Random random(0xFA57);
  int taken = 0;
  for (int i = 0; i < kRounds * 3; ++i) {
    const T a = edge_operand<T>(random);
    const T b = edge_operand<T>(random);
    T result = 0;
    if (!fast(a, b, result)) {
      continue;
    }
    ++taken;
    FpContext context;
    const T expected = soft(context, a, b);
    if (result != expected || (context.flags & ~kFpPrecision) != 0) {
      CAPTURE(i, a, b, result, expected, context.flags);
      REQUIRE(false);
    }
  }
  CHECK(taken > kRounds / 4);
}

template <typename T>
void compare_all_fast() {
  compare_fast<T>(fast_sse::add<T>, add<T>);
  compare_fast<T>(fast_sse::subtract<T>, subtract<T>);
  compare_fast<T>(fast_sse::multiply<T>, multiply<T>);
  compare_fast<T>(fast_sse::divide<T>, divide<T>);
  compare_fast<T>([](T a, T, T& result) { return fast_sse::square_root(a, result); },
                  [](FpContext& context, T a, T) { return square_root(context, a); });
}

TEST_CASE("fast SSE arithmetic applies only where it equals the soft path") {
  SECTION("binary32") {
    compare_all_fast<u32>();
  }
  SECTION("binary64") {
    compare_all_fast<u64>();
  }
}

TEST_CASE("reciprocal approximations keep the manual's error bound and special cases") {
  CHECK(reciprocal(0x40000000) == 0x3F000000);              // 1/2
  CHECK(reciprocal(0x80000000) == 0xFF800000);              // -0
  CHECK(reciprocal(0x00000001) == 0x7F800000);              // denormal as zero
  CHECK(reciprocal(0x7F000000) == 0x00000000);              // tiny result as zero
  CHECK(reciprocal(0x7FA00000) == 0x7FE00000);              // SNaN quieted
  CHECK(reciprocal_square_root(0x40800000) == 0x3F000000);  // 1/sqrt(4)
  CHECK(reciprocal_square_root(0xBF800000) == 0xFFC00000);  // negative
  CHECK(reciprocal_square_root(0x80000000) == 0xFF800000);  // -0
}

}  // namespace
}  // namespace lapwing::test

#endif
