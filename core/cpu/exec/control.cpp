// Control and debug registers, descriptor-table registers, TLB and cache control. SDM vol. 2; vol. 3, "System
// Architecture Overview".
#include "core/cpu/debug.h"
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

bool privileged(Cpu& cpu) {
  return cpu.state.cpl == 0 ? true : cpu.raise_gp(0);
}

u64 read_general(const Cpu& cpu, const Instruction& in) {
  return cpu.state.code64() ? read_reg<u64>(cpu.state, in.rm) : read_reg<u32>(cpu.state, in.rm);
}

void write_general(Cpu& cpu, const Instruction& in, u64 value) {
  if (cpu.state.code64()) {
    write_reg<u64>(cpu.state, in.rm, value);
  } else {
    write_reg<u32>(cpu.state, in.rm, static_cast<u32>(value));
  }
}

constexpr u64 kCr0Writable = cr0::kPe | cr0::kMp | cr0::kEm | cr0::kTs | cr0::kNe | cr0::kWp | cr0::kAm |
                             cr0::kNw | cr0::kCd | cr0::kPg;

// Turning paging on with EFER.LME enters long mode; off leaves it (SDM vol. 3, "Initializing IA-32e Mode").
bool set_cr0(Cpu& cpu, u64 value) {
  CpuState& s = cpu.state;
  if ((value >> 32) != 0) return cpu.raise_gp(0);
  value = (value & kCr0Writable) | cr0::kEt;
  const bool paging = (value & cr0::kPg) != 0;
  if (paging && (value & cr0::kPe) == 0) return cpu.raise_gp(0);
  if ((value & cr0::kNw) != 0 && (value & cr0::kCd) == 0) return cpu.raise_gp(0);
  const u64 old = s.cr0;
  const bool was_paging = (old & cr0::kPg) != 0;
  if (!paging && was_paging && (s.code64() || (s.cr4 & cr4::kPcide) != 0)) return cpu.raise_gp(0);
  u64 new_efer = s.efer;
  if (paging && !was_paging && (s.efer & efer::kLme) != 0) {
    if ((s.cr4 & cr4::kPae) == 0 || s.seg[kCs].long_mode() || !bit_of(s.seg[kTr].attributes, 3)) {
      return cpu.raise_gp(0);
    }
    new_efer |= efer::kLma;
  }
  if (!paging) new_efer &= ~efer::kLma;
  s.cr0 = value;
  s.efer = new_efer;
  const bool pae_paging = paging && (s.cr4 & cr4::kPae) != 0 && !s.long_mode_active();
  constexpr u64 kReload = cr0::kPg | cr0::kCd | cr0::kNw;
  if (pae_paging && ((old ^ value) & kReload) != 0 && !cpu.set_cr3(s.cr3)) {
    s.cr0 = old;
    s.efer = (new_efer & ~efer::kLma) | (was_paging ? s.efer & efer::kLma : 0);
    return false;
  }
  if (((old ^ value) & (cr0::kPg | cr0::kWp | cr0::kPe)) != 0) cpu.flush_tlb(true);
  cpu.update_mode();
  return true;
}

u64 cr4_allowed(const CpuModel& model) {
  struct Row {
    Feature feature;
    u64 bits;
  };
  static constexpr Row kRows[] = {
      {Feature::VME, cr4::kVme | cr4::kPvi},
      {Feature::TSC, cr4::kTsd},
      {Feature::DE, cr4::kDe},
      {Feature::PSE, cr4::kPse},
      {Feature::PAE, cr4::kPae},
      {Feature::MCE, cr4::kMce},
      {Feature::PGE, cr4::kPge},
      {Feature::FXSR, cr4::kOsfxsr},
      {Feature::SSE, cr4::kOsxmmexcpt},
      {Feature::UMIP, cr4::kUmip},
      {Feature::FSGSBASE, cr4::kFsgsbase},
      {Feature::PCID, cr4::kPcide},
      {Feature::XSAVE, cr4::kOsxsave},
      {Feature::SMEP, cr4::kSmep},
      {Feature::SMAP, cr4::kSmap},
      {Feature::PKU, cr4::kPke},
  };
  u64 bits = cr4::kPce;
  for (const Row& row : kRows) {
    if (model.has(row.feature)) bits |= row.bits;
  }
  return bits;
}

