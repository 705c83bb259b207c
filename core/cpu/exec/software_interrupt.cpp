// INT n, INT3, INT1, INTO, BOUND, undefined instructions; SYSCALL, SYSRET, SYSENTER, SYSEXIT. SDM vol. 2.
#include "core/cpu/debug.h"
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

// Traps save the RIP of the next instruction. TF has been cleared: single-stepping does not stop in the
// handler.
bool software_trap(Cpu& cpu, const Instruction& in, u8 vector, Cpu::EventKind kind) {
  if (!cpu.deliver(vector, kind, nullptr, cpu.next_rip(in))) return false;
  cpu.suppress_step_trap();
  return true;
}

SegmentRegister flat_segment(u16 selector, u16 attributes) {
  return SegmentRegister{.base = 0, .limit = 0xFFFFFFFF, .selector = selector, .attributes = attributes};
}

// Attribute words of the flat segments that the fast system calls load (present, accessed).
constexpr u16 kCode64 = 0xA09B, kCode32 = 0xC09B, kData32 = 0xC093;
constexpr u16 with_dpl(u16 attributes, u8 dpl) {
  return static_cast<u16>(attributes | (dpl << 5));
}

void enter_flat(Cpu& cpu, u16 cs, u16 code, u16 ss, u8 cpl, u64 rip) {
  CpuState& s = cpu.state;
  s.seg[kCs] = flat_segment(cs, with_dpl(code, cpl));
  s.seg[kSs] = flat_segment(ss, with_dpl(kData32, cpl));
  s.cpl = cpl;
  s.rip = rip;
  cpu.update_mode();
}

// The upper bound is not read when the lower one is violated.
template <class T>
bool check_bounds(Cpu& cpu, const Instruction& in) {
  const u64 address = effective_address(cpu.state, in);
  const T value = read_reg<T>(cpu.state, in.reg);
  T bound;
  if (!load(cpu, in.segment, address, bound)) return false;
  if (value < bound) return cpu.raise(kBR);
  if (!load(cpu, in.segment, address + sizeof(T), bound)) return false;
  return value > bound ? cpu.raise(kBR) : true;
}

}  // namespace

bool exec_INVALID(Cpu& cpu, const Instruction&) {
  return cpu.raise_ud();
}
bool exec_UD0(Cpu& cpu, const Instruction&) {
  return cpu.raise_ud();
}
bool exec_UD1(Cpu& cpu, const Instruction&) {
  return cpu.raise_ud();
}
bool exec_UD2(Cpu& cpu, const Instruction&) {
  return cpu.raise_ud();
}
bool exec_TOO_LONG(Cpu& cpu, const Instruction&) {
  return cpu.raise_gp(0);
}
// There is no system-management mode, so RSM is always outside it.
bool exec_RSM(Cpu& cpu, const Instruction&) {
  return cpu.raise_ud();
}

bool exec_INT(Cpu& cpu, const Instruction& in) {
  return software_trap(cpu, in, static_cast<u8>(in.imm), Cpu::EventKind::kSoftware);
}

bool exec_INT3(Cpu& cpu, const Instruction& in) {
  return software_trap(cpu, in, kBP, Cpu::EventKind::kInt3);
}

bool exec_INT1(Cpu& cpu, const Instruction& in) {
  if (!software_trap(cpu, in, kDB, Cpu::EventKind::kInt1)) return false;
  cpu.join_debug_traps();
  return true;
}

bool exec_INTO(Cpu& cpu, const Instruction& in) {
  if (flag_of(cpu.state)) return software_trap(cpu, in, kOF, Cpu::EventKind::kInt3);
  cpu.state.rip = cpu.next_rip(in);
  return true;
}

bool exec_BOUND(Cpu& cpu, const Instruction& in) {
  return in.operand_size == 2 ? check_bounds<i16>(cpu, in) : check_bounds<i32>(cpu, in);
}

