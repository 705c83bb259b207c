// VMCALL and VMMCALL. CPUID.01H:ECX[31] says that a hypervisor runs this processor, and calling it has an
// answer: by KVM's convention (Linux, Documentation/virt/kvm/x86/hypercalls.rst), the call's number in RAX,
// its arguments in RBX, RCX, RDX and RSI, the result in RAX. Present: KVM_HC_VAPIC_POLL_IRQ, KVM_HC_SEND_IPI.
// CPUID announces neither. Without that bit both are undefined, as outside VMX and SVM.
#include <bit>

#include "core/cpu/exec/access.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/system.h"

namespace lapwing {

namespace {

enum class Call : u32 { kVapicPollIrq = 1, kSendIpi = 10 };
constexpr i64 kNotPermitted = -1, kInvalid = -22, kUnknownCall = -1000;

constexpr u32 kIcrModeShift = 8, kIcrMode = 7, kIcrFixed = 0, kIcrNmi = 4;
constexpr u32 kIcrDestination = 1u << 11 | 3u << 18;  // logical mode, shorthands

// IPIs to the APICs whose IDs are `first` plus the number of a bit that is set. How many were taken.
i64 send_to(Cpu& cpu, u64 bitmap, u64 first, u32 command) {
  i64 taken = 0;
  for (; bitmap != 0; bitmap &= bitmap - 1) {
    const u64 id = first + static_cast<unsigned>(std::countr_zero(bitmap));
    if (id < 0xFF && cpu.unit().send_ipi(command, static_cast<u32>(id))) ++taken;
  }
  return taken;
}

i64 send_ipi(Cpu& cpu, bool wide) {
  const auto& gpr = cpu.state.gpr;
  const u64 mask = wide ? ~0ull : 0xFFFFFFFF;
  const u64 first = static_cast<u32>(gpr[kRdx]);
  const auto command = static_cast<u32>(gpr[kRsi]);
  const u32 mode = command >> kIcrModeShift & kIcrMode;
  if ((command & kIcrDestination) != 0 || (mode != kIcrFixed && mode != kIcrNmi)) return kInvalid;
  return send_to(cpu, gpr[kRbx] & mask, first, command) +
         send_to(cpu, gpr[kRcx] & mask, first + (wide ? 64 : 32), command);
}

i64 answer(Cpu& cpu, bool wide) {
  if (cpu.state.cpl != 0) return kNotPermitted;
  const u64 number = wide ? cpu.state.gpr[kRax] : static_cast<u32>(cpu.state.gpr[kRax]);
  if (number == static_cast<u64>(Call::kVapicPollIrq)) return 0;
  if (number == static_cast<u64>(Call::kSendIpi)) return send_ipi(cpu, wide);
  return kUnknownCall;
}

bool call(Cpu& cpu) {
  if (!cpu.model.has(Feature::HYPERVISOR)) return cpu.raise_ud();
  const bool wide = cpu.state.code64();
  const i64 result = answer(cpu, wide);
  cpu.state.gpr[kRax] = wide ? static_cast<u64>(result) : static_cast<u32>(result);
  return true;
}

}  // namespace

bool exec_VMCALL(Cpu& cpu, const Instruction&) {
  return call(cpu);
}
bool exec_VMMCALL(Cpu& cpu, const Instruction&) {
  return call(cpu);
}

}  // namespace lapwing
