// Base of every PCI function: its 256-byte configuration space, base address registers that map and unmap as
// the guest moves them, the INTx pin, the capability list, MSI and MSI-X. PCI Local Bus Specification 3.0,
// chapter 6. Unsupported: power management capability, parity and system error reporting,
// BIST.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "devices/device.h"
#include "devices/interrupt/msi.h"
#include "devices/irq.h"
#include "devices/pci/pci_registers.h"

namespace lapwing {

class PciBus;

struct PciIdentity {
  u16 vendor;
  u16 device;
  u8 revision;
  u32 class_code;  // base class, subclass, programming interface
  u16 subsystem_vendor = 0;
  u16 subsystem = 0;
  DeviceId trace_id = DeviceId::kPci;
};

class PciDevice : public Device {
 public:
  PciDevice(PciBus& bus, u8 slot, u8 function, const PciIdentity& identity);
  PciDevice(const PciDevice&) = delete;
  PciDevice& operator=(const PciDevice&) = delete;

  u8 slot() const { return slot_; }
  u8 function() const { return function_; }
  // 0 = INTA ... 3 = INTD, or no pin at all.
  bool has_interrupt_pin() const { return config_[pci::kInterruptPin] != 0; }
  u8 interrupt_pin() const { return static_cast<u8>(config_[pci::kInterruptPin] - 1); }

  // An access of 1, 2 or 4 bytes within one dword of the configuration space.
  u32 config_read(u8 offset, unsigned size);
  void config_write(u8 offset, u32 value, unsigned size);

  // Gives the function an expansion ROM; firmware copies it from where it maps it. At most 16 MiB.
  void set_rom(std::vector<u8> image);
  const std::vector<u8>& rom() const { return rom_; }

  // For the monitor and the interrupt view; nullptr when the function has none.
  const MsiCapability* msi() const { return msi_; }
  const MsixCapability* msix() const { return msix_; }

  // Power-on state of the configuration space; derived devices reset their own registers and call this.
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 protected:
  enum class BarKind : u8 { kNone, kIo, kMemory32, kMemory64 };

  // For constructors: the register layout. Bits outside `writable` are read-only.
  void define(u8 offset, unsigned size, u32 reset_value, u32 writable);
  void define_bar(unsigned index, BarKind kind, u64 size, bool prefetchable = false);
  // Makes the whole of a memory BAR plain memory of the device.
  void define_bar_memory(unsigned index, DirectMemory& memory) { windows_[index].memory = &memory; }
  void define_interrupt_pin(u8 pin);
  // Appends a capability of `size` bytes and returns its offset; bytes from offset + 2 are the caller's to
  // define().
  u8 define_capability(u8 id, u8 size);
  // Gives the function MSI or MSI-X: its registers, table and pending bits are answered, reset and saved from
  // here. INTx is silent while either is enabled.
  void define_msi(MsiCapability& msi);
  void define_msix(MsixCapability& msix, const MsixCapability::Layout& layout);

  // An access to a mapped BAR (except to an MSI-X table); offset is relative to its base.
  virtual u64 bar_read(unsigned bar, u64 offset, unsigned size);
  virtual void bar_write(unsigned bar, u64 offset, u64 value, unsigned size);
  // Called after the guest's write to [offset, offset + size) took effect, and after load().
  virtual void config_changed(u8 offset, unsigned size);

  // Which one of its kind, for the event stream.
  void set_trace_instance(u8 instance) { trace_instance_ = instance; }
  void set_intx(bool level);
  bool intx_level() const { return intx_; }
  u16 command() const { return static_cast<u16>(field(pci::kCommand, 2)); }
  bool bus_master() const { return (command() & pci::kCommandBusMaster) != 0; }
  // Plain fields of the configuration space, without side effects.
  u32 field(u8 offset, unsigned size) const;
  void set_field(u8 offset, u32 value, unsigned size);
  u64 bar_base(unsigned index) const;
  PciBus& bus() { return bus_; }

 private:
  // One BAR as ports and memory see it.
  struct Window final : PortDevice, MmioDevice {
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, u32 value, unsigned size) override;
    u64 mmio_read(u64 offset, unsigned size) override;
    void mmio_write(u64 offset, u64 value, unsigned size) override;

    PciDevice* owner = nullptr;
    unsigned index = 0;
    BarKind kind = BarKind::kNone;
    u64 size = 0;
    u64 mapped_at = 0;  // 0 = not mapped
    DirectMemory* memory = nullptr;
  };

  u64 window_read(unsigned bar, u64 offset, unsigned size);
  void window_write(unsigned bar, u64 offset, u64 value, unsigned size);
  bool in_msix_table(unsigned bar, u64 offset) const;
  bool in_msix_pba(unsigned bar, u64 offset) const;
  u64 wanted_base(const Window& window) const;
  u64 wanted_rom_base(const Window& window) const;
  void update_windows();
  void unmap(Window& window);
  void map(Window& window, u64 base);
  void drive_intx();

  PciBus& bus_;
  const u8 slot_;
  const u8 function_;
  const DeviceId trace_id_;
  u8 trace_instance_ = 0;
  std::array<u8, pci::kConfigSize> config_{};
  std::array<u8, pci::kConfigSize> reset_{};
  std::array<u8, pci::kConfigSize> writable_{};
  std::array<u8, pci::kConfigSize> clearable_{};  // write 1 to clear
  static constexpr unsigned kRomWindow = pci::kBars;
  std::array<Window, pci::kBars + 1> windows_;  // the last is the expansion ROM's
  std::vector<u8> rom_;
  u8 last_capability_ = 0;
  u8 next_capability_ = pci::kFirstDeviceSpecific;
  MsiCapability* msi_ = nullptr;
  MsixCapability* msix_ = nullptr;
  MsixCapability::Layout msix_layout_;
  u8 msi_offset_ = 0;
  u8 msix_offset_ = 0;
  bool intx_ = false;         // what the device asks for
  bool intx_driven_ = false;  // after the command register's interrupt disable
  CauseId cause_ = 0;
};

}  // namespace lapwing
