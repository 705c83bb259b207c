#include "core/cpu/exec/move.h"

#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

constexpr u8 kAl = 8 * kRax;

template <class T>
bool move_any(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  switch (in.form) {
    case Form::kRM: return move<Form::kRM, T, Kind::kAny>(cpu, in);
    case Form::kMR: return move<Form::kMR, T, Kind::kAny>(cpu, in);
    case Form::kMoffsStore: return store(cpu, in.segment, in.imm, read_reg<T>(s, kAl));
    case Form::kMoffsLoad: {
      T value;
      if (!load(cpu, in.segment, in.imm, value)) return false;
      write_reg<T>(s, kAl, value);
      return true;
    }
    default: return move<Form::kMI, T, Kind::kAny>(cpu, in);
  }
}

}  // namespace

bool exec_MOV(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return move_any<decltype(zero)>(cpu, in); });
}

bool exec_MOVZX_B(Cpu& cpu, const Instruction& in) {
  return by_word_size(in,
                      [&](auto zero) { return move_zero_extended<u8, decltype(zero), Kind::kAny>(cpu, in); });
}

bool exec_MOVZX_W(Cpu& cpu, const Instruction& in) {
  return by_word_size(
      in, [&](auto zero) { return move_zero_extended<u16, decltype(zero), Kind::kAny>(cpu, in); });
}

bool exec_MOVSX_B(Cpu& cpu, const Instruction& in) {
  return by_word_size(in,
                      [&](auto zero) { return move_sign_extended<u8, decltype(zero), Kind::kAny>(cpu, in); });
}

bool exec_MOVSX_W(Cpu& cpu, const Instruction& in) {
  return by_word_size(
      in, [&](auto zero) { return move_sign_extended<u16, decltype(zero), Kind::kAny>(cpu, in); });
}

// With a 16-bit destination the source is a word too.
bool exec_MOVSXD(Cpu& cpu, const Instruction& in) {
  if (in.operand_size == 2) return move<Form::kRM, u16, Kind::kAny>(cpu, in);
  if (in.operand_size == 4) return move<Form::kRM, u32, Kind::kAny>(cpu, in);
  return move_sign_extended<u32, u64, Kind::kAny>(cpu, in);
}

bool exec_LEA(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) { return load_address<decltype(zero)>(cpu, in); });
}

bool exec_XCHG(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return exchange<decltype(zero), Kind::kAny>(cpu, in); });
}

bool exec_XLAT(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  u64 address = s.gpr[kRbx] + read_reg<u8>(s, kAl);
  if (in.address_size != 8)
    address = in.address_size == 4 ? static_cast<u32>(address) : static_cast<u16>(address);
  u8 value;
  if (!load(cpu, in.segment, address, value)) return false;
  write_reg<u8>(s, kAl, value);
  return true;
}

bool exec_CBW(Cpu& cpu, const Instruction& in) {
  if (in.operand_size == 2) return extend_accumulator<u8, u16>(cpu);
  return in.operand_size == 4 ? extend_accumulator<u16, u32>(cpu) : extend_accumulator<u32, u64>(cpu);
}

bool exec_CWD(Cpu& cpu, const Instruction& in) {
  return by_word_size(in, [&](auto zero) { return spread_sign<decltype(zero)>(cpu); });
}

bool exec_CMOVCC(Cpu& cpu, const Instruction& in) {
  const bool condition = condition_holds(cpu.state, in.condition());
  return by_word_size(
      in, [&](auto zero) { return conditional_move<decltype(zero), Kind::kAny>(cpu, in, condition); });
}

bool exec_SETCC(Cpu& cpu, const Instruction& in) {
  return set_on_condition<Kind::kAny>(cpu, in, condition_holds(cpu.state, in.condition()));
}

// Undocumented SALC: AL = CF ? FF : 0.
bool exec_SALC(Cpu& cpu, const Instruction&) {
  write_reg<u8>(cpu.state, kAl, flag_cf(cpu.state) ? 0xFF : 0);
  return true;
}

// Instructions without an effect here: caches, store buffers and speculation do not exist.
bool exec_NOP(Cpu&, const Instruction&) {
  return true;
}
bool exec_PREFETCHNTA(Cpu&, const Instruction&) {
  return true;
}
bool exec_PREFETCHT0(Cpu&, const Instruction&) {
  return true;
}
bool exec_PREFETCHT1(Cpu&, const Instruction&) {
  return true;
}
bool exec_PREFETCHT2(Cpu&, const Instruction&) {
  return true;
}
bool exec_PREFETCHW(Cpu&, const Instruction&) {
  return true;
}
bool exec_LFENCE(Cpu&, const Instruction&) {
  return true;
}
bool exec_MFENCE(Cpu&, const Instruction&) {
  return true;
}
bool exec_SFENCE(Cpu&, const Instruction&) {
  return true;
}

// Flushing a line has no effect, but the address is checked as for a byte load.
bool exec_CLFLUSH(Cpu& cpu, const Instruction& in) {
  u8 ignored;
  return load_operand(cpu, in, ignored);
}

bool exec_CLFLUSHOPT(Cpu& cpu, const Instruction& in) {
  return cpu.model.has(Feature::CLFLUSHOPT) ? exec_CLFLUSH(cpu, in) : cpu.raise_ud();
}

}  // namespace lapwing
