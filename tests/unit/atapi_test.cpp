// The CD-ROM drive through the secondary channel's ports, as a driver uses it.
#include "tests/unit/catch.h"
#include "tests/unit/ide_rig.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u8 kReady = ata::kDrdy | ata::kDsc;
constexpr u32 kBlocks = 200;
constexpr u8 kStatusPhase = ata::kReasonCommand | ata::kReasonToHost;
using Bytes = std::vector<u8>;

struct CdRig : IdeRig {
  explicit CdRig(u32 blocks_ = kBlocks) {
    channel = 1;
    add_cdrom(2, blocks_);
    other = add_disc(2, 50);
    empty = add_disc(2, 0);
  }
  // A driver's first steps: takes the reset's UNIT ATTENTION.
  void take_attention() { packet({0x00}); }
  bool failed() { return (alternate() & ata::kErr) != 0; }
  u32 other = 0;
  u32 empty = 0;
};

}  // namespace

TEST_CASE("atapi_signature_and_identify") {
  CdRig rig;
  CHECK(rig.in(ata::kStatus) == 0);
  CHECK(rig.in(ata::kLbaMid) == 0x14);
  CHECK(rig.in(ata::kLbaHigh) == 0xEB);
  rig.out(ata::kCommand, ata::kIdentify);
  rig.settle();
  CHECK((rig.alternate() & ata::kErr) != 0);
  CHECK(rig.in(ata::kLbaMid) == 0x14);
  rig.out(ata::kCommand, ata::kIdentifyPacket);
  CHECK(rig.settle() == (kReady | ata::kDrq));
  const Bytes data = rig.read_data(512);
  CHECK((data[0] | data[1] << 8) == 0x85C0);
  CHECK(rig.alternate() == kReady);
  rig.out(ata::kCommand, ata::kDeviceReset);
  CHECK(rig.alternate() == 0);
  CHECK(rig.in(ata::kLbaHigh) == 0xEB);
}

TEST_CASE("atapi_reports_reset_and_media_change_once") {
  CdRig rig;
  rig.packet({0x00});
  CHECK(rig.failed());
  CHECK(rig.in(ata::kError) == 0x60);
  CHECK(rig.in(ata::kInterruptReason) == kStatusPhase);
  CHECK(rig.sense() == Bytes{6, 0x29, 0});
  CHECK(rig.sense() == Bytes{0, 0, 0});
  rig.packet({0x00});
  CHECK(!rig.failed());
  CHECK(rig.ide.cdrom(2)->insert(rig.other));
  CHECK(rig.packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8}) == Bytes{0, 6, 4, 0x10, 2, 2, 0, 0});
  CHECK(rig.packet({0x12, 0, 0, 0, 36}).size() == 36);
  rig.packet({0x28, 0, 0, 0, 0, 1, 0, 0, 1});
  CHECK(rig.failed());
  CHECK(rig.sense() == Bytes{6, 0x28, 0});
  CHECK(rig.packet({0x25}) == Bytes{0, 0, 0, 49, 0, 0, 8, 0});
}

TEST_CASE("atapi_medium_not_present_raises_irq_15") {
  CdRig rig(0);
  rig.take_attention();
  rig.in(ata::kStatus);
  const int before = rig.irqs();
  rig.out(ata::kCommand, ata::kPacket);
  rig.settle();
  CHECK(rig.in(ata::kInterruptReason) == ata::kReasonCommand);
  CHECK(!rig.irq());
  rig.write_data(Bytes(12));
  CHECK((rig.alternate() & ata::kBsy) != 0);
  CHECK(rig.settle() == (kReady | ata::kErr));
  CHECK(rig.irqs() == before + 1);
  CHECK(rig.in(ata::kError) == 0x20);
  rig.in(ata::kStatus);
  CHECK(!rig.irq());
  CHECK(rig.sense() == Bytes{2, 58, 1});
}

