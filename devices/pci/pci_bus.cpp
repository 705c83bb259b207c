#include "devices/pci/pci_bus.h"

namespace lapwing {

namespace {

// CONFIG_ADDRESS.
using Enable = Field<bool, u32, 31, 1>;
using BusNumber = Field<u32, u32, 16, 8>;
using DeviceNumber = Field<u32, u32, 11, 5>;
using FunctionNumber = Field<u32, u32, 8, 3>;
using RegisterNumber = Field<u32, u32, 2, 6>;
constexpr u32 kAddressWritable =
    Enable::kMask | BusNumber::kMask | DeviceNumber::kMask | FunctionNumber::kMask | RegisterNumber::kMask;

u32 all_ones(unsigned size) {
  return size >= 4 ? ~0u : (1u << (size * 8)) - 1;
}

}  // namespace

Result<void> PciBus::claim_ports() {
  return ports_.claim(kConfigAddress, 8, *this, "pci", 4, DeviceId::kPci);
}

Result<void> PciBus::attach(PciDevice& device) {
  PciDevice*& place = functions_[device.slot()][device.function()];
  if (place != nullptr) {
    return Error{"PCI slot " + std::to_string(device.slot()) + "." + std::to_string(device.function()) +
                 " is taken by both " + std::string(place->name()) + " and " + std::string(device.name())};
  }
  place = &device;
  return {};
}

u32 PciBus::config_read(unsigned slot, unsigned function, u8 offset, unsigned size) {
  PciDevice* target = device(slot, function);
  return target == nullptr ? all_ones(size) : target->config_read(offset, size);
}

void PciBus::config_write(unsigned slot, unsigned function, u8 offset, u32 value, unsigned size) {
  PciDevice* target = device(slot, function);
  if (target != nullptr) target->config_write(offset, value, size);
}

bool PciBus::is_reset_control(u16 port, unsigned size) const {
  return reset_control_ != nullptr && size < 4 && port <= kResetControl && port + size > kResetControl;
}

u32 PciBus::port_read(u16 port, unsigned size) {
  if (port == kConfigAddress && size == 4) return address_;
  if (is_reset_control(port, size)) {
    const unsigned shift = (kResetControl - port) * 8u;
    return (reset_control_->port_read(kResetControl, 1) << shift) | (all_ones(size) & ~(0xFFu << shift));
  }
  if (port < kConfigData || !Enable::get(address_) || BusNumber::get(address_) != 0) return all_ones(size);
  const auto offset = static_cast<u8>((RegisterNumber::get(address_) << 2) | (port & 3));
  return config_read(DeviceNumber::get(address_), FunctionNumber::get(address_), offset, size);
}

void PciBus::port_write(u16 port, u32 value, unsigned size) {
  if (port == kConfigAddress && size == 4) {
    address_ = value & kAddressWritable;
    return;
  }
  if (is_reset_control(port, size)) {
    reset_control_->port_write(kResetControl, (value >> ((kResetControl - port) * 8u)) & 0xFF, 1);
    return;
  }
  if (port < kConfigData || !Enable::get(address_) || BusNumber::get(address_) != 0) return;
  const auto offset = static_cast<u8>((RegisterNumber::get(address_) << 2) | (port & 3));
  config_write(DeviceNumber::get(address_), FunctionNumber::get(address_), offset, value, size);
}

bool PciBus::load(StateReader& in) {
  address_ = in.get_u32();
  if ((address_ & ~kAddressWritable) != 0) in.fail();
  return in.ok();
}

void PciBus::set_intx(u8 slot, u8 pin, bool level, CauseId cause) {
  if (intx_ != nullptr) intx_->set_line(slot * kPins + pin, level, cause);
}

}  // namespace lapwing
