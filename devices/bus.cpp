#include "devices/bus.h"
#include "core/hex.h"

#include <algorithm>

namespace lapwing {

namespace {

constexpr unsigned kPorts = 0x10000;
constexpr std::size_t kMaxRanges = 255;  // owner_ holds bytes

std::string hex_port(unsigned port) {
  return "0x" + hex(port, 4);
}

u32 all_ones(unsigned size) {
  return size >= 4 ? ~0u : (1u << (size * 8)) - 1;
}

}  // namespace

PortBus::PortBus(Clock& clock, IrqTrace& trace) : clock_(clock), trace_(trace), owner_(kPorts, 0) {}

Result<void> PortBus::claim(u16 first, unsigned count, PortDevice& device, const std::string& name,
                            unsigned widest, DeviceId id) {
  if (count == 0 || first + count > kPorts) {
    return Error{"ports of " + name + " at " + hex_port(first) + " do not fit the I/O space"};
  }
  for (unsigned port = first; port < first + count; ++port) {
    if (owner_[port] == 0) continue;
    return Error{"port " + hex_port(port) + " is claimed by both " + ranges_[owner_[port] - 1u].name +
                 " and " + name};
  }
  auto slot =
      std::find_if(ranges_.begin(), ranges_.end(), [](const Range& range) { return range.count == 0; });
  if (slot == ranges_.end()) {
    if (ranges_.size() >= kMaxRanges) return Error{"too many port ranges: no room for " + name};
    slot = ranges_.insert(ranges_.end(), Range{});
  }
  *slot = Range{first, count, &device, name, widest, id};
  const auto index = static_cast<u8>(slot - ranges_.begin() + 1);
  std::fill_n(owner_.begin() + first, count, index);
  return {};
}

void PortBus::release(u16 first, unsigned count) {
  for (unsigned port = first; port < std::min(first + count, kPorts); ++port) owner_[port] = 0;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const auto index = static_cast<u8>(i + 1);
    if (std::find(owner_.begin(), owner_.end(), index) == owner_.end()) ranges_[i] = Range{};
  }
}

std::string PortBus::owner(u16 port) const {
  return owner_[port] == 0 ? std::string() : ranges_[owner_[port] - 1u].name;
}

const PortBus::Range* PortBus::whole(u16 port, unsigned size) const {
  const u8 index = owner_[port];
  for (unsigned i = 1; i < size; ++i) {
    if (port + i >= kPorts || owner_[port + i] != index) return nullptr;
  }
  static const Range kNobody{};
  if (index == 0) return &kNobody;
  const Range& range = ranges_[index - 1u];
  return size <= range.widest ? &range : nullptr;
}

u32 PortBus::read_some(u16 port, unsigned size) {
  if (const Range* range = whole(port, size)) {
    return range->device == nullptr ? all_ones(size) : range->device->port_read(port, size) & all_ones(size);
  }
  const unsigned half = size / 2;
  const u32 low = read_some(port, half);
  return low | (read_some(static_cast<u16>(port + half), half) << (half * 8));
}

void PortBus::write_some(u16 port, u32 value, unsigned size) {
  if (const Range* range = whole(port, size)) {
    if (range->device == nullptr) return;
    value &= all_ones(size);
    if (range->id != DeviceId::kNone) {
      trace_.add(IrqEventKind::kRegisterWrite, range->id,
                 {.line = port, .cpu = trace_.executing_cpu(), .data = value});
    }
    range->device->port_write(port, value, size);
    return;
  }
  const unsigned half = size / 2;
  write_some(port, value, half);
  write_some(static_cast<u16>(port + half), value >> (half * 8), half);
}

u32 PortBus::port_in(u16 port, unsigned size) {
  const u32 value = read_some(port, size);
  clock_.charge(kIoChargeNs);
  return value;
}

void PortBus::port_out(u16 port, u32 value, unsigned size) {
  write_some(port, value, size);
  clock_.charge(kIoChargeNs);
}

}  // namespace lapwing
