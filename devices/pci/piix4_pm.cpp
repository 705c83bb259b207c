#include "devices/pci/piix4_pm.h"

#include "devices/firmware/platform.h"
#include "devices/pci/pci_bus.h"

namespace lapwing {

namespace {

constexpr u32 kPmIoEnable = 1 << 0;     // PMREGMISC
constexpr u32 kSmbHostEnable = 1 << 0;  // SMBHSTCFG
constexpr u32 kPmBaseMask = 0xFFC0;
constexpr u32 kSmbBaseMask = 0xFFF0;
constexpr u32 kIoSpace = 1;

// SMBus I/O registers (7.3).
enum SmbReg : u16 { kHostStatus = 0, kSlaveStatus = 1, kHostControl = 2, kHostAddress = 4, kLastHost = 7 };
constexpr u8 kStatusDeviceError = 1 << 2;
constexpr u8 kStatusClearable = 0x1E;
constexpr u8 kControlStart = 1 << 6;
constexpr u8 kDeviceActivityB = 0x58;
constexpr u8 kControlStored = 0x1D;  // START and KILL read as zero

}  // namespace

Piix4Pm::Piix4Pm(PciBus& bus, Hooks hooks)
    : PciDevice(bus, 1, 3, {.vendor = 0x8086, .device = 0x7113, .revision = 3, .class_code = 0x068000}),
      hooks_(std::move(hooks)) {
  define(pci::kCommand, 2, 0, pci::kCommandIo);
  define(pci::kStatus, 2, pci::kStatusDevselMedium | 0x80, 0);
  define(pci::kCacheLineSize, 1, 0, 0);
  define(pci::kLatencyTimer, 1, 0, 0);
  define(pci::kInterruptLine, 1, kSciIrq, 0xFF);
  define_interrupt_pin(0);
  define(kPmBase, 4, kIoSpace, kPmBaseMask);
  for (u8 offset = 0x44; offset < 0x80; offset = static_cast<u8>(offset + 4))
    define(offset, 4, 0, 0xFFFFFFFF);
  // DEVACTB with APMC_EN set: firmware takes it that SMIs are set up already, and does not wait for one.
  define(kDeviceActivityB, 4, 1u << 25, 0xFFFFFFFF);
  define(kPmRegMisc, 1, 0, kPmIoEnable);
  define(kSmbBase, 4, kIoSpace, kSmbBaseMask);
  define(kSmbHostConfig, 1, 0, 0x0F);
  define(0xD3, 3, 0, 0xFFFFFF);  // slave command and shadows
}

Result<void> Piix4Pm::claim_ports() {
  return bus().ports().claim(kApmPort, 2, *this, "apm", 1, DeviceId::kAcpiPm);
}

u32 Piix4Pm::port_read(u16 port, unsigned) {
  if (port == kApmPort || port == kApmPort + 1) return apm_[port - kApmPort];
  return smbus_read(static_cast<u16>(port - smbus_at_));
}

void Piix4Pm::port_write(u16 port, u32 value, unsigned) {
  const auto byte = static_cast<u8>(value);
  if (port != kApmPort && port != kApmPort + 1) return smbus_write(static_cast<u16>(port - smbus_at_), byte);
  apm_[port - kApmPort] = byte;
  if (port != kApmPort || !hooks_.set_acpi_mode) return;
  if (byte == kAcpiEnableCommand) hooks_.set_acpi_mode(true);
  if (byte == kAcpiDisableCommand) hooks_.set_acpi_mode(false);
}

u8 Piix4Pm::smbus_read(u16 offset) const {
  return smbus_[offset];
}

// Every transaction ends at once with "no device answered": the bus is empty.
void Piix4Pm::smbus_write(u16 offset, u8 value) {
  if (offset == kHostStatus || offset == kSlaveStatus) {
    smbus_[offset] = static_cast<u8>(smbus_[offset] & ~(value & kStatusClearable));
  } else if (offset == kHostControl) {
    smbus_[kHostControl] = value & kControlStored;
    if ((value & kControlStart) != 0) smbus_[kHostStatus] |= kStatusDeviceError;
  } else if (offset <= kLastHost) {
    smbus_[offset] = value;
  }
}

void Piix4Pm::config_changed(u8, unsigned) {
  move_blocks();
}

void Piix4Pm::move_blocks() {
  const bool pm_enabled = (field(kPmRegMisc, 1) & kPmIoEnable) != 0;
  const auto pm_base = static_cast<u16>(pm_enabled ? field(kPmBase, 4) & kPmBaseMask : 0);
  if (pm_base != pm_at_) {
    pm_at_ = pm_base;
    if (hooks_.move_pm_block) hooks_.move_pm_block(pm_base);
  }
  const bool smb_enabled =
      (field(kSmbHostConfig, 1) & kSmbHostEnable) != 0 && (command() & pci::kCommandIo) != 0;
  const auto smb_base = static_cast<u16>(smb_enabled ? field(kSmbBase, 4) & kSmbBaseMask : 0);
  if (smb_base == smbus_at_) return;
  if (smbus_at_ != 0) bus().ports().release(smbus_at_, kSmbBlockSize);
  smbus_at_ = smb_base;
  if (smb_base != 0 && !bus().ports().claim(smb_base, kSmbBlockSize, *this, "piix4_pm smbus", 1).ok())
    smbus_at_ = 0;
}

void Piix4Pm::reset() {
  apm_ = {};
  smbus_ = {};
  PciDevice::reset();
}

void Piix4Pm::save(StateWriter& out) const {
  PciDevice::save(out);
  out.put_bytes(apm_.data(), apm_.size());
  out.put_bytes(smbus_.data(), smbus_.size());
}

bool Piix4Pm::load(StateReader& in) {
  if (!PciDevice::load(in)) return false;
  in.get_bytes(apm_.data(), apm_.size());
  in.get_bytes(smbus_.data(), smbus_.size());
  return in.ok();
}

}  // namespace lapwing
