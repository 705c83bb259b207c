// Intel 82371SB PIIX3, function 1 (IDE), 00:01.1, 8086:7010: two channels at the PC's ports (1F0h/3F6h with
// ISA IRQ 14, 170h/376h with IRQ 15) and the bus master registers at BMIBA. Intel 82371FB/82371SB data sheet
// (290550), sections 2.3 "IDE interface" and 2.6.
//
// IDETIM comes up with both channels decoded (hardware: not decoded), so that BIOS replacements that do not
// know the function find their disks; clearing the bit takes the ports away. Timings are kept but do not
// change how long anything takes.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "devices/pci/pci_device.h"
#include "devices/storage/ata_disk.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/block_device.h"
#include "devices/storage/ide_channel.h"

namespace lapwing {

class Piix3Ide final : public PciDevice {
 public:
  static constexpr unsigned kChannels = 2;
  static constexpr unsigned kDrives = 4;  // primary master, primary slave, secondary master, secondary slave
  static constexpr unsigned kBusMasterBar = 4;
  enum Reg : u8 { kIdeTiming = 0x40, kSlaveTiming = 0x44 };

  Piix3Ide(PciBus& bus, Clock& clock, const std::array<IrqPin, kChannels>& irqs);

  Result<void> claim_ports();
  // Before the machine runs. `number` as kDrives says.
  void attach_disk(unsigned number, BlockDevice& medium, DriveIdentity identity);
  void attach_cdrom(unsigned number, BlockDevice& medium, DriveIdentity identity);
  // The CD-ROM drive there, nullptr when there is none.
  AtapiCdrom* cdrom(unsigned number) const { return cdroms_[number]; }
  IdeChannel& channel(unsigned number) { return *channels_[number]; }

  std::string_view name() const override { return "ide"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

 protected:
  u64 bar_read(unsigned bar, u64 offset, unsigned size) override;
  void bar_write(unsigned bar, u64 offset, u64 value, unsigned size) override;
  void config_changed(u8 offset, unsigned size) override;

 private:
  Clock& clock_;
  std::array<std::unique_ptr<IdeChannel>, kChannels> channels_;
  std::array<AtapiCdrom*, kDrives> cdroms_{};
  bool loading_ = false;
};

}  // namespace lapwing