TEST_CASE("atapi_reads_blocks_within_the_byte_count_limit") {
  CdRig rig;
  rig.take_attention();
  SECTION("by PIO, one interrupt for each block and one for the status") {
    const int before = rig.irqs();
    const Bytes data = rig.packet({0x28, 0, 0, 0, 0, 10, 0, 0, 3}, 2048);
    CHECK(rig.blocks == std::vector<std::size_t>{2048, 2048, 2048});
    CHECK(rig.holds(data, 40));
    CHECK(rig.irqs() > before);
    CHECK(rig.in(ata::kInterruptReason) == kStatusPhase);
    CHECK(rig.settle() == kReady);
  }
  SECTION("odd limits are rounded down, except for the last block") {
    const Bytes data = rig.packet({0xA8, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 1001);
    CHECK(rig.blocks == std::vector<std::size_t>{1000, 1000, 48});
    CHECK(rig.holds(data, 0));
  }
  SECTION("many blocks, in chunks of the medium") {
    const Bytes data = rig.packet({0x28, 0, 0, 0, 0, 3, 0, 0, 150}, 0xFFFE);
    REQUIRE(data.size() == 150 * 2048);
    CHECK(rig.holds(data, 12));
  }
  SECTION("READ CD gives user data of mode 1") {
    CHECK(rig.holds(rig.packet({0xBE, 0, 0, 0, 0, 7, 0, 0, 2, 0x10}), 28));
    rig.packet({0xBE, 0, 0, 0, 0, 7, 0, 0, 2, 0xF8});
    CHECK(rig.sense() == Bytes{5, 0x24, 0});
    rig.packet({0xBE, 1 << 2, 0, 0, 0, 7, 0, 0, 2, 0x10});
    CHECK(rig.sense() == Bytes{5, 0x64, 0});
  }
  SECTION("a limit of zero is refused") {
    rig.packet({0x12, 0, 0, 0, 36}, 0);
    CHECK(rig.failed());
    CHECK(rig.in(ata::kError) == ata::kAbrt);
  }
  SECTION("no blocks are no data") {
    CHECK(rig.packet({0x28, 0, 0, 0, 0, 10, 0, 0, 0}).empty());
    CHECK(!rig.failed());
  }
}

TEST_CASE("atapi_reads_by_dma") {
  CdRig rig;
  rig.take_attention();
  rig.put_table({{0x10000, 0x1000}, {0x20000, 0x1000}});
  rig.start_master(true);
  rig.packet({0x28, 0, 0, 0, 0, 20, 0, 0, 4}, 0, ata::kPacketDma);
  CHECK(rig.settle() == kReady);
  CHECK(rig.irq());
  CHECK(rig.master_status() == BusMaster::kInterrupt);
  CHECK(rig.holds(rig.ram_bytes(0x10000, 0x1000), 80));
  CHECK(rig.holds(rig.ram_bytes(0x20000, 0x1000), 88));
  // Without data only the status comes, and the master stays as it was started.
  rig.stop_master();
  rig.start_master(true);
  rig.packet({0x00}, 0, ata::kPacketDma);
  CHECK(rig.settle() == kReady);
  CHECK(rig.master_status() == (BusMaster::kActive | BusMaster::kInterrupt));
}

TEST_CASE("atapi_errors_of_the_standard") {
  CdRig rig;
  rig.take_attention();
  rig.packet({0x28, 0, 0, 0, 0, 199, 0, 0, 2});
  CHECK(rig.in(ata::kError) == (0x50 | ata::kAbrt));
  CHECK(rig.sense() == Bytes{5, 0x21, 0});
  rig.packet({0xA8, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF});
  CHECK(rig.sense() == Bytes{5, 0x21, 0});
  rig.packet({0x2A});
  CHECK(rig.sense() == Bytes{5, 0x20, 0});
  rig.disks.readable = false;
  rig.packet({0x28, 0, 0, 0, 0, 9, 0, 0, 5});
  CHECK(rig.in(ata::kError) == 0x30);
  const Bytes sense = rig.packet({0x03, 0, 0, 0, 18});
  CHECK(Bytes(sense.begin(), sense.begin() + 8) == Bytes{0xF0, 0, 3, 0, 0, 0, 9, 10});
  CHECK(sense[12] == 0x11);
  rig.packet({0x5A, 0, 0x3F | 0xC0, 0, 0, 0, 0, 0, 100});
  CHECK(rig.sense() == Bytes{5, 0x39, 0});
}

TEST_CASE("atapi_tray_and_lock") {
  CdRig rig;
  rig.take_attention();
  AtapiCdrom& drive = *rig.ide.cdrom(2);
  rig.packet({0x1E, 0, 0, 0, 1});
  rig.packet({0x1B, 0, 0, 0, 2});
  CHECK(rig.sense() == Bytes{5, 0x53, 2});
  CHECK(!drive.press_eject());
  CHECK(!drive.insert(rig.other));
  CHECK(rig.packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8})[4] == 1);
  rig.packet({0x1E});
  rig.packet({0x1B, 0, 0, 0, 2});
  CHECK(!rig.failed());
  CHECK(drive.tray_open());
  rig.packet({0x00});
  CHECK(rig.sense() == Bytes{2, 0x3A, 2});
  CHECK(rig.packet({0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8})[1] == 0x10);
  rig.packet({0x1B, 0, 0, 0, 3});
  rig.packet({0x00});
  CHECK(rig.sense() == Bytes{6, 0x28, 0});
  rig.packet({0x00});
  CHECK(!rig.failed());
  SECTION("a disc taken out during a read ends it") {
    rig.out(ata::kCommand, ata::kPacket);
    rig.settle();
    rig.write_data({0x28, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0});
    advance_to(rig.clock, rig.clock.next_deadline());
    CHECK(drive.insert(rig.empty));
    CHECK((rig.settle() & ata::kErr) != 0);
    CHECK(rig.sense() == Bytes{2, 0x3A, 1});
  }
  SECTION("and so does opening the tray") {
    rig.out(ata::kCommand, ata::kPacket);
    rig.settle();
    rig.write_data({0x28, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0});
    advance_to(rig.clock, rig.clock.next_deadline());
    CHECK(drive.press_eject());
    CHECK((rig.settle() & ata::kErr) != 0);
    CHECK(rig.sense() == Bytes{2, 0x3A, 2});
  }
}

