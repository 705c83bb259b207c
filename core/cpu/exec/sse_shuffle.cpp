// SSE and MMX permutation of lanes: unpack, shuffle, align, blend, insert, extract, extend
// (Intel SDM vol. 1, 9.4.3, 10.4.4, 12.3, 12.7; vol. 2). Logical operations are here too, being lane-free.
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/sse.h"

namespace lapwing {

namespace {

using namespace sse;

// PUNPCKLxx interleaves the low halves, PUNPCKHxx the high ones.
template <class T, bool high>
bool unpack(Cpu& cpu, const Instruction& in) {
  const auto interleave = [](const auto& a, const auto& b) {
    auto result = a;
    const std::size_t first = high ? a.size() / 2 : 0;
    for (std::size_t i = 0; i < a.size() / 2; ++i) {
      result[2 * i] = a[first + i];
      result[2 * i + 1] = b[first + i];
    }
    return result;
  };
  // The MMX low forms read only 32 bits of memory.
  if (!high && in.operand_size == 8 && in.rm_is_memory()) {
    u32 source;
    if (!mmx::check_available(cpu) || !load_operand(cpu, in, source)) return false;
    using Half = Lanes<T, 8>;
    const Half result =
        interleave(std::bit_cast<Half>(mmx::read(cpu, in.reg)), std::bit_cast<Half>(u64{source}));
    mmx::write(cpu, in.reg, std::bit_cast<u64>(result));
    return true;
  }
  return packed<T>(cpu, in, interleave);
}

template <class T, bool high>
bool unpack_xmm(Cpu& cpu, const Instruction& in) {
  return packed_xmm<T>(cpu, in, [](const auto& a, const auto& b) {
    auto result = a;
    constexpr std::size_t kFirst = high ? result.size() / 2 : 0;
    for (std::size_t i = 0; i < result.size() / 2; ++i) {
      result[2 * i] = a[kFirst + i];
      result[2 * i + 1] = b[kFirst + i];
    }
    return result;
  });
}

template <class Compute>
bool logical(Cpu& cpu, const Instruction& in, Compute compute) {
  return lanewise<u64>(cpu, in, compute);
}
template <class Compute>
bool logical_xmm(Cpu& cpu, const Instruction& in, Compute compute) {
  return packed_xmm<u64>(cpu, in, [&](const auto& a, const auto& b) {
    return Lanes<u64>{compute(a[0], b[0]), compute(a[1], b[1])};
  });
}

u64 bits_and(u64 a, u64 b) {
  return a & b;
}
u64 bits_and_not(u64 a, u64 b) {
  return ~a & b;
}
u64 bits_or(u64 a, u64 b) {
  return a | b;
}
u64 bits_xor(u64 a, u64 b) {
  return a ^ b;
}

// Four lanes of T from `first` on, selected by two bits of imm8 each.
template <std::size_t first, class Array>
Array shuffle_four(const Array& source, u64 imm) {
  Array result = source;
  for (std::size_t i = 0; i < 4; ++i) result[first + i] = source[first + ((imm >> (2 * i)) & 3)];
  return result;
}

template <class T>
bool blend_immediate(Cpu& cpu, const Instruction& in) {
  return packed_xmm<T>(cpu, in, [&](auto a, const auto& b) {
    for (unsigned i = 0; i < a.size(); ++i) a[i] = bit_of(in.imm, i) ? b[i] : a[i];
    return a;
  });
}

template <class T>
bool blend_variable(Cpu& cpu, const Instruction& in) {
  const Lanes<T> mask = lanes<T>(cpu.state.xmm[0]);
  return packed_xmm<T>(cpu, in, [&](auto a, const auto& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = (mask[i] >> (8 * sizeof(T) - 1)) != 0 ? b[i] : a[i];
    return a;
  });
}

// PMOVSXxx and PMOVZXxx: the low lanes of From, widened to To.
template <class From, class To>
bool extend(Cpu& cpu, const Instruction& in) {
  constexpr std::size_t kCount = 16 / sizeof(To);
  constexpr std::size_t kBytes = kCount * sizeof(From);
  using Narrow = std::array<From, kCount>;
  if (!check_available(cpu)) return false;
  u64 bits = cpu.state.xmm[in.rm_is_memory() ? 0 : in.rm].lo;
  if (in.rm_is_memory()) {
    std::conditional_t<kBytes == 8, u64, std::conditional_t<kBytes == 4, u32, u16>> source;
    if (!load_operand(cpu, in, source)) return false;
    bits = source;
  }
  const auto narrow = std::bit_cast<std::array<Narrow, 8 / kBytes>>(bits)[0];
  std::array<To, kCount> wide;
  for (std::size_t i = 0; i < kCount; ++i) wide[i] = static_cast<To>(narrow[i]);
  cpu.state.xmm[in.reg] = to_xmm(wide);
  return true;
}

// The T that an insertion takes from memory or from a general register's low part.
template <class T>
bool load_insertion(Cpu& cpu, const Instruction& in, T& out) {
  if (in.rm_is_memory()) return load_operand(cpu, in, out);
  out = static_cast<T>(read_reg<u64>(cpu.state, in.rm));
  return true;
}

template <class T>
bool insert_xmm(Cpu& cpu, const Instruction& in) {
  T source;
  if (!check_available(cpu) || !load_insertion(cpu, in, source)) return false;
  Lanes<T> lane = lanes<T>(cpu.state.xmm[in.reg]);
  lane[in.imm & (lane.size() - 1)] = source;
  cpu.state.xmm[in.reg] = to_xmm(lane);
  return true;
}

// Extractions zero-extend into a 32-bit register, or store exactly T.
template <class T>
bool extract_xmm(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  const Lanes<T> lane = lanes<T>(cpu.state.xmm[in.reg]);
  const T value = lane[in.imm & (lane.size() - 1)];
  if (in.rm_is_memory()) return store_operand<T>(cpu, in, value);
  if constexpr (sizeof(T) == 8) {
    write_reg<u64>(cpu.state, in.rm, value);
  } else {
    write_reg<u32>(cpu.state, in.rm, value);
  }
  return true;
}

}  // namespace

bool exec_PUNPCKLBW(Cpu& cpu, const Instruction& in) {
  return unpack<u8, false>(cpu, in);
}
bool exec_PUNPCKLWD(Cpu& cpu, const Instruction& in) {
  return unpack<u16, false>(cpu, in);
}
bool exec_PUNPCKLDQ(Cpu& cpu, const Instruction& in) {
  return unpack<u32, false>(cpu, in);
}
bool exec_PUNPCKHBW(Cpu& cpu, const Instruction& in) {
  return unpack<u8, true>(cpu, in);
}
bool exec_PUNPCKHWD(Cpu& cpu, const Instruction& in) {
  return unpack<u16, true>(cpu, in);
}
bool exec_PUNPCKHDQ(Cpu& cpu, const Instruction& in) {
  return unpack<u32, true>(cpu, in);
}
bool exec_PUNPCKLQDQ(Cpu& cpu, const Instruction& in) {
  return unpack_xmm<u64, false>(cpu, in);
}
bool exec_PUNPCKHQDQ(Cpu& cpu, const Instruction& in) {
  return unpack_xmm<u64, true>(cpu, in);
}
bool exec_UNPCKLPS(Cpu& cpu, const Instruction& in) {
  return unpack_xmm<u32, false>(cpu, in);
}
bool exec_UNPCKHPS(Cpu& cpu, const Instruction& in) {
  return unpack_xmm<u32, true>(cpu, in);
}
bool exec_UNPCKLPD(Cpu& cpu, const Instruction& in) {
  return unpack_xmm<u64, false>(cpu, in);
}
bool exec_UNPCKHPD(Cpu& cpu, const Instruction& in) {
  return unpack_xmm<u64, true>(cpu, in);
}

bool exec_PAND(Cpu& cpu, const Instruction& in) {
  return logical(cpu, in, bits_and);
}
bool exec_PANDN(Cpu& cpu, const Instruction& in) {
  return logical(cpu, in, bits_and_not);
}
bool exec_POR(Cpu& cpu, const Instruction& in) {
  return logical(cpu, in, bits_or);
}
bool exec_PXOR(Cpu& cpu, const Instruction& in) {
  return logical(cpu, in, bits_xor);
}
bool exec_ANDPS(Cpu& cpu, const Instruction& in) {
  return logical_xmm(cpu, in, bits_and);
}
bool exec_ANDPD(Cpu& cpu, const Instruction& in) {
  return logical_xmm(cpu, in, bits_and);
}
bool exec_ANDNPS(Cpu& cpu, const Instruction& in) {
  return logical_xmm(cpu, in, bits_and_not);
}
bool exec_ANDNPD(Cpu& cpu, const Instruction& in) {
  return logical_xmm(cpu, in, bits_and_not);
}
bool exec_ORPS(Cpu& cpu, const Instruction& in) {
  return logical_xmm(cpu, in, bits_or);
}
bool exec_ORPD(Cpu& cpu, const Instruction& in) {
  return logical_xmm(cpu, in, bits_or);
}
bool exec_XORPS(Cpu& cpu, const Instruction& in) {
  return logical_xmm(cpu, in, bits_xor);
}
bool exec_XORPD(Cpu& cpu, const Instruction& in) {
  return logical_xmm(cpu, in, bits_xor);
}

bool exec_PSHUFD(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u32>(cpu, in, [&](const auto&, const auto& b) { return shuffle_four<0>(b, in.imm); });
}
bool exec_PSHUFLW(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u16>(cpu, in, [&](const auto&, const auto& b) { return shuffle_four<0>(b, in.imm); });
}
bool exec_PSHUFHW(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u16>(cpu, in, [&](const auto&, const auto& b) { return shuffle_four<4>(b, in.imm); });
}
bool exec_PSHUFW(Cpu& cpu, const Instruction& in) {
  return packed<u16>(cpu, in, [&](const auto&, const auto& b) { return shuffle_four<0>(b, in.imm); });
}

bool exec_SHUFPS(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u32>(cpu, in, [&](const auto& a, const auto& b) {
    return Lanes<u32>{a[in.imm & 3], a[(in.imm >> 2) & 3], b[(in.imm >> 4) & 3], b[(in.imm >> 6) & 3]};
  });
}
bool exec_SHUFPD(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u64>(
      cpu, in, [&](const auto& a, const auto& b) { return Lanes<u64>{a[in.imm & 1], b[(in.imm >> 1) & 1]}; });
}

// A set bit 7 gives zero; otherwise the low bits select a byte of the destination.
bool exec_PSHUFB(Cpu& cpu, const Instruction& in) {
  return packed<u8>(cpu, in, [](const auto& a, const auto& b) {
    auto result = a;
    for (std::size_t i = 0; i < a.size(); ++i) {
      result[i] = (b[i] & 0x80) != 0 ? u8{0} : a[b[i] & (a.size() - 1)];
    }
    return result;
  });
}

// Bytes imm8 and on of destination:source, zeros beyond.
bool exec_PALIGNR(Cpu& cpu, const Instruction& in) {
  return packed<u8>(cpu, in, [&](const auto& a, const auto& b) {
    auto result = a;
    const std::size_t size = a.size();
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t from = i + (in.imm & 0xFF);
      result[i] = from < size ? b[from] : from < 2 * size ? a[from - size] : u8{0};
    }
    return result;
  });
}