bool set_cr4(Cpu& cpu, u64 value) {
  CpuState& s = cpu.state;
  if ((value & ~cr4_allowed(cpu.model)) != 0) return cpu.raise_gp(0);
  const u64 old = s.cr4;
  const u64 changed = old ^ value;
  if (s.long_mode_active() && (value & cr4::kPae) == 0) return cpu.raise_gp(0);
  if ((changed & value & cr4::kPcide) != 0 && (!s.long_mode_active() || (s.cr3 & 0xFFF) != 0)) {
    return cpu.raise_gp(0);
  }
  s.cr4 = value;
  const bool pae_paging = (s.cr0 & cr0::kPg) != 0 && (value & cr4::kPae) != 0 && !s.long_mode_active();
  constexpr u64 kReload = cr4::kPae | cr4::kPge | cr4::kPse | cr4::kSmep;
  if (pae_paging && (changed & kReload) != 0 && !cpu.set_cr3(s.cr3)) {
    s.cr4 = old;
    return false;
  }
  constexpr u64 kFlush =
      cr4::kPae | cr4::kPge | cr4::kPse | cr4::kPcide | cr4::kSmep | cr4::kSmap | cr4::kPke;
  if ((changed & kFlush) != 0) cpu.flush_tlb(true);
  cpu.update_mode();
  return true;
}

bool write_cr3(Cpu& cpu, u64 value) {
  const CpuState& s = cpu.state;
  constexpr u64 kNoFlush = 1ull << 63;
  const bool pcid = (s.cr4 & cr4::kPcide) != 0;
  const u64 reserved = s.long_mode_active() ? ~cpu.model.physical_mask() & ~(pcid ? kNoFlush : 0) : 0;
  return (value & reserved) != 0 ? cpu.raise_gp(0) : cpu.set_cr3(value);
}

bool debug_allowed(Cpu& cpu, u8& number) {
  CpuState& s = cpu.state;
  if (number == 4 || number == 5) {
    if ((s.cr4 & cr4::kDe) != 0) return cpu.raise_ud();
    number = static_cast<u8>(number + 2);
  }
  if (number > 7) return cpu.raise_ud();
  if (!privileged(cpu)) return false;
  if ((s.dr[7] & dr7::kGd) == 0) return true;
  s.dr[6] |= dr6::kBd;
  s.dr[7] &= ~dr7::kGd;
  return cpu.raise(kDB);
}

bool umip_allows(Cpu& cpu) {
  return (cpu.state.cr4 & cr4::kUmip) == 0 || cpu.state.cpl == 0 ? true : cpu.raise_gp(0);
}

bool protected_only(Cpu& cpu) {
  return cpu.state.protected_mode() && !cpu.state.v8086() ? true : cpu.raise_ud();
}

bool store_table(Cpu& cpu, const Instruction& in, const DescriptorTable& table) {
  if (!umip_allows(cpu)) return false;
  const u64 address = effective_address(cpu.state, in);
  const unsigned base_size = cpu.state.code64() ? 8 : 4;
  u64 linear;
  if (!linear_address(cpu, in.segment, address, 2 + base_size, true, linear)) return false;
  u8 image[10];
  std::memcpy(image, &table.limit, 2);
  std::memcpy(image + 2, &table.base, base_size);
  return cpu.write_slow(linear, image, 2 + base_size, is_stack(in.segment), cpu.data_mode());
}

bool load_table(Cpu& cpu, const Instruction& in, DescriptorTable& table) {
  if (!privileged(cpu)) return false;
  const u64 address = effective_address(cpu.state, in);
  u16 limit;
  u64 base;
  if (!load(cpu, in.segment, address, limit)) return false;
  if (cpu.state.code64()) {
    if (!load(cpu, in.segment, address + 2, base)) return false;
    if (!is_canonical_address(base)) return cpu.raise_gp(0);
  } else {
    u32 base32;
    if (!load(cpu, in.segment, address + 2, base32)) return false;
    base = in.operand_size == 2 ? base32 & 0xFFFFFF : base32;
  }
  table = DescriptorTable{.base = base, .limit = limit};
  return true;
}

