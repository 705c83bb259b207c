// Instructions about flags alone: CLC STC CMC CLD STD LAHF SAHF (SDM vol. 2). CLI and STI are system
// instructions.
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/operand.h"

namespace lapwing {

namespace {

constexpr u8 kAh = 8 * kRax + 1;
constexpr u64 kLowFlags = rflags::kCf | rflags::kPf | rflags::kAf | rflags::kZf | rflags::kSf;

// LAHF and SAHF in 64-bit mode are a feature of their own.
bool missing_in_64_bit_code(const Cpu& cpu, const Instruction& in) {
  return in.code_size == 8 && !cpu.model.has(Feature::LAHF_LM);
}

}  // namespace

bool exec_CLC(Cpu& cpu, const Instruction&) {
  set_cf(cpu.state, false);
  return true;
}

bool exec_STC(Cpu& cpu, const Instruction&) {
  set_cf(cpu.state, true);
  return true;
}

bool exec_CMC(Cpu& cpu, const Instruction&) {
  cpu.state.flags_carries ^= kCarryCf | kCarryPo;
  return true;
}

bool exec_CLD(Cpu& cpu, const Instruction&) {
  cpu.state.rflags_rest &= ~rflags::kDf;
  return true;
}

bool exec_STD(Cpu& cpu, const Instruction&) {
  cpu.state.rflags_rest |= rflags::kDf;
  return true;
}

bool exec_LAHF(Cpu& cpu, const Instruction& in) {
  if (missing_in_64_bit_code(cpu, in)) return cpu.raise_ud();
  CpuState& s = cpu.state;
  write_reg<u8>(s, kAh, static_cast<u8>((status_flags(s) & kLowFlags) | rflags::kFixed));
  return true;
}

bool exec_SAHF(Cpu& cpu, const Instruction& in) {
  if (missing_in_64_bit_code(cpu, in)) return cpu.raise_ud();
  CpuState& s = cpu.state;
  set_status_flags(s, (status_flags(s) & rflags::kOf) | (read_reg<u8>(s, kAh) & kLowFlags));
  return true;
}

}  // namespace lapwing
