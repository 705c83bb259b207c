// Segment and gate descriptors as they lie in the GDT, LDT and IDT. SDM vol. 3, "Segment Descriptors", "Gate
// Descriptors".
#pragma once

#include "core/cpu/cpu.h"

namespace lapwing {

// System descriptor types (bit 4 of the access byte clear). In long mode only kLdt and the 32-bit ("386")
// forms remain, meaning 64 bits.
enum class SystemType : u8 {
  kTss16Available = 1,
  kLdt = 2,
  kTss16Busy = 3,
  kCallGate16 = 4,
  kTaskGate = 5,
  kInterruptGate16 = 6,
  kTrapGate16 = 7,
  kTss32Available = 9,
  kTss32Busy = 11,
  kCallGate32 = 12,
  kInterruptGate32 = 14,
  kTrapGate32 = 15,
};

struct Descriptor {
  u64 low = 0;
  u64 high = 0;     // second half of a 16-byte system descriptor in long mode
  u64 address = 0;  // linear address it was read from

  // Access byte in bits 7:0, AVL L D G in bits 15:12, as SegmentRegister::attributes.
  u16 attributes() const { return static_cast<u16>((low >> 40) & 0xF0FF); }
  u8 type() const { return static_cast<u8>((low >> 40) & 0xF); }
  SystemType system_type() const { return static_cast<SystemType>(type()); }
  bool is_code_or_data() const { return bit_of(low, 44); }
  u8 dpl() const { return static_cast<u8>((low >> 45) & 3); }
  bool present() const { return bit_of(low, 47); }
  bool is_code() const { return is_code_or_data() && bit_of(low, 43); }
  bool conforming() const { return bit_of(low, 42); }
  bool readable() const { return !is_code() || bit_of(low, 41); }
  bool writable() const { return !is_code() && bit_of(low, 41); }
  bool long_mode() const { return bit_of(low, 53); }
  bool big() const { return bit_of(low, 54); }
  u32 limit() const {
    const auto raw = static_cast<u32>((low & 0xFFFF) | ((low >> 32) & 0xF0000));
    return bit_of(low, 55) ? (raw << 12) | 0xFFF : raw;
  }
  u64 base() const { return ((low >> 16) & 0xFFFFFF) | ((low >> 32) & 0xFF000000) | (high << 32); }

  // Gates.
  u16 gate_selector() const { return static_cast<u16>(low >> 16); }
  u64 gate_offset(bool wide) const {
    const u64 low_word = low & 0xFFFF;
    return wide ? low_word | ((low >> 32) & 0xFFFF0000) | (high << 32) : low_word;
  }
  unsigned gate_ist() const { return static_cast<unsigned>(low >> 32) & 7; }
  unsigned gate_parameters() const { return static_cast<unsigned>(low >> 32) & 31; }
};

constexpr u16 kSelectorMask = 0xFFFC;
inline bool is_null_selector(u16 selector) {
  return (selector & kSelectorMask) == 0;
}

// Reads the descriptor of a selector. Beyond the table's limit: `vector` with the selector as error code.
bool read_descriptor(Cpu& cpu, u16 selector, Vector vector, Descriptor& out);
// The same for system descriptors that are 16 bytes long in long mode.
bool read_system_descriptor(Cpu& cpu, u16 selector, Vector vector, Descriptor& out);
// Sets the accessed bit in memory (and in `descriptor`).
bool set_accessed(Cpu& cpu, Descriptor& descriptor);
// The hidden part that a descriptor gives.
SegmentRegister make_segment(u16 selector, const Descriptor& descriptor);
// A segment register as real and virtual-8086 mode load it.
SegmentRegister real_mode_segment(const SegmentRegister& old, u16 selector);
SegmentRegister v8086_segment(u16 selector);

// Loads a data, stack or code segment register (not CS) as MOV, POP and LDS do in every mode.
bool load_segment(Cpu& cpu, Seg seg, u16 selector);
// Makes ES, DS, FS, GS null when an outer privilege level may not keep them (after RET, IRET).
void drop_inner_segments(Cpu& cpu);
// Checks the stack segment for privilege level `cpl` (stack switches, task switches). Errors are `vector`.
bool read_stack_segment(Cpu& cpu, u16 selector, u8 cpl, Vector vector, Descriptor& out);

// Whether a code-segment offset may be executed: within the limit, or canonical in 64-bit mode. Else #GP(0).
bool check_code_offset(Cpu& cpu, const SegmentRegister& cs, u64 offset);
bool is_canonical_address(u64 linear);

// Stack pointers for privilege level `level` from the current TSS.
bool read_tss_stack(Cpu& cpu, u8 level, u16& ss, u64& sp);
// RSP0-2 (slot 0-2) or IST1-7 (slot 1-7 with ist) of a 64-bit TSS.
bool read_tss64_pointer(Cpu& cpu, unsigned slot, bool ist, u64& rsp);

// Stores to a stack that is not the current one, with the rights of privilege level `cpl`. Commit by setting
// RSP.
class StackWriter {
 public:
  // `sp` is the current top; ss describes the segment (base, width).
  // limit_error: error code of #SS when the segment's limit is passed (0, or the selector of a new stack).
  StackWriter(Cpu& cpu, const SegmentRegister& ss, u64 sp, u8 cpl, bool wide64, u32 limit_error = 0);
  bool push(u64 value, unsigned size);
  u64 sp() const { return sp_; }

 private:
  Cpu& cpu_;
  const SegmentRegister& ss_;
  u64 sp_;
  u64 mask_;
  AccessMode mode_;
  bool wide64_;
  u32 limit_error_;
};

// Whether `size` bytes at `offset` lie within a data segment's limit (expand-down included).
bool within_limit(const SegmentRegister& segment, u64 offset, unsigned size);

// Hardware task switch (SDM vol. 3, "Task Management").
enum class TaskSwitchKind : u8 { kJump, kCall, kReturn, kInterrupt };
// `next_rip` is saved as the old task's EIP. error_code (when has_error_code) is pushed on the new task's
// stack.
bool switch_task(Cpu& cpu, u16 selector, TaskSwitchKind kind, u64 next_rip, bool has_error_code = false,
                 u32 error_code = 0);

}  // namespace lapwing