bool store_system_selector(Cpu& cpu, const Instruction& in, u64 value) {
  if (in.rm_is_memory() || in.operand_size == 2) return write_rm<u16>(cpu, in, static_cast<u16>(value));
  if (in.operand_size == 4) return write_rm<u32>(cpu, in, static_cast<u32>(value));
  return write_rm<u64>(cpu, in, value);
}

// The system descriptor that LLDT and LTR name.
bool read_system_selector(Cpu& cpu, const Instruction& in, u16& selector, Descriptor& out) {
  if (!protected_only(cpu) || !privileged(cpu) || !read_rm(cpu, in, selector)) return false;
  if (is_null_selector(selector)) return true;
  const u32 error = selector & kSelectorMask;
  if ((selector & 4) != 0) return cpu.raise_gp(error);
  if (!read_system_descriptor(cpu, selector, kGP, out)) return false;
  return !out.is_code_or_data() ? true : cpu.raise_gp(error);
}

}  // namespace

bool exec_MOV_FROM_CR(Cpu& cpu, const Instruction& in) {
  const CpuState& s = cpu.state;
  if (!privileged(cpu)) return false;
  switch (in.reg) {
    case 0: write_general(cpu, in, s.cr0); return true;
    case 2: write_general(cpu, in, s.cr2); return true;
    case 3: write_general(cpu, in, s.cr3); return true;
    case 4: write_general(cpu, in, s.cr4); return true;
    case 8: write_general(cpu, in, cpu.unit().cr8()); return true;
    default: return cpu.raise_ud();
  }
}

bool exec_MOV_TO_CR(Cpu& cpu, const Instruction& in) {
  if (!privileged(cpu)) return false;
  const u64 value = read_general(cpu, in);
  switch (in.reg) {
    case 0: return set_cr0(cpu, value);
    case 2: cpu.state.cr2 = value; return true;
    case 3: return write_cr3(cpu, value);
    case 4: return set_cr4(cpu, value);
    case 8:
      if (value > 15) return cpu.raise_gp(0);
      cpu.sync_time(in);
      cpu.unit().set_cr8(static_cast<u8>(value));
      return true;
    default: return cpu.raise_ud();
  }
}

bool exec_MOV_FROM_DR(Cpu& cpu, const Instruction& in) {
  u8 number = in.reg;
  if (!debug_allowed(cpu, number)) return false;
  write_general(cpu, in, cpu.state.dr[number]);
  return true;
}

bool exec_MOV_TO_DR(Cpu& cpu, const Instruction& in) {
  u8 number = in.reg;
  if (!debug_allowed(cpu, number)) return false;
  const u64 value = read_general(cpu, in);
  if (number >= 6 && (value >> 32) != 0) return cpu.raise_gp(0);
  u64& reg = cpu.state.dr[number];
  if (number == 6) {
    reg = (value & 0xE00F) | 0xFFFF0FF0;
  } else if (number == 7) {
    reg = (value & 0xFFFF23FF) | 0x400;  // bit 11 exists with transactional memory only
  } else {
    reg = value;
  }
  // Watched pages lose their fast path, others regain it.
  cpu.flush_tlb(true);
  return true;
}

bool exec_CLTS(Cpu& cpu, const Instruction&) {
  if (!privileged(cpu)) return false;
  cpu.state.cr0 &= ~cr0::kTs;
  return true;
}

bool exec_SMSW(Cpu& cpu, const Instruction& in) {
  return umip_allows(cpu) && store_system_selector(cpu, in, cpu.state.cr0);
}

bool exec_LMSW(Cpu& cpu, const Instruction& in) {
  u16 value;
  if (!privileged(cpu) || !read_rm(cpu, in, value)) return false;
  // PE can be set this way but not cleared.
  const u64 low = (value & 0xEu) | ((value | cpu.state.cr0) & cr0::kPe);
  return set_cr0(cpu, (cpu.state.cr0 & ~0xFull) | low);
}

