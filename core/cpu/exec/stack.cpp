#include "core/cpu/exec/stack.h"

#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

// The address of a memory operand that uses rSP is computed with rSP already incremented.
template <class T>
bool pop_memory(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const u64 old_rsp = s.gpr[kRsp];
  T value;
  if (!pop<T>(cpu, value)) return false;
  if (store_operand(cpu, in, value)) return true;
  s.gpr[kRsp] = old_rsp;
  return false;
}

template <class T>
bool push_all(Cpu& cpu) {
  CpuState& s = cpu.state;
  u64 sp = s.gpr[kRsp];
  for (u8 reg = kRax; reg <= kRdi; ++reg) {
    sp = (sp - sizeof(T)) & s.stack_mask;
    if (!store(cpu, stack_segment(s), sp, as_type<T>(s.gpr[reg]))) return false;
  }
  set_stack_pointer(s, sp);
  return true;
}

template <class T>
bool pop_all(Cpu& cpu) {
  CpuState& s = cpu.state;
  T values[8];
  u64 sp = stack_pointer(s);
  for (int reg = kRdi; reg >= kRax; --reg) {
    if (!load(cpu, stack_segment(s), sp, values[reg])) return false;
    sp = (sp + sizeof(T)) & s.stack_mask;
  }
  for (u8 reg = kRax; reg <= kRdi; ++reg) {
    if (reg != kRsp) write_reg<T>(s, static_cast<u8>(8 * reg), values[reg]);
  }
  set_stack_pointer(s, sp);
  return true;
}

// Copies the outer frame pointers of a nested procedure; `sp` is where the first goes, `frame` the new frame
// pointer.
template <class T>
bool copy_frame_pointers(Cpu& cpu, unsigned level, u64& sp, T frame) {
  CpuState& s = cpu.state;
  u64 display = s.gpr[kRbp];
  for (unsigned i = 1; i < level; ++i) {
    display = (display - sizeof(T)) & s.stack_mask;
    T pointer;
    if (!load(cpu, stack_segment(s), display, pointer)) return false;
    sp = (sp - sizeof(T)) & s.stack_mask;
    if (!store(cpu, stack_segment(s), sp, pointer)) return false;
  }
  sp = (sp - sizeof(T)) & s.stack_mask;
  return store(cpu, stack_segment(s), sp, frame);
}

template <class T>
bool enter(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const u64 size = in.imm & 0xFFFF;
  const unsigned level = static_cast<unsigned>(in.imm >> 16) & 31;
  u64 sp = (s.gpr[kRsp] - sizeof(T)) & s.stack_mask;
  if (!store(cpu, stack_segment(s), sp, read_reg<T>(s, 8 * kRbp))) return false;
  const auto frame = as_type<T>(sp);
  if (level > 0 && !copy_frame_pointers<T>(cpu, level, sp, frame)) return false;
  sp = (sp - size) & s.stack_mask;
  // The new top of the stack must be writable, though nothing is stored there.
  Modify<T> top;
  if (!top.begin_memory(cpu, stack_segment(s), sp)) return false;
  write_reg<T>(s, 8 * kRbp, frame);
  set_stack_pointer(s, sp);
  return true;
}

// Virtual-8086 mode with IOPL < 3: PUSHF and POPF see VIF in place of IF, if CR4.VME allows (SDM vol. 3,
// "Interrupt and Exception Handling in Virtual-8086 Mode").
enum class FlagAccess : u8 { kPlain, kVirtual, kFault };

FlagAccess flag_access(const CpuState& s, const Instruction& in) {
  if (!s.v8086() || (s.rflags_rest & rflags::kIopl) == rflags::kIopl) return FlagAccess::kPlain;
  return (s.cr4 & cr4::kVme) != 0 && in.operand_size == 2 ? FlagAccess::kVirtual : FlagAccess::kFault;
}

