#include "devices/interrupt/router.h"

namespace lapwing {

LineSink& GsiRouter::new_source() {
  return sources_.emplace_back(*this);
}

void GsiRouter::Source::set_line(unsigned line, bool level, CauseId cause) {
  if (line >= kGsis) return;
  CauseId& holder = router_.holders_[line];
  const bool was_high = router_.level(line);
  const bool was_mine = bit_of(levels_, line);
  const CauseId before = causes_[line];
  levels_ = with_bit(levels_, line, level);
  causes_[line] = level ? cause : 0;
  if (!was_high || (level && was_mine && holder == before)) {
    holder = cause;
  } else if (level && !was_mine) {
    router_.trace_.add(IrqEventKind::kLineJoined, DeviceId::kRouter,
                       {.cause = cause, .line = line, .data = holder});
  } else if (router_.level(line) && !router_.holds(line, holder)) {
    const CauseId next = router_.earliest(line);
    router_.trace_.add(IrqEventKind::kLineKept, DeviceId::kRouter,
                       {.cause = next, .line = line, .data = holder});
    holder = next;
  }
  router_.update(line);
}

bool GsiRouter::level(unsigned gsi) const {
  for (const Source& source : sources_) {
    if (bit_of(source.levels_, gsi)) return true;
  }
  return false;
}

bool GsiRouter::holds(unsigned gsi, CauseId cause) const {
  for (const Source& source : sources_) {
    if (bit_of(source.levels_, gsi) && source.causes_[gsi] == cause) return true;
  }
  return false;
}

CauseId GsiRouter::earliest(unsigned gsi) const {
  CauseId first = 0;
  for (const Source& source : sources_) {
    if (!bit_of(source.levels_, gsi)) continue;
    first = first == 0 ? source.causes_[gsi] : earlier(first, source.causes_[gsi]);
  }
  return first;
}

void GsiRouter::update(unsigned gsi) {
  const bool high = level(gsi);
  const CauseId why = high ? holders_[gsi] : 0;
  if (pic_ != nullptr && gsi < kIsaLines) pic_->set_line(gsi, high, why);
  for (IoApic* ioapic : ioapics_) {
    const unsigned base = ioapic->config().gsi_base;
    if (gsi < base || gsi >= base + IoApic::kPins) continue;
    if (gsi != 0 && gsi != kIsaTimerPin) {
      ioapic->set_line(gsi - base, high, why);
      continue;
    }
    // The system timer and whatever drives GSI 2 itself (an HPET comparator) share pin 2.
    const bool timer = level(0);
    ioapic->set_line(kIsaTimerPin, timer || level(kIsaTimerPin),
                     timer ? holders_[0] : holders_[kIsaTimerPin]);
  }
}

void GsiRouter::save(StateWriter& out) const {
  out.put_u32(static_cast<u32>(sources_.size()));
  for (const Source& source : sources_) {
    out.put_u64(source.levels_);
    for (unsigned gsi = 0; gsi < kGsis; ++gsi) {
      if (bit_of(source.levels_, gsi)) out.put_u32(source.causes_[gsi]);
    }
  }
  for (unsigned gsi = 0; gsi < kGsis; ++gsi) out.put_u32(level(gsi) ? holders_[gsi] : 0);
}

bool GsiRouter::load(StateReader& in) {
  if (in.get_u32() != sources_.size()) in.fail();
  for (Source& source : sources_) {
    source.levels_ = in.get_u64();
    for (unsigned gsi = 0; gsi < kGsis; ++gsi) {
      source.causes_[gsi] = bit_of(source.levels_, gsi) ? in.get_u32() : 0;
    }
  }
  for (CauseId& holder : holders_) holder = in.get_u32();
  return in.ok();
}

template <class Addressed>
bool MessageRouter::deliver(const ApicDelivery& delivery, bool lowest_priority, Addressed addressed) {
  bool accepted = false;
  LocalApic* chosen = nullptr;
  for (LocalApic* apic : apics_) {
    if (!addressed(*apic)) continue;
    if (!lowest_priority) {
      accepted |= apic->deliver(delivery);
    } else if (apic->accepts_fixed() &&
               (chosen == nullptr || apic->arbitration_priority() < chosen->arbitration_priority())) {
      chosen = apic;
    }
  }
  if (chosen != nullptr) accepted = chosen->deliver(delivery);
  return accepted;
}

bool MessageRouter::send(const InterruptMessage& message) {
  const u32 vector = message_data::Vector::get(message.data);
  const u64 shown = (message.address << 32) | message.data;
  const IrqTrace::Fields fields{
      .cause = message.cause, .line = 0, .vector = static_cast<u16>(vector), .data = shown};
  trace_.add(IrqEventKind::kMessageSent, DeviceId::kRouter, fields);

  ApicDelivery delivery;
  delivery.mode = message_data::Mode::get(message.data);
  delivery.vector = static_cast<u8>(vector);
  delivery.level = message_data::LevelTriggered::get(message.data);
  delivery.cause = message.cause;
  const bool deassert = delivery.level && !message_data::Assert::get(message.data);
  const bool no_such_mode =
      delivery.mode == DeliveryMode::kReserved || delivery.mode == DeliveryMode::kStartUp;

  ApicDestination destination;
  const u32 high = message_address::ExtendedDestination::get(message.address);
  destination.id = message_address::Destination::get(message.address) | (high << 8);
  destination.logical = message_address::LogicalMode::get(message.address);
  destination.wide = high != 0;
  const bool hint = message_address::RedirectionHint::get(message.address) && destination.logical &&
                    delivery.mode == DeliveryMode::kFixed;
  const bool lowest = hint || delivery.mode == DeliveryMode::kLowestPriority;

  bool accepted = false;
  if (message_address::Window::get(message.address) == message_address::kWindow && !deassert &&
      !no_such_mode) {
    accepted = deliver(delivery, lowest, [&](const LocalApic& apic) { return apic.matches(destination); });
  }
  if (!accepted) trace_.add(IrqEventKind::kMessageDropped, DeviceId::kRouter, fields);
  return accepted;
}

bool MessageRouter::send_ipi(const InterprocessorInterrupt& ipi) {
  const bool accepted =
      deliver(ipi.delivery, ipi.delivery.mode == DeliveryMode::kLowestPriority, [&](const LocalApic& apic) {
        const bool self = apic.config().cpu == ipi.source_cpu;
        switch (ipi.shorthand) {
          case Shorthand::kSelf: return self;
          case Shorthand::kAllIncludingSelf: return true;
          case Shorthand::kAllExcludingSelf: return !self;
          default: return apic.matches(ipi.destination);
        }
      });
  if (!accepted) {
    trace_.add(IrqEventKind::kMessageDropped, DeviceId::kRouter,
               {.cause = ipi.delivery.cause, .vector = ipi.delivery.vector, .cpu = ipi.source_cpu});
  }
  return accepted;
}

void MessageRouter::broadcast_eoi(u8 vector) {
  for (EoiSink* ioapic : ioapics_) ioapic->eoi_broadcast(vector);
}

void PicOutput::set_line(unsigned, bool level, CauseId cause) {
  for (LocalApic* apic : apics_) apic->set_lint(0, level, cause);
  if (ioapic_ != nullptr) ioapic_->set_line(pin_, level, cause);
}

}  // namespace lapwing
