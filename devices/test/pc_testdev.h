// pc-testdev: what kernel test suites use to exercise ports, MMIO and interrupt lines (a convention; no
// manual).
//   0xE0-0xE3  a 32-bit latch, accessible in pieces of 1, 2 or 4 bytes; 0xE8-0xEB show the same bytes
//   0xE4       page flush: meaningless here, since no translation outlives a change of the map
//   0x2000+n   drives GSI n, n = 0-23: zero lowers, anything else raises
//   0xFF000000 64 KiB of plain read-write device memory
#pragma once

#include <array>
#include <functional>

#include "devices/device.h"
#include "devices/irq.h"

namespace lapwing {

class PcTestDevice final : public Device, public PortDevice, public MmioDevice {
 public:
  static constexpr u16 kLatchPort = 0xE0;
  static constexpr unsigned kLatchPorts = 12;
  static constexpr u16 kIrqPort = 0x2000;
  static constexpr unsigned kIrqLines = 24;
  static constexpr u64 kWindowBase = 0xFF000000;
  static constexpr u64 kWindowSize = 0x10000;

  // `make_pin` gives the wire to a GSI.
  explicit PcTestDevice(const std::function<IrqPin(unsigned gsi)>& make_pin);

  std::string_view name() const override { return "pc_testdev"; }
  void reset() override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;
  u64 mmio_read(u64 offset, unsigned size) override;
  void mmio_write(u64 offset, u64 value, unsigned size) override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  std::array<IrqPin, kIrqLines> pins_;
  std::array<u8, 4> latch_{};
  std::vector<u8> window_ = std::vector<u8>(kWindowSize);
};

}  // namespace lapwing
