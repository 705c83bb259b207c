// PCI bus 0: finds the function that a configuration cycle addresses, through configuration mechanism #1
// (PCI Local Bus Specification 3.0, section 3.2.2.3.2): CONFIG_ADDRESS 0xCF8 (dword accesses only),
// CONFIG_DATA 0xCFC-0xCFF. Port 0xCF9, which lies between, is the PIIX3's reset control register and is
// passed on. Unsupported: buses other than 0, memory-mapped configuration, configuration mechanism #2.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "core/irq_trace.h"
#include "core/result.h"
#include "devices/bus.h"
#include "devices/device.h"
#include "devices/irq.h"
#include "devices/pci/pci_device.h"

namespace lapwing {

class PciBus final : public Device, public PortDevice {
 public:
  static constexpr u16 kConfigAddress = 0xCF8;
  static constexpr u16 kResetControl = 0xCF9;
  static constexpr u16 kConfigData = 0xCFC;
  static constexpr unsigned kSlots = 32;
  static constexpr unsigned kFunctions = 8;
  static constexpr unsigned kPins = 4;

  PciBus(PortBus& ports, PhysicalMemory& memory, IrqTrace& trace)
      : ports_(ports), memory_(memory), trace_(trace) {}

  // Takes ports 0xCF8-0xCFF.
  Result<void> claim_ports();
  // Puts a function on the bus; a second one in the same place is an error naming both.
  Result<void> attach(PciDevice& device);
  PciDevice* device(unsigned slot, unsigned function) const {
    return functions_[slot % kSlots][function % kFunctions];
  }
  // Gets the level of INTx pins: line = slot * 4 + pin.
  void set_intx_sink(LineSink& sink) { intx_ = &sink; }
  void set_reset_control(PortDevice& device) { reset_control_ = &device; }

  // Configuration cycles as the host bridge issues them; absent functions read all ones.
  u32 config_read(unsigned slot, unsigned function, u8 offset, unsigned size);
  void config_write(unsigned slot, unsigned function, u8 offset, u32 value, unsigned size);

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  std::string_view name() const override { return "pci"; }
  void reset() override { address_ = 0; }
  void save(StateWriter& out) const override { out.put_u32(address_); }
  bool load(StateReader& in) override;

  // For functions on this bus.
  PortBus& ports() { return ports_; }
  PhysicalMemory& memory() { return memory_; }
  IrqTrace& trace() { return trace_; }
  void set_intx(u8 slot, u8 pin, bool level, CauseId cause);

 private:
  bool is_reset_control(u16 port, unsigned size) const;

  PortBus& ports_;
  PhysicalMemory& memory_;
  IrqTrace& trace_;
  LineSink* intx_ = nullptr;
  PortDevice* reset_control_ = nullptr;
  std::array<std::array<PciDevice*, kFunctions>, kSlots> functions_{};
  u32 address_ = 0;
};

}  // namespace lapwing
