#include "wasm_jit/lazy_flags.h"

#include "core/cpu/exec/alu.h"
#include "core/cpu/exec/muldiv.h"
#include "core/cpu/exec/shift.h"

namespace lapwing {

namespace {

void store_canonical(CpuState& s, const LazyFlags& flags) {
  constexpr u64 kHigh = 0xC0000000;
  s.flags_result = (flags.kind & 3) == 3 ? flags.a : sign_extend(static_cast<u32>(flags.a));
  s.flags_carries = ((flags.b & kHigh) << 32) | (flags.b & ~kHigh & 0xFFFFFFFF);
}

template <class T>
void store_as(CpuState& s, const LazyFlags& flags) {
  const auto a = static_cast<T>(flags.a);
  const auto b = static_cast<T>(flags.b);
  const auto r = static_cast<T>(flags.r);
  const bool cf = (flags.b & 1) != 0;
  switch (static_cast<FlagClass>((flags.kind >> 2) & 15)) {
    case FlagClass::kMemory: break;
    case FlagClass::kAdd: set_flags_add<T>(s, a, b, static_cast<T>(a + b)); break;
    case FlagClass::kSub: set_flags_sub<T>(s, a, b, static_cast<T>(a - b)); break;
    case FlagClass::kLogic: set_flags_logic<T>(s, a); break;
    case FlagClass::kInc: set_flags_add<T>(s, static_cast<T>(a - 1), 1, a); break;
    case FlagClass::kDec: set_flags_sub<T>(s, static_cast<T>(a + 1), 1, a); break;
    case FlagClass::kShl: shift_compute<Op::SHL, T>(s, a, static_cast<unsigned>(flags.b)); break;
    case FlagClass::kShr: shift_compute<Op::SHR, T>(s, a, static_cast<unsigned>(flags.b)); break;
    case FlagClass::kSar: shift_compute<Op::SAR, T>(s, a, static_cast<unsigned>(flags.b)); break;
    case FlagClass::kAdc: set_flags_add<T>(s, a, b, r); break;
    case FlagClass::kSbb: set_flags_sub<T>(s, a, b, r); break;
    case FlagClass::kShifted: set_shift_flags<T>(s, a, cf, (flags.b & 2) != 0); break;
    case FlagClass::kMultiply: set_multiply_flags<T>(s, a, cf); break;
    case FlagClass::kCanonical: store_canonical(s, flags); break;
  }
}

void override_of(CpuState& s, bool of) {
  if (flag_of(s) != of) s.flags_carries ^= kCarryPo;
}

}  // namespace

void store_lazy_flags(CpuState& s, const LazyFlags& flags) {
  switch (flags.kind & 3) {
    case 0: store_as<u8>(s, flags); break;
    case 1: store_as<u16>(s, flags); break;
    case 2: store_as<u32>(s, flags); break;
    default: store_as<u64>(s, flags); break;
  }
  if ((flags.kind & kFlagCfOverride) != 0) set_cf(s, (flags.c & 1) != 0);
  if ((flags.kind & kFlagOfOverride) != 0) override_of(s, (flags.c & 2) != 0);
}

void settle_flags(CpuState& s, GeneratedView& view) {
  if (view.flag_kind == 0) return;
  store_lazy_flags(s, {view.flag_kind, view.flag_a, view.flag_b, view.flag_r, view.flag_c});
  view.flag_kind = 0;
}

bool lazy_condition(CpuState& s, const LazyFlags& flags, unsigned code) {
  store_lazy_flags(s, flags);
  return condition_holds(s, code);
}

}  // namespace lapwing
