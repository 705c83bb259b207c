// x87 control instructions and the FSTENV and FSAVE images (Intel SDM vol. 1, 8.1.10 and 8.3.11; vol. 2).
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/image.h"
#include "core/cpu/exec/x87.h"

namespace lapwing {

namespace {

using namespace x87;

constexpr unsigned kRegisterBytes = 10;
constexpr unsigned kWords =
    7;  // control, status, tag, instruction pointer, selector and opcode, operand pointer, selector

// The environment as seven words of 2 or 4 bytes; only the layout of the pointers depends on the mode.
struct Environment {
  u32 words[kWords];
};

bool protected_layout(const CpuState& s) {
  return s.protected_mode() && !s.v8086();
}

Environment environment_of(const CpuState& s, bool wide) {
  const FpuState& fpu = s.fpu;
  const u32 upper = wide ? 0xFFFF0000 : 0;
  const u32 opcode = fpu.opcode & 0x7FFu;
  Environment result{{upper | fpu.control, upper | fpu.status, upper | full_tag_word(fpu), 0, 0, 0, 0}};
  if (protected_layout(s)) {
    result.words[3] = static_cast<u32>(fpu.ip);
    result.words[4] = fpu.cs | (wide ? opcode << 16 : 0);
    result.words[5] = static_cast<u32>(fpu.dp);
    result.words[6] = upper | fpu.ds;
    return result;
  }
  const u32 ip = static_cast<u32>(fpu.ip) + (static_cast<u32>(fpu.cs) << 4);
  const u32 dp = static_cast<u32>(fpu.dp) + (static_cast<u32>(fpu.ds) << 4);
  result.words[3] = upper | (ip & 0xFFFF);
  result.words[4] = ((ip >> 16 << 12) & (wide ? ~u32{0} : 0xF000)) | opcode;
  result.words[5] = upper | (dp & 0xFFFF);
  result.words[6] = (dp >> 16 << 12) & (wide ? ~u32{0} : 0xF000);
  return result;
}

void load_environment(CpuState& s, const Environment& image, bool wide) {
  FpuState& fpu = s.fpu;
  fpu.control = legal_control(static_cast<u16>(image.words[0]));
  fpu.status = static_cast<u16>(image.words[1]);
  fpu.valid = abridged_tag_word(static_cast<u16>(image.words[2]));
  if (protected_layout(s)) {
    fpu.ip = image.words[3];
    fpu.cs = static_cast<u16>(image.words[4]);
    fpu.opcode = static_cast<u16>(wide ? (image.words[4] >> 16) & 0x7FF : 0);
    fpu.dp = image.words[5];
    fpu.ds = static_cast<u16>(image.words[6]);
  } else {
    fpu.ip = (image.words[3] & 0xFFFF) | (image.words[4] >> 12 << 16);
    fpu.cs = 0;
    fpu.opcode = static_cast<u16>(image.words[4] & 0x7FF);
    fpu.dp = (image.words[5] & 0xFFFF) | (image.words[6] >> 12 << 16);
    fpu.ds = 0;
  }
  update_summary(fpu);
}

constexpr unsigned environment_bytes(bool wide) {
  return kWords * (wide ? 4 : 2);
}

void put_environment(MemoryImage& image, const Environment& environment, bool wide) {
  for (unsigned i = 0; i < kWords; ++i) {
    if (wide) {
      image.put<u32>(i * 4, environment.words[i]);
    } else {
      image.put<u16>(i * 2, static_cast<u16>(environment.words[i]));
    }
  }
}

Environment get_environment(const MemoryImage& image, bool wide) {
  Environment result;
  for (unsigned i = 0; i < kWords; ++i) {
    result.words[i] = wide ? image.get<u32>(i * 4) : image.get<u16>(i * 2);
  }
  return result;
}

}  // namespace

bool exec_FLDCW(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu) || !check_pending(cpu)) return false;
  u16 value;
  if (!load_operand(cpu, in, value)) return false;
  cpu.state.fpu.control = legal_control(value);
  update_summary(cpu.state.fpu);
  return true;
}

bool exec_FNSTCW(Cpu& cpu, const Instruction& in) {
  return check_available(cpu) && store_operand<u16>(cpu, in, cpu.state.fpu.control);
}

bool exec_FNSTSW(Cpu& cpu, const Instruction& in) {
  return check_available(cpu) && write_rm<u16>(cpu, in, cpu.state.fpu.status);
}

bool exec_FNCLEX(Cpu& cpu, const Instruction&) {
  if (!check_available(cpu)) return false;
  constexpr u16 kCleared = kFpAllExceptions | kStackFault | kErrorSummary | kBusy;
  cpu.state.fpu.status = static_cast<u16>(cpu.state.fpu.status & ~kCleared);
  return true;
}

bool exec_FNINIT(Cpu& cpu, const Instruction&) {
  if (!check_available(cpu)) return false;
  initialize(cpu.state.fpu);
  return true;
}

bool exec_FNSETPM(Cpu& cpu, const Instruction&) {
  return check_available(cpu);
}

// WAIT heeds TS only together with MP (SDM vol. 3, 2.5).
bool exec_FWAIT(Cpu& cpu, const Instruction&) {
  constexpr u64 kBoth = cr0::kMp | cr0::kTs;
  if ((cpu.state.cr0 & kBoth) == kBoth) return cpu.raise(kNM);
  return check_pending(cpu);
}

bool exec_FNSTENV(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  const bool wide = in.operand_size != 2;
  MemoryImage image;
  put_environment(image, environment_of(cpu.state, wide), wide);
  if (!image.store(cpu, in, environment_bytes(wide))) return false;
  cpu.state.fpu.control |= kFpAllExceptions;
  update_summary(cpu.state.fpu);
  return true;
}

bool exec_FLDENV(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu) || !check_pending(cpu)) return false;
  const bool wide = in.operand_size != 2;
  MemoryImage image;
  if (!image.load(cpu, in, environment_bytes(wide))) return false;
  load_environment(cpu.state, get_environment(image, wide), wide);
  return true;
}

bool exec_FNSAVE(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  const bool wide = in.operand_size != 2;
  const unsigned header = environment_bytes(wide);
  FpuState& fpu = cpu.state.fpu;
  MemoryImage image;
  put_environment(image, environment_of(cpu.state, wide), wide);
  for (unsigned i = 0; i < kRegisters; ++i) {
    const FpuRegister& slot = fpu.st[(top(fpu) + i) & 7];
    image.put<u64>(header + i * kRegisterBytes, slot.mantissa);
    image.put<u16>(header + i * kRegisterBytes + 8, slot.sign_exponent);
  }
  if (!image.store(cpu, in, header + kRegisters * kRegisterBytes)) return false;
  initialize(fpu);
  return true;
}

bool exec_FRSTOR(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu) || !check_pending(cpu)) return false;
  const bool wide = in.operand_size != 2;
  const unsigned header = environment_bytes(wide);
  MemoryImage image;
  if (!image.load(cpu, in, header + kRegisters * kRegisterBytes)) return false;
  load_environment(cpu.state, get_environment(image, wide), wide);
  FpuState& fpu = cpu.state.fpu;
  for (unsigned i = 0; i < kRegisters; ++i) {
    fpu.st[(top(fpu) + i) & 7] = {image.get<u64>(header + i * kRegisterBytes),
                                  image.get<u16>(header + i * kRegisterBytes + 8)};
  }
  return true;
}

}  // namespace lapwing
