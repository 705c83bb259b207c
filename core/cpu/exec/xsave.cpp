// FXSAVE, FXRSTOR, the XSAVE family, MXCSR and XCR0.
// Intel SDM vol. 1, 10.5 (FXSAVE area) and 13 (XSAVE areas, init optimisation, compaction); vol. 2.
// Components: 0 x87, 1 SSE, 9 PKRU, the last at its place behind AVX-512 in the standard format. No
// supervisor component. Every component's modified state counts as modified; XSAVEOPT omits initial
// components only.
#include "core/cpu/exec/xsave.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/image.h"
#include "core/cpu/exec/sse.h"
#include "core/cpu/exec/x87.h"

namespace lapwing {

namespace {

using namespace xsave;

enum class Format : u8 { kStandard, kOptimized, kCompacted };

// Offsets within the legacy region (SDM vol. 1, table 10-2).
constexpr unsigned kControl = 0, kStatus = 2, kTag = 4, kOpcode = 6, kIp = 8, kCs = 12, kDp = 16, kDs = 20,
                   kMxcsr = 24, kMxcsrMask = 28, kSt = 32, kXmm = 160;
constexpr unsigned kSlot = 16;
constexpr unsigned kFxsaveWritten = 416;  // the rest of the 512 bytes is the software's
constexpr unsigned kHeaderXcompBv = kHeader + 8;
constexpr u64 kCompactedFlag = u64{1} << 63;

unsigned xmm_count(const CpuState& s) {
  return s.code64() ? 16 : 8;
}

void put_x87(MemoryImage& image, const CpuState& s, bool wide_pointers) {
  const FpuState& fpu = s.fpu;
  image.put<u16>(kControl, fpu.control);
  image.put<u16>(kStatus, fpu.status);
  image.put<u16>(kTag, fpu.valid);
  image.put<u16>(kOpcode, fpu.opcode);
  if (wide_pointers) {
    image.put<u64>(kIp, fpu.ip);
    image.put<u64>(kDp, fpu.dp);
  } else {
    image.put<u32>(kIp, static_cast<u32>(fpu.ip));
    image.put<u32>(kCs, fpu.cs);
    image.put<u32>(kDp, static_cast<u32>(fpu.dp));
    image.put<u32>(kDs, fpu.ds);
  }
  for (unsigned i = 0; i < x87::kRegisters; ++i) {
    const FpuRegister& slot = fpu.st[(x87::top(fpu) + i) & 7];
    image.put<u64>(kSt + i * kSlot, slot.mantissa);
    image.put<u64>(kSt + i * kSlot + 8, slot.sign_exponent);
  }
}

void get_x87(const MemoryImage& image, CpuState& s, bool wide_pointers) {
  FpuState& fpu = s.fpu;
  fpu.control = x87::legal_control(image.get<u16>(kControl));
  fpu.status = image.get<u16>(kStatus);
  fpu.valid = image.get<u8>(kTag);
  fpu.opcode = image.get<u16>(kOpcode) & 0x7FF;
  if (wide_pointers) {
    fpu.ip = image.get<u64>(kIp);
    fpu.dp = image.get<u64>(kDp);
    fpu.cs = 0;
    fpu.ds = 0;
  } else {
    fpu.ip = image.get<u32>(kIp);
    fpu.cs = image.get<u16>(kCs);
    fpu.dp = image.get<u32>(kDp);
    fpu.ds = image.get<u16>(kDs);
  }
  x87::update_summary(fpu);
  for (unsigned i = 0; i < x87::kRegisters; ++i) {
    fpu.st[(x87::top(fpu) + i) & 7] = {image.get<u64>(kSt + i * kSlot), image.get<u16>(kSt + i * kSlot + 8)};
  }
}

void initialize_x87(CpuState& s) {
  x87::initialize(s.fpu);
  for (FpuRegister& slot : s.fpu.st) slot = {};
}

void put_mxcsr(MemoryImage& image, const CpuState& s) {
  image.put<u32>(kMxcsr, s.mxcsr);
  image.put<u32>(kMxcsrMask, sse::kMxcsrMask);
}

void put_xmm(MemoryImage& image, const CpuState& s) {
  for (unsigned i = 0; i < xmm_count(s); ++i) image.put<XmmRegister>(kXmm + i * kSlot, s.xmm[i]);
}

void get_xmm(const MemoryImage& image, CpuState& s) {
  for (unsigned i = 0; i < xmm_count(s); ++i) s.xmm[i] = image.get<XmmRegister>(kXmm + i * kSlot);
}

void initialize_xmm(CpuState& s) {
  for (unsigned i = 0; i < xmm_count(s); ++i) s.xmm[i] = {};
}

bool is_initial_x87(const FpuState& fpu) {
  bool initial = fpu.control == x87::kInitialControl && fpu.status == 0 && fpu.valid == 0 &&
                 fpu.opcode == 0 && fpu.ip == 0 && fpu.dp == 0 && fpu.cs == 0 && fpu.ds == 0;
  for (const FpuRegister& slot : fpu.st) initial = initial && slot.mantissa == 0 && slot.sign_exponent == 0;
  return initial;
}

bool is_initial_xmm(const CpuState& s) {
  u64 any = 0;
  for (unsigned i = 0; i < xmm_count(s); ++i) any |= s.xmm[i].lo | s.xmm[i].hi;
  return any == 0;
}

u64 in_use(const CpuState& s) {
  return (is_initial_x87(s.fpu) ? 0 : kX87) | (is_initial_xmm(s) ? 0 : kSse) | (s.pkru == 0 ? 0 : kPkru);
}

u64 requested(const CpuState& s) {
  return s.xcr0 & ((s.gpr[kRdx] << 32) | static_cast<u32>(s.gpr[kRax]));
}

bool check_fxsave(Cpu& cpu, const Instruction& in, unsigned alignment, unsigned size, bool write,
                  u64& linear) {
  if (!MemoryImage::locate(cpu, in, size, write, linear)) return false;
  return (linear & (alignment - 1)) == 0 || cpu.raise_gp(0);
}

bool check_xsave(Cpu& cpu) {
  if ((cpu.state.cr4 & cr4::kOsxsave) == 0) return cpu.raise_ud();
  return (cpu.state.cr0 & cr0::kTs) == 0 || cpu.raise(kNM);
}

// Where PKRU lies: after the components that a compacted image contains.
unsigned pkru_offset(bool compacted) {
  return compacted ? kExtended : kStandardPkru;
}

bool store_components(Cpu& cpu, const Instruction& in, const MemoryImage& image, u64 linear, u64 components,
                      bool with_mxcsr, unsigned pkru, bool probe_only) {
  const auto part = [&](unsigned first, unsigned size) {
    return probe_only ? MemoryImage::probe(cpu, in, linear, first, size)
                      : image.store_range(cpu, in, linear, first, size);
  };
  const unsigned xmm_bytes = xmm_count(cpu.state) * kSlot;
  return ((components & kX87) == 0 || (part(0, kMxcsr) && part(kSt, kXmm - kSt))) &&
         (!with_mxcsr || part(kMxcsr, kSt - kMxcsr)) && ((components & kSse) == 0 || part(kXmm, xmm_bytes)) &&
         ((components & kPkru) == 0 || part(pkru, kPkruBytes));
}

bool save(Cpu& cpu, const Instruction& in, Format format) {
  CpuState& s = cpu.state;
  if (!check_xsave(cpu)) return false;
  const bool compacted = format == Format::kCompacted;
  const u64 components = requested(s);
  const u64 used = in_use(s) & components;
  const u64 written = format == Format::kStandard ? components : used;
  const unsigned pkru = pkru_offset(compacted);
  u64 linear;
  const unsigned extent = (components & kPkru) != 0 ? pkru + kPkruBytes : kExtended;
  if (!check_fxsave(cpu, in, kAreaAlignment, extent, true, linear)) return false;

  MemoryImage image;
  put_x87(image, s, in.operand_size == 8);
  put_mxcsr(image, s);
  put_xmm(image, s);
  image.put<u32>(pkru, s.pkru);
  if (compacted) {
    image.put<u64>(kHeader, used);
    image.put<u64>(kHeaderXcompBv, components | kCompactedFlag);
  } else {
    if (!image.load_range(cpu, in, linear, kHeader, 8)) return false;
    image.put<u64>(kHeader, (image.get<u64>(kHeader) & ~components) | used);
  }
  // In the standard format MXCSR belongs to the request for SSE, whether or not the registers are initial.
  const bool with_mxcsr = compacted ? (written & kSse) != 0 : (components & kSse) != 0;
  const unsigned header_bytes = compacted ? 16 : 8;
  return MemoryImage::probe(cpu, in, linear, kHeader, header_bytes) &&
         store_components(cpu, in, image, linear, written, with_mxcsr, pkru, true) &&
         store_components(cpu, in, image, linear, written, with_mxcsr, pkru, false) &&
         image.store_range(cpu, in, linear, kHeader, header_bytes);
}

// The header rules of SDM vol. 1, 13.8.1 and 13.8.2.
bool header_valid(const MemoryImage& image, u64 xcr0) {
  const u64 present = image.get<u64>(kHeader);
  const u64 layout = image.get<u64>(kHeaderXcompBv);
  if ((layout & kCompactedFlag) == 0) {
    return (present & ~xcr0) == 0 && layout == 0 && image.get<u64>(kHeader + 16) == 0;
  }
  bool reserved_clear = true;
  for (unsigned at = kHeader + 16; at < kExtended; at += 8)
    reserved_clear = reserved_clear && image.get<u64>(at) == 0;
  return (layout & ~kCompactedFlag & ~xcr0) == 0 && (present & ~layout) == 0 && reserved_clear;
}

void restore_components(CpuState& s, const MemoryImage& image, u64 components, u64 present, bool wide,
                        unsigned pkru) {
  if ((components & kX87) != 0) {
    if ((present & kX87) != 0) {
      get_x87(image, s, wide);
    } else {
      initialize_x87(s);
    }
  }
  if ((components & kSse) != 0) {
    if ((present & kSse) != 0) {
      get_xmm(image, s);
    } else {
      initialize_xmm(s);
    }
  }
  if ((components & kPkru) != 0) s.pkru = (present & kPkru) != 0 ? image.get<u32>(pkru) : 0;
}

bool restore(Cpu& cpu, const Instruction& in, bool compacted_only) {
  CpuState& s = cpu.state;
  if (!check_xsave(cpu)) return false;
  const u64 components = requested(s);
  u64 linear;
  MemoryImage image;
  if (!check_fxsave(cpu, in, kAreaAlignment, kExtended, false, linear) ||
      !image.load_range(cpu, in, linear, 0, kExtended)) {
    return false;
  }
  const bool compacted = (image.get<u64>(kHeaderXcompBv) & kCompactedFlag) != 0;
  if (!header_valid(image, s.xcr0) || (compacted_only && !compacted)) return cpu.raise_gp(0);
  const u64 present = image.get<u64>(kHeader);
  const unsigned pkru = pkru_offset(compacted);
  if ((components & present & kPkru) != 0 && !image.load_range(cpu, in, linear, pkru, kPkruBytes))
    return false;

  u32 mxcsr = s.mxcsr;
  if ((components & kSse) != 0) {
    mxcsr = !compacted || (present & kSse) != 0 ? image.get<u32>(kMxcsr) : sse::kInitialMxcsr;
    if ((mxcsr & ~sse::kMxcsrMask) != 0) return cpu.raise_gp(0);
  }
  s.mxcsr = mxcsr;
  const u32 old_pkru = s.pkru;
  restore_components(s, image, components, present, in.operand_size == 8, pkru);
  if (s.pkru != old_pkru) cpu.flush_tlb(true);  // translations are kept with the rights they were filled with
  return true;
}

}  // namespace

bool exec_FXSAVE(Cpu& cpu, const Instruction& in) {
  if (!x87::check_available(cpu)) return false;
  u64 linear;
  if (!check_fxsave(cpu, in, kSlot, kLegacyBytes, true, linear)) return false;
  MemoryImage image;
  put_x87(image, cpu.state, in.operand_size == 8);
  put_mxcsr(image, cpu.state);
  put_xmm(image, cpu.state);
  const unsigned size = cpu.state.code64() ? kFxsaveWritten : kFxsaveWritten - 8 * kSlot;
  return MemoryImage::probe(cpu, in, linear, 0, size) && image.store_range(cpu, in, linear, 0, size);
}

bool exec_FXRSTOR(Cpu& cpu, const Instruction& in) {
  if (!x87::check_available(cpu)) return false;
  u64 linear;
  MemoryImage image;
  if (!check_fxsave(cpu, in, kSlot, kLegacyBytes, false, linear) ||
      !image.load_range(cpu, in, linear, 0, kFxsaveWritten)) {
    return false;
  }
  const u32 mxcsr = image.get<u32>(kMxcsr);
  if ((mxcsr & ~sse::kMxcsrMask) != 0) return cpu.raise_gp(0);
  get_x87(image, cpu.state, in.operand_size == 8);
  cpu.state.mxcsr = mxcsr;
  get_xmm(image, cpu.state);
  return true;
}

bool exec_XSAVE(Cpu& cpu, const Instruction& in) {
  return save(cpu, in, Format::kStandard);
}
bool exec_XSAVEOPT(Cpu& cpu, const Instruction& in) {
  return save(cpu, in, Format::kOptimized);
}
bool exec_XSAVEC(Cpu& cpu, const Instruction& in) {
  return save(cpu, in, Format::kCompacted);
}
bool exec_XRSTOR(Cpu& cpu, const Instruction& in) {
  return restore(cpu, in, false);
}

// IA32_XSS is zero: the supervisor forms handle the user components, in the compacted format.
bool exec_XSAVES(Cpu& cpu, const Instruction& in) {
  if (!check_xsave(cpu)) return false;
  return cpu.state.cpl != 0 ? cpu.raise_gp(0) : save(cpu, in, Format::kCompacted);
}
bool exec_XRSTORS(Cpu& cpu, const Instruction& in) {
  if (!check_xsave(cpu)) return false;
  return cpu.state.cpl != 0 ? cpu.raise_gp(0) : restore(cpu, in, true);
}

bool exec_XGETBV(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  if ((s.cr4 & cr4::kOsxsave) == 0) return cpu.raise_ud();
  const u32 index = static_cast<u32>(s.gpr[kRcx]);
  if (index > 1) return cpu.raise_gp(0);
  const u64 value = index == 0 ? s.xcr0 : s.xcr0 & in_use(s);
  s.gpr[kRax] = static_cast<u32>(value);
  s.gpr[kRdx] = value >> 32;
  return true;
}

bool exec_LDMXCSR(Cpu& cpu, const Instruction& in) {
  if (!sse::check_available(cpu)) return false;
  u32 value;
  if (!load_operand(cpu, in, value)) return false;
  if ((value & ~sse::kMxcsrMask) != 0) return cpu.raise_gp(0);
  cpu.state.mxcsr = value;
  return true;
}

bool exec_STMXCSR(Cpu& cpu, const Instruction& in) {
  return sse::check_available(cpu) && store_operand<u32>(cpu, in, cpu.state.mxcsr);
}

}  // namespace lapwing