bool exec_SGDT(Cpu& cpu, const Instruction& in) {
  return store_table(cpu, in, cpu.state.gdtr);
}
bool exec_SIDT(Cpu& cpu, const Instruction& in) {
  return store_table(cpu, in, cpu.state.idtr);
}
bool exec_LGDT(Cpu& cpu, const Instruction& in) {
  return load_table(cpu, in, cpu.state.gdtr);
}
bool exec_LIDT(Cpu& cpu, const Instruction& in) {
  return load_table(cpu, in, cpu.state.idtr);
}

bool exec_SLDT(Cpu& cpu, const Instruction& in) {
  return protected_only(cpu) && umip_allows(cpu) &&
         store_system_selector(cpu, in, cpu.state.seg[kLdtr].selector);
}

bool exec_STR(Cpu& cpu, const Instruction& in) {
  return protected_only(cpu) && umip_allows(cpu) &&
         store_system_selector(cpu, in, cpu.state.seg[kTr].selector);
}

bool exec_LLDT(Cpu& cpu, const Instruction& in) {
  u16 selector;
  Descriptor descriptor;
  if (!read_system_selector(cpu, in, selector, descriptor)) return false;
  if (is_null_selector(selector)) {
    cpu.state.seg[kLdtr] = SegmentRegister{.base = 0, .limit = 0, .selector = selector, .attributes = 0};
    return true;
  }
  if (descriptor.system_type() != SystemType::kLdt) return cpu.raise_gp(selector & kSelectorMask);
  if (!descriptor.present()) return cpu.raise(kNP, selector & kSelectorMask);
  cpu.state.seg[kLdtr] = make_segment(selector, descriptor);
  return true;
}

bool exec_LTR(Cpu& cpu, const Instruction& in) {
  u16 selector;
  Descriptor descriptor;
  if (!read_system_selector(cpu, in, selector, descriptor)) return false;
  if (is_null_selector(selector)) return cpu.raise_gp(0);
  const u32 error = selector & kSelectorMask;
  const SystemType type = descriptor.system_type();
  const bool tss16 = type == SystemType::kTss16Available && !cpu.state.long_mode_active();
  if (type != SystemType::kTss32Available && !tss16) return cpu.raise_gp(error);
  if (!descriptor.present()) return cpu.raise(kNP, error);
  const auto busy = static_cast<u8>((descriptor.low >> 40) | 2);
  if (!store_system(cpu, descriptor.address + 5, busy)) return false;
  cpu.state.seg[kTr] = make_segment(selector, descriptor);
  cpu.state.seg[kTr].attributes |= 2;
  return true;
}

bool exec_INVLPG(Cpu& cpu, const Instruction& in) {
  if (!privileged(cpu)) return false;
  u64 linear = effective_address(cpu.state, in);
  if (in.segment < kSegCount) linear += cpu.state.seg[in.segment].base;
  cpu.invalidate_page(linear & cpu.linear_mask());
  return true;
}

bool exec_INVPCID(Cpu& cpu, const Instruction& in) {
  if (!privileged(cpu)) return false;
  const u64 type = cpu.state.code64() ? read_reg<u64>(cpu.state, in.reg) : read_reg<u32>(cpu.state, in.reg);
  const u64 address = effective_address(cpu.state, in);
  u64 pcid, linear;
  if (!load(cpu, in.segment, address, pcid) || !load(cpu, in.segment, address + 8, linear)) return false;
  if (type > 3 || (pcid >> 12) != 0) return cpu.raise_gp(0);
  if (type == 0 && !is_canonical_address(linear)) return cpu.raise_gp(0);
  if (type <= 1 && pcid != 0 && (cpu.state.cr4 & cr4::kPcide) == 0) return cpu.raise_gp(0);
  // Translations are not tagged with PCIDs: dropping more than asked is always allowed.
  if (type == 0) {
    cpu.invalidate_page(linear);
  } else {
    cpu.flush_tlb(type == 2);
  }
  return true;
}

bool exec_INVD(Cpu& cpu, const Instruction&) {
  return privileged(cpu);
}
bool exec_WBINVD(Cpu& cpu, const Instruction&) {
  return privileged(cpu);
}

}  // namespace lapwing
