// Instructions on the processor as a whole: halting, interrupts on and off, time, random numbers, protection
// keys. SDM vol. 2.
#include "core/cpu/exec/system.h"

#include "core/cpu/exec/access.h"
#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/xsave.h"

namespace lapwing {

namespace {

bool privileged(Cpu& cpu) {
  return cpu.state.cpl == 0 ? true : cpu.raise_gp(0);
}

u8 iopl(const CpuState& s) {
  return static_cast<u8>((s.rflags_rest & rflags::kIopl) >> rflags::kIoplShift);
}

// Which flag CLI and STI act on (SDM vol. 2, tables of CLI and STI).
enum class InterruptFlag : u8 { kIf, kVif, kFault };
InterruptFlag interrupt_flag(const CpuState& s) {
  if (!s.protected_mode()) return InterruptFlag::kIf;
  if (s.v8086()) {
    if (iopl(s) == 3) return InterruptFlag::kIf;
    return (s.cr4 & cr4::kVme) != 0 ? InterruptFlag::kVif : InterruptFlag::kFault;
  }
  if (s.cpl <= iopl(s)) return InterruptFlag::kIf;
  return s.cpl == 3 && (s.cr4 & cr4::kPvi) != 0 ? InterruptFlag::kVif : InterruptFlag::kFault;
}

// splitmix64: the same sequence for the same seed on every host.
u64 next_random(CpuState& s) {
  s.random_state += 0x9E3779B97F4A7C15ull;
  u64 z = s.random_state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

bool give_random(Cpu& cpu, const Instruction& in, Feature feature) {
  if (!cpu.model.has(feature)) return cpu.raise_ud();
  CpuState& s = cpu.state;
  const u64 value = next_random(s);
  switch (in.operand_size) {
    case 2: write_reg<u16>(s, in.rm, static_cast<u16>(value)); break;
    case 4: write_reg<u32>(s, in.rm, static_cast<u32>(value)); break;
    default: write_reg<u64>(s, in.rm, value); break;
  }
  set_status_flags(s, rflags::kCf);
  return true;
}

bool tsc_allowed(Cpu& cpu) {
  const CpuState& s = cpu.state;
  return (s.cr4 & cr4::kTsd) == 0 || s.cpl == 0 ? true : cpu.raise_gp(0);
}

void give_tsc(Cpu& cpu, const Instruction& in) {
  const u64 tsc = cpu.tsc(in);
  cpu.state.gpr[kRax] = static_cast<u32>(tsc);
  cpu.state.gpr[kRdx] = tsc >> 32;
}

bool set_ac(Cpu& cpu, bool on) {
  CpuState& s = cpu.state;
  if (!cpu.model.has(Feature::SMAP) || s.cpl != 0) return cpu.raise_ud();
  s.rflags_rest = on ? s.rflags_rest | rflags::kAc : s.rflags_rest & ~rflags::kAc;
  cpu.update_mode();
  return true;
}

}  // namespace

bool exec_HLT(Cpu& cpu, const Instruction&) {
  if (!privileged(cpu)) return false;
  cpu.halt();
  return true;
}

bool exec_PAUSE(Cpu& cpu, const Instruction& in) {
  cpu.sync_time(in);
  cpu.clock.charge(kPauseChargeNs);
  cpu.yield_turn();
  return true;
}

bool exec_CLI(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  switch (interrupt_flag(s)) {
    case InterruptFlag::kIf: s.rflags_rest &= ~rflags::kIf; return true;
    case InterruptFlag::kVif: s.rflags_rest &= ~rflags::kVif; return true;
    default: return cpu.raise_gp(0);
  }
}

bool exec_STI(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  switch (interrupt_flag(s)) {
    case InterruptFlag::kIf:
      if ((s.rflags_rest & rflags::kIf) == 0) {
        s.rflags_rest |= rflags::kIf;
        s.interrupt_shadow = true;
      }
      return true;
    case InterruptFlag::kVif:
      if ((s.rflags_rest & rflags::kVip) != 0) return cpu.raise_gp(0);
      s.rflags_rest |= rflags::kVif;
      return true;
    default: return cpu.raise_gp(0);
  }
}

bool exec_RDTSC(Cpu& cpu, const Instruction& in) {
  if (!cpu.model.has(Feature::TSC)) return cpu.raise_ud();
  if (!tsc_allowed(cpu)) return false;
  give_tsc(cpu, in);
  return true;
}

bool exec_RDTSCP(Cpu& cpu, const Instruction& in) {
  if (!cpu.model.has(Feature::RDTSCP)) return cpu.raise_ud();
  if (!tsc_allowed(cpu)) return false;
  give_tsc(cpu, in);
  cpu.state.gpr[kRcx] = static_cast<u32>(cpu.state.tsc_aux);
  return true;
}

// There are no performance counters (CPUID leaf 0AH is empty), so every counter number is invalid.
bool exec_RDPMC(Cpu& cpu, const Instruction&) {
  return cpu.raise_gp(0);
}

// CPUID says that MONITOR and MWAIT do not exist.
bool exec_MONITOR(Cpu& cpu, const Instruction&) {
  return cpu.raise_ud();
}
bool exec_MWAIT(Cpu& cpu, const Instruction&) {
  return cpu.raise_ud();
}

bool exec_STAC(Cpu& cpu, const Instruction&) {
  return set_ac(cpu, true);
}
bool exec_CLAC(Cpu& cpu, const Instruction&) {
  return set_ac(cpu, false);
}

bool exec_RDRAND(Cpu& cpu, const Instruction& in) {
  return give_random(cpu, in, Feature::RDRAND);
}
bool exec_RDSEED(Cpu& cpu, const Instruction& in) {
  return give_random(cpu, in, Feature::RDSEED);
}

bool exec_RDPKRU(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  if ((s.cr4 & cr4::kPke) == 0) return cpu.raise_ud();
  if (static_cast<u32>(s.gpr[kRcx]) != 0) return cpu.raise_gp(0);
  s.gpr[kRax] = s.pkru;
  s.gpr[kRdx] = 0;
  return true;
}

bool exec_WRPKRU(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  if ((s.cr4 & cr4::kPke) == 0) return cpu.raise_ud();
  if (static_cast<u32>(s.gpr[kRcx]) != 0 || static_cast<u32>(s.gpr[kRdx]) != 0) return cpu.raise_gp(0);
  const auto value = static_cast<u32>(s.gpr[kRax]);
  if (value != s.pkru) {
    s.pkru = value;
    cpu.flush_tlb(true);
  }
  return true;
}

bool exec_XSETBV(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  if ((s.cr4 & cr4::kOsxsave) == 0) return cpu.raise_ud();
  if (!privileged(cpu)) return false;
  const u64 value = (s.gpr[kRdx] << 32) | static_cast<u32>(s.gpr[kRax]);
  const bool valid = static_cast<u32>(s.gpr[kRcx]) == 0 && (value & xsave::kX87) != 0 &&
                     (value & ~xcr0_supported(cpu.model)) == 0;
  if (!valid) return cpu.raise_gp(0);
  s.xcr0 = value;
  return true;
}

}  // namespace lapwing
