// One channel of an IDE controller: the command block and device control ports, up to two devices on the
// cable, their INTRQ and the channel's bus master. ATA/ATAPI-6 (T13/1410D), sections 7 and 9.16 "Signature
// and device selection"; Intel 82371SB (290550), 2.6.
//
// Both devices take what is written to the registers; the selected one answers. Where only device 0 exists,
// it answers for device 1: status 00h, the other registers its own. Without a device behind it a read gives
// 7Fh: the data lines float high, except DD7, which the host pulls down. The address of the drive (port
// 3F7h/377h, obsolete) is not decoded.
#pragma once

#include <array>
#include <memory>

#include "devices/bus.h"
#include "devices/irq.h"
#include "devices/storage/bus_master.h"
#include "devices/storage/ide_device.h"

namespace lapwing {

class IdeChannel final : public Saveable, public PortDevice, private IdeDevice::Cable {
 public:
  struct Wiring {
    u16 command_base;
    u16 control_port;
    IrqPin irq;
    u8 number;  // 0 primary, 1 secondary
  };

  IdeChannel(IrqTrace& trace, PhysicalMemory& memory, const Wiring& wiring);

  Result<void> claim_ports(PortBus& ports);
  Cable& cable() { return *this; }
  void attach(unsigned number, std::unique_ptr<IdeDevice> device) { devices_[number] = std::move(device); }
  IdeDevice* device(unsigned number) const { return devices_[number].get(); }

  // The function's enable bits: whether the ports are decoded, and whether it may master the bus.
  void set_enabled(bool decoded, bool bus_mastering) {
    decoded_ = decoded;
    bus_mastering_ = bus_mastering;
  }
  // Goes on with a transfer that waited for the bus master.
  void kick();
  u8 read_bus_master(unsigned offset) const { return bus_master_.read(offset); }
  void write_bus_master(unsigned offset, u8 value);

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  // What the interrupt view shows.
  u8 status() const;
  u8 control() const { return control_; }
  const BusMaster& bus_master() const { return bus_master_; }

  void reset();
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  u8 read_register(u16 port);
  void write_register(u16 port, u8 value);
  void write_control(u8 value);
  void write_command(u8 code);
  void note_write(u16 port, u32 value);
  bool is_data(u16 port) const { return port == wiring_.command_base; }
  IdeDevice* selected() const { return devices_[selected_].get(); }
  // The one whose registers are read.
  IdeDevice* answering() const;

  // IdeDevice::Cable
  void interrupt_changed() override;
  std::size_t dma(u8* data, std::size_t size, bool to_memory) override;

  IrqTrace& trace_;
  Wiring wiring_;
  BusMaster bus_master_;
  std::array<std::unique_ptr<IdeDevice>, 2> devices_;
  bool decoded_ = true;
  bool bus_mastering_ = false;
  u8 selected_ = 0;
  u8 control_ = 0;
};

}  // namespace lapwing
