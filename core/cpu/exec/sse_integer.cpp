// Packed integer arithmetic and comparison of MMX, SSE2, SSSE3, SSE4.1 and SSE4.2 (Intel SDM vol.
// 1, 9.4, 11.4.2, 12.5, 12.8; vol. 2).
#include <algorithm>
#include <limits>

#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/sse.h"

namespace lapwing {

namespace {

using namespace sse;

template <class T>
T saturate(i64 value) {
  return static_cast<T>(std::clamp<i64>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

struct Wrapping {
  template <class T>
  static T add(T a, T b) {
    return static_cast<T>(a + b);
  }
  template <class T>
  static T subtract(T a, T b) {
    return static_cast<T>(a - b);
  }
};

struct Saturating {
  template <class T>
  static T add(T a, T b) {
    return saturate<T>(i64{a} + b);
  }
  template <class T>
  static T subtract(T a, T b) {
    return saturate<T>(i64{a} - b);
  }
};

template <class T, class Mode>
bool add(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, Mode::template add<T>);
}
template <class T, class Mode>
bool subtract(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, Mode::template subtract<T>);
}

template <class T>
bool compare_equal(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, [](T a, T b) { return a == b ? ~T{0} : T{0}; });
}
template <class T>
bool compare_greater(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, [](T a, T b) { return a > b ? ~T{0} : T{0}; });
}
template <class T>
bool minimum(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, [](T a, T b) { return std::min(a, b); });
}
template <class T>
bool maximum(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, [](T a, T b) { return std::max(a, b); });
}
template <class T>
bool average(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, [](T a, T b) { return (u32{a} + b + 1) >> 1; });
}
template <class T>
bool absolute(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, [](T, T b) { return b < 0 ? -i64{b} : i64{b}; });
}
template <class T>
bool take_sign(Cpu& cpu, const Instruction& in) {
  return lanewise<T>(cpu, in, [](T a, T b) { return b < 0 ? -i64{a} : b == 0 ? i64{0} : i64{a}; });
}

// PACKxx: both sources narrowed with saturation, the destination's lanes first.
template <class From, class To>
bool pack(Cpu& cpu, const Instruction& in) {
  return packed<From>(cpu, in, [](const auto& a, const auto& b) {
    using Array = std::remove_cvref_t<decltype(a)>;
    std::array<To, sizeof(Array) / sizeof(To)> narrow;
    for (std::size_t i = 0; i < a.size(); ++i) {
      narrow[i] = saturate<To>(a[i]);
      narrow[a.size() + i] = saturate<To>(b[i]);
    }
    return std::bit_cast<Array>(narrow);
  });
}

// PHADDx, PHSUBx: neighbours of a, then neighbours of b.
template <class T, class Combine>
bool horizontal(Cpu& cpu, const Instruction& in, Combine combine) {
  return packed<T>(cpu, in, [&](const auto& a, const auto& b) {
    auto result = a;
    const std::size_t half = a.size() / 2;
    for (std::size_t i = 0; i < half; ++i) {
      result[i] = combine(a[2 * i], a[2 * i + 1]);
      result[half + i] = combine(b[2 * i], b[2 * i + 1]);
    }
    return result;
  });
}

// PMULUDQ, PMULDQ: the even lanes' full products. Narrow is u32 or i32.
template <class Narrow, class Wide>
bool multiply_even(Cpu& cpu, const Instruction& in) {
  return lanewise<u64>(cpu, in, [](u64 a, u64 b) {
    return static_cast<u64>(Wide{static_cast<Narrow>(a)} * static_cast<Narrow>(b));
  });
}

}  // namespace

#define LAPWING_PACKED(name, expression)              \
  bool exec_##name(Cpu& cpu, const Instruction& in) { \
    return expression(cpu, in);                       \
  }
#define LAPWING_PACKED2(name, function, first, second) \
  bool exec_##name(Cpu& cpu, const Instruction& in) {  \
    return function<first, second>(cpu, in);           \
  }