bool exec_BLENDPS(Cpu& cpu, const Instruction& in) {
  return blend_immediate<u32>(cpu, in);
}
bool exec_BLENDPD(Cpu& cpu, const Instruction& in) {
  return blend_immediate<u64>(cpu, in);
}
bool exec_PBLENDW(Cpu& cpu, const Instruction& in) {
  return blend_immediate<u16>(cpu, in);
}
bool exec_PBLENDVB(Cpu& cpu, const Instruction& in) {
  return blend_variable<u8>(cpu, in);
}
bool exec_BLENDVPS(Cpu& cpu, const Instruction& in) {
  return blend_variable<u32>(cpu, in);
}
bool exec_BLENDVPD(Cpu& cpu, const Instruction& in) {
  return blend_variable<u64>(cpu, in);
}

bool exec_PMOVSXBW(Cpu& cpu, const Instruction& in) {
  return extend<i8, i16>(cpu, in);
}
bool exec_PMOVSXBD(Cpu& cpu, const Instruction& in) {
  return extend<i8, i32>(cpu, in);
}
bool exec_PMOVSXBQ(Cpu& cpu, const Instruction& in) {
  return extend<i8, i64>(cpu, in);
}
bool exec_PMOVSXWD(Cpu& cpu, const Instruction& in) {
  return extend<i16, i32>(cpu, in);
}
bool exec_PMOVSXWQ(Cpu& cpu, const Instruction& in) {
  return extend<i16, i64>(cpu, in);
}
bool exec_PMOVSXDQ(Cpu& cpu, const Instruction& in) {
  return extend<i32, i64>(cpu, in);
}
bool exec_PMOVZXBW(Cpu& cpu, const Instruction& in) {
  return extend<u8, u16>(cpu, in);
}
bool exec_PMOVZXBD(Cpu& cpu, const Instruction& in) {
  return extend<u8, u32>(cpu, in);
}
bool exec_PMOVZXBQ(Cpu& cpu, const Instruction& in) {
  return extend<u8, u64>(cpu, in);
}
bool exec_PMOVZXWD(Cpu& cpu, const Instruction& in) {
  return extend<u16, u32>(cpu, in);
}
bool exec_PMOVZXWQ(Cpu& cpu, const Instruction& in) {
  return extend<u16, u64>(cpu, in);
}
bool exec_PMOVZXDQ(Cpu& cpu, const Instruction& in) {
  return extend<u32, u64>(cpu, in);
}

