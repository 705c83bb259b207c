#include "core/cpu/exec/x87_fast.h"

#include <bit>
#include <cstring>

#include "core/cpu/exec/x87.h"
#include "core/cpu/fpu/float80_fast.h"

namespace lapwing::x87 {

namespace {

bool is_ready(const CpuState& s) {
  return (s.cr0 & (cr0::kEm | cr0::kTs)) == 0 && (s.fpu.control & kFpAllExceptions) == kFpAllExceptions &&
         (s.fpu.status & kErrorSummary) == 0;
}

// The register stack with TOP at hand; the state changes in record(), retire() and what follows them.
struct Stack {
  CpuState& s;
  FpuState& fpu;
  unsigned top;

  explicit Stack(CpuState& state) : s(state), fpu(state.fpu), top(x87::top(state.fpu)) {}

  unsigned slot(unsigned i) const { return (top + i) & 7; }
  bool has(unsigned i) const { return bit_of(fpu.valid, slot(i)); }
  Float80 get(unsigned i) const { return {fpu.st[slot(i)].mantissa, fpu.st[slot(i)].sign_exponent}; }
  void set(unsigned i, Float80 value) {
    fpu.st[slot(i)].mantissa = value.mantissa;
    fpu.st[slot(i)].sign_exponent = value.sign_exponent;
    fpu.valid = static_cast<u8>(fpu.valid | 1u << slot(i));
  }
  void move_top(unsigned by) {
    top = slot(by);
    fpu.status = static_cast<u16>((fpu.status & ~kTopMask) | top << kTopShift);
  }
  void push(Float80 value) {
    move_top(7);
    set(0, value);
  }
  void pop(unsigned times) {
    for (; times > 0; --times) {
      fpu.valid = static_cast<u8>(fpu.valid & ~(1u << top));
      move_top(1);
    }
  }
  void record(const Call& call, u64 rip, u64 dp, bool memory) {
    fpu.ip = rip;
    fpu.cs = s.seg[kCs].selector;
    if (!memory) return;
    fpu.dp = dp;
    fpu.ds = s.seg[call.segment].selector;
  }
  void retire(u32 flags, u16 codes = 0, u16 replaced = kC1) {
    static_assert(kFpRoundedUp == kC1);
    fpu.status =
        static_cast<u16>((fpu.status & ~replaced) | codes | (flags & (kFpAllExceptions | kFpRoundedUp)));
  }
};

// A zero or normal number of IEEE format in the register format.
template <class T, unsigned kFraction, i32 kFormatBias>
bool widen(T bits, Float80& out) {
  constexpr u32 kSpecial = (1u << (8 * sizeof(T) - 1 - kFraction)) - 1;
  const u32 exponent = static_cast<u32>(bits >> kFraction) & kSpecial;
  const u16 sign = static_cast<u16>((bits >> (8 * sizeof(T) - 1)) << 15);
  if (exponent - 1 >= kSpecial - 1) {
    out = {0, sign};
    return static_cast<T>(bits << 1) == 0;
  }
  const u64 fraction = u64{bits} << (63 - kFraction);
  out = {fraction | float80::kIntegerBit,
         static_cast<u16>(sign | (static_cast<i32>(exponent) + float80::kBias - kFormatBias))};
  return true;
}

bool operand(Width width, u64 bits, Float80& out) {
  switch (width) {
    case Width::kFloat32: return widen<u32, 23, 127>(static_cast<u32>(bits), out);
    case Width::kFloat64: return widen<u64, 52, 1023>(bits, out);
    case Width::kInt16: out = float80::from_i64(static_cast<i16>(bits)); return true;
    case Width::kInt32: out = float80::from_i64(static_cast<i32>(bits)); return true;
    case Width::kInt64: out = float80::from_i64(static_cast<i64>(bits)); return true;
    default: return false;
  }
}

bool source_of(const Stack& stack, const Call& call, u64 bits, Float80& out) {
  if (call.width != Width::kRegister) return operand(call.width, bits, out);
  out = stack.get(call.source);
  return stack.has(call.source);
}

// Of a normal number to the nearest one of IEEE format; false when it is not plainly normal there.
template <class T, unsigned kFraction, i32 kFormatBias>
bool narrow(FpContext& context, Float80 a, T& out) {
  constexpr unsigned kLost = 63 - kFraction;
  constexpr i32 kSpecial = (1 << (8 * sizeof(T) - 1 - kFraction)) - 1;
  const T sign = static_cast<T>(static_cast<T>(a.sign() ? 1 : 0) << (8 * sizeof(T) - 1));
  if (a.mantissa == 0 && a.exponent() == 0) {
    out = sign;
    return true;
  }
  const i32 exponent = a.exponent() - float80::kBias + kFormatBias;
  if (context.rounding != Rounding::nearest || (a.mantissa & float80::kIntegerBit) == 0 || exponent < 1 ||
      exponent >= kSpecial - 1) {
    return false;
  }
  const u64 lost = a.mantissa & ((u64{1} << kLost) - 1);
  constexpr u64 kHalf = u64{1} << (kLost - 1);
  u64 kept = a.mantissa >> kLost;
  const bool up = lost > kHalf || (lost == kHalf && (kept & 1) != 0);
  if (lost != 0) context.raise(kFpPrecision | (up ? kFpRoundedUp : 0));
  // A carry out of the fraction adds one to the exponent.
  kept += up ? 1 : 0;
  out = static_cast<T>(sign | ((static_cast<u64>(exponent - 1) << kFraction) + kept));
  return true;
}

template <class T>
void put(u8* host, T value) {
  std::memcpy(host, &value, sizeof value);
}

void store_at(u8* host, FpContext& context, const Call& call, Float80 a) {
  if (call.truncates) context.rounding = Rounding::truncate;
  u32 bits32;
  u64 bits64;
  switch (call.width) {
    case Width::kFloat32:
      put(host, narrow<u32, 23, 127>(context, a, bits32) ? bits32 : float80::to_f32(context, a));
      break;
    case Width::kFloat64:
      put(host, narrow<u64, 52, 1023>(context, a, bits64) ? bits64 : float80::to_f64(context, a));
      break;
    case Width::kInt16: put(host, float80::to_i16(context, a)); break;
    case Width::kInt32: put(host, float80::to_i32(context, a)); break;
    case Width::kInt64: put(host, float80::to_i64(context, a)); break;
    default: put(host, a.mantissa); put(host + sizeof a.mantissa, a.sign_exponent);
  }
}

Float80 compute(FpContext& context, Arithmetic operation, Float80 destination, Float80 source) {
  namespace fast = float80::fast;
  switch (operation) {
    case Arithmetic::kAdd: return fast::add(context, destination, source);
    case Arithmetic::kMul: return fast::multiply(context, destination, source);
    case Arithmetic::kSub: return fast::subtract(context, destination, source);
    case Arithmetic::kSubr: return fast::subtract(context, source, destination);
    case Arithmetic::kDiv: return fast::divide(context, destination, source);
    default: return fast::divide(context, source, destination);
  }
}

u16 codes_of(FpOrder order) {
  switch (order) {
    case FpOrder::less: return kC0;
    case FpOrder::equal: return kC3;
    case FpOrder::greater: return 0;
    default: return kC0 | kC2 | kC3;
  }
}

FpOrder compare(FpContext& context, bool quiet, Float80 a, Float80 b) {
  return quiet ? float80::compare_quiet(context, a, b) : float80::compare(context, a, b);
}

}  // namespace

u32 fast_arithmetic(CpuState& s, u32 code, u64 bits, u64 rip, u64 dp) {
  const Call call = Call::unpack(code);
  Stack stack(s);
  Float80 source;
  if (!is_ready(s) || !stack.has(call.destination) || !source_of(stack, call, bits, source)) return 0;
  FpContext context = x87_context(s.fpu.control);
  const Float80 result =
      compute(context, static_cast<Arithmetic>(call.operation), stack.get(call.destination), source);
  stack.record(call, rip, dp, call.width != Width::kRegister);
  stack.retire(context.flags);
  stack.set(call.destination, result);
  stack.pop(call.pops);
  return 1;
}

u32 fast_load(CpuState& s, u32 code, u64 bits, u32 high, u64 rip, u64 dp) {
  const Call call = Call::unpack(code);
  Stack stack(s);
  Float80 value{bits, static_cast<u16>(high)};
  if (!is_ready(s) || stack.has(7)) return 0;
  if (call.width != Width::kFloat80 && !source_of(stack, call, bits, value)) return 0;
  stack.record(call, rip, dp, call.width != Width::kRegister);
  stack.retire(0);
  stack.push(value);
  return 1;
}

u32 fast_store(CpuState& s, u32 code, u8* host, u64 rip, u64 dp) {
  const Call call = Call::unpack(code);
  Stack stack(s);
  if (!is_ready(s) || !stack.has(0)) return 0;
  const Float80 value = stack.get(0);
  FpContext context = x87_context(s.fpu.control);
  const bool memory = call.width != Width::kRegister;
  if (memory) store_at(host, context, call, value);
  stack.record(call, rip, dp, memory);
  stack.retire(context.flags);
  if (!memory) stack.set(call.destination, value);
  stack.pop(call.pops);
  return 1;
}

u32 fast_compare(CpuState& s, u32 code, u64 bits, u64 rip, u64 dp) {
  const Call call = Call::unpack(code);
  Stack stack(s);
  Float80 source;
  if (!is_ready(s) || !stack.has(0) || !source_of(stack, call, bits, source)) return 0;
  FpContext context = x87_context(s.fpu.control);
  const FpOrder order = compare(context, call.quiet, stack.get(0), source);
  stack.record(call, rip, dp, call.width != Width::kRegister);
  stack.retire(context.flags, codes_of(order), kC0 | kC1 | kC2 | kC3);
  stack.pop(call.pops);
  return 1;
}

u32 fast_compare_to_flags(CpuState& s, u32 code, u64 rip) {
  const Call call = Call::unpack(code);
  Stack stack(s);
  if (!is_ready(s) || !stack.has(0) || !stack.has(call.source)) return 0;
  FpContext context = x87_context(s.fpu.control);
  const FpOrder order = compare(context, call.quiet, stack.get(0), stack.get(call.source));
  if (order == FpOrder::unordered) return 0;
  stack.record(call, rip, 0, false);
  stack.retire(context.flags, 0, 0);
  stack.pop(call.pops);
  return 1u | (order == FpOrder::equal ? 2u : 0u) | (order == FpOrder::less ? 4u : 0u);
}

u32 fast_misc(CpuState& s, u32 code, u64 rip) {
  const Call call = Call::unpack(code);
  const auto operation = static_cast<Misc>(call.operation);
  Stack stack(s);
  if (!is_ready(s)) return 0;
  if (operation == Misc::kFld1 || operation == Misc::kFldz) {
    if (stack.has(7)) return 0;
    stack.record(call, rip, 0, false);
    stack.retire(0);
    stack.push(operation == Misc::kFld1 ? float80::kOne : float80::zero(false));
    return 1;
  }
  if (!stack.has(0) || (operation == Misc::kFxch && !stack.has(call.source))) return 0;
  const Float80 a = stack.get(0);
  Float80 result = a;
  FpContext context = x87_context(s.fpu.control);
  switch (operation) {
    case Misc::kFxch: result = stack.get(call.source); break;
    case Misc::kFchs: result = float80::negate(a); break;
    case Misc::kFabs: result = float80::absolute(a); break;
    case Misc::kFsqrt: result = float80::square_root(context, a); break;
    default: result = float80::round_to_integer(context, a);
  }
  stack.record(call, rip, 0, false);
  stack.retire(context.flags);
  stack.set(0, result);
  if (operation == Misc::kFxch) stack.set(call.source, a);
  return 1;
}

}  // namespace lapwing::x87
