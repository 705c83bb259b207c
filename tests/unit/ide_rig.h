// A PC's IDE controller alone: memory, ports, PCI, disks in memory, and the moves of a driver.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "core/memory/physical.h"
#include "devices/bus.h"
#include "devices/pci/pci_bus.h"
#include "devices/storage/memory_disk.h"
#include "devices/storage/piix3_ide.h"
#include "tests/unit/guest_ram.h"
#include "tests/unit/irq_fakes.h"

namespace lapwing::testing {

constexpr u16 kBusMasterBase = 0xC000;

struct IdeRig {
  static constexpr u64 kRam = 2 << 20;
  const u64 ram_size;
  // Sector n of a disk is filled with pattern(n).
  static u8 pattern(u64 sector) { return static_cast<u8>(sector * 7 + 3); }
  static std::vector<u8> image(u64 sectors) {
    std::vector<u8> bytes(sectors * 512);
    for (u64 i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(pattern(i / 512) + i % 512);
    return bytes;
  }

  explicit IdeRig(u64 ram_bytes = kRam) : ram_size(ram_bytes) {
    ok = pci.claim_ports().ok() && pci.attach(ide).ok() && ide.claim_ports().ok();
    pci.config_write(1, 1, pci::kBar0 + 16, kBusMasterBase, 4);
    pci.config_write(1, 1, pci::kCommand, pci::kCommandIo | pci::kCommandBusMaster, 2);
  }
  BlockDevice& add_medium(std::vector<u8> bytes) {
    const u64 sectors = bytes.size() / 512;
    const unsigned drive = disks.add(std::move(bytes));
    media.push_back(std::make_unique<BlockDevice>(clock, disks, drive, BlockDevice::Medium{sectors, false}));
    return *media.back();
  }
  BlockDevice& add_disk(unsigned place, u64 sectors) {
    BlockDevice& medium = add_medium(image(sectors));
    ide.attach_disk(place, medium, {"LAPWING HARDDISK", "LW00001", "1.0"});
    return medium;
  }
  BlockDevice& add_cdrom(unsigned place, u64 blocks) {
    BlockDevice& medium = add_medium(image(blocks * 4));
    ide.attach_cdrom(place, medium, {"LAPWING DVD-ROM", "LW00002", "1.0"});
    return medium;
  }

  // A disc for the CD-ROM drive of a place: 0 blocks is an empty tray.
  u32 add_disc(unsigned place, u64 blocks) {
    return ide.cdrom(place)->add_disc(add_medium(image(blocks * 4)));
  }

  u16 base(unsigned channel) const { return channel == 0 ? 0x1F0 : 0x170; }
  u16 control(unsigned channel) const { return channel == 0 ? 0x3F6 : 0x376; }
  u16 master(unsigned channel) const { return static_cast<u16>(kBusMasterBase + channel * 8); }
  void out(unsigned reg, u32 value, unsigned size = 1) {
    bus.port_out(static_cast<u16>(base(channel) + reg), value, size);
  }
  u32 in(unsigned reg, unsigned size = 1) { return bus.port_in(static_cast<u16>(base(channel) + reg), size); }
  u8 alternate() { return static_cast<u8>(bus.port_in(control(channel), 1)); }
  bool irq() const { return lines.levels[14 + channel]; }
  int irqs() const { return lines.rises[14 + channel]; }

  // Lets time pass until the device is not busy any more.
  u8 settle() {
    for (int i = 0; i < 100 && (alternate() & ata::kBsy) != 0; ++i) advance(clock, 100'000'000);
    return alternate();
  }
  void command28(u8 code, u32 lba, u8 count, u8 device = 0) {
    out(ata::kDevice, 0xE0u | device | lba >> 24);
    out(ata::kSectorCount, count);
    out(ata::kLbaLow, lba & 0xFF);
    out(ata::kLbaMid, lba >> 8 & 0xFF);
    out(ata::kLbaHigh, lba >> 16 & 0xFF);
    out(ata::kCommand, code);
  }
  void command48(u8 code, u64 lba, u16 count) {
    out(ata::kDevice, 0x40);
    out(ata::kSectorCount, count >> 8);
    out(ata::kLbaLow, lba >> 24 & 0xFF);
    out(ata::kLbaMid, lba >> 32 & 0xFF);
    out(ata::kLbaHigh, lba >> 40 & 0xFF);
    out(ata::kSectorCount, count & 0xFF);
    out(ata::kLbaLow, lba & 0xFF);
    out(ata::kLbaMid, lba >> 8 & 0xFF);
    out(ata::kLbaHigh, lba >> 16 & 0xFF);
    out(ata::kCommand, code);
  }
  std::vector<u8> read_data(std::size_t bytes, unsigned width = 2) {
    std::vector<u8> data;
    while (data.size() < bytes) {
      const u32 value = in(ata::kData, width);
      for (unsigned i = 0; i < width; ++i) data.push_back(static_cast<u8>(value >> (i * 8)));
    }
    return data;
  }
  void write_data(const std::vector<u8>& data, unsigned width = 2) {
    for (std::size_t at = 0; at < data.size(); at += width) {
      u32 value = 0;
      for (unsigned i = 0; i < width; ++i) value |= u32{data[at + i]} << (i * 8);
      out(ata::kData, value, width);
    }
  }

  struct Region {
    u32 address;
    u32 count;  // 0 = 64 KiB
  };
  // A descriptor table at 0x1000; the last entry is marked unless `open`.
  void put_table(const std::vector<Region>& regions, bool open = false) {
    for (std::size_t i = 0; i < regions.size(); ++i) {
      const bool last = i + 1 == regions.size() && !open;
      memory.write(0x1000 + i * 8, regions[i].address, 4);
      memory.write(0x1004 + i * 8, regions[i].count | (last ? 0x80000000u : 0u), 4);
    }
    bus.port_out(static_cast<u16>(master(channel) + 4), 0x1000, 4);
  }
  void start_master(bool to_memory) {
    bus.port_out(static_cast<u16>(master(channel) + 2), 0x06, 1);
    bus.port_out(master(channel), to_memory ? 0x09 : 0x01, 1);
  }
  void stop_master() { bus.port_out(master(channel), 0x08, 1); }
  u8 master_status() { return static_cast<u8>(bus.port_in(static_cast<u16>(master(channel) + 2), 1)); }
  std::vector<u8> ram_bytes(u64 address, std::size_t size) {
    std::vector<u8> bytes(size);
    memory.read_ram(address, bytes.data(), size);
    return bytes;
  }
  bool holds(const std::vector<u8>& data, u64 sector) const {
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (data[i] != static_cast<u8>(pattern(sector + i / 512) + i % 512)) return false;
    }
    return true;
  }

