// Far JMP, CALL and RET: direct, through call gates and through tasks. SDM vol. 2 (JMP, CALL, RET), vol. 3
// "Privilege Checking When Transferring Program Control Between Code Segments".
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

struct FarPointer {
  u16 selector = 0;
  u64 offset = 0;
};

bool read_far_pointer(Cpu& cpu, const Instruction& in, FarPointer& out) {
  if (in.form == Form::kA) {
    out = FarPointer{.selector = static_cast<u16>(in.disp), .offset = in.imm};
    return true;
  }
  const u64 address = effective_address(cpu.state, in);
  if (!load(cpu, in.segment, address + in.operand_size, out.selector)) return false;
  if (in.operand_size == 8) return load(cpu, in.segment, address, out.offset);
  if (in.operand_size == 4) {
    u32 offset;
    if (!load(cpu, in.segment, address, offset)) return false;
    out.offset = offset;
    return true;
  }
  u16 offset;
  if (!load(cpu, in.segment, address, offset)) return false;
  out.offset = offset;
  return true;
}

void set_code(Cpu& cpu, const SegmentRegister& cs, u64 rip, u8 cpl) {
  cpu.state.seg[kCs] = cs;
  cpu.state.seg[kCs].selector = static_cast<u16>((cs.selector & kSelectorMask) | cpl);
  cpu.state.cpl = cpl;
  cpu.state.rip = rip;
  cpu.update_mode();
}

// Pushes the return address on the current stack.
bool push_return(StackWriter& stack, Cpu& cpu, const Instruction& in) {
  return stack.push(cpu.state.seg[kCs].selector, in.operand_size) &&
         stack.push(cpu.next_rip(in), in.operand_size);
}

bool transfer_real(Cpu& cpu, const Instruction& in, const FarPointer& target, bool call) {
  CpuState& s = cpu.state;
  SegmentRegister cs =
      s.v8086() ? v8086_segment(target.selector) : real_mode_segment(s.seg[kCs], target.selector);
  if (target.offset > cs.limit) return cpu.raise_gp(0);
  if (call) {
    const SegmentRegister ss = s.seg[kSs];
    StackWriter stack(cpu, ss, stack_pointer(s), s.cpl, false);
    if (!push_return(stack, cpu, in)) return false;
    set_stack_pointer(s, stack.sp());
  }
  s.seg[kCs] = cs;
  s.rip = target.offset;
  cpu.update_mode();
  return true;
}

bool check_direct(Cpu& cpu, u16 selector, const Descriptor& code) {
  const u32 error = selector & kSelectorMask;
  const u8 cpl = cpu.state.cpl;
  const bool level_ok = code.conforming() ? code.dpl() <= cpl : (selector & 3) <= cpl && code.dpl() == cpl;
  if (!level_ok) return cpu.raise_gp(error);
  if (cpu.state.long_mode_active() && code.long_mode() && code.big()) return cpu.raise_gp(error);
  return code.present() ? true : cpu.raise(kNP, error);
}

bool transfer_direct(Cpu& cpu, const Instruction& in, const FarPointer& target, Descriptor& code, bool call) {
  CpuState& s = cpu.state;
  if (!check_direct(cpu, target.selector, code)) return false;
  const SegmentRegister cs = make_segment(target.selector, code);
  const u64 offset = in.operand_size == 2 ? target.offset & 0xFFFF : target.offset;
  if (!check_code_offset(cpu, cs, offset)) return false;
  if (!set_accessed(cpu, code)) return false;
  SegmentRegister accessed = make_segment(target.selector, code);
  if (call) {
    const SegmentRegister ss = s.seg[kSs];
    StackWriter stack(cpu, ss, stack_pointer(s), s.cpl, s.code64());
    if (!push_return(stack, cpu, in)) return false;
    set_stack_pointer(s, stack.sp());
  }
  set_code(cpu, accessed, offset, s.cpl);
  return true;
}

// The stack a more privileged callee runs on, and what is copied to it.
bool call_inner(Cpu& cpu, const Instruction& in, const Descriptor& gate, unsigned size,
                const SegmentRegister& cs, u64 offset, u8 new_cpl) {
  CpuState& s = cpu.state;
  const bool long_mode = s.long_mode_active();
  SegmentRegister ss;
  u64 sp;
  if (long_mode) {
    if (!read_tss64_pointer(cpu, new_cpl, false, sp)) return false;
    ss = SegmentRegister{.base = 0,
                         .limit = 0xFFFFFFFF,
                         .selector = new_cpl,
                         .attributes = static_cast<u16>(0xC093 | (new_cpl << 5))};
  } else {
    u16 selector;
    Descriptor descriptor;
    if (!read_tss_stack(cpu, new_cpl, selector, sp)) return false;
    if (!read_stack_segment(cpu, selector, new_cpl, kTS, descriptor)) return false;
    ss = make_segment(selector, descriptor);
  }
  StackWriter stack(cpu, ss, sp, new_cpl, long_mode, long_mode ? 0u : ss.selector & kSelectorMask);
  if (!stack.push(s.seg[kSs].selector, size) || !stack.push(s.gpr[kRsp], size)) return false;
  for (unsigned i = long_mode ? 0 : gate.gate_parameters(); i > 0; --i) {
    const u64 at = (stack_pointer(s) + (i - 1) * size) & s.stack_mask;
    u32 value = 0;
    if (size == 4) {
      if (!load(cpu, kSs, at, value)) return false;
    } else {
      u16 narrow;
      if (!load(cpu, kSs, at, narrow)) return false;
      value = narrow;
    }
    if (!stack.push(value, size)) return false;
  }
  if (!stack.push(s.seg[kCs].selector, size) || !stack.push(cpu.next_rip(in), size)) return false;
  s.seg[kSs] = ss;
  set_code(cpu, cs, offset, new_cpl);
  s.gpr[kRsp] = stack.sp();
  return true;
}

