// INS and OUTS (SDM vol. 2). A repeated one does a single iteration per execution, so that every port access
// happens at its exact time.
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/io.h"
#include "core/cpu/exec/string.h"

namespace lapwing {

namespace {

template <class T>
bool input_one(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const StringAddress address(in);
  const auto port = static_cast<u16>(s.gpr[kRdx]);
  u64 linear;
  if (!linear_address(cpu, in.reg, address.get(s, kRdi), sizeof(T), true, linear)) return false;
  // The port is read only when the store cannot fail.
  if (!cpu.probe_write(linear, sizeof(T), false, cpu.data_mode())) return false;
  if (!store_linear(cpu, linear, false, static_cast<T>(port_read(cpu, in, port, sizeof(T))))) return false;
  address.advance(s, kRdi, 1, sizeof(T));
  return true;
}

template <class T>
bool output_one(Cpu& cpu, const Instruction& in) {
  CpuState& s = cpu.state;
  const StringAddress address(in);
  const auto port = static_cast<u16>(s.gpr[kRdx]);
  T value;
  if (!load(cpu, in.segment, address.get(s, kRsi), value)) return false;
  port_write(cpu, in, port, value, sizeof(T));
  address.advance(s, kRsi, 1, sizeof(T));
  return true;
}

template <class One>
bool run_port_string(Cpu& cpu, const Instruction& in, One one) {
  // Checked even when there is nothing to repeat.
  if (!check_io_permission(cpu, static_cast<u16>(cpu.state.gpr[kRdx]), in.operand_size)) return false;
  if (!repeats(in)) return one();
  CpuState& s = cpu.state;
  const StringAddress address(in);
  const u64 count = address.get(s, kRcx);
  if (count > 0) {
    if (!one()) return false;
    address.set(s, kRcx, count - 1);
  }
  s.rip = count > 1 ? cpu.current_rip(in) : cpu.next_rip(in);
  return true;
}

}  // namespace

bool exec_INS(Cpu& cpu, const Instruction& in) {
  return run_port_string(cpu, in, [&] {
    if (in.operand_size == 1) return input_one<u8>(cpu, in);
    return in.operand_size == 2 ? input_one<u16>(cpu, in) : input_one<u32>(cpu, in);
  });
}

bool exec_OUTS(Cpu& cpu, const Instruction& in) {
  return run_port_string(cpu, in, [&] {
    if (in.operand_size == 1) return output_one<u8>(cpu, in);
    return in.operand_size == 2 ? output_one<u16>(cpu, in) : output_one<u32>(cpu, in);
  });
}

}  // namespace lapwing