LAPWING_PACKED2(PADDB, add, u8, Wrapping)
LAPWING_PACKED2(PADDW, add, u16, Wrapping)
LAPWING_PACKED2(PADDD, add, u32, Wrapping)
LAPWING_PACKED2(PADDQ, add, u64, Wrapping)
LAPWING_PACKED2(PADDSB, add, i8, Saturating)
LAPWING_PACKED2(PADDSW, add, i16, Saturating)
LAPWING_PACKED2(PADDUSB, add, u8, Saturating)
LAPWING_PACKED2(PADDUSW, add, u16, Saturating)
LAPWING_PACKED2(PSUBB, subtract, u8, Wrapping)
LAPWING_PACKED2(PSUBW, subtract, u16, Wrapping)
LAPWING_PACKED2(PSUBD, subtract, u32, Wrapping)
LAPWING_PACKED2(PSUBQ, subtract, u64, Wrapping)
LAPWING_PACKED2(PSUBSB, subtract, i8, Saturating)
LAPWING_PACKED2(PSUBSW, subtract, i16, Saturating)
LAPWING_PACKED2(PSUBUSB, subtract, u8, Saturating)
LAPWING_PACKED2(PSUBUSW, subtract, u16, Saturating)

LAPWING_PACKED(PCMPEQB, compare_equal<u8>)
LAPWING_PACKED(PCMPEQW, compare_equal<u16>)
LAPWING_PACKED(PCMPEQD, compare_equal<u32>)
LAPWING_PACKED(PCMPEQQ, compare_equal<u64>)
LAPWING_PACKED(PCMPGTB, compare_greater<i8>)
LAPWING_PACKED(PCMPGTW, compare_greater<i16>)
LAPWING_PACKED(PCMPGTD, compare_greater<i32>)
LAPWING_PACKED(PCMPGTQ, compare_greater<i64>)

LAPWING_PACKED(PMINUB, minimum<u8>)
LAPWING_PACKED(PMINUW, minimum<u16>)
LAPWING_PACKED(PMINUD, minimum<u32>)
LAPWING_PACKED(PMINSB, minimum<i8>)
LAPWING_PACKED(PMINSW, minimum<i16>)
LAPWING_PACKED(PMINSD, minimum<i32>)
LAPWING_PACKED(PMAXUB, maximum<u8>)
LAPWING_PACKED(PMAXUW, maximum<u16>)
LAPWING_PACKED(PMAXUD, maximum<u32>)
LAPWING_PACKED(PMAXSB, maximum<i8>)
LAPWING_PACKED(PMAXSW, maximum<i16>)
LAPWING_PACKED(PMAXSD, maximum<i32>)
LAPWING_PACKED(PAVGB, average<u8>)
LAPWING_PACKED(PAVGW, average<u16>)
LAPWING_PACKED(PABSB, absolute<i8>)
LAPWING_PACKED(PABSW, absolute<i16>)
LAPWING_PACKED(PABSD, absolute<i32>)
LAPWING_PACKED(PSIGNB, take_sign<i8>)
LAPWING_PACKED(PSIGNW, take_sign<i16>)
LAPWING_PACKED(PSIGND, take_sign<i32>)

LAPWING_PACKED2(PACKSSWB, pack, i16, i8)
LAPWING_PACKED2(PACKUSWB, pack, i16, u8)
LAPWING_PACKED2(PACKSSDW, pack, i32, i16)
LAPWING_PACKED2(PACKUSDW, pack, i32, u16)

LAPWING_PACKED2(PMULUDQ, multiply_even, u32, u64)
LAPWING_PACKED2(PMULDQ, multiply_even, i32, i64)
#undef LAPWING_PACKED
#undef LAPWING_PACKED2

bool exec_PHADDW(Cpu& cpu, const Instruction& in) {
  return horizontal<u16>(cpu, in, Wrapping::add<u16>);
}
bool exec_PHADDD(Cpu& cpu, const Instruction& in) {
  return horizontal<u32>(cpu, in, Wrapping::add<u32>);
}
bool exec_PHADDSW(Cpu& cpu, const Instruction& in) {
  return horizontal<i16>(cpu, in, Saturating::add<i16>);
}
bool exec_PHSUBW(Cpu& cpu, const Instruction& in) {
  return horizontal<u16>(cpu, in, Wrapping::subtract<u16>);
}
bool exec_PHSUBD(Cpu& cpu, const Instruction& in) {
  return horizontal<u32>(cpu, in, Wrapping::subtract<u32>);
}
bool exec_PHSUBSW(Cpu& cpu, const Instruction& in) {
  return horizontal<i16>(cpu, in, Saturating::subtract<i16>);
}