bool transfer_gate(Cpu& cpu, const Instruction& in, u16 gate_selector, const Descriptor& gate, bool call) {
  CpuState& s = cpu.state;
  const u32 gate_error = gate_selector & kSelectorMask;
  const bool long_mode = s.long_mode_active();
  if (gate.dpl() < s.cpl || (gate_selector & 3) > gate.dpl()) return cpu.raise_gp(gate_error);
  if (!gate.present()) return cpu.raise(kNP, gate_error);
  const bool wide = gate.system_type() == SystemType::kCallGate32;
  const u16 selector = gate.gate_selector();
  const u32 error = selector & kSelectorMask;
  Descriptor code;
  if (is_null_selector(selector)) return cpu.raise_gp(0);
  if (!read_descriptor(cpu, selector, kGP, code)) return false;
  if (!code.is_code() || code.dpl() > s.cpl) return cpu.raise_gp(error);
  if (long_mode && (!code.long_mode() || code.big())) return cpu.raise_gp(error);
  if (!call && !code.conforming() && code.dpl() != s.cpl) return cpu.raise_gp(error);
  if (!code.present()) return cpu.raise(kNP, error);
  if (!set_accessed(cpu, code)) return false;
  const SegmentRegister cs = make_segment(selector, code);
  const u64 offset = gate.gate_offset(wide);
  if (!check_code_offset(cpu, cs, offset)) return false;
  const unsigned size = long_mode ? 8 : (wide ? 4 : 2);
  if (call && !code.conforming() && code.dpl() < s.cpl) {
    return call_inner(cpu, in, gate, size, cs, offset, code.dpl());
  }
  if (call) {
    const SegmentRegister ss = s.seg[kSs];
    StackWriter stack(cpu, ss, stack_pointer(s), s.cpl, s.code64());
    if (!stack.push(s.seg[kCs].selector, size) || !stack.push(cpu.next_rip(in), size)) return false;
    set_stack_pointer(s, stack.sp());
  }
  set_code(cpu, cs, offset, s.cpl);
  return true;
}

bool transfer_task(Cpu& cpu, const Instruction& in, u16 selector, const Descriptor& descriptor, bool call) {
  const u32 error = selector & kSelectorMask;
  const bool gate = descriptor.system_type() == SystemType::kTaskGate;
  if (descriptor.dpl() < cpu.state.cpl || (selector & 3) > descriptor.dpl()) return cpu.raise_gp(error);
  if (!descriptor.present()) return cpu.raise(kNP, error);
  const u16 target = gate ? descriptor.gate_selector() : selector;
  return switch_task(cpu, target, call ? TaskSwitchKind::kCall : TaskSwitchKind::kJump, cpu.next_rip(in));
}

bool far_transfer(Cpu& cpu, const Instruction& in, bool call) {
  FarPointer target;
  if (!read_far_pointer(cpu, in, target)) return false;
  const CpuState& s = cpu.state;
  if (!s.protected_mode() || s.v8086()) return transfer_real(cpu, in, target, call);
  if (is_null_selector(target.selector)) return cpu.raise_gp(0);
  Descriptor descriptor;
  if (!read_descriptor(cpu, target.selector, kGP, descriptor)) return false;
  if (descriptor.is_code()) return transfer_direct(cpu, in, target, descriptor, call);
  const u32 error = target.selector & kSelectorMask;
  if (descriptor.is_code_or_data()) return cpu.raise_gp(error);
  const bool long_mode = s.long_mode_active();
  switch (descriptor.system_type()) {
    case SystemType::kCallGate16:
      if (long_mode) break;
      return transfer_gate(cpu, in, target.selector, descriptor, call);
    case SystemType::kCallGate32:
      if (!read_system_descriptor(cpu, target.selector, kGP, descriptor)) return false;
      if (long_mode && ((descriptor.high >> 40) & 0x1F) != 0) break;
      return transfer_gate(cpu, in, target.selector, descriptor, call);
    case SystemType::kTaskGate:
    case SystemType::kTss16Available:
    case SystemType::kTss32Available:
      if (long_mode) break;
      return transfer_task(cpu, in, target.selector, descriptor, call);
    default: break;
  }
  return cpu.raise_gp(error);
}

}  // namespace

bool exec_JMP_FAR(Cpu& cpu, const Instruction& in) {
  return far_transfer(cpu, in, false);
}
bool exec_CALL_FAR(Cpu& cpu, const Instruction& in) {
  return far_transfer(cpu, in, true);
}

}  // namespace lapwing
