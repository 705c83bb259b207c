// ModRM operands whose kind is known at compile time, and the switch over operand sizes: what the integer
// families' templates are made of. The same template serves the generic handler (kAny) and the rows of
// hot.inc (kReg, kMem).
#pragma once

#include "core/cpu/exec/access.h"
#include "core/cpu/exec/flags.h"

namespace lapwing {

enum class Kind : u8 { kReg, kMem, kAny };

template <Kind kind>
LAPWING_INLINE bool is_register(const Instruction& in) {
  if constexpr (kind == Kind::kAny) return !in.rm_is_memory();
  return kind == Kind::kReg;
}

// load() and store() without a call on the short path.
template <class T>
LAPWING_INLINE bool load_inline(Cpu& cpu, u8 segment, u64 offset, T& out) {
  u64 linear;
  return linear_address(cpu, segment, offset, sizeof(T), false, linear) &&
         load_linear(cpu, linear, is_stack(segment), out);
}

template <class T>
LAPWING_INLINE bool store_inline(Cpu& cpu, u8 segment, u64 offset, T value) {
  u64 linear;
  return linear_address(cpu, segment, offset, sizeof(T), true, linear) &&
         store_linear(cpu, linear, is_stack(segment), value);
}

template <class T, Kind kind>
LAPWING_INLINE bool read_operand(Cpu& cpu, const Instruction& in, T& out) {
  if constexpr (kind == Kind::kAny) return read_rm(cpu, in, out);
  if constexpr (kind == Kind::kMem)
    return load_inline(cpu, in.segment, effective_address(cpu.state, in), out);
  out = read_reg<T>(cpu.state, in.rm);
  return true;
}

template <class T, Kind kind>
LAPWING_INLINE bool write_operand(Cpu& cpu, const Instruction& in, T value) {
  if constexpr (kind == Kind::kAny) return write_rm(cpu, in, value);
  if constexpr (kind == Kind::kMem)
    return store_inline(cpu, in.segment, effective_address(cpu.state, in), value);
  write_reg<T>(cpu.state, in.rm, value);
  return true;
}

// rm <- compute(rm). `compute` runs once, when the store cannot fail any more, so it may change registers and
// flags.
template <class T, Kind kind, class Compute>
LAPWING_INLINE bool modify_operand(Cpu& cpu, const Instruction& in, Compute compute) {
  if constexpr (kind == Kind::kReg) {
    write_reg<T>(cpu.state, in.rm, compute(read_reg<T>(cpu.state, in.rm)));
  } else {
    Modify<T> target;
    if constexpr (kind == Kind::kMem) {
      if (!target.begin_memory(cpu, in.segment, effective_address(cpu.state, in))) return false;
    } else {
      if (!target.begin(cpu, in)) return false;
    }
    target.commit(cpu, compute(target.value()));
  }
  return true;
}

// handle(T{}) with the unsigned type of the operand size.
template <class Handle>
LAPWING_INLINE bool by_size(const Instruction& in, Handle handle) {
  switch (in.operand_size) {
    case 1: return handle(u8{});
    case 2: return handle(u16{});
    case 4: return handle(u32{});
    default: return handle(u64{});
  }
}

// The same where no byte form exists.
template <class Handle>
LAPWING_INLINE bool by_word_size(const Instruction& in, Handle handle) {
  switch (in.operand_size) {
    case 2: return handle(u16{});
    case 4: return handle(u32{});
    default: return handle(u64{});
  }
}

template <class T>
constexpr unsigned kBits = 8 * sizeof(T);

template <class T>
constexpr bool top_bit(T value) {
  return static_cast<bool>((value >> (kBits<T> - 1)) & 1);
}

template <class T>
constexpr T as_type(u64 value) {
  return static_cast<T>(value);
}

}  // namespace lapwing
