// Hard disks through the controller's ports, as a driver uses them.
#include "tests/unit/catch.h"
#include "tests/unit/ide_rig.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u8 kReady = ata::kDrdy | ata::kDsc;
constexpr u64 kSectors = 4096;

u16 word(const std::vector<u8>& data, unsigned index) {
  return static_cast<u16>(data[index * 2] | data[index * 2 + 1] << 8);
}

std::vector<u8> identify(IdeRig& rig, u8 device = 0) {
  rig.out(ata::kDevice, 0xA0u | device);
  rig.out(ata::kCommand, ata::kIdentify);
  rig.settle();
  return rig.read_data(512);
}

}  // namespace

TEST_CASE("ata_identify_describes_the_disk") {
  IdeRig rig;
  rig.add_disk(0, kSectors);
  REQUIRE(rig.ok);
  rig.out(ata::kCommand, ata::kIdentify);
  CHECK(rig.alternate() == (ata::kBsy | kReady));
  CHECK(rig.settle() == (kReady | ata::kDrq));
  CHECK(rig.irq());
  CHECK(rig.in(ata::kStatus) == (kReady | ata::kDrq));
  CHECK(!rig.irq());
  const std::vector<u8> data = rig.read_data(512);
  CHECK(rig.alternate() == kReady);
  CHECK(!rig.irq());
  CHECK(word(data, 0) == 0x0040);
  CHECK(word(data, 1) == kSectors / (16 * 63));
  CHECK(std::string(data.begin() + 54, data.begin() + 62) == "ALWPNI G");
  CHECK((word(data, 60) | word(data, 61) << 16) == kSectors);
  CHECK(word(data, 100) == kSectors);
  CHECK(word(data, 63) == 0x0407);  // multiword DMA 2 is set
  u8 sum = 0;
  for (const u8 byte : data) sum = static_cast<u8>(sum + byte);
  CHECK(sum == 0);
}

TEST_CASE("ata_pio_reads_interrupt_for_each_block") {
  IdeRig rig;
  rig.add_disk(0, kSectors);
  for (const unsigned width : {1u, 2u, 4u}) {
    const int before = rig.irqs();
    rig.command28(ata::kReadSectors, 100, 3);
    for (unsigned i = 0; i < 3; ++i) {
      CHECK(rig.settle() == (kReady | ata::kDrq));
      CHECK(rig.irqs() == before + 1 + static_cast<int>(i));
      CHECK(rig.in(ata::kStatus) == (kReady | ata::kDrq));
      CHECK(rig.holds(rig.read_data(512, width), 100 + i));
    }
    CHECK(rig.alternate() == kReady);
    CHECK(rig.irqs() == before + 3);
  }
  SECTION("a multiple transfer has one interrupt per block of sectors") {
    rig.out(ata::kSectorCount, 8);
    rig.out(ata::kCommand, ata::kSetMultiple);
    rig.settle();
    rig.in(ata::kStatus);
    const int before = rig.irqs();
    rig.command28(ata::kReadMultiple, 5, 20);
    unsigned left = 20;
    u64 sector = 5;
    while (left > 0) {
      REQUIRE(rig.settle() == (kReady | ata::kDrq));
      rig.in(ata::kStatus);
      const unsigned count = std::min(left, 8u);
      CHECK(rig.holds(rig.read_data(count * 512), sector));
      left -= count;
      sector += count;
    }
    CHECK(rig.alternate() == kReady);
    CHECK(rig.irqs() == before + 3);
    rig.out(ata::kSectorCount, 0);
    rig.out(ata::kCommand, ata::kSetMultiple);
    rig.settle();
    rig.command28(ata::kReadMultiple, 5, 1);
    CHECK(rig.settle() == (kReady | ata::kErr));
    CHECK(rig.in(ata::kError) == ata::kAbrt);
  }
  SECTION("256 sectors and more go through several chunks of the medium") {
    rig.command28(ata::kReadSectors, 0, 0);
    for (unsigned i = 0; i < 256; ++i) {
      REQUIRE((rig.settle() & ata::kDrq) != 0);
      REQUIRE(rig.holds(rig.read_data(512), i));
    }
    rig.command48(ata::kReadSectorsExt, 1000, 700);
    for (unsigned i = 0; i < 700; ++i) {
      REQUIRE((rig.settle() & ata::kDrq) != 0);
      REQUIRE(rig.holds(rig.read_data(512, 4), 1000 + i));
    }
    CHECK(rig.settle() == kReady);
  }
}

