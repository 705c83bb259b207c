// How instruction handlers reach registers and memory. Every memory function returns false when the
// instruction was interrupted (fault raised, or slow mode needed); the handler then returns false at once,
// having changed nothing.
#pragma once

#include <cstring>

#include "core/cpu/cpu.h"

// The short paths stand inline in the interpreter's switch: on wasm engines nobody inlines after the C++
// compiler.
#define LAPWING_INLINE inline __attribute__((always_inline))

namespace lapwing {

// General registers by the decoder's byte offset.
template <class T>
LAPWING_INLINE T read_reg(const CpuState& s, u8 slot) {
  T value;
  std::memcpy(&value, reinterpret_cast<const u8*>(s.gpr) + slot, sizeof(T));
  return value;
}

// 32-bit writes clear the upper half (SDM vol. 1, "General-Purpose Registers in 64-Bit Mode").
template <class T>
LAPWING_INLINE void write_reg(CpuState& s, u8 slot, T value) {
  if constexpr (sizeof(T) == 4) {
    s.gpr[slot >> 3] = value;
  } else {
    std::memcpy(reinterpret_cast<u8*>(s.gpr) + slot, &value, sizeof(T));
  }
}

// Offset of the memory operand within its segment, wrapped to the address size.
LAPWING_INLINE u64 effective_address(const CpuState& s, const Instruction& in) {
  const u64 address =
      s.gpr[in.base] + (s.gpr[in.index] << in.scale) + static_cast<u64>(static_cast<i64>(in.disp));
  if (in.address_size == 8) return address;
  return in.address_size == 4 ? static_cast<u32>(address) : static_cast<u16>(address);
}

// Segmented to linear. "Simple" segments need no check: all in 64-bit mode, flat ones elsewhere
// (Cpu::update_mode).
LAPWING_INLINE bool linear_address(Cpu& cpu, u8 segment, u64 offset, unsigned size, bool write, u64& linear) {
  if (segment >= kFlat) {
    linear = offset;
    return true;
  }
  if (!bit_of(cpu.simple_segments(), segment) && !cpu.check_segment(segment, offset, size, write))
    return false;
  linear = (offset + cpu.state.seg[segment].base) & cpu.linear_mask();
  return true;
}

LAPWING_INLINE bool is_stack(u8 segment) {
  return segment == kSs || segment == kFlatStack;
}

template <class T>
LAPWING_INLINE bool load_linear(Cpu& cpu, u64 linear, bool stack, T& out) {
  const TlbEntry& entry = cpu.tlb_entries()[Tlb::index_of(linear)];
  if (linear - entry.tag_read <= kPageSize - sizeof(T)) [[likely]] {
    std::memcpy(&out, reinterpret_cast<const void*>(static_cast<std::uintptr_t>(linear) + entry.addend),
                sizeof(T));
    return true;
  }
  return cpu.read_slow(linear, &out, sizeof(T), stack, cpu.data_mode());
}

template <class T>
LAPWING_INLINE bool store_linear(Cpu& cpu, u64 linear, bool stack, T value) {
  const TlbEntry& entry = cpu.tlb_entries()[Tlb::index_of(linear)];
  if (linear - entry.tag_write <= kPageSize - sizeof(T)) [[likely]] {
    std::memcpy(reinterpret_cast<void*>(static_cast<std::uintptr_t>(linear) + entry.addend), &value,
                sizeof(T));
    return true;
  }
  return cpu.write_slow(linear, &value, sizeof(T), stack, cpu.data_mode());
}

template <class T>
inline bool load(Cpu& cpu, u8 segment, u64 offset, T& out) {
  u64 linear;
  return linear_address(cpu, segment, offset, sizeof(T), false, linear) &&
         load_linear(cpu, linear, is_stack(segment), out);
}

template <class T>
inline bool store(Cpu& cpu, u8 segment, u64 offset, T value) {
  u64 linear;
  return linear_address(cpu, segment, offset, sizeof(T), true, linear) &&
         store_linear(cpu, linear, is_stack(segment), value);
}

// The memory operand of `in`.
template <class T>
inline bool load_operand(Cpu& cpu, const Instruction& in, T& out) {
  return load(cpu, in.segment, effective_address(cpu.state, in), out);
}
template <class T>
inline bool store_operand(Cpu& cpu, const Instruction& in, T value) {
  return store(cpu, in.segment, effective_address(cpu.state, in), value);
}

// ModRM r/m, register or memory.
template <class T>
inline bool read_rm(Cpu& cpu, const Instruction& in, T& out) {
  if (in.rm_is_memory()) return load_operand(cpu, in, out);
  out = read_reg<T>(cpu.state, in.rm);
  return true;
}
template <class T>
inline bool write_rm(Cpu& cpu, const Instruction& in, T value) {
  if (in.rm_is_memory()) return store_operand(cpu, in, value);
  write_reg<T>(cpu.state, in.rm, value);
  return true;
}

// A read-modify-write of ModRM r/m. begin() checks that the store cannot fail; commit() then cannot.
template <class T>
class Modify {
 public:
  __attribute__((noinline)) bool begin(Cpu& cpu, const Instruction& in) {
    if (!in.rm_is_memory()) {
      host_ = reinterpret_cast<u8*>(cpu.state.gpr) + in.rm;
      is_register_ = true;
      slot_ = in.rm;
      std::memcpy(&value_, host_, sizeof(T));
      return true;
    }
    return begin_memory(cpu, in.segment, effective_address(cpu.state, in));
  }
  LAPWING_INLINE bool begin_memory(Cpu& cpu, u8 segment, u64 offset) {
    if (!linear_address(cpu, segment, offset, sizeof(T), true, linear_)) return false;
    const TlbEntry& entry = cpu.tlb_entries()[Tlb::index_of(linear_)];
    if (linear_ - entry.tag_write <= kPageSize - sizeof(T)) [[likely]] {
      host_ = reinterpret_cast<u8*>(static_cast<std::uintptr_t>(linear_) + entry.addend);
      std::memcpy(&value_, host_, sizeof(T));
      return true;
    }
    stack_ = is_stack(segment);
    return cpu.probe_write(linear_, sizeof(T), stack_, cpu.data_mode()) &&
           cpu.read_slow(linear_, &value_, sizeof(T), stack_, cpu.data_mode());
  }
  T value() const { return value_; }
  LAPWING_INLINE void commit(Cpu& cpu, T value) {
    if (is_register_) {
      write_reg<T>(cpu.state, slot_, value);
    } else if (host_ != nullptr) {
      std::memcpy(host_, &value, sizeof(T));
    } else {
      cpu.write_slow(linear_, &value, sizeof(T), stack_, cpu.data_mode());
    }
  }