bool exec_PINSRB(Cpu& cpu, const Instruction& in) {
  return insert_xmm<u8>(cpu, in);
}
bool exec_PINSRD(Cpu& cpu, const Instruction& in) {
  return in.operand_size == 8 ? insert_xmm<u64>(cpu, in) : insert_xmm<u32>(cpu, in);
}
bool exec_PINSRW(Cpu& cpu, const Instruction& in) {
  if (in.operand_size == 16) return insert_xmm<u16>(cpu, in);
  u16 source;
  if (!mmx::check_available(cpu) || !load_insertion(cpu, in, source)) return false;
  auto lane = std::bit_cast<Lanes<u16, 8>>(mmx::read(cpu, in.reg));
  lane[in.imm & 3] = source;
  mmx::write(cpu, in.reg, std::bit_cast<u64>(lane));
  return true;
}

bool exec_PEXTRB(Cpu& cpu, const Instruction& in) {
  return extract_xmm<u8>(cpu, in);
}
bool exec_PEXTRD(Cpu& cpu, const Instruction& in) {
  return in.operand_size == 8 ? extract_xmm<u64>(cpu, in) : extract_xmm<u32>(cpu, in);
}
bool exec_EXTRACTPS(Cpu& cpu, const Instruction& in) {
  return extract_xmm<u32>(cpu, in);
}
bool exec_PEXTRW(Cpu& cpu, const Instruction& in) {
  if (in.form == Form::kMRI) return extract_xmm<u16>(cpu, in);
  CpuState& s = cpu.state;
  if (in.operand_size == 16) {
    if (!check_available(cpu)) return false;
    write_reg<u32>(s, in.reg, lanes<u16>(s.xmm[in.rm])[in.imm & 7]);
    return true;
  }
  if (!mmx::check_available(cpu)) return false;
  write_reg<u32>(s, in.reg, std::bit_cast<Lanes<u16, 8>>(mmx::read(cpu, in.rm))[in.imm & 3]);
  mmx::enter(cpu);
  return true;
}

// imm8: source lane in 7:6 (registers only), destination lane in 5:4, lanes to clear in 3:0.
bool exec_INSERTPS(Cpu& cpu, const Instruction& in) {
  u32 source;
  if (!check_available(cpu)) return false;
  if (in.rm_is_memory()) {
    if (!load_operand(cpu, in, source)) return false;
  } else {
    source = lanes<u32>(cpu.state.xmm[in.rm])[(in.imm >> 6) & 3];
  }
  Lanes<u32> lane = lanes<u32>(cpu.state.xmm[in.reg]);
  lane[(in.imm >> 4) & 3] = source;
  for (unsigned i = 0; i < 4; ++i) lane[i] = bit_of(in.imm, i) ? 0 : lane[i];
  cpu.state.xmm[in.reg] = to_xmm(lane);
  return true;
}

}  // namespace lapwing