TEST_CASE("ata_pio_writes_take_data_at_once_and_interrupt_after_each_block") {
  IdeRig rig;
  BlockDevice& medium = rig.add_disk(0, kSectors);
  std::vector<u8> data(2 * 512);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<u8>(i * 5);
  rig.command28(ata::kWriteSectors, 7, 2);
  // A driver may write without waiting, as no interrupt announces the first block.
  CHECK(rig.alternate() == (kReady | ata::kDrq));
  CHECK(!rig.irq());
  rig.write_data({data.begin(), data.begin() + 512});
  CHECK(rig.alternate() == (kReady | ata::kDrq));
  CHECK(rig.irq());
  rig.in(ata::kStatus);
  rig.write_data({data.begin() + 512, data.end()}, 4);
  CHECK((rig.alternate() & ata::kBsy) != 0);
  CHECK(!rig.irq());
  CHECK(rig.settle() == kReady);
  CHECK(rig.irq());
  CHECK(std::equal(data.begin(), data.end(), rig.disks.image(0).begin() + 7 * 512));
  CHECK(rig.disks.flushes == 0);

  SECTION("with the write cache off a command ends after a flush") {
    rig.out(ata::kFeatures, ata::kDisableWriteCache);
    rig.out(ata::kCommand, ata::kSetFeatures);
    rig.settle();
    CHECK(rig.disks.flushes == 1);
    rig.command28(ata::kWriteSectors, 9, 1);
    rig.write_data({data.begin(), data.begin() + 512});
    CHECK(rig.settle() == kReady);
    CHECK(rig.disks.flushes == 2);
  }
  SECTION("flush reaches the host") {
    for (const u8 code : {ata::kFlushCache, ata::kFlushCacheExt}) {
      const unsigned before = rig.disks.flushes;
      rig.out(ata::kCommand, code);
      CHECK(rig.settle() == kReady);
      CHECK(rig.disks.flushes == before + 1);
    }
  }
  SECTION("a medium that cannot keep data is a device fault") {
    rig.disks.writable = false;
    rig.command48(ata::kWriteSectorsExt, 20, 1);
    rig.write_data({data.begin(), data.begin() + 512});
    CHECK(rig.settle() == (kReady | ata::kErr | ata::kDf));
    rig.out(ata::kCommand, ata::kFlushCache);
    CHECK(rig.settle() == (kReady | ata::kErr));
  }
  SECTION("a read-only medium aborts writes") {
    medium.change_medium({kSectors, true});
    rig.command28(ata::kWriteDma, 20, 1);
    CHECK(rig.settle() == (kReady | ata::kErr));
    CHECK(rig.in(ata::kError) == ata::kAbrt);
  }
}

TEST_CASE("ata_addresses_cylinders_heads_and_sectors") {
  IdeRig rig;
  rig.add_disk(0, kSectors);
  const auto chs = [&](u8 code, unsigned cylinder, unsigned head, unsigned sector) {
    rig.out(ata::kDevice, 0xA0 | head);
    rig.out(ata::kSectorCount, 1);
    rig.out(ata::kLbaLow, sector);
    rig.out(ata::kLbaMid, cylinder & 0xFF);
    rig.out(ata::kLbaHigh, cylinder >> 8);
    rig.out(ata::kCommand, code);
    return rig.settle();
  };
  CHECK((chs(ata::kReadSectors, 2, 3, 4) & ata::kDrq) != 0);
  CHECK(rig.holds(rig.read_data(512), (2 * 16 + 3) * 63 + 3));
  CHECK(chs(ata::kReadSectors, 0, 0, 0) == (kReady | ata::kErr));
  CHECK(rig.in(ata::kError) == ata::kIdnf);
  CHECK(chs(ata::kSeek, 1, 0, 1) == kReady);
  CHECK(chs(ata::kSeek, 5, 0, 1) == (kReady | ata::kErr));
  // The host's own translation: 4 heads of 17 sectors.
  rig.out(ata::kDevice, 0xA3);
  rig.out(ata::kSectorCount, 17);
  rig.out(ata::kCommand, ata::kInitializeParameters);
  CHECK(rig.settle() == kReady);
  CHECK((chs(ata::kReadSectors, 5, 1, 17) & ata::kDrq) != 0);
  CHECK(rig.holds(rig.read_data(512), (5 * 4 + 1) * 17 + 16));
  CHECK(chs(ata::kReadSectors, 0, 0, 18) == (kReady | ata::kErr));
  const std::vector<u8> data = identify(rig);
  CHECK(word(data, 55) == 4);
  CHECK(word(data, 56) == 17);
  CHECK(word(data, 3) == 16);
}

