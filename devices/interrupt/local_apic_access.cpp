// Register access: the xAPIC page, the x2APIC MSRs, IA32_APIC_BASE, the ICR.
#include <algorithm>

#include "devices/interrupt/local_apic.h"
#include "devices/interrupt/local_apic_registers.h"

namespace lapwing {

using namespace apic;

namespace {

constexpr u32 kMsrApicBase = 0x1B;
constexpr u32 kMsrTscDeadline = 0x6E0;
constexpr u32 kMsrX2apicFirst = 0x800;
constexpr u32 kMsrX2apicLast = 0x8FF;
constexpr unsigned kRegisterStride = 16;
constexpr unsigned kSetWords = 8;

// Index of the 32-bit piece of ISR, TMR or IRR that starts at `first`; kSetWords when `offset` is not one of
// them.
template <class Reg>
unsigned set_word(Reg reg, Reg first) {
  const unsigned distance = static_cast<unsigned>(reg) - static_cast<unsigned>(first);
  return static_cast<unsigned>(reg) < static_cast<unsigned>(first)
             ? kSetWords
             : std::min(distance / kRegisterStride, kSetWords);
}

}  // namespace

u32 apic::lvt_writable(LocalApic::Lvt which, bool tsc_deadline) {
  constexpr u32 kCommon = lvt::Vector::kMask | lvt::Mask::kMask;
  switch (which) {
    case LocalApic::Lvt::kTimer:
      return kCommon | (tsc_deadline ? lvt::TimerMode::kMask : 1u << lvt::TimerMode::kLo);
    case LocalApic::Lvt::kError: return kCommon;
    case LocalApic::Lvt::kLint0:
    case LocalApic::Lvt::kLint1:
      return kCommon | lvt::Mode::kMask | lvt::ActiveLow::kMask | lvt::Level::kMask;
    default: return kCommon | lvt::Mode::kMask;
  }
}

u32 LocalApic::logical_id() const {
  if (mode() != Mode::kX2apic) return ldr_;
  return ldr::Member::set(ldr::Cluster::set(0, id_ >> 4), 1u << (id_ & 15));
}

u8 LocalApic::p6_arbitration_priority() const {
  const auto irrv = static_cast<unsigned>(std::max(irr_.highest(), 0));
  const auto isrv = static_cast<unsigned>(std::max(isr_.highest(), 0));
  const u8 task = priority_class(tpr_);
  if (task >= priority_class(irrv) && task > priority_class(isrv)) return tpr_;
  return static_cast<u8>(std::max({task, priority_class(irrv), priority_class(isrv)}) << 4);
}

u32 LocalApic::read_lvt(Lvt which) const {
  const u32 value = lvt(which);
  if (which != Lvt::kLint0 && which != Lvt::kLint1) return value;
  // Send pending: a level request that waits for the EOI of the previous one.
  const unsigned pin = which == Lvt::kLint0 ? 0 : 1;
  const bool waiting = lint_level_triggered(pin) && lint_active(pin) && lvt::RemoteIrr::get(value) &&
                       !lvt::Mask::get(value) && !isr_.test(lvt::Vector::get(value)) &&
                       !irr_.test(lvt::Vector::get(value));
  return lvt::DeliveryStatus::set(value, waiting);
}

bool LocalApic::read_register(Reg reg, u32& value) const {
  for (std::size_t i = 0; i < kLvtEntries; ++i) {
    if (kLvtOffset[i] != static_cast<u16>(reg)) continue;
    value = read_lvt(static_cast<Lvt>(i));
    return true;
  }
  if (const unsigned i = set_word(reg, Reg::kIsr); i < kSetWords) return value = isr_.word(i), true;
  if (const unsigned i = set_word(reg, Reg::kTmr); i < kSetWords) return value = tmr_.word(i), true;
  if (const unsigned i = set_word(reg, Reg::kIrr); i < kSetWords) return value = irr_.word(i), true;
  switch (reg) {
    case Reg::kId: value = mode() == Mode::kX2apic ? id_ : id::Xapic::set(0, id_); return true;
    case Reg::kVersion: value = version::kValue; return true;
    case Reg::kTpr: value = tpr_; return true;
    case Reg::kApr: value = p6_arbitration_priority(); return true;
    case Reg::kPpr: value = processor_priority(); return true;
    case Reg::kEoi:
    case Reg::kRemoteRead: value = 0; return true;
    case Reg::kLdr: value = logical_id(); return true;
    case Reg::kDfr: value = dfr_; return true;
    case Reg::kSvr: value = svr_; return true;
    case Reg::kEsr: value = esr_; return true;
    case Reg::kIcrLow: value = icr_low_; return true;
    case Reg::kIcrHigh: value = icr_high_; return true;
    case Reg::kInitialCount: value = initial_count_; return true;
    case Reg::kCurrentCount: value = current_count(); return true;
    case Reg::kDivide: value = divide_; return true;
    default: value = 0; return false;
  }
}

bool LocalApic::write_register(Reg reg, u32 value) {
  for (std::size_t i = 0; i < kLvtEntries; ++i) {
    if (kLvtOffset[i] != static_cast<u16>(reg)) continue;
    write_lvt(static_cast<Lvt>(i), value);
    return true;
  }
  switch (reg) {
    case Reg::kId: id_ = id::Xapic::get(value); return true;
    case Reg::kTpr: write_tpr(static_cast<u8>(value)); return true;
    case Reg::kEoi: end_of_interrupt(); return true;
    case Reg::kLdr: ldr_ = value & ldr::Xapic::kMask; return true;
    case Reg::kDfr: dfr_ = value | ~dfr::Model::kMask; return true;
    case Reg::kSvr: write_svr(value); return true;
    case Reg::kEsr:
      esr_ = errors_;
      errors_ = 0;
      return true;
    case Reg::kIcrLow: write_icr(value, id::Xapic::get(icr_high_)); return true;
    case Reg::kIcrHigh: icr_high_ = value & icr::XapicDestination::kMask; return true;
    case Reg::kInitialCount: write_initial_count(value); return true;
    case Reg::kDivide: write_divide(value & divide::kWritable); return true;
    default: break;
  }
  // Read-only registers ignore writes; they are not reserved.
  u32 ignored;
  return read_register(reg, ignored);
}

void LocalApic::write_tpr(u8 value) {
  if (tpr_ == value) return;
  tpr_ = value;
  update_intr();
}

void LocalApic::set_cr8(u8 value) {
  const auto tpr = static_cast<u8>((value & 0xF) << 4);
  if (tpr != tpr_) trace(IrqEventKind::kRegisterWrite, 0, kNoVector, static_cast<u32>(Reg::kTpr), tpr);
  write_tpr(tpr);
}

void LocalApic::write_svr(u32 value) {
  svr_ = value & svr::kWritable;
  if (!software_enabled()) {
    settle_timer();
    for (u32& entry : lvt_) entry = lvt::Mask::set(entry, true);
    rearm_timer();
  }
  update_intr();
}

void LocalApic::write_lvt(Lvt which, u32 value) {
  value &= lvt_writable(which, config_.tsc_deadline);
  if (!software_enabled()) value = lvt::Mask::set(value, true);
  if (which == Lvt::kTimer) {
    change_timer_entry(value);
    return;
  }
  u32& current = entry(which);
  const bool keeps_remote_irr = lvt::Level::get(value) && lvt::Mode::get(value) == DeliveryMode::kFixed;
  current = value | (keeps_remote_irr ? current & lvt::RemoteIrr::kMask : 0);
  if (which == Lvt::kLint0 || which == Lvt::kLint1) service_lint_level(which == Lvt::kLint0 ? 0 : 1);
  update_intr();
}

void LocalApic::write_icr(u32 low, u32 destination) {
  icr_low_ = low & icr::kWritable;
  const DeliveryMode delivery_mode = icr::Mode::get(low);
  // INIT level de-assert only synchronized arbitration IDs of older processors.
  const bool deassert =
      delivery_mode == DeliveryMode::kInit && icr::LevelTriggered::get(low) && !icr::Assert::get(low);
  if (deassert) return;
  if (delivery_mode == DeliveryMode::kReserved || delivery_mode == DeliveryMode::kExtInt) return;
  const u8 vector = icr::Vector::get(low);
  const bool fixed = delivery_mode == DeliveryMode::kFixed || delivery_mode == DeliveryMode::kLowestPriority;
  if (fixed && vector < kFirstLegalVector) {
    record_error(esr::kSendIllegalVector);
    return;
  }
  send(low, {.id = destination, .logical = icr::Logical::get(low), .wide = mode() == Mode::kX2apic});
}

bool LocalApic::send_ipi(u32 command, u32 apic_id) {
  return send(command, {.id = apic_id, .logical = false, .wide = mode() == Mode::kX2apic});
}

bool LocalApic::send(u32 command, const ApicDestination& destination) {
  const u8 vector = icr::Vector::get(command);
  InterprocessorInterrupt ipi;
  ipi.source_cpu = config_.cpu;
  ipi.shorthand = icr::DestinationShorthand::get(command);
  ipi.destination = destination;
  // The trigger mode bit matters for INIT de-assert only: every IPI is an edge.
  ipi.delivery = {
      .mode = icr::Mode::get(command), .vector = vector, .level = false, .cause = trace_.new_cause()};
  trace(IrqEventKind::kIpiSent, ipi.delivery.cause, vector, static_cast<u32>(Reg::kIcrLow),
        (static_cast<u64>(destination.id) << 32) | (command & icr::kWritable));
  return bus_.send_ipi(ipi);
}

u64 LocalApic::mmio_page() const {
  return mode() == Mode::kXapic ? apic_base_ & base::kAddressMask : kNoApicPage;
}

u64 LocalApic::mmio_read(u32 offset, unsigned size) {
  u32 value = 0;
  if (!read_register(static_cast<Reg>(offset & ~(kRegisterStride - 1)), value))
    record_error(esr::kIllegalRegister);
  // Registers are the first doubleword of a 16-byte slot; the rest reads 0.
  const unsigned byte = offset % kRegisterStride;
  const u64 shifted = byte >= 4 ? 0 : value >> (byte * 8);
  return size >= 8 ? shifted : shifted & ((1ull << (size * 8)) - 1);
}

void LocalApic::mmio_write(u32 offset, u64 value, unsigned size) {
  // Only aligned doubleword stores are defined.
  if (offset % kRegisterStride != 0 || size != 4) return;
  trace(IrqEventKind::kRegisterWrite, 0, kNoVector, offset, value);
  const Reg reg = static_cast<Reg>(offset);
  if (!write_register(reg, static_cast<u32>(value))) record_error(esr::kIllegalRegister);
}

bool LocalApic::write_apic_base(u64 value) {
  u64 reserved = ~(base::kAddressMask | base::Enable::kMask | base::Bootstrap::kMask | base::X2apic::kMask);
  if (!config_.x2apic) reserved |= base::X2apic::kMask;
  reserved |= config_.reserved_addresses;
  if ((value & reserved) != 0) return false;
  const bool enable = base::Enable::get(value);
  const bool x2apic = base::X2apic::get(value);
  const Mode now = mode();
  if (x2apic && (!enable || now == Mode::kDisabled)) return false;
  if (now == Mode::kX2apic && enable && !x2apic) return false;
  trace(IrqEventKind::kRegisterWrite, 0, kNoVector, kMsrApicBase, value);
  apic_base_ = value;
  if (!enable && now != Mode::kDisabled) clear_registers();
  if (mode() != now) id_ = config_.id;
  if (mode() == Mode::kX2apic && now != Mode::kX2apic) {
    ldr_ = 0;
    dfr_ = ~0u;
    icr_high_ = 0;
  }
  update_intr();
  return true;
}

bool LocalApic::read_msr(u32 index, u64& value) {
  value = 0;
  if (!config_.present) return false;
  if (index == kMsrApicBase) return value = apic_base_, true;
  if (index == kMsrTscDeadline) {
    value = visible_tsc_deadline();
    return config_.tsc_deadline;
  }
  if (index < kMsrX2apicFirst || index > kMsrX2apicLast || mode() != Mode::kX2apic) return false;
  return read_x2apic(static_cast<Reg>((index - kMsrX2apicFirst) * kRegisterStride), value);
}

bool LocalApic::write_msr(u32 index, u64 value) {
  if (!config_.present) return false;
  if (index == kMsrApicBase) return write_apic_base(value);
  if (index == kMsrTscDeadline) {
    if (!config_.tsc_deadline) return false;
    write_tsc_deadline(value);
    return true;
  }
  if (index < kMsrX2apicFirst || index > kMsrX2apicLast || mode() != Mode::kX2apic) return false;
  return write_x2apic(static_cast<Reg>((index - kMsrX2apicFirst) * kRegisterStride), value);
}

bool LocalApic::read_x2apic(Reg reg, u64& value) const {
  switch (reg) {
    // Absent in x2APIC mode, or write-only.
    case Reg::kApr:
    case Reg::kEoi:
    case Reg::kRemoteRead:
    case Reg::kDfr:
    case Reg::kIcrHigh:
    case Reg::kSelfIpi: return false;
    case Reg::kIcrLow: value = (static_cast<u64>(icr_high_) << 32) | icr_low_; return true;
    default: break;
  }
  u32 low = 0;
  const bool exists = read_register(reg, low);
  value = low;
  return exists;
}

bool LocalApic::write_x2apic(Reg reg, u64 value) {
  u64 writable = 0;
  switch (reg) {
    case Reg::kTpr: writable = 0xFF; break;
    case Reg::kEoi:
    case Reg::kEsr: break;  // only 0 may be written
    case Reg::kSvr: writable = svr::kWritable; break;
    case Reg::kIcrLow: writable = icr::kWritable | ~static_cast<u64>(~0u); break;
    case Reg::kInitialCount: writable = ~0u; break;
    case Reg::kDivide: writable = divide::kWritable; break;
    case Reg::kSelfIpi: writable = 0xFF; break;
    default: {
      const auto* found = std::find(std::begin(kLvtOffset), std::end(kLvtOffset), static_cast<u16>(reg));
      if (found == std::end(kLvtOffset)) return false;
      const auto which = static_cast<Lvt>(found - std::begin(kLvtOffset));
      writable = lvt_writable(which, config_.tsc_deadline) | lvt::DeliveryStatus::kMask;  // read-only status
      if (which == Lvt::kLint0 || which == Lvt::kLint1) writable |= lvt::RemoteIrr::kMask;
    }
  }
  if ((value & ~writable) != 0) return false;
  trace(IrqEventKind::kRegisterWrite, 0, kNoVector, static_cast<u32>(reg), value);
  const auto low = static_cast<u32>(value);
  if (reg == Reg::kIcrLow) {
    icr_high_ = static_cast<u32>(value >> 32);
    write_icr(low, icr_high_);
  } else if (reg == Reg::kSelfIpi) {
    u32 self = icr::Vector::set(0, static_cast<u8>(low));
    self = icr::DestinationShorthand::set(self, Shorthand::kSelf);
    const u32 icr_before = icr_low_;
    write_icr(self, id_);
    icr_low_ = icr_before;
  } else {
    write_register(reg, low);
  }
  return true;
}

}  // namespace lapwing