bool exec_PMULLW(Cpu& cpu, const Instruction& in) {
  return lanewise<u16>(cpu, in, [](u16 a, u16 b) { return u32{a} * b; });
}
bool exec_PMULHUW(Cpu& cpu, const Instruction& in) {
  return lanewise<u16>(cpu, in, [](u16 a, u16 b) { return (u32{a} * b) >> 16; });
}
bool exec_PMULHW(Cpu& cpu, const Instruction& in) {
  return lanewise<i16>(cpu, in, [](i16 a, i16 b) { return (i32{a} * b) >> 16; });
}
bool exec_PMULHRSW(Cpu& cpu, const Instruction& in) {
  return lanewise<i16>(cpu, in, [](i16 a, i16 b) { return (((i32{a} * b) >> 14) + 1) >> 1; });
}
bool exec_PMULLD(Cpu& cpu, const Instruction& in) {
  return lanewise<u32>(cpu, in, [](u32 a, u32 b) { return a * b; });
}

// Pairs of word products, added; only four products of 8000H wrap.
bool exec_PMADDWD(Cpu& cpu, const Instruction& in) {
  return lanewise<u32>(cpu, in, [](u32 a, u32 b) {
    const i64 low_product = i64{static_cast<i16>(a)} * static_cast<i16>(b);
    const i64 high_product = i64{static_cast<i16>(a >> 16)} * static_cast<i16>(b >> 16);
    return static_cast<u32>(low_product + high_product);
  });
}

// Unsigned bytes of a times signed bytes of b, added in pairs with saturation.
bool exec_PMADDUBSW(Cpu& cpu, const Instruction& in) {
  return lanewise<u16>(cpu, in, [](u16 a, u16 b) {
    const i32 low_product = i32{static_cast<u8>(a)} * static_cast<i8>(b);
    const i32 high_product = i32{static_cast<u8>(a >> 8)} * static_cast<i8>(b >> 8);
    return static_cast<u16>(saturate<i16>(low_product + high_product));
  });
}

bool exec_PSADBW(Cpu& cpu, const Instruction& in) {
  return lanewise<u64>(cpu, in, [](u64 a, u64 b) {
    u64 sum = 0;
    for (unsigned shift = 0; shift < 64; shift += 8) {
      const i32 difference = static_cast<i32>((a >> shift) & 0xFF) - static_cast<i32>((b >> shift) & 0xFF);
      sum += static_cast<u64>(difference < 0 ? -difference : difference);
    }
    return sum;
  });
}

// Eight sums of four absolute differences: imm8[1:0] selects four bytes of the source, imm8[2] where the
// sliding window over the destination begins.
bool exec_MPSADBW(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u8>(cpu, in, [&](const auto& a, const auto& b) {
    const std::size_t fixed = (in.imm & 3) * 4;
    const std::size_t window = ((in.imm >> 2) & 1) * 4;
    Lanes<u16> sums{};
    for (std::size_t i = 0; i < sums.size(); ++i) {
      for (std::size_t k = 0; k < 4; ++k) {
        const i32 difference = i32{a[window + i + k]} - b[fixed + k];
        sums[i] = static_cast<u16>(sums[i] + (difference < 0 ? -difference : difference));
      }
    }
    return sums;
  });
}

bool exec_PHMINPOSUW(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u16>(cpu, in, [](const auto&, const auto& b) {
    const auto least = std::min_element(b.begin(), b.end());
    return Lanes<u16>{*least, static_cast<u16>(least - b.begin()), 0, 0, 0, 0, 0, 0};
  });
}

bool exec_PTEST(Cpu& cpu, const Instruction& in) {
  XmmRegister b;
  if (!check_available(cpu) || !load_vector(cpu, in, b)) return false;
  const XmmRegister& a = cpu.state.xmm[in.reg];
  const bool zero = ((a.lo & b.lo) | (a.hi & b.hi)) == 0;
  const bool carry = ((~a.lo & b.lo) | (~a.hi & b.hi)) == 0;
  set_status_flags(cpu.state, (zero ? rflags::kZf : 0) | (carry ? rflags::kCf : 0));
  return true;
}

}  // namespace lapwing
