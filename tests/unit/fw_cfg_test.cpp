#include "devices/firmware/fw_cfg.h"

#include <string>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

namespace {

constexpr u64 kRamSize = 2 * 1024 * 1024;
constexpr u64 kAccess = 0x1000;

struct Fixture {
  Fixture() : trace(clock), ports(clock, trace), ram(kRamSize), memory(ram.page, kRamSize), device(memory) {
    REQUIRE(device.claim_ports(ports).ok());
    device.add_standard_items(make_memory_map(kRamSize), 3, false);
  }
  std::string read(u16 key, unsigned size) {
    ports.port_out(0x510, key, 2);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += static_cast<char>(ports.port_in(0x511, 1));
    return text;
  }
  void put_big(u64 address, u64 value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) memory.write(address + i, value >> ((size - 1 - i) * 8), 1);
  }
  // Runs one DMA operation and gives the control word that it leaves.
  u32 dma(u32 control, u32 length, u64 address) {
    put_big(kAccess, control, 4);
    put_big(kAccess + 4, length, 4);
    put_big(kAccess + 8, address, 8);
    ports.port_out(0x514, 0, 4);
    ports.port_out(0x518, __builtin_bswap32(kAccess), 4);
    return __builtin_bswap32(static_cast<u32>(memory.read(kAccess, 4)));
  }
  Clock clock;
  IrqTrace trace;
  PortBus ports;
  GuestRam ram;
  PhysicalMemory memory;
  FwCfg device;
};

}  // namespace

TEST_CASE("items_are_read_byte_by_byte", "[fw_cfg]") {
  Fixture pc;
  CHECK(pc.read(0, 5) == std::string("QEMU\0", 5));
  CHECK(pc.read(1, 4) == std::string("\3\0\0\0", 4));
  CHECK(pc.read(3, 8) == std::string("\0\0\x20\0\0\0\0\0", 8));
  CHECK(pc.read(5, 2) == std::string("\3\0", 2));
  CHECK(pc.read(0x1FF, 2) == std::string("\0\0", 2));
  CHECK(pc.ports.port_in(0x514, 4) == 0x554D4551);
  CHECK(pc.ports.port_in(0x518, 4) == 0x47464320);
}

TEST_CASE("files_are_listed_in_the_directory_by_name", "[fw_cfg]") {
  Fixture pc;
  REQUIRE(pc.device.add_file("opt/lapwing/greeting", {'h', 'i'}).ok());
  REQUIRE(pc.device.add_file("bootorder", {'x'}).ok());
  CHECK(!pc.device.add_file("bootorder", {}).ok());
  CHECK(!pc.device.add_file(std::string(56, 'x'), {}).ok());
  const std::string directory = pc.read(0x19, 4 + 3 * 64);
  CHECK(directory.substr(0, 4) == std::string("\0\0\0\3", 4));
  CHECK(directory.substr(4, 18) == std::string("\0\0\0\1\0\x22\0\0bootorder\0", 18));
  CHECK(directory.substr(4 + 128, 8) == std::string("\0\0\0\2\0\x21\0\0", 8));
  CHECK(pc.read(0x21, 3) == std::string("hi\0", 3));
}

TEST_CASE("dma_selects_reads_skips_and_pads_with_zeros", "[fw_cfg]") {
  Fixture pc;
  REQUIRE(pc.device.add_file("data", {1, 2, 3, 4, 5, 6}).ok());
  pc.memory.write(0x2000, ~0ull, 8);
  CHECK(pc.dma(0x0021000A, 4, 0x2000) == 0);
  CHECK(pc.memory.read(0x2000, 8) == 0xFFFFFFFF04030201ull);
  CHECK(pc.dma(0x02, 4, 0x2000) == 0);
  CHECK(pc.memory.read(0x2000, 4) == 0x0605);
  CHECK(pc.dma(0x00210008, 0, 0) == 0);
  CHECK(pc.dma(0x04, 5, 0) == 0);
  CHECK(pc.ports.port_in(0x511, 1) == 6);
}

TEST_CASE("dma_outside_ram_sets_the_error_bit", "[fw_cfg]") {
  Fixture pc;
  REQUIRE(pc.device.add_file("data", std::vector<u8>(64, 7)).ok());
  CHECK(pc.dma(0x0021000A, 64, kRamSize - 32) == 1);
  CHECK(pc.dma(0x0021000A, 64, ~0ull - 8) == 1);
  CHECK(pc.dma(0x0021000A, 0xFFFFFFFF, 0x3000) == 1);
  CHECK(pc.dma(0x00210018, 64, 0x2000) == 1);
  pc.ports.port_out(0x514, 0xFFFFFFFF, 4);
  pc.ports.port_out(0x518, 0xFFFFFFFF, 4);
  CHECK(pc.read(0x21, 1) == "\7");
}

TEST_CASE("writable_files_take_exact_dma_writes_and_are_saved", "[fw_cfg]") {
  struct Sink final : StateSink {
    void bytes(const void* data, std::size_t size) override {
      buffer.insert(buffer.end(), static_cast<const u8*>(data), static_cast<const u8*>(data) + size);
    }
    std::vector<u8> buffer;
  } sink;
  Fixture pc;
  REQUIRE(pc.device.add_file("pointer", std::vector<u8>(4), true).ok());
  pc.memory.write(0x2000, 0x64636261, 4);
  CHECK(pc.dma(0x00210018, 3, 0x2000) == 1);
  CHECK(pc.dma(0x00210018, 4, 0x2000) == 0);
  CHECK(pc.read(0x21, 4) == "abcd");
  pc.read(0x21, 2);
  StateWriter out(sink);
  pc.device.save(out);
  Fixture fresh;
  REQUIRE(fresh.device.add_file("pointer", std::vector<u8>(4), true).ok());
  StateReader in(sink.buffer.data(), sink.buffer.size());
  REQUIRE(fresh.device.load(in));
  CHECK(fresh.ports.port_in(0x511, 1) == 'c');
}
