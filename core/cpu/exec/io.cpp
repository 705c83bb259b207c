#include "core/cpu/exec/io.h"

#include "core/cpu/debug.h"
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

namespace {

constexpr u32 kIoMapBase = 0x66;

void note_io_breakpoint(Cpu& cpu, u16 port, unsigned size) {
  if ((cpu.state.cr4 & cr4::kDe) == 0 || !breakpoints_enabled(cpu.state)) return;
  const unsigned kinds = kind_bit(BreakOn::kIo);
  if (matching_breakpoints(cpu.state, port, size, kinds, true) == 0) return;
  cpu.add_debug_trap(matching_breakpoints(cpu.state, port, size, kinds, false));
}

u16 port_of(const Cpu& cpu, const Instruction& in) {
  return in.form == Form::kPortImm ? static_cast<u8>(in.imm) : static_cast<u16>(cpu.state.gpr[kRdx]);
}

}  // namespace

bool check_io_permission(Cpu& cpu, u16 port, unsigned size) {
  const CpuState& s = cpu.state;
  if (!s.protected_mode()) return true;
  const auto iopl = static_cast<u8>((s.rflags_rest & rflags::kIopl) >> rflags::kIoplShift);
  if (!s.v8086() && s.cpl <= iopl) return true;
  const SegmentRegister& tr = s.seg[kTr];
  const bool tss32 = bit_of(tr.attributes, 3);
  u16 map;
  if (!tss32 || tr.limit < kIoMapBase + 1) return cpu.raise_gp(0);
  if (!load_system(cpu, tr.base + kIoMapBase, map)) return false;
  const u64 at = map + port / 8u;
  // Two bytes are always read, so the map ends with a byte of ones.
  if (at + 1 > tr.limit) return cpu.raise_gp(0);
  u16 bits;
  if (!load_system(cpu, tr.base + at, bits)) return false;
  const unsigned wanted = ((1u << size) - 1) << (port & 7);
  return (bits & wanted) == 0 ? true : cpu.raise_gp(0);
}

u32 port_read(Cpu& cpu, const Instruction& in, u16 port, unsigned size) {
  cpu.sync_time(in);
  note_io_breakpoint(cpu, port, size);
  return cpu.ports.port_in(port, size);
}

void port_write(Cpu& cpu, const Instruction& in, u16 port, u32 value, unsigned size) {
  cpu.sync_time(in);
  note_io_breakpoint(cpu, port, size);
  cpu.ports.port_out(port, value, size);
}

bool exec_IN(Cpu& cpu, const Instruction& in) {
  const u16 port = port_of(cpu, in);
  const unsigned size = in.operand_size;
  if (!check_io_permission(cpu, port, size)) return false;
  const u32 value = port_read(cpu, in, port, size);
  CpuState& s = cpu.state;
  if (size == 1) {
    write_reg<u8>(s, kRax, static_cast<u8>(value));
  } else if (size == 2) {
    write_reg<u16>(s, kRax, static_cast<u16>(value));
  } else {
    write_reg<u32>(s, kRax, value);
  }
  return true;
}

bool exec_OUT(Cpu& cpu, const Instruction& in) {
  const u16 port = port_of(cpu, in);
  const unsigned size = in.operand_size;
  if (!check_io_permission(cpu, port, size)) return false;
  const auto all = static_cast<u32>(cpu.state.gpr[kRax]);
  port_write(cpu, in, port, size == 4 ? all : all & ((1u << (8 * size)) - 1), size);
  return true;
}

}  // namespace lapwing
