#include "devices/storage/block_device.h"

#include "devices/machine_config.h"
#include "devices/storage/memory_disk.h"
#include "devices/storage/storage_config.h"
#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

struct Rig {
  Clock clock;
  MemoryDisks disks;
  unsigned drive = disks.add(std::vector<u8>(64 * 512, 0x11));
  BlockDevice device{clock, disks, drive, {.sectors = 64}};
  struct Done {
    u32 tag;
    BlockStatus status;
    std::vector<u8> data;
    u64 ns;
  };
  std::vector<Done> done;

  Rig() {
    device.attach({.command = 1000, .sector = 10, .flush = 500}, [this](const BlockCompletion& c) {
      done.push_back({c.tag, c.status, {c.data.begin(), c.data.end()}, clock.now_ns()});
    });
  }
  // As the machine does: false while bytes are missing.
  bool advance(u64 ns) {
    clock.jump_to(ns);
    if (device.missing()) return false;
    clock.run_due_timers();
    return true;
  }
};

}  // namespace

TEST_CASE("requests_complete_at_their_virtual_time_in_order") {
  Rig rig;
  rig.device.read(1, 0, 4);
  rig.device.read(2, 8, 2);
  rig.device.flush(3);
  CHECK(rig.clock.next_deadline() == 1040);
  CHECK(rig.advance(1039));
  CHECK(rig.done.empty());
  CHECK(rig.advance(1040));
  REQUIRE(rig.done.size() == 1);
  CHECK(rig.done[0].data.size() == 4 * 512);
  CHECK(rig.advance(1500));
  REQUIRE(rig.done.size() == 3);
  CHECK((rig.done[1].tag == 2 && rig.done[2].tag == 3));
  CHECK(rig.disks.flushes == 1);
  CHECK(rig.clock.next_deadline() == kNever);
}

TEST_CASE("missing_bytes_hold_time_and_change_nothing") {
  Rig rig, reference;
  for (Rig* each : {&rig, &reference}) each->device.read(1, 3, 1);
  rig.disks.available = false;
  for (int i = 0; i < 3; ++i) CHECK_FALSE(rig.advance(2000));
  CHECK(rig.done.empty());
  rig.disks.available = true;
  CHECK(rig.advance(2000));
  CHECK(reference.advance(2000));
  REQUIRE(rig.done.size() == 1);
  CHECK(rig.clock.position().sequence == reference.clock.position().sequence);
  CHECK(rig.done[0].data == reference.done[0].data);
}

TEST_CASE("writes_are_visible_at_once_and_change_the_state") {
  Rig rig;
  const std::vector<u8> data(512, 0x77);
  rig.device.write(1, 5, data.data(), 1);
  CHECK(rig.disks.image(0)[5 * 512] == 0x77);
  rig.device.read(2, 5, 1);
  CHECK(rig.advance(5000));
  REQUIRE(rig.done.size() == 2);
  CHECK(rig.done[1].data == data);
}

TEST_CASE("impossible_requests_complete_with_a_status") {
  Rig rig;
  rig.device.read(1, 64, 1);
  rig.device.read(2, ~0ull, 2);
  rig.device.read(3, 0, BlockDevice::kMaxSectors + 1);
  rig.disks.readable = false;
  rig.device.read(4, 0, 1);
  rig.device.change_medium({});
  rig.device.read(5, 0, 1);
  CHECK(rig.advance(5000));
  REQUIRE(rig.done.size() == 1);  // those before the change of medium are dropped
  CHECK(rig.done[0].status == BlockStatus::kNoMedium);
  rig.device.change_medium({.sectors = 64, .read_only = true});
  rig.done.clear();
  rig.device.read(1, 64, 1);
  rig.device.read(2, ~0ull, 2);
  rig.device.read(3, 0, 1);
  const u8 sector[512] = {};
  rig.device.write(4, 0, sector, 1);
  CHECK(rig.advance(50000));
  REQUIRE(rig.done.size() == 4);
  CHECK(rig.done[0].status == BlockStatus::kOutOfRange);
  CHECK(rig.done[1].status == BlockStatus::kOutOfRange);
  CHECK(rig.done[2].status == BlockStatus::kMediumError);
  CHECK(rig.done[3].status == BlockStatus::kWriteProtected);
}

TEST_CASE("a_listener_may_submit_and_cancel_from_its_completion") {
  Rig rig;
  rig.device.attach({.command = 1000, .sector = 0, .flush = 0}, [&rig](const BlockCompletion& c) {
    rig.done.push_back({c.tag, c.status, {}, 0});
    rig.device.cancel(2);
    if (c.tag == 1) rig.device.read(9, 0, 1);
  });
  rig.device.read(1, 0, 1);
  rig.device.read(2, 0, 1);
  CHECK(rig.advance(1000));
  CHECK(rig.advance(2000));
  REQUIRE(rig.done.size() == 2);
  CHECK(rig.done[1].tag == 9);
}

TEST_CASE("drives_find_their_places_and_mistakes_are_sentences") {
  const auto parse = [](const std::string& text) { return parse_machine_config("memory=16777216\n" + text); };
  const Result<MachineConfig> good = parse(
      "device=nvme,drive=d,serial=abc,id=n\ndevice=nvme-ns,drive=e,bus=n,nsid=7\n"
      "drive=id=d,if=none,size=1024\ndrive=id=e,if=none,size=1024\n"
      "drive=id=a,size=512\ndrive=id=c,media=cdrom,size=2048\ndrive=id=s,if=nvme,size=512\n");
  REQUIRE(good.ok());
  const StorageConfig& storage = good.value().storage;
  CHECK(storage.ide_drive(0) == 2u);
  CHECK(storage.ide_drive(2) == 3u);
  REQUIRE(storage.nvme.size() == 2);
  REQUIRE(storage.nvme[0].namespaces.size() == 2);
  CHECK(storage.nvme[0].namespaces[1].id == 7);
  const auto error = [&parse](const std::string& text) {
    const Result<MachineConfig> result = parse(text);
    return result.ok() ? std::string() : result.error();
  };
  CHECK(error("drive=id=a,size=513\n").find("513 bytes") != std::string::npos);
  CHECK(error("drive=id=a\n").find("is empty") != std::string::npos);
  CHECK(error("drive=id=a,size=512,x=1\n").find("'x'") != std::string::npos);
  CHECK(error("drive=size=512,index=0\ndrive=size=512,index=0\n").find("same place") != std::string::npos);
  CHECK(error("drive=id=a,size=512\ndrive=id=a,size=512\n").find("two drives") != std::string::npos);
  CHECK(error("device=nvme,drive=q\n").find("'q'") != std::string::npos);
  CHECK(
      error("drive=id=a,if=none,size=512\ndevice=nvme,drive=a\ndevice=nvme,drive=a\n").find("two devices") !=
      std::string::npos);
}
