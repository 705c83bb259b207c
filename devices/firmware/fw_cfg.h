// QEMU's firmware configuration device: read-only items and named files that firmware and guests fetch by
// port or DMA. QEMU docs/specs/fw_cfg.rst. Ports: selector 0x510 (16-bit writes), data 0x511, DMA address
// 0x514-0x51B (big-endian). DMA reaches guest RAM only; a transfer that leaves it sets the error bit.
// A snapshot fits only a machine whose items are the same.
// Unsupported: writes through the data port (ignored, as in QEMU since 2.4), the memory-mapped variant.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/memory/physical.h"
#include "core/result.h"
#include "devices/bus.h"
#include "devices/device.h"
#include "devices/firmware/memory_map.h"

namespace lapwing {

class FwCfg final : public Device, public PortDevice {
 public:
  static constexpr u16 kSelectorPort = 0x510;
  static constexpr u16 kDataPort = 0x511;
  static constexpr u16 kDmaPort = 0x514;
  static constexpr unsigned kPorts = 12;

  enum Key : u16 {
    kSignature = 0x00,
    kId = 0x01,
    kUuid = 0x02,
    kRamSize = 0x03,
    kNoGraphic = 0x04,
    kCpuCount = 0x05,
    kKernelAddress = 0x07,
    kKernelSize = 0x08,
    kInitrdAddress = 0x0A,
    kInitrdSize = 0x0B,
    kBootMenu = 0x0E,
    kMaxCpus = 0x0F,
    kKernelEntry = 0x10,
    kKernelData = 0x11,
    kInitrdData = 0x12,
    kCommandLineAddress = 0x13,
    kCommandLineSize = 0x14,
    kCommandLineData = 0x15,
    kSetupAddress = 0x16,
    kSetupSize = 0x17,
    kSetupData = 0x18,
    kFileDirectory = 0x19,
    kFirstFile = 0x20,
    kIrq0Override = 0x8002,
  };
  static constexpr u16 kFiles = 0x60;  // most files that may exist
  static constexpr std::size_t kNameSize = 56;

  explicit FwCfg(PhysicalMemory& memory);

  Result<void> claim_ports(PortBus& ports);

  void add_item(u16 key, std::vector<u8> data);
  void add_u16(u16 key, u16 value);
  void add_u32(u16 key, u32 value);
  void add_u64(u16 key, u64 value);
  // Adds a file; a guest may write a writable one by DMA. Fails on a name that is too long, taken or one too
  // many.
  Result<void> add_file(const std::string& name, std::vector<u8> data, bool writable = false);
  // What every machine has: signature, id, RAM size, CPU counts, IRQ0 override, etc/e820.
  void add_standard_items(const MemoryMap& map, unsigned cpus, bool has_display);

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  std::string_view name() const override { return "fw_cfg"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  struct Item {
    std::vector<u8> data;
    bool writable = false;
  };
  struct Transfer {
    bool read;
    bool write;
    u64 address;
    u32 length;
  };

  void select(u16 key);
  u8 read_byte();
  void run_dma();
  bool transfer(const Transfer& request);
  bool copy_out(u64 address, u64 count, u64 zeros);
  std::vector<u8> directory() const;
  u64 content_hash() const;
  Item* current();

  PhysicalMemory& memory_;
  std::map<u16, Item> items_;
  std::map<std::string, u16> files_;  // name to key
  u16 selected_ = 0;
  u64 offset_ = 0;
  u64 dma_address_ = 0;
};

}  // namespace lapwing
