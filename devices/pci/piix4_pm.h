// Intel 82371AB PIIX4, function 3 (power management), 00:01.3, 8086:7113: where the ACPI register block lies,
// the APM command port through which ACPI mode is switched on, and the SMBus host controller with nothing on
// its bus. Intel 82371AB data sheet (290562), sections 7.1 (configuration), 7.2.10 (APMC, APMS), 7.3 (SMBus).
// The ACPI registers themselves (PM1, timer) are another chip's: it is told where to appear.
// Unsupported: SMI, general-purpose events, device monitors, SMBus slave and interrupts (INTR by polling
// only).
#pragma once

#include <functional>

#include "devices/pci/pci_device.h"

namespace lapwing {

class Piix4Pm final : public PciDevice, public PortDevice {
 public:
  enum Reg : u8 { kPmBase = 0x40, kPmRegMisc = 0x80, kSmbBase = 0x90, kSmbHostConfig = 0xD2 };
  static constexpr u16 kPmBlockSize = 64;
  static constexpr u16 kSmbBlockSize = 16;
  static constexpr u16 kApmPort = 0xB2;  // APMC, APMS

  struct Hooks {
    // The ACPI register block appears at `base`; 0 = nowhere.
    std::function<void(u16 base)> move_pm_block;
    // SCI_EN follows the commands that the FADT names.
    std::function<void(bool enabled)> set_acpi_mode;
  };

  Piix4Pm(PciBus& bus, Hooks hooks);

  // Takes ports 0xB2-0xB3.
  Result<void> claim_ports();

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  std::string_view name() const override { return "piix4_pm"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 protected:
  void config_changed(u8 offset, unsigned size) override;

 private:
  u8 smbus_read(u16 offset) const;
  void smbus_write(u16 offset, u8 value);
  void move_blocks();

  Hooks hooks_;
  u16 pm_at_ = 0;
  u16 smbus_at_ = 0;
  std::array<u8, 2> apm_{};
  std::array<u8, kSmbBlockSize> smbus_{};
};

}  // namespace lapwing