 private:
  u64 linear_ = 0;
  u8* host_ = nullptr;
  T value_{};
  bool is_register_ = false;
  bool stack_ = false;
  u8 slot_ = 0;
};

// The stack. Handlers that push several values compute with stack_offset() and set RSP last.
LAPWING_INLINE u8 stack_segment(const CpuState& s) {
  return s.code64() ? kFlatStack : kSs;
}
LAPWING_INLINE u64 stack_pointer(const CpuState& s) {
  return s.gpr[kRsp] & s.stack_mask;
}
LAPWING_INLINE void set_stack_pointer(CpuState& s, u64 value) {
  // A 32-bit stack pointer write clears the upper half; a 16-bit one keeps the rest.
  const u64 keep = s.stack_mask == 0xFFFF ? ~0xFFFFull : 0;
  s.gpr[kRsp] = (s.gpr[kRsp] & keep) | (value & s.stack_mask);
}

template <class T>
inline bool push(Cpu& cpu, T value) {
  const u64 sp = (cpu.state.gpr[kRsp] - sizeof(T)) & cpu.state.stack_mask;
  if (!store(cpu, stack_segment(cpu.state), sp, value)) return false;
  set_stack_pointer(cpu.state, sp);
  return true;
}

template <class T>
inline bool pop(Cpu& cpu, T& value) {
  const u64 sp = stack_pointer(cpu.state);
  if (!load(cpu, stack_segment(cpu.state), sp, value)) return false;
  set_stack_pointer(cpu.state, sp + sizeof(T));
  return true;
}

// Accesses with supervisor rights whatever CPL is: descriptor tables, TSS, IDT (SDM vol. 3, "Implicit
// supervisor-mode accesses").
template <class T>
inline bool load_system(Cpu& cpu, u64 linear, T& out) {
  return cpu.read_slow(linear, &out, sizeof(T), false, cpu.system_mode());
}
template <class T>
inline bool store_system(Cpu& cpu, u64 linear, T value) {
  return cpu.write_slow(linear, &value, sizeof(T), false, cpu.system_mode());
}

}  // namespace lapwing