TEST_CASE("ata_names_the_first_bad_sector") {
  IdeRig rig;
  rig.add_disk(0, kSectors);
  SECTION("beyond the end") {
    rig.command28(ata::kReadDma, kSectors - 1, 2);
    CHECK(rig.settle() == (kReady | ata::kErr));
    CHECK(rig.in(ata::kError) == ata::kIdnf);
    CHECK((rig.in(ata::kLbaLow) | rig.in(ata::kLbaMid) << 8) == kSectors);
    rig.command48(ata::kReadDmaExt, 0xFFFFFFFFFFFF, 1);
    CHECK(rig.settle() == (kReady | ata::kErr));
    rig.bus.port_out(rig.control(0), ata::kHob, 1);
    CHECK(rig.in(ata::kLbaHigh) == 0xFF);
  }
  SECTION("unreadable") {
    rig.disks.readable = false;
    rig.command48(ata::kReadSectorsExt, 0x123, 40);
    CHECK(rig.settle() == (kReady | ata::kErr));
    CHECK(rig.in(ata::kError) == ata::kUnc);
    CHECK((rig.in(ata::kLbaLow) | rig.in(ata::kLbaMid) << 8) == 0x123);
    rig.command28(ata::kVerify, 3, 5);
    CHECK(rig.settle() == (kReady | ata::kErr));
    CHECK(rig.in(ata::kError) == ata::kUnc);
  }
  SECTION("commands that do not exist are aborted") {
    for (const u8 code : {ata::kNop, ata::kSmart, ata::kPacket, ata::kIdentifyPacket, ata::kDeviceReset}) {
      rig.out(ata::kCommand, code);
      CHECK(rig.settle() == (kReady | ata::kErr));
      CHECK(rig.in(ata::kError) == ata::kAbrt);
    }
  }
}

TEST_CASE("ata_power_and_limits") {
  IdeRig rig;
  rig.add_disk(0, kSectors);
  const auto mode = [&] {
    rig.out(ata::kCommand, ata::kCheckPower);
    rig.settle();
    return rig.in(ata::kSectorCount);
  };
  rig.out(ata::kCommand, ata::kStandbyImmediate);
  CHECK(rig.settle() == kReady);
  CHECK(mode() == 0x00);
  rig.command28(ata::kVerify, 0, 1);
  CHECK(rig.settle() == kReady);
  CHECK(mode() == 0xFF);
  rig.out(ata::kDevice, 0x40);
  rig.out(ata::kCommand, ata::kReadNativeMaxExt);
  CHECK(rig.settle() == kReady);
  CHECK((rig.in(ata::kLbaLow) | rig.in(ata::kLbaMid) << 8) == kSectors - 1);
  rig.out(ata::kFeatures, ata::kSetTransferMode);
  rig.out(ata::kSectorCount, 0x45);
  rig.out(ata::kCommand, ata::kSetFeatures);
  CHECK(rig.settle() == kReady);
  CHECK(word(identify(rig), 88) == 0x203F);
  rig.out(ata::kFeatures, ata::kSetTransferMode);
  rig.out(ata::kSectorCount, 0x47);
  rig.out(ata::kCommand, ata::kSetFeatures);
  CHECK(rig.settle() == (kReady | ata::kErr));
  // Only a reset wakes a sleeping disk.
  rig.out(ata::kCommand, ata::kSleep);
  rig.settle();
  rig.out(ata::kCommand, ata::kIdentify);
  advance(rig.clock, 1'000'000);
  CHECK((rig.alternate() & ata::kDrq) == 0);
  rig.bus.port_out(rig.control(0), ata::kSrst, 1);
  CHECK(rig.alternate() >= ata::kBsy);
  rig.bus.port_out(rig.control(0), 0, 1);
  CHECK(rig.settle() == kReady);
  rig.out(ata::kCommand, ata::kIdentify);
  CHECK(rig.settle() == (kReady | ata::kDrq));
}

