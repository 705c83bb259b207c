#include "devices/test/pc_testdev.h"

#include <algorithm>
#include <cstring>

namespace lapwing {

namespace {

constexpr unsigned kFlushOffset = 4;
constexpr unsigned kViewOffset = 8;

}  // namespace

PcTestDevice::PcTestDevice(const std::function<IrqPin(unsigned)>& make_pin) {
  for (unsigned gsi = 0; gsi < kIrqLines; ++gsi) pins_[gsi] = make_pin(gsi);
}

void PcTestDevice::reset() {
  latch_ = {};
  std::fill(window_.begin(), window_.end(), u8{0});
  for (IrqPin& pin : pins_) pin.lower();
}

u32 PcTestDevice::port_read(u16 port, unsigned size) {
  const unsigned offset = port - kLatchPort;
  if (offset >= kLatchPorts || (offset >= kFlushOffset && offset < kViewOffset)) return ~0u;
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= static_cast<u32>(latch_[(offset + i) & 3]) << (8 * i);
  return value;
}

void PcTestDevice::port_write(u16 port, u32 value, unsigned size) {
  if (port >= kIrqPort) {
    pins_[(port - kIrqPort) % kIrqLines].set(value != 0);
    return;
  }
  const unsigned offset = port - kLatchPort;
  if (offset >= kFlushOffset && offset < kViewOffset) return;
  for (unsigned i = 0; i < size; ++i) latch_[(offset + i) & 3] = static_cast<u8>(value >> (8 * i));
}

u64 PcTestDevice::mmio_read(u64 offset, unsigned size) {
  u64 value = 0;
  std::memcpy(&value, &window_[static_cast<size_t>(offset)], size);
  return value;
}

void PcTestDevice::mmio_write(u64 offset, u64 value, unsigned size) {
  std::memcpy(&window_[static_cast<size_t>(offset)], &value, size);
}

void PcTestDevice::save(StateWriter& out) const {
  for (const IrqPin& pin : pins_) pin.save(out);
  out.put_bytes(latch_.data(), latch_.size());
  out.put_bytes(window_.data(), window_.size());
}

bool PcTestDevice::load(StateReader& in) {
  for (IrqPin& pin : pins_) pin.load(in);
  in.get_bytes(latch_.data(), latch_.size());
  in.get_bytes(window_.data(), window_.size());
  return in.ok();
}

}  // namespace lapwing
