#include "devices/storage/nvme.h"

#include <algorithm>

#include "core/snapshot.h"
#include "tests/unit/catch.h"
#include "tests/unit/nvme_rig.h"

using namespace lapwing;
using namespace lapwing::nvme;

namespace {

using Rig = NvmeRig;

std::vector<u8> sectors(Rig& rig, unsigned drive, u64 first, u64 count) {
  const auto begin = rig.disks.image(drive).begin() + static_cast<std::ptrdiff_t>(first * 512);
  return {begin, begin + static_cast<std::ptrdiff_t>(count * 512)};
}

struct Bytes final : StateSink {
  void bytes(const void* data, std::size_t size) override {
    const auto* begin = static_cast<const u8*>(data);
    all.insert(all.end(), begin, begin + size);
  }
  std::vector<u8> all;
};

std::vector<u8> saved(const Saveable& object) {
  Bytes sink;
  StateWriter out(sink);
  object.save(out);
  return sink.all;
}

}  // namespace

TEST_CASE("nvme_registers_tell_version_capabilities_and_readiness") {
  Rig rig;
  CHECK(rig.read(kVs) == 0x00010400);
  CHECK((rig.read(kCap) & 0x1FFFF) == 0x103FF);  // 1024 entries, contiguous queues
  CHECK((rig.read(kCap + 4) & 0x20) != 0);       // NVM command set
  CHECK(rig.read(kCsts) == 0);
  rig.enable();
  CHECK(rig.read(kCsts) == 1);
  rig.write(kCc, 0);
  CHECK(rig.read(kCsts) == 0);
  CHECK(rig.read(kAsq) == Rig::kAdminSq);  // survives a controller reset
  SECTION("an impossible configuration is fatal, a reset cures it") {
    rig.write(kCc, 1 | 7u << 7);
    CHECK(rig.read(kCsts) == 2);
    rig.write(kCc, 0);
    CHECK(rig.read(kCsts) == 0);
  }
  SECTION("queues outside of RAM are fatal") {
    rig.write(kAsq, 0x7FFF0000);
    rig.write(kCc, 1);
    rig.write(kDoorbells, 1);
    CHECK(rig.read(kCsts) == 3);
  }
}

TEST_CASE("nvme_identify_describes_controller_and_namespaces") {
  Rig rig;
  rig.enable();
  REQUIRE(rig.admin(Rig::command(kIdentify, 7, 0, Rig::kData, 0, 1)).status == 0);
  const std::vector<u8> controller = rig.bytes(Rig::kData, 4096);
  CHECK(std::string(controller.begin() + 4, controller.begin() + 10) == "serial");
  CHECK(controller[512] == 0x66);
  REQUIRE(rig.admin(Rig::command(kIdentify, 8, 2, Rig::kData, 0, 0)).status == 0);
  const std::vector<u8> space = rig.bytes(Rig::kData, 4096);
  CHECK((space[0] | space[1] << 8) == Rig::kSectors);
  CHECK(space[99] == 1);  // write protected
  REQUIRE(rig.admin(Rig::command(kIdentify, 9, 0, Rig::kData, 0, 2)).status == 0);
  const std::vector<u8> list = rig.bytes(Rig::kData, 12);
  CHECK(list == std::vector<u8>{1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0});
  CHECK(rig.admin(Rig::command(kIdentify, 10, 3, Rig::kData, 0, 0)).status == 0);  // inactive: zeros
  CHECK(rig.bytes(Rig::kData, 4096) == std::vector<u8>(4096));
  CHECK(rig.admin(Rig::command(kIdentify, 11, 17, Rig::kData, 0, 0)).status == kInvalidNamespace);
  CHECK(rig.admin(Rig::command(kIdentify, 12, 0, Rig::kData, 0, 99)).status == kInvalidField);
  CHECK(rig.admin(Rig::command(0x80, 13, 0)).status == kInvalidOpcode);
}