TEST_CASE("ide_selection_and_resets") {
  IdeRig rig;
  rig.add_disk(0, kSectors);
  SECTION("without a slave device 0 answers for it with status 0") {
    rig.out(ata::kDevice, 0xB0);
    CHECK(rig.in(ata::kStatus) == 0);
    rig.out(ata::kSectorCount, 0x55);
    CHECK(rig.in(ata::kSectorCount) == 0x55);
    rig.out(ata::kCommand, ata::kIdentify);
    advance(rig.clock, 1'000'000);
    CHECK(rig.alternate() == 0);
    CHECK(rig.in(ata::kData, 2) == 0xFFFF);
    rig.out(ata::kDevice, 0xA0);
    CHECK(rig.alternate() == kReady);
  }
  SECTION("an empty channel floats") {
    rig.channel = 1;
    CHECK(rig.in(ata::kStatus) == 0x7F);
    CHECK(rig.alternate() == 0x7F);
    rig.out(ata::kSectorCount, 0x55);
    CHECK(rig.in(ata::kSectorCount) == 0x7F);
  }
  SECTION("with two disks each answers for itself, and only the selected one drives the line") {
    rig.add_disk(1, 64);
    CHECK(word(identify(rig, 0x10), 60) == 64);
    CHECK(rig.in(ata::kDevice) == 0xB0);
    CHECK(rig.irq());
    rig.out(ata::kDevice, 0xA0);
    CHECK(!rig.irq());
    rig.out(ata::kDevice, 0xB0);
    CHECK(rig.irq());
    rig.bus.port_out(rig.control(0), ata::kNien, 1);
    CHECK(!rig.irq());
    rig.bus.port_out(rig.control(0), 0, 1);
    CHECK(rig.irq());
    rig.in(ata::kStatus);
    CHECK(!rig.irq());
    rig.out(ata::kCommand, ata::kDiagnostic);
    CHECK(rig.settle() == kReady);
    CHECK(rig.in(ata::kError) == ata::kDiagnosticPassed);
    CHECK(rig.in(ata::kDevice) == 0);
    CHECK(rig.irq());
  }
  SECTION("a reset leaves the signature and no interrupt, in the middle of a transfer too") {
    rig.command28(ata::kReadSectors, 0, 9);
    rig.settle();
    rig.read_data(700 / 2 * 2);
    rig.bus.port_out(rig.control(0), ata::kSrst, 1);
    CHECK((rig.in(ata::kStatus)&ata::kBsy) != 0);
    rig.bus.port_out(rig.control(0), 0, 1);
    CHECK(rig.settle() == kReady);
    CHECK(!rig.irq());
    CHECK(rig.in(ata::kError) == 1);
    CHECK(rig.in(ata::kSectorCount) == 1);
    CHECK(rig.in(ata::kLbaLow) == 1);
    CHECK(rig.in(ata::kLbaMid) == 0);
    CHECK(rig.in(ata::kLbaHigh) == 0);
    rig.ide.channel(0).reset();
    CHECK(rig.alternate() == kReady);
  }
  SECTION("registers and commands are lost while the device is busy") {
    rig.command28(ata::kReadSectors, 0, 1);
    rig.out(ata::kLbaLow, 0x77);
    rig.out(ata::kCommand, ata::kIdentify);
    rig.settle();
    CHECK(rig.holds(rig.read_data(512), 0));
    CHECK(rig.in(ata::kLbaLow) == 0);
  }
  SECTION("clearing the decode enable takes the ports away") {
    rig.pci.config_write(1, 1, 0x40, 0x0000, 2);
    CHECK(rig.in(ata::kStatus) == 0xFF);
    rig.pci.config_write(1, 1, 0x40, 0x8000, 2);
    CHECK(rig.in(ata::kStatus) == kReady);
  }
}

