// XMM and MMX registers as lanes, their memory operands, and the availability and exception rules of MMX and
// SSE. Intel SDM vol. 1, 9 (MMX), 10 to 12 (SSE); vol. 2, 2.4 (exception classes); vol. 3, 2.5 (CR0.EM,
// CR0.TS).
#pragma once

#include <array>
#include <bit>

#include "core/cpu/exec/access.h"
#include "core/cpu/exec/x87.h"
#include "core/cpu/fpu/fp_context.h"

namespace lapwing::sse {

constexpr u32 kMxcsrMask = 0xFFFF;
constexpr u32 kInitialMxcsr = 0x1F80;

template <class T, std::size_t bytes = 16>
using Lanes = std::array<T, bytes / sizeof(T)>;

template <class T>
Lanes<T> lanes(const XmmRegister& value) {
  return std::bit_cast<Lanes<T>>(value);
}
template <class T, std::size_t count>
XmmRegister to_xmm(const std::array<T, count>& value) {
  static_assert(sizeof(value) == sizeof(XmmRegister));
  return std::bit_cast<XmmRegister>(value);
}

template <class T>
T low(const XmmRegister& value) {
  return static_cast<T>(value.lo);
}
template <class T>
void set_low(XmmRegister& target, T value) {
  if constexpr (sizeof(T) == 8) {
    target.lo = value;
  } else {
    target.lo = (target.lo & (~u64{0} << (8 * sizeof(T)))) | value;
  }
}

inline bool check_available(Cpu& cpu) {
  const CpuState& s = cpu.state;
  if ((s.cr0 & cr0::kEm) != 0 || (s.cr4 & cr4::kOsfxsr) == 0) return cpu.raise_ud();
  return (s.cr0 & cr0::kTs) == 0 || cpu.raise(kNM);
}

// The vector source of `in`: register, or 16 bytes of memory, which must be aligned unless the instruction
// says otherwise.
inline bool load_vector(Cpu& cpu, const Instruction& in, XmmRegister& out, bool aligned = true) {
  if (!in.rm_is_memory()) {
    out = cpu.state.xmm[in.rm];
    return true;
  }
  u64 linear;
  if (!linear_address(cpu, in.segment, effective_address(cpu.state, in), 16, false, linear)) return false;
  if (aligned && (linear & 15) != 0) return cpu.raise_gp(0);
  return load_linear(cpu, linear, is_stack(in.segment), out);
}

inline bool store_vector(Cpu& cpu, const Instruction& in, const XmmRegister& value, bool aligned) {
  u64 linear;
  if (!linear_address(cpu, in.segment, effective_address(cpu.state, in), 16, true, linear)) return false;
  if (aligned && (linear & 15) != 0) return cpu.raise_gp(0);
  return store_linear(cpu, linear, is_stack(in.segment), value);
}

// The scalar source: the register's low part or sizeof(T) bytes of memory.
template <class T>
bool load_scalar(Cpu& cpu, const Instruction& in, T& out) {
  if (in.rm_is_memory()) return load_operand(cpu, in, out);
  out = low<T>(cpu.state.xmm[in.rm]);
  return true;
}

// Ends a floating-point instruction: accumulates the flags; false when #XM (or #UD without OSXMMEXCPT) was
// raised.
inline bool finish(Cpu& cpu, FpContext& context) {
  context.settle();
  cpu.state.mxcsr |= context.flags & kFpAllExceptions;
  if (!context.unmasked(kFpAllExceptions)) return true;
  return (cpu.state.cr4 & cr4::kOsxmmexcpt) != 0 ? cpu.raise(kXM) : cpu.raise_ud();
}

// xmm[reg] <- compute(lanes of xmm[reg], lanes of the source).
template <class T, class Compute>
bool packed_xmm(Cpu& cpu, const Instruction& in, Compute compute) {
  XmmRegister source;
  if (!check_available(cpu) || !load_vector(cpu, in, source)) return false;
  XmmRegister& target = cpu.state.xmm[in.reg];
  target = to_xmm(compute(lanes<T>(target), lanes<T>(source)));
  return true;
}

namespace mmx {

inline bool check_available(Cpu& cpu) {
  const CpuState& s = cpu.state;
  if ((s.cr0 & cr0::kEm) != 0) return cpu.raise_ud();
  if ((s.cr0 & cr0::kTs) != 0) return cpu.raise(kNM);
  return x87::check_pending(cpu);
}

// Every MMX instruction but EMMS makes all registers valid and TOP zero (SDM vol. 1, 9.6.2).
inline void enter(Cpu& cpu) {
  x87::set_top(cpu.state.fpu, 0);
  cpu.state.fpu.valid = 0xFF;
}

// The end of a store of an MMX register: one that faults has cleared TOP already, but no tags.
inline bool stored(Cpu& cpu, bool done) {
  x87::set_top(cpu.state.fpu, 0);
  if (done) enter(cpu);
  return done;
}

inline u64 read(const Cpu& cpu, unsigned i) {
  return cpu.state.fpu.st[i].mantissa;
}
inline void write(Cpu& cpu, unsigned i, u64 value) {
  enter(cpu);
  cpu.state.fpu.st[i] = {value, 0xFFFF};
}

inline bool load(Cpu& cpu, const Instruction& in, u64& out) {
  if (in.rm_is_memory()) return load_operand(cpu, in, out);
  out = read(cpu, in.rm);
  return true;
}

}  // namespace mmx

// The same on MMX registers (operand_size 8) or XMM registers (16).
template <class T, class Compute>
bool packed(Cpu& cpu, const Instruction& in, Compute compute) {
  if (in.operand_size == 16) return packed_xmm<T>(cpu, in, compute);
  u64 source;
  if (!mmx::check_available(cpu) || !mmx::load(cpu, in, source)) return false;
  using Half = Lanes<T, 8>;
  const Half result = compute(std::bit_cast<Half>(mmx::read(cpu, in.reg)), std::bit_cast<Half>(source));
  mmx::write(cpu, in.reg, std::bit_cast<u64>(result));
  return true;
}

// Lane by lane.
template <class T, class Compute>
bool lanewise(Cpu& cpu, const Instruction& in, Compute compute) {
  return packed<T>(cpu, in, [&](auto a, const auto& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(compute(a[i], b[i]));
    return a;
  });
}

}  // namespace lapwing::sse
