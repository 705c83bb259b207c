// QEMU's "stdvga" as a PCI function (1234:1111): VGA-compatible, with a linear frame buffer in BAR 0 and the
// registers in BAR 2 (VGA ports 0x3C0-0x3DF at 0x400, DISPI registers at 0x500; QEMU's documentation "VGA PCI
// device"). The legacy ports and the window at 0xA0000 always answer. The frame buffer is plain memory to the
// CPU, and so is the window in chain-4 modes. Unsupported: EDID, switching byte order.
#pragma once

#include <vector>

#include "core/clock.h"
#include "devices/pci/pci_device.h"
#include "devices/video/vga.h"

namespace lapwing {

class StdVga final : public PciDevice, public PortDevice, public MmioDevice {
 public:
  static constexpr u64 kMemorySize = 16u << 20;
  static constexpr u64 kRegisterSize = 4096;
  static constexpr u16 kDispiPort = 0x1CE;
  static constexpr unsigned kDispiPorts = 3;

  // `memory` has kMemorySize bytes and outlives the device.
  StdVga(PciBus& bus, u8 slot, Clock& clock, u8* memory);

  Vga& vga() { return vga_; }
  const Vga& vga() const { return vga_; }
  void enter_text_mode(const u8* font);

  std::string_view name() const override { return "vga"; }
  void reset() override;
  std::vector<RegisterValue> registers() const override { return vga_.register_values(); }
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

  // Legacy ports, and the window at 0xA0000.
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;
  u64 mmio_read(u64 offset, unsigned size) override;
  void mmio_write(u64 offset, u64 value, unsigned size) override;

 protected:
  u64 bar_read(unsigned bar, u64 offset, unsigned size) override;
  void bar_write(unsigned bar, u64 offset, u64 value, unsigned size) override;

 private:
  u8 register_byte(u64 offset);
  void write_register(u64 offset, u64 value, unsigned size);
  void refresh_window();

  DirectMemory memory_;
  Vga vga_;
  // How the window at 0xA0000 is mapped; follows from the registers.
  bool window_linear_ = false;
  u64 window_bank_ = 0;
};

}  // namespace lapwing