TEST_CASE("bus_master_moves_data_along_the_table") {
  IdeRig rig;
  rig.add_disk(0, kSectors);
  SECTION("reads into scattered regions; the interrupt bit is set at the end") {
    rig.put_table({{0x10000, 512}, {0x20000, 1024}, {0x30000, 512}});
    rig.command28(ata::kReadDma, 50, 4);
    CHECK(rig.master_status() == 0);
    rig.start_master(true);
    CHECK(rig.master_status() == BusMaster::kActive);
    CHECK(rig.settle() == kReady);
    CHECK(rig.irq());
    CHECK(rig.master_status() == BusMaster::kInterrupt);
    CHECK(rig.holds(rig.ram_bytes(0x10000, 512), 50));
    CHECK(rig.holds(rig.ram_bytes(0x20000, 1024), 51));
    CHECK(rig.holds(rig.ram_bytes(0x30000, 512), 53));
    rig.stop_master();
    rig.bus.port_out(static_cast<u16>(rig.master(0) + 2), 0x64, 1);
    CHECK(rig.master_status() == 0x60);
  }
  SECTION("may be started after the data is there") {
    rig.put_table({{0x10000, 512}});
    rig.command28(ata::kReadDma, 50, 1);
    CHECK(rig.settle() == (kReady | ata::kDrq));
    CHECK(!rig.irq());
    rig.start_master(true);
    CHECK(rig.settle() == kReady);
    CHECK(rig.holds(rig.ram_bytes(0x10000, 512), 50));
  }
  SECTION("writes, 64 KiB regions, and several chunks") {
    for (u32 i = 0; i < 0x50000; i += 4) rig.memory.write(0x20000 + i, i * 3, 4);
    rig.put_table({{0x20000, 0}, {0x30000, 0}, {0x40000, 0}, {0x50000, 0}, {0x60000, 0}});
    rig.command48(ata::kWriteDmaExt, 200, 640);
    rig.start_master(false);
    CHECK(rig.settle() == kReady);
    CHECK(rig.master_status() == BusMaster::kInterrupt);
    CHECK(rig.ram_bytes(0x20000, 0x50000) ==
          std::vector<u8>(rig.disks.image(0).begin() + 200 * 512, rig.disks.image(0).begin() + 840 * 512));
  }
  SECTION("a write right after IDENTIFY DEVICE, as udev and a file system take turns") {
    identify(rig);
    rig.in(ata::kStatus);
    for (u32 i = 0; i < 512; i += 4) rig.memory.write(0x20000 + i, i * 5, 4);
    rig.put_table({{0x20000, 512}});
    rig.command28(ata::kWriteDma, 9, 1);
    rig.start_master(false);
    CHECK(rig.settle() == kReady);
    CHECK(rig.irq());
    CHECK(rig.master_status() == BusMaster::kInterrupt);
    CHECK(rig.ram_bytes(0x20000, 512) ==
          std::vector<u8>(rig.disks.image(0).begin() + 9 * 512, rig.disks.image(0).begin() + 10 * 512));
  }
  SECTION("a table longer than the transfer leaves it active") {
    rig.put_table({{0x10000, 4096}});
    rig.command28(ata::kReadDma, 1, 1);
    rig.start_master(true);
    rig.settle();
    CHECK(rig.master_status() == (BusMaster::kActive | BusMaster::kInterrupt));
    rig.stop_master();
    CHECK(rig.master_status() == BusMaster::kInterrupt);
  }
  SECTION("a table shorter than the transfer ends it without an interrupt") {
    rig.put_table({{0x10000, 512}});
    rig.command28(ata::kReadDma, 1, 2);
    rig.start_master(true);
    rig.settle();
    CHECK(rig.master_status() == 0);
    CHECK(!rig.irq());
    rig.bus.port_out(rig.control(0), ata::kSrst, 1);
    rig.bus.port_out(rig.control(0), 0, 1);
    CHECK(rig.settle() == kReady);
  }
  SECTION("regions and tables that are not RAM are errors") {
    rig.put_table({{0xFFFFFFF0, 512}});
    rig.command28(ata::kReadDma, 1, 1);
    rig.start_master(true);
    rig.settle();
    CHECK(rig.master_status() == BusMaster::kError);
    rig.stop_master();
    rig.command28(ata::kWriteDma, 1, 1);
    rig.bus.port_out(static_cast<u16>(rig.master(0) + 4), 0xFFFFFFFC, 4);
    rig.start_master(false);
    CHECK(rig.master_status() == BusMaster::kError);
    CHECK(!rig.irq());
  }
  SECTION("a table without an end ends at the end of memory") {
    for (u32 at = 0x100000; at < IdeRig::kRam; at += 8) rig.memory.write(at, 0x0000000200020000ull, 8);
    rig.bus.port_out(static_cast<u16>(rig.master(0) + 4), 0x100000, 4);
    rig.command48(ata::kReadDmaExt, 0, 0xF00);
    rig.start_master(true);
    rig.settle();
    CHECK(rig.master_status() == BusMaster::kError);
  }
  SECTION("waits until the function may master the bus") {
    rig.pci.config_write(1, 1, pci::kCommand, pci::kCommandIo, 2);
    rig.put_table({{0x10000, 512}});
    rig.command28(ata::kReadDma, 3, 1);
    rig.start_master(true);
    CHECK(rig.settle() == (kReady | ata::kDrq));
    rig.pci.config_write(1, 1, pci::kCommand, pci::kCommandIo | pci::kCommandBusMaster, 2);
    CHECK(rig.settle() == kReady);
    CHECK(rig.holds(rig.ram_bytes(0x10000, 512), 3));
  }
}

