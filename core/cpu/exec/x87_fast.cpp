#include "core/cpu/exec/x87_fast.h"

#include "core/cpu/exec/x87.h"
#include "core/cpu/fpu/float80_fast.h"
#include "core/cpu/generated.h"

namespace lapwing::x87 {

namespace {

constexpr unsigned kStatusShift = 16;
constexpr u32 kFlipped = 0x80000000;

u32 codes_of(FpOrder order) {
  switch (order) {
    case FpOrder::less: return kC0;
    case FpOrder::equal: return kC3;
    case FpOrder::greater: return 0;
    default: return kC0 | kC2 | kC3;
  }
}

Float80 add(FpContext& context, Float80 a, Float80 b, bool flipped) {
  return flipped ? float80::fast::subtract(context, a, float80::negate(b))
                 : float80::fast::add(context, a, b);
}

}  // namespace

u64 compute(CpuState& s, u32 operation, u64 a_significand, u32 a_exponent, u64 b_significand,
            u32 b_exponent) {
  FpContext context = x87_context(s.fpu.control);
  const Float80 a{a_significand, static_cast<u16>(a_exponent)};
  const Float80 b{b_significand, static_cast<u16>(b_exponent)};
  if ((operation & kTruncates) != 0) context.rounding = Rounding::truncate;
  Float80 result{};
  u32 codes = 0;
  switch (static_cast<Compute>(operation & ~kTruncates)) {
    case Compute::kAdd: result = add(context, a, b, (b_exponent & kFlipped) != 0); break;
    case Compute::kMultiply: result = float80::fast::multiply(context, a, b); break;
    case Compute::kDivide: result = float80::fast::divide(context, a, b); break;
    case Compute::kSquareRoot: result = float80::fast::square_root(context, a); break;
    case Compute::kRoundToInteger: result = float80::round_to_integer(context, a); break;
    case Compute::kCompare: codes = codes_of(float80::compare(context, a, b)); break;
    case Compute::kCompareQuiet: codes = codes_of(float80::compare_quiet(context, a, b)); break;
    case Compute::kToInt16: result.mantissa = static_cast<u64>(float80::to_i16(context, a)); break;
    case Compute::kToInt32: result.mantissa = static_cast<u64>(float80::to_i32(context, a)); break;
    case Compute::kToInt64: result.mantissa = static_cast<u64>(float80::to_i64(context, a)); break;
  }
  static_assert(kFpRoundedUp == kC1);
  const u32 status = codes | (context.flags & (kFpAllExceptions | kFpRoundedUp));
  reinterpret_cast<GeneratedView*>(&s + 1)->x87_high = status << kStatusShift | result.sign_exponent;
  return result.mantissa;
}

}  // namespace lapwing::x87
