// Instructions on segment registers and their bases: MOV, POP, LDS.., RD/WRFSBASE, SWAPGS; VERR VERW LAR LSL
// ARPL. SDM vol. 2.
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

void shadow_after_ss(CpuState& s, u8 seg) {
  if (seg != kSs) return;
  s.interrupt_shadow = true;
  s.shadow_is_mov_ss = true;
}

bool load_far_pointer(Cpu& cpu, const Instruction& in, Seg seg) {
  const u64 address = effective_address(cpu.state, in);
  u16 selector;
  u64 offset = 0;
  u32 offset32;
  u16 offset16;
  bool ok;
  if (in.operand_size == 8) {
    ok = load(cpu, in.segment, address, offset);
  } else if (in.operand_size == 4) {
    ok = load(cpu, in.segment, address, offset32);
    offset = ok ? offset32 : 0;
  } else {
    ok = load(cpu, in.segment, address, offset16);
    offset = ok ? offset16 : 0;
  }
  if (!ok || !load(cpu, in.segment, address + in.operand_size, selector)) return false;
  if (!load_segment(cpu, seg, selector)) return false;
  switch (in.operand_size) {
    case 2: write_reg<u16>(cpu.state, in.reg, static_cast<u16>(offset)); break;
    case 4: write_reg<u32>(cpu.state, in.reg, static_cast<u32>(offset)); break;
    default: write_reg<u64>(cpu.state, in.reg, offset); break;
  }
  return true;
}

bool fsgsbase_allowed(Cpu& cpu) {
  return cpu.state.code64() && (cpu.state.cr4 & cr4::kFsgsbase) != 0 ? true : cpu.raise_ud();
}

bool read_base(Cpu& cpu, const Instruction& in, Seg seg) {
  if (!fsgsbase_allowed(cpu)) return false;
  const u64 base = cpu.state.seg[seg].base;
  if (in.operand_size == 8) {
    write_reg<u64>(cpu.state, in.rm, base);
  } else {
    write_reg<u32>(cpu.state, in.rm, static_cast<u32>(base));
  }
  return true;
}

bool write_base(Cpu& cpu, const Instruction& in, Seg seg) {
  if (!fsgsbase_allowed(cpu)) return false;
  const u64 base = in.operand_size == 8 ? read_reg<u64>(cpu.state, in.rm) : read_reg<u32>(cpu.state, in.rm);
  if (!is_canonical_address(base)) return cpu.raise_gp(0);
  cpu.state.seg[seg].base = base;
  return true;
}

void set_zf(CpuState& s, bool zf) {
  const u64 flags = status_flags(s);
  set_status_flags(s, zf ? flags | rflags::kZf : flags & ~rflags::kZf);
}

// Reads a descriptor for LAR, LSL, VERR, VERW, which never fault on a bad selector. found = false: answer ZF
// = 0.
bool inspect(Cpu& cpu, u16 selector, Descriptor& descriptor, bool& found) {
  found = false;
  if (is_null_selector(selector)) return true;
  const CpuState& s = cpu.state;
  const u64 last = (selector & 0xFFF8) + 7u;
  const bool local = (selector & 4) != 0;
  const SegmentRegister& ldtr = s.seg[kLdtr];
  if (local ? (is_null_selector(ldtr.selector) || !ldtr.present() || last > ldtr.limit)
            : last > s.gdtr.limit) {
    return true;
  }
  found = true;
  return read_descriptor(cpu, selector, kGP, descriptor);
}

bool level_allows(const CpuState& s, u16 selector, const Descriptor& d) {
  if (d.is_code() && d.conforming()) return true;
  return s.cpl <= d.dpl() && (selector & 3) <= d.dpl();
}

// System types whose attributes (LAR) or limit (LSL) may be read, by mode.
bool type_visible(const CpuState& s, const Descriptor& d, bool limit) {
  if (d.is_code_or_data()) return true;
  const bool long_mode = s.long_mode_active();
  switch (d.system_type()) {
    case SystemType::kLdt:
    case SystemType::kTss32Available:
    case SystemType::kTss32Busy: return true;
    case SystemType::kTss16Available:
    case SystemType::kTss16Busy: return !long_mode;
    case SystemType::kCallGate16:
    case SystemType::kTaskGate: return !long_mode && !limit;
    case SystemType::kCallGate32: return !limit;
    default: return false;
  }
}

bool protected_only(Cpu& cpu) {
  return cpu.state.protected_mode() && !cpu.state.v8086() ? true : cpu.raise_ud();
}

bool load_access(Cpu& cpu, const Instruction& in, bool limit) {
  if (!protected_only(cpu)) return false;
  CpuState& s = cpu.state;
  u16 selector;
  if (!read_rm(cpu, in, selector)) return false;
  Descriptor descriptor;
  bool found;
  if (!inspect(cpu, selector, descriptor, found)) return false;
  found = found && type_visible(s, descriptor, limit) && level_allows(s, selector, descriptor);
  if (found) {
    const u32 value = limit ? descriptor.limit() : static_cast<u32>(descriptor.low >> 32) & 0x00F0FF00;
    if (in.operand_size == 2) {
      write_reg<u16>(s, in.reg, static_cast<u16>(value));
    } else {
      write_reg<u32>(s, in.reg, value);
    }
  }
  set_zf(s, found);
  return true;
}