TEST_CASE("ide_restores_in_the_middle_of_commands") {
  const auto build = [](IdeRig& rig) {
    rig.add_disk(0, kSectors);
    rig.add_cdrom(2, 100);
  };
  const auto compare = [&](auto&& begin, auto&& end) {
    IdeRig original;
    build(original);
    begin(original);
    IdeRig copy;
    build(copy);
    REQUIRE(copy.restore_from(original));
    CHECK(copy.state() == original.state());
    copy.channel = original.channel;
    end(original);
    end(copy);
    CHECK(copy.state() == original.state());
    CHECK(copy.irq() == original.irq());
    CHECK(copy.ram_bytes(0, IdeRig::kRam) == original.ram_bytes(0, IdeRig::kRam));
  };
  compare([](IdeRig& rig) { rig.command28(ata::kReadSectors, 3, 2); },
          [](IdeRig& rig) {
            rig.settle();
            CHECK(rig.holds(rig.read_data(512), 3));
            rig.settle();
            CHECK(rig.holds(rig.read_data(512), 4));
          });
  compare(
      [](IdeRig& rig) {
        rig.command28(ata::kWriteSectors, 3, 2);
        rig.write_data(std::vector<u8>(600, 0x11));
      },
      [](IdeRig& rig) {
        rig.write_data(std::vector<u8>(424, 0x22));
        CHECK(rig.settle() == kReady);
        CHECK(rig.disks.image(0)[3 * 512 + 700] == 0x22);
      });
  compare(
      [](IdeRig& rig) {
        rig.put_table({{0x10000, 0x600}, {0x40000, 0}, {0x60000, 0}, {0x80000, 0}});
        rig.command48(ata::kReadDmaExt, 0, 384);
        rig.start_master(true);
        advance_to(rig.clock, rig.clock.next_deadline());
      },
      [](IdeRig& rig) {
        CHECK(rig.settle() == kReady);
        CHECK(rig.master_status() == (BusMaster::kInterrupt | BusMaster::kActive));
      });
  compare(
      [](IdeRig& rig) {
        rig.channel = 1;
        rig.out(ata::kCommand, ata::kPacket);
        rig.settle();
        rig.write_data({0x03, 0, 0, 0, 18, 0});
      },
      [](IdeRig& rig) {
        rig.write_data({0, 0, 0, 0, 0, 0});
        CHECK(rig.settle() == (kReady | ata::kDrq));
        CHECK(rig.read_data(18)[12] == 0x29);
        CHECK(rig.settle() == kReady);
      });
}
