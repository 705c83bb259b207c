// RET far and IRET in every mode. SDM vol. 2 (RET, IRET).
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

// Reads successive values from the current stack without moving RSP.
class StackReader {
 public:
  StackReader(Cpu& cpu, unsigned size) : cpu_(cpu), size_(size), sp_(stack_pointer(cpu.state)) {}
  bool pop(u64& out) {
    const u8 segment = stack_segment(cpu_.state);
    const u64 at = sp_ & cpu_.state.stack_mask;
    u16 narrow = 0;
    u32 wide = 0;
    bool ok;
    if (size_ == 2) {
      ok = load(cpu_, segment, at, narrow);
      out = narrow;
    } else if (size_ == 4) {
      ok = load(cpu_, segment, at, wide);
      out = wide;
    } else {
      ok = load(cpu_, segment, at, out);
    }
    sp_ += size_;
    return ok;
  }
  bool pop_selector(u16& out) {
    u64 value;
    if (!pop(value)) return false;
    out = static_cast<u16>(value);
    return true;
  }
  void skip(u64 bytes) { sp_ += bytes; }
  u64 sp() const { return sp_; }

 private:
  Cpu& cpu_;
  unsigned size_;
  u64 sp_;
};

struct Return {
  u64 rip = 0;
  u16 cs = 0;
  u64 flags = 0;
  u64 rsp = 0;
  u16 ss = 0;
  Descriptor code;
};

// Checks the code segment that a far return or IRET goes to.
bool check_return_code(Cpu& cpu, Return& r) {
  CpuState& s = cpu.state;
  const u32 error = r.cs & kSelectorMask;
  const u8 rpl = r.cs & 3;
  if (is_null_selector(r.cs)) return cpu.raise_gp(0);
  if (!read_descriptor(cpu, r.cs, kGP, r.code)) return false;
  const bool level_ok = r.code.conforming() ? r.code.dpl() <= rpl : r.code.dpl() == rpl;
  if (!r.code.is_code() || rpl < s.cpl || !level_ok) return cpu.raise_gp(error);
  if (s.long_mode_active() && r.code.long_mode() && r.code.big()) return cpu.raise_gp(error);
  if (!r.code.present()) return cpu.raise(kNP, error);
  return check_code_offset(cpu, make_segment(r.cs, r.code), r.rip);
}

// The stack segment popped for an outer level (or any level in 64-bit IRET).
bool check_return_stack(Cpu& cpu, const Return& r, SegmentRegister& ss) {
  const u8 level = r.cs & 3;
  if (is_null_selector(r.ss)) {
    const bool to_64 = cpu.state.long_mode_active() && r.code.long_mode();
    if (!to_64 || level == 3 || (r.ss & 3) != level) return cpu.raise_gp(0);
    ss = SegmentRegister{.base = 0,
                         .limit = 0xFFFFFFFF,
                         .selector = r.ss,
                         .attributes = static_cast<u16>(0xC013 | (level << 5))};
    return true;
  }
  Descriptor descriptor;
  if (!read_stack_segment(cpu, r.ss, level, kGP, descriptor)) return false;
  ss = make_segment(r.ss, descriptor);
  return true;
}

// Commits CS, RIP and CPL, then (for an outer level) SS and RSP.
void commit_return(Cpu& cpu, Return& r, const SegmentRegister* ss, u64 inner_sp) {
  CpuState& s = cpu.state;
  const u8 level = r.cs & 3;
  const bool outer = level > s.cpl;
  s.seg[kCs] = make_segment(r.cs, r.code);
  s.cpl = level;
  s.rip = r.rip;
  if (ss != nullptr) s.seg[kSs] = *ss;
  cpu.update_mode();
  if (ss != nullptr) {
    if (s.code64()) {
      s.gpr[kRsp] = r.rsp;
    } else {
      set_stack_pointer(s, r.rsp);
    }
  } else {
    set_stack_pointer(s, inner_sp);
  }
  if (outer) {
    drop_inner_segments(cpu);
    cpu.update_mode();
  }
}

bool return_real(Cpu& cpu, const Instruction& in, u64 release) {
  CpuState& s = cpu.state;
  StackReader stack(cpu, in.operand_size);
  Return r;
  if (!stack.pop(r.rip) || !stack.pop_selector(r.cs)) return false;
  stack.skip(release);
  const SegmentRegister cs = s.v8086() ? v8086_segment(r.cs) : real_mode_segment(s.seg[kCs], r.cs);
  if (r.rip > cs.limit) return cpu.raise_gp(0);
  s.seg[kCs] = cs;
  s.rip = r.rip;
  set_stack_pointer(s, stack.sp());
  cpu.update_mode();
  return true;
}

// Which RFLAGS bits a POPF-like load may change.
u64 loadable_flags(const CpuState& s, unsigned size) {
  u64 mask = rflags::kTf | rflags::kDf | rflags::kNt;
  if (size >= 4) mask |= rflags::kRf | rflags::kAc | rflags::kId;
  const auto iopl = static_cast<u8>((s.rflags_rest & rflags::kIopl) >> rflags::kIoplShift);
  if (s.cpl <= iopl) mask |= rflags::kIf;
  if (s.cpl == 0) mask |= rflags::kIopl | (size >= 4 ? rflags::kVif | rflags::kVip : 0);
  return mask;
}

void load_flags(CpuState& s, u64 flags, u64 mask) {
  set_status_flags(s, flags);
  s.rflags_rest = (s.rflags_rest & ~mask) | (flags & mask) | rflags::kFixed;
}