bool verify(Cpu& cpu, const Instruction& in, bool write) {
  if (!protected_only(cpu)) return false;
  CpuState& s = cpu.state;
  u16 selector;
  if (!read_rm(cpu, in, selector)) return false;
  Descriptor descriptor;
  bool found;
  if (!inspect(cpu, selector, descriptor, found)) return false;
  found = found && descriptor.is_code_or_data() && level_allows(s, selector, descriptor) &&
          (write ? descriptor.writable() : descriptor.readable());
  set_zf(s, found);
  return true;
}

}  // namespace

bool exec_MOV_TO_SEG(Cpu& cpu, const Instruction& in) {
  u16 selector;
  if (!read_rm(cpu, in, selector) || !load_segment(cpu, static_cast<Seg>(in.reg), selector)) return false;
  shadow_after_ss(cpu.state, in.reg);
  return true;
}

bool exec_MOV_FROM_SEG(Cpu& cpu, const Instruction& in) {
  const u16 selector = cpu.state.seg[in.reg].selector;
  if (in.rm_is_memory() || in.operand_size == 2) return write_rm<u16>(cpu, in, selector);
  return in.operand_size == 4 ? write_rm<u32>(cpu, in, selector) : write_rm<u64>(cpu, in, selector);
}

bool exec_PUSH_SEG(Cpu& cpu, const Instruction& in) {
  const u16 selector = cpu.state.seg[in.reg].selector;
  if (in.operand_size == 2) return push<u16>(cpu, selector);
  if (in.operand_size == 8) return push<u64>(cpu, selector);
  // A 32-bit push of a segment register writes only the low word (Intel CPUs).
  CpuState& s = cpu.state;
  const u64 sp = (s.gpr[kRsp] - 4) & s.stack_mask;
  if (!store(cpu, stack_segment(s), sp, selector)) return false;
  set_stack_pointer(s, sp);
  return true;
}

bool exec_POP_SEG(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const u64 sp = stack_pointer(s);
  const u64 mask = s.stack_mask;
  u16 selector;
  if (!load(cpu, stack_segment(s), sp, selector)) return false;
  if (!load_segment(cpu, static_cast<Seg>(in.reg), selector)) return false;
  // RSP moves by the width that was in force before SS may have changed it.
  const u64 keep = mask == 0xFFFF ? ~0xFFFFull : 0;
  s.gpr[kRsp] = (s.gpr[kRsp] & keep) | ((sp + in.operand_size) & mask);
  shadow_after_ss(s, in.reg);
  return true;
}

bool exec_LDS(Cpu& cpu, const Instruction& in) {
  return load_far_pointer(cpu, in, kDs);
}
bool exec_LES(Cpu& cpu, const Instruction& in) {
  return load_far_pointer(cpu, in, kEs);
}
bool exec_LSS(Cpu& cpu, const Instruction& in) {
  return load_far_pointer(cpu, in, kSs);
}
bool exec_LFS(Cpu& cpu, const Instruction& in) {
  return load_far_pointer(cpu, in, kFs);
}
bool exec_LGS(Cpu& cpu, const Instruction& in) {
  return load_far_pointer(cpu, in, kGs);
}

bool exec_RDFSBASE(Cpu& cpu, const Instruction& in) {
  return read_base(cpu, in, kFs);
}
bool exec_RDGSBASE(Cpu& cpu, const Instruction& in) {
  return read_base(cpu, in, kGs);
}
bool exec_WRFSBASE(Cpu& cpu, const Instruction& in) {
  return write_base(cpu, in, kFs);
}
bool exec_WRGSBASE(Cpu& cpu, const Instruction& in) {
  return write_base(cpu, in, kGs);
}

bool exec_SWAPGS(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  if (!s.code64()) return cpu.raise_ud();
  if (s.cpl != 0) return cpu.raise_gp(0);
  const u64 base = s.seg[kGs].base;
  s.seg[kGs].base = s.kernel_gs_base;
  s.kernel_gs_base = base;
  return true;
}

bool exec_LAR(Cpu& cpu, const Instruction& in) {
  return load_access(cpu, in, false);
}
bool exec_LSL(Cpu& cpu, const Instruction& in) {
  return load_access(cpu, in, true);
}
bool exec_VERR(Cpu& cpu, const Instruction& in) {
  return verify(cpu, in, false);
}
bool exec_VERW(Cpu& cpu, const Instruction& in) {
  return verify(cpu, in, true);
}

bool exec_ARPL(Cpu& cpu, const Instruction& in) {
  if (!protected_only(cpu)) return false;
  u16 selector;
  if (!read_rm(cpu, in, selector)) return false;
  const auto rpl = static_cast<u16>(read_reg<u16>(cpu.state, in.reg) & 3);
  const bool raised = (selector & 3) < rpl;
  if (raised && !write_rm(cpu, in, static_cast<u16>((selector & kSelectorMask) | rpl))) return false;
  set_zf(cpu.state, raised);
  return true;
}

}  // namespace lapwing