namespace {

// Intel CPUs have SYSCALL and SYSRET in 64-bit mode only, AMD's in all of protected mode.
bool fast_calls_exist(const Cpu& cpu) {
  const CpuState& s = cpu.state;
  if ((s.efer & efer::kSce) == 0) return false;
  return s.code64() || (cpu.model.vendor == "AuthenticAMD" && s.protected_mode() && !s.v8086());
}

void load_call_flags(CpuState& s, u64 flags) {
  set_status_flags(s, flags);
  s.rflags_rest = (flags & ~(rflags::kStatus | rflags::kRf)) | rflags::kFixed;
}

// Whether there is a single-step trap depends on TF as the instruction leaves it.
void trap_by_new_flag(Cpu& cpu) {
  if ((cpu.state.rflags_rest & rflags::kTf) != 0) cpu.add_debug_trap(dr6::kBs);
  cpu.suppress_step_trap();
}

}  // namespace

bool exec_SYSCALL(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  if (!fast_calls_exist(cpu)) return cpu.raise_ud();
  const auto selector = static_cast<u16>(s.star >> 32);
  const auto cs = static_cast<u16>(selector & kSelectorMask);
  const auto ss = static_cast<u16>(cs + 8);
  const u64 flags = get_rflags(s);
  s.gpr[kRcx] = cpu.next_rip(in);
  if (s.long_mode_active()) {
    const u64 target = s.code64() ? s.lstar : s.cstar;
    s.gpr[kR11] = flags & ~rflags::kRf;
    load_call_flags(s, flags & ~s.fmask);
    enter_flat(cpu, cs, kCode64, ss, 0, target);
  } else {
    load_call_flags(s, flags & ~rflags::kIf);
    enter_flat(cpu, cs, kCode32, ss, 0, static_cast<u32>(s.star));
  }
  trap_by_new_flag(cpu);
  return true;
}

bool exec_SYSRET(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  if (!fast_calls_exist(cpu)) return cpu.raise_ud();
  if (s.cpl != 0) return cpu.raise_gp(0);
  const bool to64 = in.operand_size == 8;
  if (to64 && !is_canonical_address(s.gpr[kRcx])) return cpu.raise_gp(0);
  // Outside long mode only IF changes.
  load_call_flags(s, s.long_mode_active() ? s.gpr[kR11] & 0x3C7FD7 : get_rflags(s) | rflags::kIf);
  const auto base = static_cast<u16>(s.star >> 48);
  const auto cs = static_cast<u16>((base + (to64 ? 16 : 0)) | 3);
  const u64 rip = to64 ? s.gpr[kRcx] : static_cast<u32>(s.gpr[kRcx]);
  enter_flat(cpu, cs, to64 ? kCode64 : kCode32, static_cast<u16>((base + 8) | 3), 3, rip);
  trap_by_new_flag(cpu);
  return true;
}

bool exec_SYSENTER(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  const auto selector = static_cast<u16>(s.sysenter_cs & kSelectorMask);
  if (!s.protected_mode() || selector == 0) return cpu.raise_gp(0);
  s.rflags_rest &= ~(rflags::kVm | rflags::kIf | rflags::kRf);
  const bool long_mode = s.long_mode_active();
  s.gpr[kRsp] = long_mode ? s.sysenter_esp : static_cast<u32>(s.sysenter_esp);
  enter_flat(cpu, selector, long_mode ? kCode64 : kCode32, static_cast<u16>(selector + 8), 0,
             long_mode ? s.sysenter_eip : static_cast<u32>(s.sysenter_eip));
  return true;
}

bool exec_SYSEXIT(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const auto selector = static_cast<u16>(s.sysenter_cs & kSelectorMask);
  if (!s.protected_mode() || selector == 0 || s.cpl != 0) return cpu.raise_gp(0);
  const bool to64 = in.operand_size == 8;
  if (to64 && (!is_canonical_address(s.gpr[kRcx]) || !is_canonical_address(s.gpr[kRdx])))
    return cpu.raise_gp(0);
  const u64 rip = to64 ? s.gpr[kRdx] : static_cast<u32>(s.gpr[kRdx]);
  s.gpr[kRsp] = to64 ? s.gpr[kRcx] : static_cast<u32>(s.gpr[kRcx]);
  const auto cs = static_cast<u16>((selector + (to64 ? 32 : 16)) | 3);
  enter_flat(cpu, cs, to64 ? kCode64 : kCode32, static_cast<u16>((cs + 8) | 3), 3, rip);
  return true;
}

}  // namespace lapwing
