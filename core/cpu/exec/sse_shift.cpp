// Packed shifts of MMX and SSE2 (Intel SDM vol. 1, 9.4.6 and 11.4.2; vol. 2).
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/sse.h"

namespace lapwing {

namespace {

using namespace sse;

struct ShiftLeft {
  template <class T>
  static T apply(T value, u64 count) {
    return count < 8 * sizeof(T) ? static_cast<T>(value << count) : T{0};
  }
};

struct ShiftRight {
  template <class T>
  static T apply(T value, u64 count) {
    return count < 8 * sizeof(T) ? static_cast<T>(value >> count) : T{0};
  }
};

// Counts beyond the width fill with the sign; T is signed.
struct ShiftRightArithmetic {
  template <class T>
  static T apply(T value, u64 count) {
    constexpr u64 kLast = 8 * sizeof(T) - 1;
    return static_cast<T>(value >> (count < kLast ? count : kLast));
  }
};

template <class T, class Op, std::size_t bytes>
Lanes<T, bytes> shifted(Lanes<T, bytes> lane, u64 count) {
  for (T& value : lane) value = Op::template apply<T>(value, count);
  return lane;
}

// The count is imm8 (register rm is shifted) or the whole low quadword of the source (register reg is).
template <class T, class Op>
bool shift(Cpu& cpu, const Instruction& in) {
  const bool immediate = in.form == Form::kMI;
  const unsigned target = immediate ? in.rm : in.reg;
  u64 count = in.imm & 0xFF;
  if (in.operand_size == 16) {
    XmmRegister source;
    if (!check_available(cpu)) return false;
    if (!immediate) {
      if (!load_vector(cpu, in, source)) return false;
      count = source.lo;
    }
    XmmRegister& value = cpu.state.xmm[target];
    value = to_xmm(shifted<T, Op, 16>(lanes<T>(value), count));
    return true;
  }
  if (!mmx::check_available(cpu) || (!immediate && !mmx::load(cpu, in, count))) return false;
  const auto lane = std::bit_cast<Lanes<T, 8>>(mmx::read(cpu, target));
  mmx::write(cpu, target, std::bit_cast<u64>(shifted<T, Op, 8>(lane, count)));
  return true;
}

}  // namespace

bool exec_PSLLW(Cpu& cpu, const Instruction& in) {
  return shift<u16, ShiftLeft>(cpu, in);
}
bool exec_PSLLD(Cpu& cpu, const Instruction& in) {
  return shift<u32, ShiftLeft>(cpu, in);
}
bool exec_PSLLQ(Cpu& cpu, const Instruction& in) {
  return shift<u64, ShiftLeft>(cpu, in);
}
bool exec_PSRLW(Cpu& cpu, const Instruction& in) {
  return shift<u16, ShiftRight>(cpu, in);
}
bool exec_PSRLD(Cpu& cpu, const Instruction& in) {
  return shift<u32, ShiftRight>(cpu, in);
}
bool exec_PSRLQ(Cpu& cpu, const Instruction& in) {
  return shift<u64, ShiftRight>(cpu, in);
}
bool exec_PSRAW(Cpu& cpu, const Instruction& in) {
  return shift<i16, ShiftRightArithmetic>(cpu, in);
}
bool exec_PSRAD(Cpu& cpu, const Instruction& in) {
  return shift<i32, ShiftRightArithmetic>(cpu, in);
}

// Whole-register byte shifts; counts above 15 clear.
bool exec_PSLLDQ(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  const std::size_t count = in.imm & 0xFF;
  const Lanes<u8> source = lanes<u8>(cpu.state.xmm[in.rm]);
  Lanes<u8> result{};
  for (std::size_t i = count; i < source.size(); ++i) result[i] = source[i - count];
  cpu.state.xmm[in.rm] = to_xmm(result);
  return true;
}

bool exec_PSRLDQ(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  const std::size_t count = in.imm & 0xFF;
  const Lanes<u8> source = lanes<u8>(cpu.state.xmm[in.rm]);
  Lanes<u8> result{};
  for (std::size_t i = 0; i + count < source.size(); ++i) result[i] = source[i + count];
  cpu.state.xmm[in.rm] = to_xmm(result);
  return true;
}

}  // namespace lapwing
