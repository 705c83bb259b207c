// Decimal adjustment: AAA AAS AAM AAD DAA DAS (SDM vol. 2). Undefined flags as Intel CPUs leave them, see
// each.
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/operand.h"

namespace lapwing {

namespace {

constexpr u8 kAl = 8 * kRax;
constexpr u8 kAh = 8 * kRax + 1;
constexpr u8 kAx = 8 * kRax;

// SF, ZF and PF of AL; OF is clear.
void set_decimal_flags(CpuState& s, u8 al, bool cf, bool af) {
  s.flags_result = sign_extend(al);
  s.flags_carries = (cf ? kCarryCf | kCarryPo : 0) | (af ? kCarryAf : 0);
}

// AAA and AAS: `adjust` is added to AX when the low digit is not decimal.
bool ascii_adjust(CpuState& s, int adjust) {
  u16 ax = read_reg<u16>(s, kAx);
  const bool carry = (ax & 0xF) > 9 || flag_af(s);
  if (carry) ax = static_cast<u16>(ax + adjust);
  ax &= 0xFF0F;
  write_reg<u16>(s, kAx, ax);
  set_decimal_flags(s, static_cast<u8>(ax), carry, carry);
  return true;
}

// DAA and DAS: `sign` is 1 or -1.
bool decimal_adjust(CpuState& s, int sign) {
  const u8 old_al = read_reg<u8>(s, kAl);
  const bool old_cf = flag_cf(s);
  const bool low = (old_al & 0xF) > 9 || flag_af(s);
  const bool high = old_al > 0x99 || old_cf;
  const int adjust = (low ? 6 : 0) + (high ? 0x60 : 0);
  const auto al = static_cast<u8>(old_al + sign * adjust);
  // DAS also borrows when only the low digit is adjusted and AL was below 6.
  const bool borrow = sign < 0 && low && old_al < 6;
  write_reg<u8>(s, kAl, al);
  set_decimal_flags(s, al, high || borrow, low);
  return true;
}

}  // namespace

bool exec_AAA(Cpu& cpu, const Instruction&) {
  return ascii_adjust(cpu.state, 0x106);
}
bool exec_AAS(Cpu& cpu, const Instruction&) {
  return ascii_adjust(cpu.state, -0x106);
}
bool exec_DAA(Cpu& cpu, const Instruction&) {
  return decimal_adjust(cpu.state, 1);
}
bool exec_DAS(Cpu& cpu, const Instruction&) {
  return decimal_adjust(cpu.state, -1);
}

bool exec_AAM(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const auto base = static_cast<u8>(in.imm);
  if (base == 0) return cpu.raise(kDE);
  const u8 al = read_reg<u8>(s, kAl);
  const auto low = static_cast<u8>(al % base);
  write_reg<u8>(s, kAh, static_cast<u8>(al / base));
  write_reg<u8>(s, kAl, low);
  set_decimal_flags(s, low, false, false);
  return true;
}

// The undefined CF, AF and OF are those of the byte addition.
bool exec_AAD(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const auto tens = static_cast<u8>(read_reg<u8>(s, kAh) * static_cast<u8>(in.imm));
  const u8 units = read_reg<u8>(s, kAl);
  const auto al = static_cast<u8>(units + tens);
  write_reg<u16>(s, kAx, al);
  set_flags_add<u8>(s, units, tens, al);
  return true;
}

}  // namespace lapwing
