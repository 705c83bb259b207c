// Model-specific registers. SDM vol. 4; what is not here raises #GP(0) as on hardware.
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/system.h"

namespace lapwing {

namespace {

enum MsrIndex : u32 {
  kTscMsr = 0x10,
  kPlatformId = 0x17,
  kApicBase = 0x1B,
  kFeatureControl = 0x3A,
  kTscAdjust = 0x3B,
  kSpecCtrl = 0x48,
  kPredCmd = 0x49,
  kBiosSignId = 0x8B,
  kPlatformInfo = 0xCE,
  kMtrrCap = 0xFE,
  kArchCapabilities = 0x10A,
  kSysenterCs = 0x174,
  kSysenterEsp = 0x175,
  kSysenterEip = 0x176,
  kMcgCap = 0x179,
  kMcgStatus = 0x17A,
  kMiscEnable = 0x1A0,
  kDebugCtl = 0x1D9,
  kMtrrVariableFirst = 0x200,
  kMtrrVariableLast = 0x20F,
  kMtrrFix64k = 0x250,
  kMtrrFix16k = 0x258,
  kMtrrFix4kFirst = 0x268,
  kMtrrFix4kLast = 0x26F,
  kPat = 0x277,
  kMtrrDefType = 0x2FF,
  kTscDeadline = 0x6E0,
  kX2apicFirst = 0x800,
  kX2apicLast = 0x8FF,
  kEfer = 0xC0000080,
  kStar = 0xC0000081,
  kLstar = 0xC0000082,
  kCstar = 0xC0000083,
  kFmask = 0xC0000084,
  kFsBase = 0xC0000100,
  kGsBase = 0xC0000101,
  kKernelGsBase = 0xC0000102,
  kTscAux = 0xC0000103,
};

// A register that is a plain 64-bit variable of CpuState with writable bits.
enum class Rule : u8 { kMasked, kCanonical };
struct PlainMsr {
  u32 index;
  u64 CpuState::* field;
  Rule rule;
  u64 writable;  // other bits must be written as zero
  Feature feature;
};

constexpr u64 kAll = ~0ull;
constexpr PlainMsr kPlainMsrs[] = {
    {kSysenterCs, &CpuState::sysenter_cs, Rule::kMasked, 0xFFFFFFFF, Feature::SEP},
    {kSysenterEsp, &CpuState::sysenter_esp, Rule::kCanonical, kAll, Feature::SEP},
    {kSysenterEip, &CpuState::sysenter_eip, Rule::kCanonical, kAll, Feature::SEP},
    {kMcgStatus, &CpuState::mcg_status, Rule::kMasked, 0x7, Feature::MCA},
    {kDebugCtl, &CpuState::debugctl, Rule::kMasked, 0x3, Feature::MSR},
    {kStar, &CpuState::star, Rule::kMasked, kAll, Feature::SYSCALL},
    {kLstar, &CpuState::lstar, Rule::kCanonical, kAll, Feature::SYSCALL},
    {kCstar, &CpuState::cstar, Rule::kCanonical, kAll, Feature::SYSCALL},
    {kFmask, &CpuState::fmask, Rule::kMasked, 0xFFFFFFFF, Feature::SYSCALL},
    {kKernelGsBase, &CpuState::kernel_gs_base, Rule::kCanonical, kAll, Feature::LM},
    {kTscAux, &CpuState::tsc_aux, Rule::kMasked, 0xFFFFFFFF, Feature::RDTSCP},
    {kSpecCtrl, &CpuState::spec_ctrl, Rule::kMasked, 0x407, Feature::SPEC_CTRL},
};

// Registers with a fixed value; writes are refused unless `ignore_writes`.
struct FixedMsr {
  u32 index;
  u64 value;
  bool ignore_writes;
};
constexpr FixedMsr kFixedMsrs[] = {
    {kPlatformId, 0, false},
    {kFeatureControl, 1, false},         // locked, no VMX
    {kBiosSignId, 0x1ull << 32, true},   // microcode revision 1
    {kPlatformInfo, 10ull << 8, false},  // 10 x 100 MHz
    {kMtrrCap, 0x508, false},            // 8 variable ranges, fixed ranges, write combining
    {kMcgCap, 0, false},                 // no machine-check banks
};

const PlainMsr* find_plain(const CpuModel& model, u32 index) {
  for (const PlainMsr& msr : kPlainMsrs) {
    if (msr.index == index) return model.has(msr.feature) ? &msr : nullptr;
  }
  return nullptr;
}

const FixedMsr* find_fixed(u32 index) {
  for (const FixedMsr& msr : kFixedMsrs) {
    if (msr.index == index) return &msr;
  }
  return nullptr;
}

// Slot of a fixed-range MTRR in CpuState::mtrr_fixed, or -1.
int fixed_mtrr_slot(u32 index) {
  if (index == kMtrrFix64k) return 0;
  if (index == kMtrrFix16k || index == kMtrrFix16k + 1) return static_cast<int>(1 + index - kMtrrFix16k);
  if (index >= kMtrrFix4kFirst && index <= kMtrrFix4kLast)
    return static_cast<int>(3 + index - kMtrrFix4kFirst);
  return -1;
}

bool valid_memory_type(u64 type) {
  return type <= 7 && type != 2 && type != 3;
}

bool write_memory_types(u64& field, u64 value, bool pat) {
  for (unsigned i = 0; i < 8; ++i) {
    const u64 type = (value >> (8 * i)) & 0xFF;
    // 7 (UC-) exists in PAT only.
    if (!valid_memory_type(type) || (type == 7 && !pat)) return false;
  }
  field = value;
  return true;
}

bool is_mtrr(u32 index) {
  return index == kMtrrDefType || index == kMtrrCap || fixed_mtrr_slot(index) >= 0 ||
         (index >= kMtrrVariableFirst && index <= kMtrrVariableLast);
}

bool read_mtrr(const Cpu& cpu, u32 index, u64& value) {
  if (!cpu.model.has(Feature::MTRR)) return false;
  const CpuState& s = cpu.state;
  const int slot = fixed_mtrr_slot(index);
  if (index == kMtrrDefType) {
    value = s.mtrr_def_type;
  } else if (slot >= 0) {
    value = s.mtrr_fixed[slot];
  } else {
    value = s.mtrr_variable[index - kMtrrVariableFirst];
  }
  return true;
}

bool write_mtrr(Cpu& cpu, u32 index, u64 value) {
  if (!cpu.model.has(Feature::MTRR)) return false;
  CpuState& s = cpu.state;
  const int slot = fixed_mtrr_slot(index);
  if (slot >= 0) return write_memory_types(s.mtrr_fixed[slot], value, false);
  if (index == kMtrrDefType) {
    if ((value & ~0xCFFull) != 0 || !valid_memory_type(value & 0xFF) || (value & 0xFF) == 7) return false;
    s.mtrr_def_type = value;
    return true;
  }
  const bool is_mask = (index & 1) != 0;
  const u64 address = cpu.model.physical_mask() & ~0xFFFull;
  const u64 allowed = address | (is_mask ? 0x800 : 0xFF);
  if ((value & ~allowed) != 0 || (!is_mask && (!valid_memory_type(value & 0xFF) || (value & 0xFF) == 7)))
    return false;
  s.mtrr_variable[index - kMtrrVariableFirst] = value;
  return true;
}

bool write_efer(Cpu& cpu, u64 value) {
  CpuState& s = cpu.state;
  u64 writable = 0;
  if (cpu.model.has(Feature::SYSCALL)) writable |= efer::kSce;
  if (cpu.model.has(Feature::LM)) writable |= efer::kLme;
  if (cpu.model.has(Feature::NX)) writable |= efer::kNxe;
  // LMA is read-only: hardware ignores what is written to it.
  if ((value & ~(writable | efer::kLma)) != 0) return false;
  const bool lme_changes = ((s.efer ^ value) & efer::kLme) != 0;
  if (lme_changes && (s.cr0 & cr0::kPg) != 0) return false;
  const bool nx_changes = ((s.efer ^ value) & efer::kNxe) != 0;
  s.efer = (value & writable) | (s.efer & efer::kLma);
  if (nx_changes) cpu.flush_tlb(true);
  cpu.update_mode();
  return true;
}

// TSC = virtual ns + offset; writing the TSC moves IA32_TSC_ADJUST by as much, and the reverse (SDM vol. 3,
// "IA32_TSC_ADJUST Register and TSC Adjustment").
void move_tsc(Cpu& cpu, u64 by) {
  cpu.state.tsc_offset += by;
  cpu.state.tsc_adjust += by;
  cpu.unit().set_tsc_offset(cpu.state.tsc_offset);
}

bool is_apic_msr(u32 index) {
  return index == kApicBase || index == kTscDeadline || (index >= kX2apicFirst && index <= kX2apicLast);
}

bool write_base(SegmentRegister& seg, u64 value) {
  if (!is_canonical_address(value)) return false;
  seg.base = value;
  return true;
}

}  // namespace

bool read_msr(Cpu& cpu, u32 index, u64& value) {
  CpuState& s = cpu.state;
  const CpuModel& model = cpu.model;
  if (const PlainMsr* plain = find_plain(model, index)) {
    value = s.*plain->field;
    return true;
  }
  if (const FixedMsr* fixed = find_fixed(index)) {
    value = fixed->value;
    return true;
  }
  if (is_apic_msr(index)) return cpu.unit().read_msr(index, value);
  if (is_mtrr(index)) return read_mtrr(cpu, index, value);
  switch (index) {
    case kTscMsr: value = cpu.clock.now_ns() + s.tsc_offset; return true;
    case kTscAdjust: value = s.tsc_adjust; return model.has(Feature::TSC_ADJUST);
    case kArchCapabilities:
      value = model.words[static_cast<unsigned>(FeatureWord::kArchCapabilities)];
      return model.has(Feature::ARCH_CAPABILITIES);
    case kMiscEnable: value = s.misc_enable; return true;
    case kPat: value = s.pat; return model.has(Feature::PAT);
    case kEfer: value = s.efer; return model.has(Feature::NX) || model.has(Feature::LM);
    case kFsBase: value = s.seg[kFs].base; return model.has(Feature::LM);
    case kGsBase: value = s.seg[kGs].base; return model.has(Feature::LM);
    default: return false;
  }
}

bool write_msr(Cpu& cpu, u32 index, u64 value) {
  CpuState& s = cpu.state;
  const CpuModel& model = cpu.model;
  if (const PlainMsr* plain = find_plain(model, index)) {
    if (plain->rule == Rule::kCanonical && !is_canonical_address(value)) return false;
    if ((value & ~plain->writable) != 0) return false;
    s.*plain->field = value;
    return true;
  }
  if (const FixedMsr* fixed = find_fixed(index)) return fixed->ignore_writes;
  if (is_apic_msr(index)) {
    const bool done = cpu.unit().write_msr(index, value);
    // The register page may have moved over or away from mapped RAM.
    if (done && index == kApicBase) cpu.flush_tlb(true);
    return done;
  }
  if (is_mtrr(index)) return write_mtrr(cpu, index, value);
  switch (index) {
    case kTscMsr: move_tsc(cpu, value - (cpu.clock.now_ns() + s.tsc_offset)); return true;
    case kTscAdjust:
      if (!model.has(Feature::TSC_ADJUST)) return false;
      move_tsc(cpu, value - s.tsc_adjust);
      return true;
    case kPredCmd: return model.has(Feature::SPEC_CTRL) && (value & ~1ull) == 0;
    case kMiscEnable: s.misc_enable = value; return true;
    case kPat: return model.has(Feature::PAT) && write_memory_types(s.pat, value, true);
    case kEfer: return (model.has(Feature::NX) || model.has(Feature::LM)) && write_efer(cpu, value);
    case kFsBase: return model.has(Feature::LM) && write_base(s.seg[kFs], value);
    case kGsBase: return model.has(Feature::LM) && write_base(s.seg[kGs], value);
    default: return false;
  }
}

bool exec_RDMSR(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  if (!cpu.model.has(Feature::MSR)) return cpu.raise_ud();
  if (s.cpl != 0) return cpu.raise_gp(0);
  cpu.sync_time(in);
  u64 value = 0;
  if (!read_msr(cpu, static_cast<u32>(s.gpr[kRcx]), value)) return cpu.raise_gp(0);
  s.gpr[kRax] = static_cast<u32>(value);
  s.gpr[kRdx] = value >> 32;
  return true;
}

bool exec_WRMSR(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  if (!cpu.model.has(Feature::MSR)) return cpu.raise_ud();
  if (s.cpl != 0) return cpu.raise_gp(0);
  cpu.sync_time(in);
  const u64 value = (s.gpr[kRdx] << 32) | static_cast<u32>(s.gpr[kRax]);
  return write_msr(cpu, static_cast<u32>(s.gpr[kRcx]), value) ? true : cpu.raise_gp(0);
}

}  // namespace lapwing