bool pop_flags_image(Cpu& cpu, const Instruction& in, u64& image) {
  return by_word_size(in, [&](auto value) {
    if (!pop(cpu, value)) return false;
    image = value;
    return true;
  });
}

// Which bits POPF changes outside the virtual case (SDM vol. 2, table "Effect of POPF/POPFD on the EFLAGS
// Register").
u64 writable_flags(const CpuState& s, const Instruction& in) {
  u64 writable = rflags::kStatus | rflags::kTf | rflags::kDf | rflags::kNt;
  if (in.operand_size != 2) writable |= rflags::kAc | rflags::kId;
  const unsigned iopl = static_cast<unsigned>((s.rflags_rest & rflags::kIopl) >> rflags::kIoplShift);
  if (s.v8086()) return writable | rflags::kIf;
  if (s.cpl <= iopl) writable |= rflags::kIf;
  if (s.cpl == 0) writable |= rflags::kIopl;
  return writable;
}

void write_flags(Cpu& cpu, u64 image, u64 writable) {
  CpuState& s = cpu.state;
  set_status_flags(s, image);
  writable &= ~rflags::kStatus;
  const u64 old = s.rflags_rest;
  s.rflags_rest = (old & ~writable) | (image & writable);
  if (((old ^ s.rflags_rest) & rflags::kAc) != 0) cpu.update_mode();
}

}  // namespace

bool exec_PUSH(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) {
    using T = decltype(zero);
    return in.form == Form::kI ? push_immediate<T>(cpu, in) : push_operand<T, Kind::kAny>(cpu, in);
  });
}

bool exec_POP(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) {
    using T = decltype(zero);
    return in.rm_is_memory() ? pop_memory<T>(cpu, in) : pop_register<T>(cpu, in);
  });
}

bool exec_PUSHA(Cpu& cpu, const Instruction& in) {
  return in.operand_size == 2 ? push_all<u16>(cpu) : push_all<u32>(cpu);
}

bool exec_POPA(Cpu& cpu, const Instruction& in) {
  return in.operand_size == 2 ? pop_all<u16>(cpu) : pop_all<u32>(cpu);
}

bool exec_ENTER(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) { return enter<decltype(zero)>(cpu, in); });
}

bool exec_LEAVE(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) { return leave_frame<decltype(zero)>(cpu); });
}

// RF and VM are pushed as zero.
bool exec_PUSHF(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const FlagAccess access = flag_access(s, in);
  if (access == FlagAccess::kFault) return cpu.raise_gp();
  u64 image = get_rflags(s) & ~(rflags::kRf | rflags::kVm);
  if (access == FlagAccess::kVirtual) {
    image = (image & ~rflags::kIf) | rflags::kIopl | ((image & rflags::kVif) != 0 ? rflags::kIf : 0);
  }
  return by_word_size(in, [&](auto zero) { return push(cpu, as_type<decltype(zero)>(image)); });
}

bool exec_POPF(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const FlagAccess access = flag_access(s, in);
  if (access == FlagAccess::kFault) return cpu.raise_gp();
  const u64 old_rsp = s.gpr[kRsp];
  u64 image = 0;
  if (!pop_flags_image(cpu, in, image)) return false;
  if (access == FlagAccess::kPlain) {
    write_flags(cpu, image, writable_flags(s, in));
    return true;
  }
  const bool enables_pending = (image & rflags::kIf) != 0 && (s.rflags_rest & rflags::kVip) != 0;
  if (enables_pending || (image & rflags::kTf) != 0) {
    s.gpr[kRsp] = old_rsp;
    return cpu.raise_gp();
  }
  const u64 virtual_if = (image & rflags::kIf) != 0 ? rflags::kVif : 0;
  const u64 writable = rflags::kStatus | rflags::kTf | rflags::kDf | rflags::kNt | rflags::kVif;
  write_flags(cpu, (image & ~rflags::kVif) | virtual_if, writable);
  return true;
}

}  // namespace lapwing
