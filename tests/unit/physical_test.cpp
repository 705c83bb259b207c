#include "core/memory/physical.h"

#include <cstring>
#include <utility>

#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

namespace {

constexpr u64 kMiB = 1024 * 1024;

struct Recorder final : MmioDevice {
  u64 mmio_read(u64 offset, unsigned size) override {
    reads.emplace_back(offset, size);
    return 0x1122334455667788ull + offset;
  }
  void mmio_write(u64 offset, u64 value, unsigned size) override {
    writes.emplace_back(offset, size);
    last = value;
  }
  std::vector<std::pair<u64, unsigned>> reads;
  std::vector<std::pair<u64, unsigned>> writes;
  u64 last = 0;
};

struct BufferSink final : StateSink {
  void bytes(const void* data, std::size_t size) override {
    const auto* begin = static_cast<const u8*>(data);
    buffer.insert(buffer.end(), begin, begin + size);
  }
  std::vector<u8> buffer;
};

}  // namespace

TEST_CASE("ram_lies_low_and_above_4_gib_with_the_vga_hole_unmapped", "[physical]") {
  GuestRam ram(4 * kMiB);
  PhysicalMemory memory(ram.page, 4 * kMiB);
  memory.write(0x1000, 0x1234567890ABCDEFull, 8);
  CHECK(memory.read(0x1003, 2) == 0x7890);
  CHECK(memory.readable_page(0x1FFF) == ram.page + 0x1000);
  CHECK(memory.read(0x1000FFF, 8) == ~0ull);
  CHECK(memory.readable_page(0xA0000) == nullptr);
  CHECK(memory.read(0xBFFFF, 2) == 0x00FF);
  CHECK(memory.writable_page(0xC0000) == ram.page + 0xC0000);
  CHECK(memory.writable_page(4 * kMiB) == nullptr);
  CHECK(memory.read(0xFFFFFFFFFFull - 3, 8) == ~0ull);
}

TEST_CASE("ram_beyond_3_gib_continues_at_4_gib", "[physical]") {
  constexpr u64 kSize = PhysicalMemory::kLowRamLimit + 2 * kMiB;
  GuestRam ram(kSize);
  PhysicalMemory memory(ram.page, kSize);
  memory.write(0x100000000ull, 0x55, 1);
  CHECK(ram.page[PhysicalMemory::kLowRamLimit] == 0x55);
  CHECK(memory.writable_page(0xC0000000ull) == nullptr);
  CHECK(memory.writable_page(0x1001FFFFFull) != nullptr);
  CHECK(memory.writable_page(0x100200000ull) == nullptr);
}

TEST_CASE("device_windows_get_whole_accesses_and_overlap_is_an_error", "[physical]") {
  GuestRam ram(2 * kMiB);
  PhysicalMemory memory(ram.page, 2 * kMiB);
  Recorder first;
  Recorder second;
  REQUIRE(memory.map_mmio(0xFEC00000, 0x1000, first, "ioapic").ok());
  const Result<void> clash = memory.map_mmio(0xFEC00FF0, 0x100, second, "hpet");
  REQUIRE(!clash.ok());
  CHECK(clash.error().find("ioapic") != std::string::npos);
  CHECK(clash.error().find("hpet") != std::string::npos);
  CHECK(memory.read(0xFEC00010, 4) == 0x55667798);
  REQUIRE(first.reads.size() == 1);
  CHECK(first.reads[0] == std::make_pair(u64{0x10}, 4u));
  memory.write(0xFEC00FFE, 0xAABBCCDD, 4);
  REQUIRE(first.writes.size() == 1);
  CHECK(first.writes[0] == std::make_pair(u64{0xFFE}, 2u));

  SECTION("a movable window loses to a fixed one and hides RAM") {
    memory.map_movable(0x100000, 0x800, second, "bar", 3);
    CHECK(memory.writable_page(0x100000) == nullptr);
    memory.write(0x100800, 0x77, 1);
    CHECK(ram.page[0x100800] == 0x77);
    memory.write(0x1007FF, 0x66, 1);
    CHECK(second.last == 0x66);
    memory.map_movable(0xFEC00000, 0x1000, second, "bar", 3);
    memory.write(0xFEC00000, 1, 4);
    CHECK(second.writes.size() == 1);
    memory.unmap_mmio(second);
    CHECK(memory.writable_page(0x100000) != nullptr);
  }
}

