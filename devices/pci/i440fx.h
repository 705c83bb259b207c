// Intel 82441FX PMC (i440FX host bridge), 00:00.0, 8086:1237: configuration space with the PAM registers.
// Intel 440FX PCIset data sheet (290549), section 3.2; PAM: 3.2.18.
// Unsupported: SMRAM (no system management mode), DRAM timing and row boundaries (reads back what was
// written), ECC.
#pragma once

#include "devices/pci/pci_device.h"

namespace lapwing {

class I440fx final : public PciDevice {
 public:
  enum Reg : u8 { kPam0 = 0x59, kSmram = 0x72 };
  static constexpr unsigned kPamRegisters = 7;

  explicit I440fx(PciBus& bus);

  std::string_view name() const override { return "i440fx"; }
  std::vector<RegisterValue> registers() const override;

 protected:
  void config_changed(u8 offset, unsigned size) override;

 private:
  void apply_pam();
};

}  // namespace lapwing