bool iret_real(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  StackReader stack(cpu, in.operand_size);
  Return r;
  if (!stack.pop(r.rip) || !stack.pop_selector(r.cs) || !stack.pop(r.flags)) return false;
  const SegmentRegister cs = real_mode_segment(s.seg[kCs], r.cs);
  if (r.rip > cs.limit) return cpu.raise_gp(0);
  s.seg[kCs] = cs;
  s.rip = r.rip;
  set_stack_pointer(s, stack.sp());
  const u64 mask = loadable_flags(s, in.operand_size) & ~(rflags::kVif | rflags::kVip);
  load_flags(s, r.flags, mask);
  cpu.update_mode();
  return true;
}

// IRET of an 8086 program: with IOPL 3 as in real mode, else through VME's virtual IF, else #GP.
bool iret_v8086(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const bool iopl3 = (s.rflags_rest & rflags::kIopl) == rflags::kIopl;
  if (!iopl3 && ((s.cr4 & cr4::kVme) == 0 || in.operand_size != 2)) return cpu.raise_gp(0);
  StackReader stack(cpu, in.operand_size);
  Return r;
  if (!stack.pop(r.rip) || !stack.pop_selector(r.cs) || !stack.pop(r.flags)) return false;
  if (r.rip > 0xFFFF) return cpu.raise_gp(0);
  u64 mask = loadable_flags(s, in.operand_size) & ~rflags::kIf;
  if (iopl3) {
    mask |= rflags::kIf;
  } else {
    const bool new_if = (r.flags & rflags::kIf) != 0;
    if ((r.flags & rflags::kTf) != 0 || (new_if && (s.rflags_rest & rflags::kVip) != 0))
      return cpu.raise_gp(0);
    s.rflags_rest = (s.rflags_rest & ~rflags::kVif) | (new_if ? rflags::kVif : 0);
  }
  s.seg[kCs] = v8086_segment(r.cs);
  s.rip = r.rip;
  set_stack_pointer(s, stack.sp());
  load_flags(s, r.flags, mask);
  cpu.update_mode();
  return true;
}

bool iret_to_v8086(Cpu& cpu, StackReader& stack, const Return& r) {
  CpuState& s = cpu.state;
  u64 sp;
  u16 selectors[6] = {};
  if (!stack.pop(sp) || !stack.pop_selector(selectors[kSs])) return false;
  for (const Seg seg : {kEs, kDs, kFs, kGs}) {
    if (!stack.pop_selector(selectors[seg])) return false;
  }
  selectors[kCs] = r.cs;
  if (r.rip > 0xFFFF) return cpu.raise_gp(0);
  constexpr u64 kAll = rflags::kTf | rflags::kIf | rflags::kDf | rflags::kIopl | rflags::kNt | rflags::kRf |
                       rflags::kVm | rflags::kAc | rflags::kVif | rflags::kVip | rflags::kId;
  load_flags(s, r.flags, kAll);
  for (unsigned i = 0; i < 6; ++i) s.seg[i] = v8086_segment(selectors[i]);
  s.cpl = 3;
  s.rip = r.rip;
  cpu.update_mode();
  s.gpr[kRsp] = static_cast<u32>(sp);
  return true;
}

bool iret_nested_task(Cpu& cpu, const Instruction& in) {
  u16 link;
  if (!load_system(cpu, cpu.state.seg[kTr].base, link)) return false;
  return switch_task(cpu, link, TaskSwitchKind::kReturn, cpu.next_rip(in));
}

bool iret_protected(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  if ((s.rflags_rest & rflags::kNt) != 0) {
    if (s.long_mode_active()) return cpu.raise_gp(0);
    return iret_nested_task(cpu, in);
  }
  StackReader stack(cpu, in.operand_size);
  Return r;
  if (!stack.pop(r.rip) || !stack.pop_selector(r.cs) || !stack.pop(r.flags)) return false;
  if ((r.flags & rflags::kVm) != 0 && s.cpl == 0 && in.operand_size == 4 && !s.long_mode_active()) {
    return iret_to_v8086(cpu, stack, r);
  }
  if (!check_return_code(cpu, r)) return false;
  const u64 inner_sp = stack.sp();
  // 64-bit mode always pops SS:RSP.
  const bool pops_stack = (r.cs & 3) > s.cpl || s.code64();
  SegmentRegister ss;
  if (pops_stack) {
    if (!stack.pop(r.rsp) || !stack.pop_selector(r.ss) || !check_return_stack(cpu, r, ss)) return false;
  }
  if (!set_accessed(cpu, r.code)) return false;
  const u64 mask = loadable_flags(s, in.operand_size);
  commit_return(cpu, r, pops_stack ? &ss : nullptr, inner_sp);
  load_flags(s, r.flags, mask);
  cpu.update_mode();
  return true;
}

}  // namespace

bool exec_RET_FAR(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const u64 release = in.form == Form::kI ? in.imm & 0xFFFF : 0;
  if (!s.protected_mode() || s.v8086()) return return_real(cpu, in, release);
  StackReader stack(cpu, in.operand_size);
  Return r;
  if (!stack.pop(r.rip) || !stack.pop_selector(r.cs)) return false;
  if (!check_return_code(cpu, r)) return false;
  stack.skip(release);
  const bool outer = (r.cs & 3) > s.cpl;
  SegmentRegister ss;
  if (outer) {
    if (!stack.pop(r.rsp) || !stack.pop_selector(r.ss) || !check_return_stack(cpu, r, ss)) return false;
  }
  if (!set_accessed(cpu, r.code)) return false;
  r.rsp += release;
  commit_return(cpu, r, outer ? &ss : nullptr, stack.sp());
  return true;
}

bool exec_IRET(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  s.nmi_blocked = false;  // even if the instruction faults
  if (!s.protected_mode()) return iret_real(cpu, in);
  return s.v8086() ? iret_v8086(cpu, in) : iret_protected(cpu, in);
}

}  // namespace lapwing