TEST_CASE("shadow_pages_choose_between_ram_and_rom", "[physical]") {
  GuestRam ram(2 * kMiB);
  PhysicalMemory memory(ram.page, 2 * kMiB);
  std::vector<u8> rom(0x10000, 0xEE);
  unsigned changes = 0;
  memory.on_map_change([&] { ++changes; });
  REQUIRE(memory.map_rom(0xF0000, rom.data(), rom.size(), "bios").ok());
  memory.write(0xF0000, 0x11, 1);
  CHECK(memory.read(0xF0000, 1) == 0x11);
  memory.set_shadow(0xF0000, PhysicalMemory::Shadow::kRom);
  memory.write(0xF0000, 0x22, 1);
  CHECK(memory.read(0xF0000, 2) == 0xEEEE);
  CHECK(memory.readable_page(0xF0123) == rom.data());
  CHECK(memory.writable_page(0xF0000) == nullptr);
  memory.set_shadow(0xF0000, PhysicalMemory::Shadow::kRomWriteRam);
  memory.write(0xF0000, 0x33, 1);
  CHECK(memory.read(0xF0000, 1) == 0xEE);
  memory.set_shadow(0xF0000, PhysicalMemory::Shadow::kRamReadOnly);
  memory.write(0xF0000, 0x44, 1);
  CHECK(memory.read(0xF0000, 1) == 0x33);
  CHECK(changes == 4);
}

TEST_CASE("a20_gate_off_wraps_the_second_mebibyte", "[physical]") {
  GuestRam ram(4 * kMiB);
  PhysicalMemory memory(ram.page, 4 * kMiB);
  memory.set_a20(false);
  memory.write(0x100010, 0x42, 1);
  CHECK(ram.page[0x10] == 0x42);
  CHECK(memory.writable_page(0x100000) == ram.page);
  memory.set_a20(true);
  CHECK(memory.read(0x100010, 1) == 0);
}

TEST_CASE("writes_to_decoded_bytes_are_announced_before_they_land", "[physical]") {
  GuestRam ram(2 * kMiB);
  PhysicalMemory memory(ram.page, 2 * kMiB);
  std::vector<std::pair<u64, u64>> seen;
  std::vector<u64> first;
  memory.on_first_code([&](u64 page) { first.push_back(page); });
  memory.on_code_write([&](u64 address, u64 size) {
    seen.emplace_back(address, size);
    CHECK(memory.ram()[address] == 0);
    memory.clear_code(address);
  });
  memory.mark_code(0x1FF0, 0x20);
  CHECK(first == std::vector<u64>{0x1000, 0x2000});
  CHECK(memory.code_bits(0x1234) == 1u << 31);
  CHECK(memory.code_bits(0x2000) == 1u);
  memory.write(0x1F7F, 1, 1);
  CHECK(seen.empty());
  memory.write(0x1F80, 1, 4);
  const u8 block[256] = {1};
  CHECK(memory.write_ram(0x2000, block, sizeof block));
  CHECK(seen == std::vector<std::pair<u64, u64>>{{0x1F80, 4}, {0x2000, 256}});
  CHECK(memory.code_bits(0x1000) == 0);
}

TEST_CASE("bulk_copies_refuse_anything_that_is_not_ram", "[physical]") {
  GuestRam ram(2 * kMiB);
  PhysicalMemory memory(ram.page, 2 * kMiB);
  std::vector<u8> data(0x3000, 0x5A);
  CHECK(memory.write_ram(0x8F00, data.data(), data.size()));
  std::vector<u8> back(0x3000);
  CHECK(memory.read_ram(0x8F00, back.data(), back.size()));
  CHECK(back == data);
  CHECK(!memory.write_ram(0x9F000, data.data(), data.size()));
  CHECK(ram.page[0x9F000] == 0);
  CHECK(!memory.read_ram(2 * kMiB - 16, back.data(), 32));
  CHECK(!memory.read_ram(~0ull - 8, back.data(), 32));
}

TEST_CASE("saved_ram_restores_and_hashes_equal_and_damage_is_refused", "[physical]") {
  GuestRam one(2 * kMiB);
  GuestRam two(2 * kMiB);
  PhysicalMemory memory(one.page, 2 * kMiB);
  memory.write(0x5008, 0xDEAD, 2);
  memory.write(2 * kMiB - 1, 0x99, 1);
  memory.set_shadow(0xC8000, PhysicalMemory::Shadow::kRom);
  BufferSink sink;
  StateWriter out(sink);
  memory.save(out);
  PhysicalMemory other(two.page, 2 * kMiB);
  other.write(0x7000, 1, 1);
  StateReader in(sink.buffer.data(), sink.buffer.size());
  REQUIRE(other.load(in));
  StateHash a;
  StateHash b;
  memory.hash_ram(a);
  other.hash_ram(b);
  CHECK(a.value() == b.value());
  CHECK(std::memcmp(one.page, two.page, 2 * kMiB) == 0);
  CHECK(other.writable_page(0xC8000) == nullptr);
  StateReader cut(sink.buffer.data(), sink.buffer.size() - 9);
  CHECK(!other.load(cut));
}