TEST_CASE("nvme_reads_and_writes_through_prp_lists") {
  Rig rig;
  rig.enable();
  REQUIRE(rig.make_queues() == 0);
  // 9 pages from an offset in the first: the list starts two entries before the end of its page, so it
  // continues.
  const u64 list = 0x80000 + 4096 - 16, second_list = 0x90000;
  const u64 first[] = {Rig::kData + 0x10000, second_list};
  rig.memory.write_ram(list, first, sizeof first);
  std::vector<u64> rest;
  for (u64 i = 2; i < 9; ++i) rest.push_back(Rig::kData + 0x10000 + (9 - i) * 0x1000);
  rig.memory.write_ram(second_list, rest.data(), rest.size() * 8);
  const u32 count = 8 * 8;
  REQUIRE(rig.io(Rig::command(kRead, 1, 1, Rig::kData + 0x800, list, 16, 0, count - 1)).status == 0);
  std::vector<u8> got = rig.bytes(Rig::kData + 0x800, 0x800);
  const auto append = [&](u64 address, std::size_t size) {
    const std::vector<u8> part = rig.bytes(address, size);
    got.insert(got.end(), part.begin(), part.end());
  };
  append(first[0], 4096);
  for (std::size_t i = 0; i < 7; ++i) append(rest[i], i == 6 ? 0x800 : 4096);
  got.resize(count * 512);
  CHECK(got == sectors(rig, 0, 16, count));

  REQUIRE(rig.io(Rig::command(kWrite, 2, 1, Rig::kData + 0x800, list, 1000, 0, count - 1)).status == 0);
  CHECK(sectors(rig, 0, 1000, count) == sectors(rig, 0, 16, count));
  CHECK(rig.io(Rig::command(kCompare, 3, 1, Rig::kData + 0x800, list, 1000, 0, count - 1)).status == 0);
  CHECK(rig.io(Rig::command(kCompare, 4, 1, Rig::kData + 0x800, list, 1001, 0, count - 1)).status ==
        kCompareFailure);
  CHECK(rig.io(Rig::command(kWriteZeroes, 5, 1, 0, 0, 1000, 0, 3095)).status == 0);
  CHECK(sectors(rig, 0, 1000, 3096) == std::vector<u8>(3096 * 512));
  CHECK(rig.io(Rig::command(kFlush, 6, kAllNamespaces)).status == 0);
  CHECK(rig.disks.flushes == 2);
}

TEST_CASE("nvme_malformed_commands_get_the_status_of_the_standard") {
  Rig rig;
  rig.enable();
  REQUIRE(rig.make_queues() == 0);
  const auto status = [&](Rig::Words words) { return rig.io(words).status; };
  CHECK(status(Rig::command(kRead, 1, 1, Rig::kData + 2, 0, 0)) == kInvalidPrpOffset);
  CHECK(status(Rig::command(kRead, 1, 1, Rig::kData + 0x800, Rig::kData + 0x1800, 0, 0, 7)) ==
        kInvalidPrpOffset);
  CHECK(status(Rig::command(kRead, 1, 1, Rig::kData, 0x80004, 0, 0, 63)) == kInvalidPrpOffset);
  CHECK(status(Rig::command(kRead, 1, 1, Rig::kRamSize, 0, 0)) == kDataTransferError);
  CHECK(status(Rig::command(kWrite, 1, 1, ~0xFFFull, 0, 0)) == kDataTransferError);
  CHECK(status(Rig::command(kRead, 1, 1, Rig::kData, 0x7FFFFF00, 0, 0, 63)) == kDataTransferError);
  CHECK(status(Rig::command(kRead, 1, 1, Rig::kData, 0, Rig::kSectors, 0, 0)) == kLbaOutOfRange);
  CHECK(status(Rig::command(kRead, 1, 1, Rig::kData, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0)) == kLbaOutOfRange);
  CHECK(status(Rig::command(kRead, 1, 1, Rig::kData, 0, 0, 0, 0xFFFF)) == kInvalidField);
  CHECK(status(Rig::command(kRead, 1, 3, Rig::kData)) == kInvalidNamespace);
  CHECK(status(Rig::command(kWrite, 1, 2, Rig::kData)) == kWriteProtected);
  CHECK(status(Rig::command(0x77, 1, 1)) == kInvalidOpcode);
  Rig::Words sgl = Rig::command(kRead, 1, 1, Rig::kData);
  sgl[0] |= 1u << 14;
  CHECK(status(sgl) == kInvalidField);
  SECTION("a list page whose only entry leads to itself ends") {
    const u64 self = 0x80000 + 4096 - 8;
    rig.memory.write_ram(self, &self, 8);
    CHECK(status(Rig::command(kRead, 1, 1, Rig::kData, self, 0, 0, 63)) == kInvalidPrpOffset);
    const u64 list = 0x80000;
    std::vector<u64> entries(512, list);
    rig.memory.write_ram(list, entries.data(), 4096);
    CHECK(status(Rig::command(kRead, 1, 1, Rig::kData, list, 0, 0, 1023)) ==
          0);  // all pages the same: odd, legal
  }
  SECTION("unreadable and unwritable media") {
    rig.disks.readable = rig.disks.writable = false;
    CHECK(status(Rig::command(kRead, 1, 1, Rig::kData)) == kUnrecoveredRead);
    CHECK(status(Rig::command(kWrite, 1, 1, Rig::kData)) == kWriteFault);
    CHECK(status(Rig::command(kFlush, 1, 1)) == kWriteFault);
  }
  SECTION("deallocate checks its ranges") {
    const u32 range[4] = {0, 8, Rig::kSectors - 7, 0};
    rig.memory.write_ram(Rig::kData, range, sizeof range);
    CHECK(status(Rig::command(kDatasetManagement, 1, 1, Rig::kData, 0, 0, 4)) == kLbaOutOfRange);
    CHECK(status(Rig::command(kDatasetManagement, 1, 1, Rig::kData, 0, 0, 0)) == 0);
  }
  CHECK(rig.read(kCsts) == 1);
}

