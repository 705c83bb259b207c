#include "core/cpu/exec/bit.h"

#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

template <Op op>
bool bit_test_any(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) {
    using T = decltype(zero);
    return in.form == Form::kMR ? bit_test<op, Form::kMR, T, Kind::kAny>(cpu, in)
                                : bit_test<op, Form::kMI, T, Kind::kAny>(cpu, in);
  });
}

// All status flags are cleared but those given.
void set_only(CpuState& s, bool cf, bool zf) {
  set_status_flags(s, (cf ? rflags::kCf : 0) | (zf ? rflags::kZf : 0));
}

// BSF and BSR on Intel CPUs: a zero source leaves the destination (all 64 bits of it) and sets ZF and PF;
// otherwise ZF, CF, OF, SF, AF are clear and PF is that of the result.
template <bool reverse, class T>
bool bit_scan(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  T source;
  if (!read_rm(cpu, in, source)) return false;
  s.flags_carries = 0;
  if (source == 0) {
    s.flags_result = 0;
    return true;
  }
  constexpr u64 kNotZero = 1ull << 8;  // in no flag but ZF
  const unsigned position = static_cast<unsigned>(
      reverse ? static_cast<int>(kBits<T>) - 1 - std::countl_zero(source) : std::countr_zero(source));
  s.flags_result = position | kNotZero;
  write_reg<T>(s, in.reg, static_cast<T>(position));
  return true;
}

enum class Count : u8 { kTrailingZeros, kLeadingZeros, kOnes };

template <Count what, class T>
bool bit_count(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  T source;
  if (!read_rm(cpu, in, source)) return false;
  const int count = what == Count::kTrailingZeros  ? std::countr_zero(source)
                    : what == Count::kLeadingZeros ? std::countl_zero(source)
                                                   : std::popcount(source);
  write_reg<T>(s, in.reg, static_cast<T>(count));
  set_only(s, what != Count::kOnes && source == 0, what == Count::kOnes ? source == 0 : count == 0);
  return true;
}

template <Count what>
bool bit_count_any(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) { return bit_count<what, decltype(zero)>(cpu, in); });
}

template <class T>
T reverse_bytes(T value) {
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

template <class T>
bool move_reversed(Cpu& cpu, const Instruction& in) {
  if (in.form == Form::kMR) return write_rm<T>(cpu, in, reverse_bytes(read_reg<T>(cpu.state, in.reg)));
  T value;
  if (!read_rm(cpu, in, value)) return false;
  write_reg<T>(cpu.state, in.reg, reverse_bytes(value));
  return true;
}

// CRC-32C, polynomial 0x11EDC6F41 with bits reversed.
constexpr u32 kCrcPolynomial = 0x82F63B78;

struct CrcTable {
  u32 byte[256];
  constexpr CrcTable() : byte{} {
    for (u32 i = 0; i < 256; ++i) {
      u32 crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCrcPolynomial : 0);
      byte[i] = crc;
    }
  }
};
constexpr CrcTable kCrcTable;

template <class T>
bool crc32(Cpu& cpu, const Instruction& in) {
  T source;
  if (!read_rm(cpu, in, source)) return false;
  u32 crc = read_reg<u32>(cpu.state, in.reg);
  u64 rest = source;
  for (unsigned i = 0; i < sizeof(T); ++i) {
    crc = (crc >> 8) ^ kCrcTable.byte[(crc ^ rest) & 0xFF];
    rest >>= 8;
  }
  write_reg<u32>(cpu.state, in.reg, crc);
  return true;
}

}  // namespace

bool exec_BT(Cpu& cpu, const Instruction& in) {
  return bit_test_any<Op::BT>(cpu, in);
}
bool exec_BTS(Cpu& cpu, const Instruction& in) {
  return bit_test_any<Op::BTS>(cpu, in);
}
bool exec_BTR(Cpu& cpu, const Instruction& in) {
  return bit_test_any<Op::BTR>(cpu, in);
}
bool exec_BTC(Cpu& cpu, const Instruction& in) {
  return bit_test_any<Op::BTC>(cpu, in);
}

bool exec_BSF(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) { return bit_scan<false, decltype(zero)>(cpu, in); });
}

bool exec_BSR(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) { return bit_scan<true, decltype(zero)>(cpu, in); });
}

// A CPU without BMI1 or LZCNT ignores the prefix (SDM vol. 2, TZCNT and LZCNT).
bool exec_TZCNT(Cpu& cpu, const Instruction& in) {
  return cpu.model.has(Feature::BMI1) ? bit_count_any<Count::kTrailingZeros>(cpu, in) : exec_BSF(cpu, in);
}

bool exec_LZCNT(Cpu& cpu, const Instruction& in) {
  return cpu.model.has(Feature::LZCNT) ? bit_count_any<Count::kLeadingZeros>(cpu, in) : exec_BSR(cpu, in);
}

bool exec_POPCNT(Cpu& cpu, const Instruction& in) {
  if (!cpu.model.has(Feature::POPCNT)) return cpu.raise_ud();
  return bit_count_any<Count::kOnes>(cpu, in);
}

// The 16-bit form is undefined; Intel CPUs give zero.
bool exec_BSWAP(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  if (in.operand_size == 2) {
    write_reg<u16>(s, in.rm, 0);
  } else if (in.operand_size == 4) {
    write_reg<u32>(s, in.rm, reverse_bytes(read_reg<u32>(s, in.rm)));
  } else {
    write_reg<u64>(s, in.rm, reverse_bytes(read_reg<u64>(s, in.rm)));
  }
  return true;
}

bool exec_MOVBE(Cpu& cpu, const Instruction& in) {
  if (!cpu.model.has(Feature::MOVBE)) return cpu.raise_ud();
  return by_word_size(in, [&](auto zero) { return move_reversed<decltype(zero)>(cpu, in); });
}

bool exec_CRC32(Cpu& cpu, const Instruction& in) {
  if (!cpu.model.has(Feature::SSE4_2)) return cpu.raise_ud();
  return by_size(in, [&](auto zero) { return crc32<decltype(zero)>(cpu, in); });
}

}  // namespace lapwing
