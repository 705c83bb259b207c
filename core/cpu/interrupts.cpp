// Taking an exception or interrupt: gates in real, virtual-8086, protected and long mode, stack switches,
// IST, task gates. SDM vol. 3, "Interrupt and Exception Handling". A fault met on the way is raised instead
// (returns false) and nothing has changed but the stores already made to the new stack.
#include "core/cpu/cpu.h"
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/flags.h"

namespace lapwing {

namespace {

// What is being delivered, gathered once.
struct Delivery {
  u8 vector;
  Cpu::EventKind kind;
  bool has_error_code;
  u32 error_code;
  u64 return_rip;
  bool rf;  // RF in the saved flags: faults restart their instruction without hitting its breakpoint again

  bool is_software() const { return kind == Cpu::EventKind::kSoftware || kind == Cpu::EventKind::kInt3; }
  // Error code of a fault about an IDT entry: index and IDT bit. EXT is Cpu::deliver()'s to add.
  u32 idt_error() const { return static_cast<u32>(vector) * 8 + 2; }
};

bool has_selector_error(u8 vector) {
  return vector == kTS || vector == kNP || vector == kSS || vector == kGP;
}

u64 saved_flags(const CpuState& s, const Delivery& d) {
  return (get_rflags(s) & ~rflags::kRf) | (d.rf ? rflags::kRf : s.rflags_rest & rflags::kRf);
}

void finish(Cpu& cpu, const SegmentRegister& cs, u64 rip, u8 cpl, u64 clear) {
  CpuState& s = cpu.state;
  s.seg[kCs] = cs;
  s.cpl = cpl;
  s.rip = rip;
  s.rflags_rest &= ~clear;
  s.interrupt_shadow = false;
  s.shadow_is_mov_ss = false;
  cpu.update_mode();
}

bool deliver_real(Cpu& cpu, const Delivery& d) {
  CpuState& s = cpu.state;
  const u64 entry = static_cast<u64>(d.vector) * 4;
  if (entry + 3 > s.idtr.limit) return cpu.raise_gp(d.idt_error());
  u32 target;
  if (!load_system(cpu, s.idtr.base + entry, target)) return false;
  const SegmentRegister ss = s.seg[kSs];
  StackWriter stack(cpu, ss, stack_pointer(s), s.cpl, false);
  if (!stack.push(saved_flags(s, d) & 0xFFFF, 2) || !stack.push(s.seg[kCs].selector, 2) ||
      !stack.push(d.return_rip & 0xFFFF, 2)) {
    return false;
  }
  set_stack_pointer(s, stack.sp());
  finish(cpu, real_mode_segment(s.seg[kCs], static_cast<u16>(target >> 16)), target & 0xFFFF, 0,
         rflags::kIf | rflags::kTf | rflags::kAc | rflags::kRf);
  return true;
}

struct Target {
  Descriptor code;
  u16 selector;
  u64 offset;
  u8 cpl;  // of the handler
  bool clear_if;
};

// Checks the code segment that a gate names.
bool check_target(Cpu& cpu, const Descriptor& gate, bool wide, Target& target) {
  CpuState& s = cpu.state;
  target.selector = gate.gate_selector();
  target.offset = gate.gate_offset(wide);
  if (is_null_selector(target.selector)) return cpu.raise_gp(0);
  if (!read_descriptor(cpu, target.selector, kGP, target.code)) return false;
  const u32 error = target.selector & kSelectorMask;
  if (!target.code.is_code() || target.code.dpl() > s.cpl) return cpu.raise_gp(error);
  if (s.long_mode_active() && (!target.code.long_mode() || target.code.big())) return cpu.raise_gp(error);
  if (!target.code.present()) return cpu.raise(kNP, error);
  target.cpl = target.code.conforming() ? s.cpl : target.code.dpl();
  return set_accessed(cpu, target.code);
}

bool deliver_long(Cpu& cpu, const Delivery& d, const Descriptor& gate, const Target& target) {
  CpuState& s = cpu.state;
  if (!is_canonical_address(target.offset)) return cpu.raise_gp(0);
  u64 rsp = s.gpr[kRsp];
  if (gate.gate_ist() != 0) {
    if (!read_tss64_pointer(cpu, gate.gate_ist(), true, rsp)) return false;
  } else if (target.cpl < s.cpl) {
    if (!read_tss64_pointer(cpu, target.cpl, false, rsp)) return false;
  }
  rsp &= ~15ull;
  const SegmentRegister flat{};
  StackWriter stack(cpu, flat, rsp, target.cpl, true);
  if (!stack.push(s.seg[kSs].selector, 8) || !stack.push(s.gpr[kRsp], 8) ||
      !stack.push(saved_flags(s, d), 8) || !stack.push(s.seg[kCs].selector, 8) ||
      !stack.push(d.return_rip, 8)) {
    return false;
  }
  if (d.has_error_code && !stack.push(d.error_code, 8)) return false;
  if (target.cpl < s.cpl) {
    // The new SS is null with the new privilege level as RPL.
    s.seg[kSs] = SegmentRegister{.base = 0,
                                 .limit = 0xFFFFFFFF,
                                 .selector = target.cpl,
                                 .attributes = static_cast<u16>(0xC093 | (target.cpl << 5))};
  }
  s.gpr[kRsp] = stack.sp();
  SegmentRegister cs = make_segment(target.selector, target.code);
  cs.selector = static_cast<u16>((target.selector & kSelectorMask) | target.cpl);
  finish(cpu, cs, target.offset, target.cpl,
         rflags::kTf | rflags::kNt | rflags::kRf | rflags::kVm | (target.clear_if ? rflags::kIf : 0));
  return true;
}

bool push_frame(StackWriter& stack, const CpuState& s, const Delivery& d, unsigned size, bool outer) {
  if (outer) {
    if (s.v8086()) {
      for (const Seg seg : {kGs, kFs, kDs, kEs}) {
        if (!stack.push(s.seg[seg].selector, size)) return false;
      }
    }
    if (!stack.push(s.seg[kSs].selector, size) || !stack.push(s.gpr[kRsp], size)) return false;
  }
  if (!stack.push(saved_flags(s, d), size) || !stack.push(s.seg[kCs].selector, size) ||
      !stack.push(d.return_rip, size)) {
    return false;
  }
  return !d.has_error_code || stack.push(d.error_code, size);
}

bool deliver_protected(Cpu& cpu, const Delivery& d, const Target& target, bool wide) {
  CpuState& s = cpu.state;
  const unsigned size = wide ? 4 : 2;
  const bool from_v8086 = s.v8086();
  if (from_v8086 && target.cpl != 0) return cpu.raise_gp(target.selector & kSelectorMask);
  const bool outer = target.cpl < s.cpl || from_v8086;
  SegmentRegister ss = s.seg[kSs];
  u64 sp = stack_pointer(s);
  if (outer) {
    u16 selector;
    Descriptor descriptor;
    if (!read_tss_stack(cpu, target.cpl, selector, sp)) return false;
    if (!read_stack_segment(cpu, selector, target.cpl, kTS, descriptor)) return false;
    ss = make_segment(selector, descriptor);
  }
  StackWriter stack(cpu, ss, sp, target.cpl, false, outer ? ss.selector & kSelectorMask : 0u);
  if (target.offset > target.code.limit()) return cpu.raise_gp(0);
  if (!push_frame(stack, s, d, size, outer)) return false;
  if (from_v8086) {
    for (const Seg seg : {kEs, kDs, kFs, kGs}) {
      s.seg[seg] = SegmentRegister{.base = 0, .limit = 0, .selector = 0, .attributes = 0};
    }
  }
  s.seg[kSs] = ss;
  s.rflags_rest &= ~rflags::kVm;
  SegmentRegister cs = make_segment(target.selector, target.code);
  cs.selector = static_cast<u16>((target.selector & kSelectorMask) | target.cpl);
  finish(cpu, cs, target.offset, target.cpl,
         rflags::kTf | rflags::kNt | rflags::kRf | (target.clear_if ? rflags::kIf : 0));
  if (outer) {
    s.gpr[kRsp] = stack.sp();  // all of ESP comes from the TSS, also for a 16-bit stack
  } else {
    set_stack_pointer(s, stack.sp());
  }
  return true;
}

bool read_gate(Cpu& cpu, const Delivery& d, Descriptor& gate) {
  const CpuState& s = cpu.state;
  const unsigned size = s.long_mode_active() ? 16 : 8;
  const u64 offset = static_cast<u64>(d.vector) * size;
  if (offset + size - 1 > s.idtr.limit) return cpu.raise_gp(d.idt_error());
  gate.address = s.idtr.base + offset;
  gate.high = 0;
  if (!load_system(cpu, gate.address, gate.low)) return false;
  return size == 8 || load_system(cpu, gate.address + 8, gate.high);
}

bool deliver_through_gate(Cpu& cpu, const Delivery& d) {
  CpuState& s = cpu.state;
  Descriptor gate;
  if (!read_gate(cpu, d, gate)) return false;
  const SystemType type = gate.system_type();
  const bool long_mode = s.long_mode_active();
  const bool gate32 = type == SystemType::kInterruptGate32 || type == SystemType::kTrapGate32;
  const bool gate16 = type == SystemType::kInterruptGate16 || type == SystemType::kTrapGate16;
  const bool task = type == SystemType::kTaskGate && !long_mode;
  if (gate.is_code_or_data() || !(gate32 || (gate16 && !long_mode) || task))
    return cpu.raise_gp(d.idt_error());
  if (d.is_software() && gate.dpl() < s.cpl) return cpu.raise_gp(d.idt_error());
  if (!gate.present()) return cpu.raise(kNP, d.idt_error());
  if (task) {
    if (d.rf) s.rflags_rest |= rflags::kRf;  // in the old task's saved EFLAGS
    return switch_task(cpu, gate.gate_selector(), TaskSwitchKind::kInterrupt, d.return_rip, d.has_error_code,
                       d.error_code);
  }
  Target target;
  if (!check_target(cpu, gate, gate32, target)) return false;
  target.clear_if = type == SystemType::kInterruptGate32 || type == SystemType::kInterruptGate16;
  return long_mode ? deliver_long(cpu, d, gate, target) : deliver_protected(cpu, d, target, gate32);
}

// INT n in virtual-8086 mode with CR4.VME: the redirection bitmap under the I/O map may send it to the 8086
// program (SDM vol. 3, "Interrupt and Exception Handling in Virtual-8086 Mode").
bool redirected_to_8086(Cpu& cpu, u8 vector, bool& redirected) {
  const SegmentRegister& tr = cpu.state.seg[kTr];
  redirected = false;
  u16 map_base;
  if (tr.limit < 0x67) return true;
  if (!load_system(cpu, tr.base + 0x66, map_base)) return false;
  const u64 offset = map_base - 32u + vector / 8u;
  if (map_base < 32 || offset > tr.limit) return true;
  u8 bits;
  if (!load_system(cpu, tr.base + offset, bits)) return false;
  redirected = !bit_of(bits, vector & 7u);
  return true;
}

bool deliver_in_8086_program(Cpu& cpu, const Delivery& d) {
  CpuState& s = cpu.state;
  u32 target;
  if (!load_linear(cpu, static_cast<u64>(d.vector) * 4, false, target)) return false;
  u64 flags = get_rflags(s);
  const bool iopl3 = ((s.rflags_rest & rflags::kIopl) >> rflags::kIoplShift) == 3;
  if (!iopl3) {
    // With IOPL < 3 the program sees its virtual interrupt flag, and IOPL 3.
    flags = (flags & ~rflags::kIf) | ((flags & rflags::kVif) != 0 ? rflags::kIf : 0) | rflags::kIopl;
  }
  const SegmentRegister ss = s.seg[kSs];
  StackWriter stack(cpu, ss, stack_pointer(s), 3, false);
  if (!stack.push(flags & 0xFFFF, 2) || !stack.push(s.seg[kCs].selector, 2) ||
      !stack.push(d.return_rip & 0xFFFF, 2)) {
    return false;
  }
  set_stack_pointer(s, stack.sp());
  finish(cpu, v8086_segment(static_cast<u16>(target >> 16)), target & 0xFFFF, 3,
         rflags::kTf | rflags::kRf | (iopl3 ? rflags::kIf : rflags::kVif));
  return true;
}

bool deliver_by_mode(Cpu& cpu, const Delivery& d) {
  const CpuState& s = cpu.state;
  if (!s.protected_mode()) return deliver_real(cpu, d);
  if (s.v8086() && d.kind == Cpu::EventKind::kSoftware) {
    bool redirected = false;
    if ((s.cr4 & cr4::kVme) != 0 && !redirected_to_8086(cpu, d.vector, redirected)) return false;
    if (redirected) return deliver_in_8086_program(cpu, d);
    if ((s.rflags_rest & rflags::kIopl) != rflags::kIopl) return cpu.raise_gp(0);
  }
  return deliver_through_gate(cpu, d);
}

}  // namespace

bool Cpu::deliver(u8 vector, EventKind kind, const Fault* fault, u64 return_rip) {
  const bool is_fault = kind == EventKind::kException && fault != nullptr && !fault->is_trap;
  const Delivery d{.vector = vector,
                   .kind = kind,
                   .has_error_code = fault != nullptr && fault->has_error_code && state.protected_mode(),
                   .error_code = fault != nullptr ? fault->error_code : 0,
                   .return_rip = return_rip,
                   .rf = is_fault && vector != kDF && vector != kMC};
  if (deliver_by_mode(*this, d)) return true;
  // EXT: the fault came while delivering something that the program did not ask for by an INT instruction.
  const bool external = !d.is_software() && interruption_ == Interruption::kFault;
  if (external && has_selector_error(fault_.vector)) fault_.error_code |= 1;
  return false;
}

}  // namespace lapwing