TEST_CASE("nvme_queue_creation_and_deletion_rules") {
  Rig rig;
  rig.enable();
  const auto status = [&](u8 opcode, u64 base, u32 cdw10, u32 cdw11) {
    return rig.admin(Rig::command(opcode, 1, 0, base, 0, cdw10, cdw11)).status;
  };
  CHECK(status(kCreateSq, Rig::kIoSq, 1 | 15u << 16, 1 | 1u << 16) == kCqInvalid);
  CHECK(status(kCreateCq, Rig::kIoCq, 0 | 15u << 16, 1) == kInvalidQueueId);
  CHECK(status(kCreateCq, Rig::kIoCq, 17 | 15u << 16, 1) == kInvalidQueueId);
  CHECK(status(kCreateCq, Rig::kIoCq, 1 | 1024u << 16, 1) == kInvalidQueueSize);
  CHECK(status(kCreateCq, Rig::kIoCq, 1, 1) == kInvalidQueueSize);
  CHECK(status(kCreateCq, Rig::kIoCq, 1 | 15u << 16, 0) == kInvalidField);
  CHECK(status(kCreateCq, Rig::kIoCq + 8, 1 | 15u << 16, 1) == kInvalidPrpOffset);
  CHECK(status(kCreateCq, Rig::kIoCq, 1 | 15u << 16, 3 | 99u << 16) == kInvalidVector);
  REQUIRE(rig.make_queues() == 0);
  CHECK(status(kCreateCq, Rig::kIoCq, 1 | 15u << 16, 1) == kInvalidQueueId);
  CHECK(status(kDeleteCq, 0, 1, 0) == kInvalidQueueDeletion);
  SECTION("deleting a queue completes its commands as aborted") {
    rig.submit(Rig::command(kRead, 77, 1, Rig::kData));
    CHECK(status(kDeleteSq, 0, 1, 0) == 0);
    const Rig::Answer answer = rig.next();
    CHECK((answer.present && answer.id == 77 && answer.status == kAbortedSqDeletion));
    rig.pass(1'000'000'000);
    CHECK(rig.bytes(Rig::kData, 512) == std::vector<u8>(512));
    CHECK(status(kDeleteCq, 0, 1, 0) == 0);
  }
  SECTION("abort takes one command back") {
    rig.submit(Rig::command(kRead, 78, 1, Rig::kData));
    const Rig::Answer answer = rig.admin(Rig::command(kAbort, 2, 0, 0, 0, 1 | 78u << 16));
    CHECK((answer.status == 0 && answer.result == 0));
    CHECK(rig.next().status == kAbortRequested);
    CHECK(rig.admin(Rig::command(kAbort, 3, 0, 0, 0, 1 | 78u << 16)).result == 1);
  }
}

TEST_CASE("nvme_completion_queue_wraps_inverts_its_phase_and_never_overruns") {
  Rig rig;
  rig.enable();
  REQUIRE(rig.make_queues(4) == 0);
  for (u16 i = 0; i < 11; ++i) {
    rig.submit(Rig::command(kRead, i, 1, Rig::kData, 0, i), 4);
    rig.pass(1'000'000);
    const Rig::Answer answer = rig.next(4);
    CHECK((answer.present && answer.id == i && answer.sq_head == (i + 1) % 4));
  }
  // Three fit; more wait until the head moves.
  for (u16 i = 0; i < 3; ++i) rig.submit(Rig::command(kRead, static_cast<u16>(100 + i), 1, Rig::kData), 4);
  rig.pass(1'000'000);
  for (u16 i = 0; i < 3; ++i) rig.submit(Rig::command(kRead, static_cast<u16>(200 + i), 1, Rig::kData), 4);
  rig.pass(1'000'000);
  for (const u32 id : {100u, 101u, 102u}) CHECK(rig.next(4).id == id);
  rig.pass(1'000'000);
  for (const u32 id : {200u, 201u, 202u}) CHECK(rig.next(4).id == id);
  CHECK_FALSE(rig.next(4).present);
}

TEST_CASE("nvme_wrong_doorbells_are_asynchronous_events") {
  Rig rig;
  rig.enable();
  for (u16 i = 0; i < 4; ++i) rig.submit_admin(Rig::command(kAsyncEventRequest, static_cast<u16>(50 + i), 0));
  CHECK(rig.admin(Rig::command(kAsyncEventRequest, 54, 0)).status == kAerLimitExceeded);
  rig.write(kDoorbells + 8 * 3, 1);  // queue 3 does not exist
  rig.write(kDoorbells, 16);         // beyond the end
  const Rig::Answer event = rig.take(Rig::kAdminCq, rig.admin_head, true);
  CHECK((event.present && event.id == 50 && event.result == 0x010000));
  // The next one waits until the error log has been read.
  CHECK_FALSE(rig.take(Rig::kAdminCq, rig.admin_head + 1, true).present);
  rig.submit_admin(Rig::command(kGetLogPage, 60, 0, Rig::kData, 0, kErrorLog | 15u << 16));
  const Rig::Answer first = rig.take(Rig::kAdminCq, rig.admin_head + 1, true);
  const Rig::Answer second = rig.take(Rig::kAdminCq, rig.admin_head + 2, true);
  CHECK((first.id == 51 && first.result == 0x010100));
  CHECK(second.id == 60);
  CHECK(rig.bytes(Rig::kData, 8) == std::vector<u8>{1, 0, 0, 0, 0, 0, 0, 0});  // AER beyond the limit
}

TEST_CASE("nvme_features_and_logs") {
  Rig rig;
  rig.enable();
  CHECK(rig.admin(Rig::command(kSetFeatures, 1, 0, 0, 0, kNumberOfQueues, 3 | 3 << 16)).result == 0x000F000F);
  CHECK(rig.admin(Rig::command(kGetFeatures, 1, 0, 0, 0, kVolatileWriteCache)).result == 1);
  CHECK(rig.admin(Rig::command(kSetFeatures, 1, 0, 0, 0, kInterruptCoalescing, 0x105)).status == 0);
  CHECK(rig.admin(Rig::command(kGetFeatures, 1, 0, 0, 0, kInterruptCoalescing)).result == 0x105);
  CHECK(rig.admin(Rig::command(kSetFeatures, 1, 0, 0, 0, kArbitration | 1u << 31)).status == kNotSaveable);
  CHECK(rig.admin(Rig::command(kGetFeatures, 1, 0, 0, 0, 0xC0)).status == kInvalidField);
  CHECK(rig.admin(Rig::command(kGetLogPage, 1, 0, Rig::kData, 0, kSmartLog | 127u << 16)).status == 0);
  CHECK(rig.bytes(Rig::kData + 3, 1)[0] == 100);
  CHECK(rig.admin(Rig::command(kGetLogPage, 1, 0, Rig::kData, 0, 0x55 | 127u << 16)).status ==
        kInvalidLogPage);
  CHECK(rig.admin(Rig::command(kGetLogPage, 1, 0, Rig::kData, 0, kSmartLog, 0xFFFF)).status == kInvalidField);
}

TEST_CASE("nvme_interrupts_by_pin_msi_and_msix") {
  Rig rig;
  rig.enable();
  SECTION("pin: a level until the head moves, masked by INTMS") {
    rig.submit_admin(Rig::command(kGetFeatures, 1, 0, 0, 0, kVolatileWriteCache));
    CHECK(rig.lines.level);
    rig.write(kIntms, 1);
    CHECK_FALSE(rig.lines.level);
    rig.write(kIntmc, 1);
    CHECK(rig.lines.level);
    rig.write(kDoorbells + 4, 1);
    CHECK_FALSE(rig.lines.level);
    CHECK(rig.messages.sent.empty());
  }
  SECTION("MSI-X: a message per completion on the queue's vector") {
    u8 offset = static_cast<u8>(rig.nvme->config_read(pci::kCapabilities, 1));
    while (offset != 0 && rig.nvme->config_read(offset, 1) != pci::kCapMsix)
      offset = static_cast<u8>(rig.nvme->config_read(static_cast<u8>(offset + 1), 1));
    REQUIRE(offset != 0);
    rig.nvme->config_write(static_cast<u8>(offset + 2), 0x8000, 2);
    for (const u32 vector : {0u, 5u}) {
      rig.write(0x2000 + vector * 16, 0xFEE00000);
      rig.write(0x2000 + vector * 16 + 8, 0x40 + vector);
      rig.write(0x2000 + vector * 16 + 12, 0);
    }
    REQUIRE(rig.make_queues(16, 5) == 0);
    rig.messages.sent.clear();
    REQUIRE(rig.io(Rig::command(kRead, 1, 1, Rig::kData)).status == 0);
    REQUIRE(rig.messages.sent.size() == 1);
    CHECK(rig.messages.sent[0].data == 0x45);
    CHECK_FALSE(rig.lines.level);
  }
}

TEST_CASE("nvme_transfers_take_the_latency_of_the_table_and_survive_a_snapshot") {
  Rig rig;
  rig.enable();
  REQUIRE(rig.make_queues() == 0);
  rig.submit(Rig::command(kRead, 5, 1, Rig::kData, 0, 8, 0, 7));
  rig.submit(Rig::command(kWrite, 6, 1, Rig::kData + 0x1000, 0, 64, 0, 7));
  const u64 latency = kNvmeLatency.command + 8 * kNvmeLatency.sector;
  rig.pass(latency - 1);
  CHECK_FALSE(rig.next().present);

  Rig other;
  const std::vector<u8> clock = saved(rig.clock), trace = saved(rig.trace), controller = saved(*rig.nvme);
  for (const auto& [object, state] : {std::pair<Saveable*, const std::vector<u8>&>{&other.clock, clock},
                                      {&other.trace, trace},
                                      {other.nvme.get(), controller}}) {
    StateReader in(state.data(), state.size());
    REQUIRE(object->load(in));
    REQUIRE(in.remaining() == 0);
  }
  for (std::size_t i = 0; i < rig.drives.size(); ++i) {
    const std::vector<u8> state = saved(*rig.drives[i]);
    StateReader in(state.data(), state.size());
    REQUIRE(other.drives[i]->load(in));
  }
  std::memcpy(other.ram.page, rig.ram.page, Rig::kRamSize);
  other.disks.image(0) = rig.disks.image(0);
  CHECK(saved(*other.nvme) == controller);
  for (Rig* machine : {&rig, &other}) {
    machine->io_head = 0;
    machine->pass(1);
    CHECK(machine->next().id == 5);
    CHECK(machine->bytes(Rig::kData, 4096) == sectors(rig, 0, 8, 8));
    machine->pass(10'000);
    CHECK(machine->next().id == 6);
  }
  CHECK(saved(*other.nvme) == saved(*rig.nvme));
  SECTION("damaged state is refused") {
    for (std::size_t cut = 0; cut < controller.size(); cut += 97) {
      Rig fresh;
      StateReader in(controller.data(), cut);
      CHECK_FALSE(fresh.nvme->load(in));
    }
  }
}

TEST_CASE("nvme_shutdown_completes_after_the_flush") {
  Rig rig;
  rig.enable();
  rig.write(kCc, rig.read(kCc) | 1u << 14);
  CHECK((rig.read(kCsts) & 0xC) == 4);
  rig.pass(1'000'000'000);
  CHECK((rig.read(kCsts) & 0xC) == 8);
  CHECK(rig.disks.flushes == 2);
  rig.write(kCc, 0);
  CHECK(rig.read(kCsts) == 0);
  SECTION("a notification that is taken back is forgotten") {
    rig.write(kCc, 1u << 14);
    rig.write(kCc, 0);
    rig.pass(1'000'000'000);
    CHECK(rig.read(kCsts) == 0);
  }
}