TEST_CASE("atapi_describes_disc_and_drive") {
  CdRig rig;
  rig.take_attention();
  CHECK(rig.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 100}) ==
        Bytes{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xAA, 0, 0, 0, 0, 200});
  CHECK(rig.packet({0x43, 2, 0, 0, 0, 0, 0xAA, 0, 100}) == Bytes{0, 10, 1, 1, 0, 0x14, 0xAA, 0, 0, 0, 4, 50});
  CHECK(rig.packet({0x43, 0, 1, 0, 0, 0, 0, 0, 100}).size() == 12);
  CHECK(rig.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40}).size() == 12);  // as SFF-8020i asks
  CHECK(rig.packet({0x43, 0, 2, 0, 0, 0, 0, 0, 100}).size() == 48);
  const Bytes all = rig.packet({0x46, 0, 0, 0, 0, 0, 0, 0, 200});
  CHECK(all[7] == 0x08);
  CHECK(all[3] == all.size() - 4);
  CHECK(rig.packet({0x46, 2, 0, 3, 0, 0, 0, 0, 200}).size() == 16);
  CHECK(rig.packet({0x51, 0, 0, 0, 0, 0, 0, 0, 100}).size() == 34);
  CHECK(rig.packet({0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 100}).size() == 30);
  CHECK(rig.packet({0x5A, 0, 0x01, 0, 0, 0, 0, 0, 9}).size() == 9);
  CHECK(rig.packet({0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 100}).size() == 46);
  const Bytes inquiry = rig.packet({0x12, 0, 0, 0, 96});
  CHECK(std::string(inquiry.begin() + 8, inquiry.begin() + 23) == "LAPWING DVD-ROM");
}
