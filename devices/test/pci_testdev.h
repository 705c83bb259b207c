// pci-testdev: a PCI function (1B36:0005) whose BARs count accesses, for test suites that measure ports and
// MMIO. BAR0 is 4 KiB of memory, BAR1 256 bytes of ports; each begins with a header:
//   0 u8 test (write: starts a test)   1 u8 width of the accesses to make, 0 = no such test   4 u32 offset
//   8 u32 data to write                12 u32 count of the writes seen                        16 text name
// (A convention of virtual machines, described by QEMU's "pci-testdev" specification. There are no eventfds
// here: those tests count like the first. The optional BAR2 is missing.)
#pragma once

#include <array>

#include "devices/pci/pci_device.h"

namespace lapwing {

class PciTestDevice final : public PciDevice {
 public:
  PciTestDevice(PciBus& bus, u8 slot);

  std::string_view name() const override { return "pci_testdev"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 protected:
  u64 bar_read(unsigned bar, u64 offset, unsigned size) override;
  void bar_write(unsigned bar, u64 offset, u64 value, unsigned size) override;

 private:
  static constexpr u8 kTests = 3;
  static constexpr u8 kNone = 0xFF;
  std::string header(unsigned bar, u8 test) const;
  u32 test_offset(unsigned bar, u8 test) const;

  // Of the running test; one at a time in both BARs.
  unsigned bar_ = 0;
  u8 test_ = kNone;
  u32 count_ = 0;
};

}  // namespace lapwing
