// pci-testdev as test suites use it: pick a test, read what it wants, write, read the count.
#include "devices/test/pci_testdev.h"

#include "devices/bus.h"
#include "devices/pci/pci_bus.h"
#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

TEST_CASE("pci_testdev_counts_the_accesses_that_each_test_asks_for") {
  Clock clock;
  IrqTrace trace(clock);
  GuestRam ram(1 << 20);
  PhysicalMemory memory(ram.page, 1 << 20);
  PortBus ports(clock, trace);
  PciBus bus(ports, memory, trace);
  PciTestDevice device(bus, 5);
  REQUIRE(bus.attach(device).ok());
  device.reset();
  CHECK(bus.config_read(5, 0, pci::kVendorId, 4) == 0x00051B36);
  constexpr u32 kMemory = 0xFEB00000;
  constexpr u16 kPorts = 0xC000;
  bus.config_write(5, 0, pci::kBar0, kMemory, 4);
  bus.config_write(5, 0, pci::kBar0 + 4, kPorts, 4);
  bus.config_write(5, 0, pci::kCommand, pci::kCommandIo | pci::kCommandMemory, 2);

  const auto in = [&](u32 offset, unsigned size) {
    return ports.port_in(static_cast<u16>(kPorts + offset), size);
  };
  for (u32 test = 0; test < 3; ++test) {
    CAPTURE(test);
    ports.port_out(kPorts, test, 1);
    CHECK(in(1, 1) == 1);
    const u32 offset = in(4, 4), data = in(8, 4);
    CHECK(offset == 128 + 3 + test);
    ports.port_out(static_cast<u16>(kPorts + offset), data, 1);
    ports.port_out(static_cast<u16>(kPorts + offset), data ^ 1, 1);  // counts with the wildcard only
    ports.port_out(static_cast<u16>(kPorts + offset + 9), data, 1);
    CHECK(in(12, 4) == (test == 1 ? 2u : 1u));
  }
  ports.port_out(kPorts, 3, 1);
  CHECK(in(1, 1) == 0);

  memory.write(kMemory, 0, 1);
  CHECK(memory.read(kMemory + 1, 1) == 1);
  const u64 target = kMemory + memory.read(kMemory + 4, 4);
  CHECK(target == kMemory + 2048);
  memory.write(target, memory.read(kMemory + 8, 4), 1);
  CHECK(memory.read(kMemory + 12, 4) == 1);
  std::string name;
  for (u64 at = kMemory + 16; memory.read(at, 1) != 0; ++at) name += static_cast<char>(memory.read(at, 1));
  CHECK(name == "mmio-no-eventfd");
}
