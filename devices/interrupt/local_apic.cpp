// Priority, acceptance, INTA, EOI and the LINT pins.
#include "devices/interrupt/local_apic.h"

#include "devices/interrupt/local_apic_registers.h"

namespace lapwing {

using namespace apic;

int VectorSet::highest() const {
  for (int word = 7; word >= 0; --word) {
    const u32 bits = words_[static_cast<std::size_t>(word)];
    if (bits != 0) return word * 32 + 31 - __builtin_clz(bits);
  }
  return -1;
}

LocalApic::LocalApic(const LocalApicConfig& config, Clock& clock, IrqTrace& trace, CpuPins& pins,
                     ApicBus& bus, InterruptAcknowledge& pic)
    : config_(config),
      clock_(clock),
      trace_(trace),
      pins_(pins),
      bus_(bus),
      pic_(pic),
      timer_(clock, [this](u64 deadline) { timer_expired(deadline); }) {
  reset();
}

void LocalApic::reset() {
  apic_base_ = config_.present ? base::Enable::set(base::kReset, true) : 0;
  apic_base_ = base::Bootstrap::set(apic_base_, config_.bootstrap && config_.present);
  tsc_offset_ = 0;
  id_ = config_.id;
  clear_registers();
}

void LocalApic::init_reset() {
  clear_registers();
}

void LocalApic::clear_registers() {
  tpr_ = 0;
  ldr_ = 0;
  dfr_ = ~0u;
  svr_ = svr::kReset;
  isr_.clear();
  tmr_.clear();
  irr_.clear();
  irr_cause_.fill(0);
  isr_cause_.fill(0);
  esr_ = 0;
  errors_ = 0;
  icr_low_ = 0;
  icr_high_ = 0;
  lvt_.fill(lvt::Mask::kMask);
  divide_ = 0;
  initial_count_ = 0;
  start_count_ = 0;
  start_ns_ = 0;
  tsc_deadline_ = 0;
  timer_.cancel();
  extint_message_ = false;
  extint_cause_ = 0;
  update_intr();
}

void LocalApic::trace(IrqEventKind kind, CauseId cause, u16 vector, u32 line, u64 data) {
  trace_.add(kind, DeviceId::kLapic,
             {.cause = cause,
              .line = line,
              .vector = vector,
              .cpu = config_.cpu,
              .instance = config_.cpu,
              .data = data});
}

LocalApic::Mode LocalApic::mode() const {
  if (!base::Enable::get(apic_base_)) return Mode::kDisabled;
  return base::X2apic::get(apic_base_) ? Mode::kX2apic : Mode::kXapic;
}

bool LocalApic::software_enabled() const {
  return svr::Enable::get(svr_);
}

bool LocalApic::accepts_fixed() const {
  return mode() != Mode::kDisabled && software_enabled();
}

u8 LocalApic::processor_priority() const {
  const int serving = isr_.highest();
  const auto isrv = static_cast<unsigned>(serving < 0 ? 0 : serving);
  if (priority_class(tpr_) >= priority_class(isrv)) return tpr_;
  return static_cast<u8>(isrv & 0xF0);
}

int LocalApic::deliverable_vector() const {
  if (mode() == Mode::kDisabled) return -1;
  const int request = irr_.highest();
  if (request < 0) return -1;
  const u8 request_class = priority_class(static_cast<unsigned>(request));
  return request_class > priority_class(processor_priority()) ? request : -1;
}

bool LocalApic::extint_pending() const {
  if (mode() == Mode::kDisabled) return lint_level_[0];
  if (extint_message_) return true;
  for (unsigned pin = 0; pin < 2; ++pin) {
    const u32 value = lint_entry(pin);
    if (lvt::Mode::get(value) == DeliveryMode::kExtInt && !lvt::Mask::get(value) && lint_active(pin))
      return true;
  }
  return false;
}

void LocalApic::update_intr() {
  const bool extint = extint_pending();
  if (extint && !extint_seen_) {
    trace(IrqEventKind::kExtInt, extint_message_ ? extint_cause_ : lint_cause_[0]);
  }
  extint_seen_ = extint;
  const bool level = extint || deliverable_vector() >= 0;
  if (level == intr_) return;
  intr_ = level;
  pins_.set_intr(level);
}

Acknowledged LocalApic::acknowledge() {
  if (extint_pending()) {
    extint_message_ = false;
    // The PIC lowers INTR during INTA; a further request counts as a new one.
    const Acknowledged result = pic_.acknowledge();
    extint_seen_ = false;
    update_intr();
    return result;
  }
  const int vector = deliverable_vector();
  if (vector < 0) {
    const u8 spurious = svr::Vector::get(svr_);
    trace(IrqEventKind::kLapicSpurious, 0, spurious);
    return {spurious, 0};
  }
  const auto v = static_cast<u8>(vector);
  const CauseId cause = irr_cause_[v];
  irr_.set(v, false);
  irr_cause_[v] = 0;
  isr_.set(v, true);
  isr_cause_[v] = cause;
  trace(IrqEventKind::kLapicIsr, cause, v);
  update_intr();
  return {v, cause};
}

void LocalApic::end_of_interrupt() {
  const int vector = isr_.highest();
  if (vector < 0) return;
  const auto v = static_cast<u8>(vector);
  const CauseId cause = isr_cause_[v];
  isr_.set(v, false);
  isr_cause_[v] = 0;
  trace(IrqEventKind::kLapicEoi, cause, v);
  if (tmr_.test(v)) {
    if (!svr::SuppressEoi::get(svr_)) {
      trace(IrqEventKind::kLapicEoiBroadcast, cause, v);
      bus_.broadcast_eoi(v);
    }
    for (unsigned pin = 0; pin < 2; ++pin) {
      u32& value = entry(pin == 0 ? Lvt::kLint0 : Lvt::kLint1);
      if (!lvt::RemoteIrr::get(value) || lvt::Vector::get(value) != v) continue;
      value = lvt::RemoteIrr::set(value, false);
      service_lint_level(pin);
    }
  }
  update_intr();
}

bool LocalApic::accept_vector(u8 vector, bool level, CauseId cause) {
  if (vector < kFirstLegalVector) {
    record_error(esr::kReceiveIllegalVector);
    return false;
  }
  tmr_.set(vector, level);
  if (irr_.test(vector)) {
    trace(IrqEventKind::kLapicCoalesced, cause, vector);
    return true;
  }
  irr_.set(vector, true);
  irr_cause_[vector] = cause;
  trace(IrqEventKind::kLapicIrrSet, cause, vector);
  update_intr();
  return true;
}

bool LocalApic::deliver(const ApicDelivery& delivery) {
  const bool fixed = delivery.mode == DeliveryMode::kFixed || delivery.mode == DeliveryMode::kLowestPriority;
  const bool refused =
      mode() == Mode::kDisabled || ((fixed || delivery.mode == DeliveryMode::kExtInt) && !software_enabled());
  if (refused) {
    trace(IrqEventKind::kLapicDisabled, delivery.cause, delivery.vector);
    return false;
  }
  switch (delivery.mode) {
    case DeliveryMode::kFixed:
    case DeliveryMode::kLowestPriority: return accept_vector(delivery.vector, delivery.level, delivery.cause);
    case DeliveryMode::kSmi: pins_.smi(delivery.cause); return true;
    case DeliveryMode::kNmi: pins_.nmi(delivery.cause); return true;
    case DeliveryMode::kInit: pins_.init(delivery.cause); return true;
    case DeliveryMode::kStartUp: pins_.sipi(delivery.vector, delivery.cause); return true;
    case DeliveryMode::kExtInt:
      extint_message_ = true;
      extint_cause_ = delivery.cause;
      update_intr();
      return true;
    case DeliveryMode::kReserved: break;
  }
  return false;
}

bool LocalApic::matches(const ApicDestination& destination) const {
  const Mode now = mode();
  if (now == Mode::kDisabled) return false;
  const u32 mda = destination.id;
  const u32 everyone = destination.wide ? ~0u : id::Xapic::kMax;
  if (mda == everyone) return true;
  if (!destination.logical) return mda == id_;
  const u32 own = logical_id();
  if (now == Mode::kX2apic) {
    return ldr::Cluster::get(mda) == ldr::Cluster::get(own) &&
           (ldr::Member::get(mda) & ldr::Member::get(own)) != 0;
  }
  if (mda > id::Xapic::kMax) return false;
  const u32 logical = ldr::Xapic::get(own);
  if (dfr::Model::get(dfr_) == dfr::kFlat) return (mda & logical) != 0;
  if (dfr::Model::get(dfr_) != dfr::kCluster) return false;
  return (mda >> 4) == (logical >> 4) && (mda & logical & 0xF) != 0;
}

void LocalApic::record_error(u32 bit) {
  if ((errors_ & bit) != 0) return;
  errors_ |= bit;
  fire_lvt(Lvt::kError, trace_.new_cause());
}

void LocalApic::fire_local(Lvt lvt) {
  fire_lvt(lvt, trace_.new_cause());
}

void LocalApic::fire_lvt(Lvt which, CauseId cause) {
  u32& value = entry(which);
  const u8 vector = lvt::Vector::get(value);
  const u32 offset = kLvtOffset[static_cast<std::size_t>(which)];
  if (mode() == Mode::kDisabled) return;
  if (lvt::Mask::get(value)) {
    trace(IrqEventKind::kLapicMasked, cause, vector, offset);
    return;
  }
  trace(IrqEventKind::kLvtFired, cause, vector, offset);
  // Timer and error entries have no delivery mode: they are fixed.
  const bool always_fixed = which == Lvt::kTimer || which == Lvt::kError;
  const DeliveryMode delivery = always_fixed ? DeliveryMode::kFixed : lvt::Mode::get(value);
  const bool lint = which == Lvt::kLint0 || which == Lvt::kLint1;
  if (which == Lvt::kPerformance) value = lvt::Mask::set(value, true);
  switch (delivery) {
    case DeliveryMode::kFixed: accept_vector(vector, lint && lvt::Level::get(value), cause); break;
    case DeliveryMode::kSmi:
    case DeliveryMode::kNmi:
      deliver({.mode = delivery, .vector = vector, .level = false, .cause = cause});
      break;
    case DeliveryMode::kInit:
      if (lint) deliver({.mode = delivery, .vector = vector, .level = false, .cause = cause});
      break;
    default: break;
  }
}

bool LocalApic::lint_active(unsigned pin) const {
  return lint_level_[pin] != lvt::ActiveLow::get(lint_entry(pin));
}

bool LocalApic::lint_level_triggered(unsigned pin) const {
  // Level sensitivity exists for fixed mode, and on LINT0 only.
  const u32 value = lint_entry(pin);
  return pin == 0 && lvt::Level::get(value) && lvt::Mode::get(value) == DeliveryMode::kFixed;
}

void LocalApic::service_lint_level(unsigned pin) {
  u32& value = entry(pin == 0 ? Lvt::kLint0 : Lvt::kLint1);
  if (mode() == Mode::kDisabled || !lint_level_triggered(pin) || lvt::Mask::get(value)) return;
  if (!lint_active(pin) || lvt::RemoteIrr::get(value)) return;
  value = lvt::RemoteIrr::set(value, lvt::Vector::get(value) >= kFirstLegalVector);
  fire_lvt(pin == 0 ? Lvt::kLint0 : Lvt::kLint1, lint_cause_[pin]);
}

void LocalApic::lint_edge(unsigned pin) {
  const u32 value = lint_entry(pin);
  if (lvt::Mask::get(value) || lvt::Mode::get(value) != DeliveryMode::kExtInt) {
    if (!lint_level_triggered(pin)) fire_lvt(pin == 0 ? Lvt::kLint0 : Lvt::kLint1, lint_cause_[pin]);
  }
}

void LocalApic::set_lint(unsigned pin, bool level, CauseId cause) {
  const bool was_active = lint_active(pin);
  const bool was_high = lint_level_[pin];
  lint_level_[pin] = level;
  if (level) lint_cause_[pin] = cause;
  if (mode() == Mode::kDisabled) {
    if (pin == 1 && level && !was_high) {
      trace(IrqEventKind::kNmi, cause);
      pins_.nmi(cause);
    }
  } else {
    if (lint_active(pin) && !was_active) lint_edge(pin);
    service_lint_level(pin);
  }
  update_intr();
}

}  // namespace lapwing
