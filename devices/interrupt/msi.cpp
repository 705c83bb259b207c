#include "devices/interrupt/msi.h"

#include <algorithm>

namespace lapwing {

namespace {

namespace msi_control {
using Enable = Field<bool, u16, 0, 1>;
using Capable = Field<u8, u16, 1, 3>;
using Granted = Field<u8, u16, 4, 3>;
using Address64 = Field<bool, u16, 7, 1>;
using Masking = Field<bool, u16, 8, 1>;
}  // namespace msi_control

namespace msix_control {
using TableSize = Field<u16, u16, 0, 11>;
using FunctionMask = Field<bool, u16, 14, 1>;
using Enable = Field<bool, u16, 15, 1>;
constexpr u16 kWritable = FunctionMask::kMask | Enable::kMask;
}  // namespace msix_control

namespace table_entry {
enum : unsigned { kAddressLow, kAddressHigh, kData, kVectorControl };
using Mask = Field<bool, u32, 0, 1>;
}  // namespace table_entry

constexpr u64 kAddressMask = ~3ull;  // doubleword aligned

u32 size_mask(unsigned size) {
  return size >= 4 ? ~0u : (1u << (size * 8)) - 1;
}

// Part of a doubleword, for an access of 1, 2 or 4 bytes that does not cross it.
u32 part(u32 dword, unsigned offset, unsigned size) {
  return (dword >> ((offset & 3) * 8)) & size_mask(size);
}

u32 merge(u32 dword, unsigned offset, u32 value, unsigned size) {
  const unsigned shift = (offset & 3) * 8;
  const u32 mask = size_mask(size) << shift;
  return (dword & ~mask) | ((value << shift) & mask);
}

// The device's cause, before its mask.
void trace_raised(const MsiPort& port, CauseId cause, unsigned vector) {
  port.trace.add(IrqEventKind::kDeviceRaise, port.device,
                 {.cause = cause, .line = kMessageLine | vector, .instance = port.instance});
}

void trace_masked(const MsiPort& port, CauseId cause, unsigned vector) {
  port.trace.add(IrqEventKind::kMsiMasked, port.device,
                 {.cause = cause, .line = vector, .instance = port.instance});
}

void trace_write(const MsiPort& port, u32 place, u64 value) {
  port.trace.add(
      IrqEventKind::kRegisterWrite, port.device,
      {.line = place, .cpu = port.trace.executing_cpu(), .instance = port.instance, .data = value});
}

void set_half(u64& value, bool high, u32 half) {
  value = high ? (value & 0xFFFFFFFF) | static_cast<u64>(half) << 32 : (value & ~0xFFFFFFFFull) | half;
}

}  // namespace

MsiCapability::MsiCapability(const MsiPort& port, unsigned vectors) : port_(port), causes_(kMaxVectors) {
  while ((1u << log2_vectors_) < std::min(vectors, kMaxVectors)) ++log2_vectors_;
  describe_registers();
}

void MsiCapability::reset() {
  control_ = 0;
  address_ = 0;
  data_ = 0;
  mask_ = 0;
  pending_ = 0;
  std::fill(causes_.begin(), causes_.end(), 0);
}

bool MsiCapability::enabled() const {
  return msi_control::Enable::get(control_);
}

unsigned MsiCapability::granted() const {
  return 1u << std::min(msi_control::Granted::get(control_), log2_vectors_);
}

u32 MsiCapability::read_dword(unsigned index) const {
  u16 control = msi_control::Capable::set(control_, log2_vectors_);
  control = msi_control::Address64::set(msi_control::Masking::set(control, true), true);
  switch (index) {
    case 0: return static_cast<u32>(control) << 16;
    case 1: return static_cast<u32>(address_);
    case 2: return static_cast<u32>(address_ >> 32);
    case 3: return data_;
    case 4: return mask_;
    case 5: return pending_;
    default: return 0;
  }
}

void MsiCapability::write_dword(unsigned index, u32 value) {
  const auto all = static_cast<u32>((1ull << (1u << log2_vectors_)) - 1);
  switch (index) {
    case 0:
      control_ = static_cast<u16>(value >> 16) & (msi_control::Enable::kMask | msi_control::Granted::kMask);
      break;
    case 1: set_half(address_, false, value & static_cast<u32>(kAddressMask)); break;
    case 2: set_half(address_, true, value); break;
    case 3: data_ = static_cast<u16>(value); break;
    case 4: mask_ = value & all; break;
    default: break;
  }
  send_unmasked();
}

u32 MsiCapability::read(unsigned offset, unsigned size) const {
  return part(read_dword(offset / 4), offset, size);
}

void MsiCapability::write(unsigned offset, u32 value, unsigned size) {
  trace_write(port_, msi_trace::kMsi + (offset & ~3u), value);
  write_dword(offset / 4, merge(read_dword(offset / 4), offset, value, size));
}

void MsiCapability::notify(unsigned vector) {
  if (!enabled() || vector >= granted()) return;
  causes_[vector] = port_.trace.new_cause();
  trace_raised(port_, causes_[vector], vector);
  if (bit_of(mask_, vector)) {
    pending_ = with_bit(pending_, vector, true);
    trace_masked(port_, causes_[vector], vector);
    return;
  }
  send(vector);
}

void MsiCapability::clear_pending(unsigned vector) {
  if (vector < kMaxVectors) pending_ = with_bit(pending_, vector, false);
}

void MsiCapability::send(unsigned vector) {
  // The function modifies the low bits of the message data that number its granted vectors.
  const u32 data = (data_ & ~(granted() - 1)) | vector;
  port_.messages.send({address_, data, causes_[vector]});
}

void MsiCapability::send_unmasked() {
  if (!enabled()) return;
  for (unsigned vector = 0; vector < granted(); ++vector) {
    if (!bit_of(pending_, vector) || bit_of(mask_, vector)) continue;
    pending_ = with_bit(pending_, vector, false);
    send(vector);
  }
}

void MsiCapability::save(StateWriter& out) const {
  out.put_u16(control_);
  out.put_u64(address_);
  out.put_u16(data_);
  out.put_u32(mask_);
  out.put_u32(pending_);
  for (const CauseId cause : causes_) out.put_u32(cause);
}

bool MsiCapability::load(StateReader& in) {
  control_ = in.get_u16();
  address_ = in.get_u64();
  data_ = in.get_u16();
  mask_ = in.get_u32();
  pending_ = in.get_u32();
  for (CauseId& cause : causes_) cause = in.get_u32();
  return in.ok();
}

MsixCapability::MsixCapability(const MsiPort& port, unsigned vectors, const Layout& layout)
    : port_(port), layout_(layout), entries_(std::clamp(vectors, 1u, kMaxVectors)) {
  describe_registers();
}

void MsixCapability::reset() {
  control_ = 0;
  std::fill(entries_.begin(), entries_.end(), Entry{});
}

bool MsixCapability::enabled() const {
  return msix_control::Enable::get(control_);
}

bool MsixCapability::masked(unsigned vector) const {
  return msix_control::FunctionMask::get(control_) || table_entry::Mask::get(entries_[vector].control);
}

u32 MsixCapability::read_dword(unsigned index) const {
  switch (index) {
    case 0: {
      const auto last = static_cast<u16>(entries_.size() - 1);
      return static_cast<u32>(msix_control::TableSize::set(control_, last)) << 16;
    }
    case 1: return (layout_.table_offset & ~7u) | layout_.table_bar;
    case 2: return (layout_.pba_offset & ~7u) | layout_.pba_bar;
    default: return 0;
  }
}

u32 MsixCapability::read(unsigned offset, unsigned size) const {
  return part(read_dword(offset / 4), offset, size);
}

void MsixCapability::write(unsigned offset, u32 value, unsigned size) {
  trace_write(port_, msi_trace::kMsix + (offset & ~3u), value);
  if (offset / 4 != 0) return;
  const u32 dword = merge(read_dword(0), offset, value, size);
  control_ = static_cast<u16>(dword >> 16) & msix_control::kWritable;
  for (unsigned vector = 0; vector < vectors(); ++vector) send_unmasked(vector);
}

u32 MsixCapability::table_dword(u64 offset) const {
  if (offset / kEntrySize >= entries_.size()) return 0;
  const Entry& entry = entries_[static_cast<std::size_t>(offset / kEntrySize)];
  switch (offset % kEntrySize / 4) {
    case table_entry::kAddressLow: return static_cast<u32>(entry.address);
    case table_entry::kAddressHigh: return static_cast<u32>(entry.address >> 32);
    case table_entry::kData: return entry.data;
    default: return entry.control;
  }
}

void MsixCapability::write_table_dword(u64 offset, u32 value) {
  if (offset / kEntrySize >= entries_.size()) return;
  trace_write(port_, msi_trace::kMsixTable + static_cast<u32>(offset & ~3ull), value);
  const auto vector = static_cast<unsigned>(offset / kEntrySize);
  Entry& entry = entries_[vector];
  switch (offset % kEntrySize / 4) {
    case table_entry::kAddressLow:
      set_half(entry.address, false, value & static_cast<u32>(kAddressMask));
      break;
    case table_entry::kAddressHigh: set_half(entry.address, true, value); break;
    case table_entry::kData: entry.data = value; break;
    default: entry.control = value & table_entry::Mask::kMask; break;
  }
  send_unmasked(vector);
}

u64 MsixCapability::table_read(u64 offset, unsigned size) const {
  if (size < 4 || offset % size != 0) return 0;
  const u64 low = table_dword(offset);
  return size == 4 ? low : low | static_cast<u64>(table_dword(offset + 4)) << 32;
}

void MsixCapability::table_write(u64 offset, u64 value, unsigned size) {
  if (size < 4 || offset % size != 0) return;
  write_table_dword(offset, static_cast<u32>(value));
  if (size == 8) write_table_dword(offset + 4, static_cast<u32>(value >> 32));
}

u64 MsixCapability::pba_read(u64 offset, unsigned size) const {
  if (size < 4 || offset % size != 0) return 0;
  u64 bits = 0;
  for (unsigned i = 0; i < size * 8; ++i) {
    const u64 vector = offset * 8 + i;
    if (vector < entries_.size() && entries_[static_cast<std::size_t>(vector)].pending) bits |= 1ull << i;
  }
  return bits;
}

void MsixCapability::notify(unsigned vector) {
  if (!enabled() || vector >= vectors()) return;
  Entry& entry = entries_[vector];
  entry.cause = port_.trace.new_cause();
  trace_raised(port_, entry.cause, vector);
  if (masked(vector)) {
    entry.pending = true;
    trace_masked(port_, entry.cause, vector);
    return;
  }
  send(vector);
}

void MsixCapability::clear_pending(unsigned vector) {
  if (vector < vectors()) entries_[vector].pending = false;
}

void MsixCapability::send(unsigned vector) {
  const Entry& entry = entries_[vector];
  port_.messages.send({entry.address, entry.data, entry.cause});
}

void MsixCapability::send_unmasked(unsigned vector) {
  Entry& entry = entries_[vector];
  if (!enabled() || !entry.pending || masked(vector)) return;
  entry.pending = false;
  send(vector);
}

void MsixCapability::save(StateWriter& out) const {
  out.put_u16(control_);
  for (const Entry& entry : entries_) {
    out.put_u64(entry.address);
    out.put_u32(entry.data);
    out.put_u32(entry.control);
    out.put_bool(entry.pending);
    out.put_u32(entry.cause);
  }
}

bool MsixCapability::load(StateReader& in) {
  control_ = in.get_u16();
  for (Entry& entry : entries_) {
    entry.address = in.get_u64();
    entry.data = in.get_u32();
    entry.control = in.get_u32();
    entry.pending = in.get_bool();
    entry.cause = in.get_u32();
  }
  return in.ok();
}

}  // namespace lapwing
