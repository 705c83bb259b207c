// What is pending and what is taken, in the order of SDM vol. 3, "Priority Among Concurrent Events": INIT,
// traps of the previous instruction, NMI, maskable interrupts. (Code breakpoints and fetch faults come with
// the fetch itself.)
#include "core/cpu/cpu.h"
#include "core/cpu/debug.h"

namespace lapwing {

// STI holds an NMI back as MOV SS does (SDM vol. 2, "STI": it may inhibit NMIs on the next boundary).
bool Cpu::nmi_ready() const {
  return nmi_pending_ != 0 && !state.nmi_blocked && !state.interrupt_shadow;
}

bool Cpu::has_events() const {
  if (init_pending_ || sipi_pending_) return true;
  const bool held_by_mov_ss = state.interrupt_shadow && state.shadow_is_mov_ss;
  if (state.activity == Activity::kWaitForSipi) return false;
  if (pending_debug_ != 0 && !held_by_mov_ss) return true;
  if (nmi_ready()) return true;
  if (state.activity == Activity::kShutdown) return false;
  return intr_ && (state.rflags_rest & rflags::kIf) != 0 && !state.interrupt_shadow;
}

bool Cpu::runnable() const {
  return !halted() || has_events();
}

void Cpu::service_events() {
  if (take_start_events()) return;
  const bool held_by_mov_ss = state.interrupt_shadow && state.shadow_is_mov_ss;
  if (state.activity == Activity::kHalted) {
    state.activity = Activity::kRunning;
    trace.add(IrqEventKind::kCpuWake, DeviceId::kCpu, {.cpu = static_cast<u8>(index)});
  }
  if (++deliveries_ > 1000) leave_ = true;
  if (pending_debug_ != 0 && !held_by_mov_ss) return take_debug_trap();
  if (nmi_ready()) return take_nmi();
  take_interrupt();
}

bool Cpu::take_start_events() {
  if (init_pending_) {
    const bool sipi_follows = sipi_pending_;
    unit_->init_reset();
    init_reset();
    sipi_pending_ = sipi_follows;
    leave_ = true;
    return true;
  }
  if (!sipi_pending_) return false;
  sipi_pending_ = false;
  if (state.activity != Activity::kWaitForSipi) return true;
  trace.add(IrqEventKind::kSipi, DeviceId::kCpu,
            {.cause = sipi_cause_, .vector = sipi_vector_, .cpu = static_cast<u8>(index)});
  state.seg[kCs].selector = static_cast<u16>(sipi_vector_ << 8);
  state.seg[kCs].base = static_cast<u64>(sipi_vector_) << 12;
  state.seg[kCs].limit = 0xFFFF;
  state.rip = 0;
  state.activity = Activity::kRunning;
  update_mode();
  return true;
}

void Cpu::take_debug_trap() {
  const u64 bits = pending_debug_;
  pending_debug_ = 0;
  state.dr[6] = (state.dr[6] & ~dr6::kBreakpoints) | bits;
  retire_executed();
  trace.set_executing(static_cast<u8>(index), state.rip);
  trace.add(IrqEventKind::kCpuException, DeviceId::kCpu, {.vector = kDB, .cpu = static_cast<u8>(index)});
  state.dr[7] &= ~dr7::kGd;
  state.debugctl &= ~debugctl::kBtf;
  slow_mode_ = true;
  block_ = nullptr;
  const Fault trap{.vector = kDB, .is_trap = true};
  if (!deliver(kDB, EventKind::kException, &trap, state.rip)) {
    slow_mode_ = false;
    deliver_fault();
  }
  slow_mode_ = false;
  interruption_ = Interruption::kNone;
}

void Cpu::take_nmi() {
  --nmi_pending_;
  retire_executed();
  trace.set_executing(static_cast<u8>(index), state.rip);
  state.nmi_blocked = true;
  enter_handler(kNMI, EventKind::kNmi, nmi_cause_);
}

void Cpu::take_interrupt() {
  retire_executed();
  trace.set_executing(static_cast<u8>(index), state.rip);
  const Acknowledged taken = unit_->acknowledge();
  enter_handler(taken.vector, EventKind::kExternal, taken.cause);
}

// The record names the interrupted instruction and the handler: 0 when a fault came instead.
void Cpu::enter_handler(u8 vector, EventKind kind, CauseId cause) {
  const bool entered = deliver_event(vector, kind);
  trace.add(IrqEventKind::kCpuVector, DeviceId::kCpu,
            {.cause = cause,
             .vector = vector,
             .cpu = static_cast<u8>(index),
             .data = entered ? state.seg[kCs].base + state.rip : 0});
}

}  // namespace lapwing