  // A packet command by PIO: its data, in blocks as the device gives them.
  std::vector<u8> packet(std::vector<u8> bytes, u16 limit = 0x8000, u8 features = 0) {
    bytes.resize(12);
    out(ata::kDevice, 0xA0);
    out(ata::kFeatures, features);
    out(ata::kLbaMid, limit & 0xFF);
    out(ata::kLbaHigh, limit >> 8);
    out(ata::kCommand, ata::kPacket);
    settle();
    write_data(bytes);
    std::vector<u8> data;
    while ((settle() & ata::kDrq) != 0 && (features & 1) == 0) {
      const std::size_t size = in(ata::kLbaMid) | in(ata::kLbaHigh) << 8;
      blocks.push_back(size);
      const std::vector<u8> part = read_data((size + 1) / 2 * 2);
      data.insert(data.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(size));
    }
    return data;
  }
  // Key and additional code of REQUEST SENSE.
  std::vector<u8> sense() {
    const std::vector<u8> data = packet({0x03, 0, 0, 0, 18});
    return {data[2], data[12], data[13]};
  }

  std::vector<Saveable*> parts() {
    std::vector<Saveable*> all{&clock, &trace, &pci, &ide};
    for (auto& medium : media) all.push_back(medium.get());
    return all;
  }
  std::vector<u8> state() {
    ByteSink sink;
    StateWriter writer(sink);
    for (Saveable* part : parts()) part->save(writer);
    return sink.out;
  }
  bool restore_from(IdeRig& other) {
    std::copy_n(other.ram.page, ram_size, ram.page);
    for (unsigned i = 0; i < media.size(); ++i) disks.image(i) = other.disks.image(i);
    disks.readable = other.disks.readable;
    disks.writable = other.disks.writable;
    lines = other.lines;
    return load(other.state());
  }
  bool load(const std::vector<u8>& bytes) {
    StateReader reader(bytes.data(), bytes.size());
    for (Saveable* part : parts()) {
      if (!part->load(reader)) return false;
    }
    return reader.remaining() == 0;
  }

  Clock clock;
  IrqTrace trace{clock};
  GuestRam ram{ram_size};
  PhysicalMemory memory{ram.page, ram_size};
  PortBus bus{clock, trace};
  PciBus pci{bus, memory, trace};
  FakeLines lines;
  MemoryDisks disks;
  std::vector<std::unique_ptr<BlockDevice>> media;
  Piix3Ide ide{
      pci, clock, {IrqPin(lines, 14, trace, DeviceId::kIde), IrqPin(lines, 15, trace, DeviceId::kIde)}};
  unsigned channel = 0;
  std::vector<std::size_t> blocks;
  bool ok = false;
};

}  // namespace lapwing::testing
