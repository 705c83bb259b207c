#include "devices/interrupt/ioapic.h"

namespace lapwing {

namespace {

// Memory-mapped registers, as offsets in the window.
enum class Window : u8 { kSelect = 0x00, kData = 0x10, kEoi = 0x40 };
// Indirect registers.
enum class Index : u8 { kId = 0x00, kVersion = 0x01, kArbitrationId = 0x02, kTable = 0x10 };

using Id = Field<u8, u32, 24, 4>;
using Version = Field<u8, u32, 0, 8>;
using MaximumEntry = Field<u8, u32, 16, 8>;

namespace entry {
using Vector = Field<u8, u64, 0, 8>;
using Mode = Field<DeliveryMode, u64, 8, 3>;
using Logical = Field<bool, u64, 11, 1>;
using DeliveryStatus = Field<bool, u64, 12, 1>;
using ActiveLow = Field<bool, u64, 13, 1>;
using RemoteIrr = Field<bool, u64, 14, 1>;
using Level = Field<bool, u64, 15, 1>;
using Mask = Field<bool, u64, 16, 1>;
using Destination = Field<u8, u64, 56, 8>;
constexpr u64 kWritable = Vector::kMask | Mode::kMask | Logical::kMask | ActiveLow::kMask | Level::kMask |
                          Mask::kMask | Destination::kMask;
}  // namespace entry

constexpr u64 kLowHalf = 0xFFFFFFFF;

}  // namespace

IoApic::IoApic(const IoApicConfig& config, IrqTrace& trace, MessageSink& messages)
    : config_(config), trace_(trace), messages_(messages) {
  reset();
}

void IoApic::reset() {
  select_ = 0;
  id_ = config_.id & Id::kMax;
  arbitration_id_ = id_;
  entries_.fill(entry::Mask::kMask);
}

void IoApic::trace(IrqEventKind kind, unsigned pin, CauseId cause) {
  trace_.add(kind, DeviceId::kIoapic,
             {.cause = cause,
              .line = pin,
              .vector = entry::Vector::get(entries_[pin]),
              .instance = config_.instance,
              .data = config_.instance});
}

bool IoApic::pin_active(unsigned pin) const {
  const bool inverted = bit_of(config_.active_low_pins, pin) != entry::ActiveLow::get(entries_[pin]);
  return bit_of(lines_, pin) != inverted;
}

bool IoApic::level_pin(unsigned pin) const {
  const u64 value = entries_[pin];
  const DeliveryMode mode = entry::Mode::get(value);
  return entry::Level::get(value) && (mode == DeliveryMode::kFixed || mode == DeliveryMode::kLowestPriority);
}

u64 IoApic::visible_entry(unsigned pin) const {
  const u64 value = entries_[pin];
  const bool waiting =
      level_pin(pin) && pin_active(pin) && !entry::Mask::get(value) && !entry::RemoteIrr::get(value);
  return entry::DeliveryStatus::set(value, waiting);
}

void IoApic::set_line(unsigned pin, bool level, CauseId cause) {
  if (pin >= kPins) return;
  const bool was_active = pin_active(pin);
  lines_ = with_bit(lines_, pin, level);
  if (level) cause_[pin] = cause;
  const bool active = pin_active(pin);
  if (active == was_active || !active) return;
  if (entry::Mask::get(entries_[pin])) {
    trace(IrqEventKind::kIoapicMasked, pin, cause_[pin]);
    return;
  }
  trace(IrqEventKind::kIoapicLatched, pin, cause_[pin]);
  if (level_pin(pin)) {
    service_level(pin);
  } else {
    send(pin);
  }
}

void IoApic::service_level(unsigned pin) {
  u64& value = entries_[pin];
  if (!level_pin(pin) || !pin_active(pin) || entry::Mask::get(value)) return;
  if (entry::RemoteIrr::get(value)) {
    trace(IrqEventKind::kIoapicRemoteIrr, pin, cause_[pin]);
    return;
  }
  // Set before sending: the receiver may answer with EOI at once.
  value = entry::RemoteIrr::set(value, true);
  if (!send(pin)) value = entry::RemoteIrr::set(value, false);
}

bool IoApic::send(unsigned pin) {
  const u64 value = entries_[pin];
  const DeliveryMode mode = entry::Mode::get(value);
  InterruptMessage message;
  message.address = message_address::Destination::set(message_address::kBase, entry::Destination::get(value));
  message.address = message_address::LogicalMode::set(message.address, entry::Logical::get(value));
  message.address =
      message_address::RedirectionHint::set(message.address, mode == DeliveryMode::kLowestPriority);
  message.data = message_data::Vector::set(0, entry::Vector::get(value));
  message.data = message_data::Mode::set(message.data, mode);
  message.data = message_data::Assert::set(message.data, true);
  message.data = message_data::LevelTriggered::set(message.data, level_pin(pin));
  message.cause = delivered_[pin] = cause_[pin];
  return messages_.send(message);
}

void IoApic::eoi_broadcast(u8 vector) {
  end_of_interrupt(vector);
}

void IoApic::end_of_interrupt(u8 vector) {
  for (unsigned pin = 0; pin < kPins; ++pin) {
    u64& value = entries_[pin];
    if (entry::Vector::get(value) != vector || !entry::RemoteIrr::get(value)) continue;
    value = entry::RemoteIrr::set(value, false);
    trace(IrqEventKind::kIoapicEoi, pin, delivered_[pin]);
    service_level(pin);
  }
}

u32 IoApic::read_register(u8 index) const {
  switch (static_cast<Index>(index)) {
    case Index::kId: return Id::set(0, id_);
    case Index::kVersion: return MaximumEntry::set(Version::set(0, kVersion), kPins - 1);
    case Index::kArbitrationId: return Id::set(0, arbitration_id_);
    default: break;
  }
  const unsigned table = static_cast<unsigned>(Index::kTable);
  if (index < table || index >= table + 2 * kPins) return 0;
  const u64 value = visible_entry((index - table) / 2);
  return static_cast<u32>((index & 1) != 0 ? value >> 32 : value);
}

void IoApic::write_register(u8 index, u32 value) {
  trace_.add(IrqEventKind::kRegisterWrite, DeviceId::kIoapic,
             {.line = index, .cpu = trace_.executing_cpu(), .instance = config_.instance, .data = value});
  if (index == static_cast<u8>(Index::kId)) {
    id_ = Id::get(value);
    arbitration_id_ = id_;
    return;
  }
  const unsigned table = static_cast<unsigned>(Index::kTable);
  if (index < table || index >= table + 2 * kPins) return;
  const unsigned pin = (index - table) / 2;
  const u64 old = entries_[pin];
  const u64 updated =
      (index & 1) != 0 ? (old & kLowHalf) | (static_cast<u64>(value) << 32) : (old & ~kLowHalf) | value;
  write_entry(pin, (updated & entry::kWritable) | (old & entry::RemoteIrr::kMask));
}

void IoApic::write_entry(unsigned pin, u64 value) {
  // An edge-triggered entry has no remote IRR: switching to edge clears it.
  if (!entry::Level::get(value)) value = entry::RemoteIrr::set(value, false);
  entries_[pin] = value;
  service_level(pin);
}

u64 IoApic::mmio_read(u64 offset, unsigned size) {
  u32 value = 0;
  switch (static_cast<Window>(offset & 0xFC)) {
    case Window::kSelect: value = select_; break;
    case Window::kData: value = read_register(select_); break;
    default: break;
  }
  if (offset >= 0x100) value = 0;
  const u64 all = size >= 4 ? value : (value >> ((offset & 3) * 8)) & ((1u << (size * 8)) - 1);
  return all;
}

void IoApic::mmio_write(u64 offset, u64 value, unsigned size) {
  // IOREGSEL decodes its low byte; the other registers take whole doublewords only.
  if (offset == static_cast<u64>(Window::kSelect)) {
    select_ = static_cast<u8>(value);
  } else if (offset == static_cast<u64>(Window::kData) && size >= 4) {
    write_register(select_, static_cast<u32>(value));
  } else if (offset == static_cast<u64>(Window::kEoi)) {
    trace_.add(IrqEventKind::kRegisterWrite, DeviceId::kIoapic,
               {.line = static_cast<u32>(offset),
                .cpu = trace_.executing_cpu(),
                .instance = config_.instance,
                .data = value & 0xFF});
    end_of_interrupt(static_cast<u8>(value));
  }
}

void IoApic::save(StateWriter& out) const {
  out.put_u8(select_);
  out.put_u8(id_);
  out.put_u8(arbitration_id_);
  out.put_u32(lines_);
  for (const u64 value : entries_) out.put_u64(value);
  for (const CauseId cause : cause_) out.put_u32(cause);
  for (const CauseId cause : delivered_) out.put_u32(cause);
}

bool IoApic::load(StateReader& in) {
  select_ = in.get_u8();
  id_ = in.get_u8();
  arbitration_id_ = in.get_u8();
  lines_ = in.get_u32();
  for (u64& value : entries_) {
    value = in.get_u64();
    if ((value & ~(entry::kWritable | entry::RemoteIrr::kMask)) != 0) in.fail();
  }
  for (CauseId& cause : cause_) cause = in.get_u32();
  for (CauseId& cause : delivered_) cause = in.get_u32();
  return in.ok();
}

}  // namespace lapwing
