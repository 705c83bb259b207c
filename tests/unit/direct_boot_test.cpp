#include "devices/firmware/direct_boot.h"

#include <map>

#include "devices/firmware/acpi_tables.h"
#include "devices/pci/i440fx.h"
#include "devices/pci/pci_bus.h"
#include "devices/pci/piix3.h"
#include "devices/pci/piix4_pm.h"
#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

namespace {

constexpr u64 kRamSize = 4 * 1024 * 1024;

struct Card final : PciDevice {
  Card(PciBus& bus, u8 slot) : PciDevice(bus, slot, 0, {0x1AF4, 0x1001, 0, 0x010000}) {
    define_bar(0, BarKind::kIo, 64);
    define_bar(1, BarKind::kMemory32, 4096);
    define_bar(4, BarKind::kMemory64, 16384, true);
    define_interrupt_pin(0);
  }
  std::string_view name() const override { return "card"; }
};

struct NoLines final : LineSink {
  void set_line(unsigned, bool, CauseId) override {}
};

// Remembers the last byte written to each chip port.
struct Chips final : PortDevice {
  u32 port_read(u16, unsigned) override { return 0; }
  void port_write(u16 port, u32 value, unsigned) override { last[port] = value; }
  std::map<u16, u32> last;
};

}  // namespace

TEST_CASE("direct_boot_leaves_what_seabios_leaves", "[direct_boot]") {
  Clock clock;
  IrqTrace trace(clock);
  PortBus ports(clock, trace);
  GuestRam ram(kRamSize);
  PhysicalMemory memory(ram.page, kRamSize);
  PciBus bus(ports, memory, trace);
  NoLines lines;
  Chips chips;
  u16 pm_base = 0;
  I440fx host(bus);
  Piix3 isa(bus, lines, [](ResetRequest) {});
  Piix4Pm pm(bus, {[&](u16 base) { pm_base = base; }, nullptr});
  Card one(bus, 3);
  Card two(bus, 4);
  for (PciDevice* device : std::initializer_list<PciDevice*>{&host, &isa, &pm, &one, &two}) {
    REQUIRE(bus.attach(*device).ok());
    device->reset();
  }
  for (const u16 port : {u16{0x20}, u16{0xA0}, u16{0x4D0}})
    REQUIRE(ports.claim(port, 2, chips, "chips").ok());

  Platform platform;
  platform.ioapic_id = 1;
  prepare_direct_boot(memory, ports, bus, make_memory_map(kRamSize), platform);

  INFO("memory");
  CHECK(memory.read(0x10 * 4, 4) == 0xF000FF53);
  CHECK(memory.read(0x08 * 4, 4) == 0xF000FEA5);
  CHECK(memory.read(0x77 * 4, 4) == 0xF000FEB0);
  CHECK(memory.read(0xFFF53, 1) == 0xCF);
  CHECK(memory.read(0x400, 2) == 0x3F8);
  CHECK(memory.read(0x40E, 2) == 0x9FC0);
  CHECK(memory.read(0x413, 2) == 639);
  CHECK(memory.read(kRsdpAddress, 8) == 0x2052545020445352ull);
  CHECK(memory.writable_page(0xF5000) == nullptr);
  CHECK(memory.readable_page(0xC0000) != nullptr);

  INFO("chips");
  CHECK(chips.last.at(0x21) == 0xB8);
  CHECK(chips.last.at(0xA1) == 0x8E);
  CHECK(chips.last.at(0x4D1) == 0x0C);
  CHECK(pm_base == 0x600);
  CHECK(ports.owner(0x700) == "piix4_pm smbus");

  INFO("PCI: BARs apart, enabled, IRQs by slot");
  const u32 io_one = one.config_read(0x10, 4);
  const u32 io_two = two.config_read(0x10, 4);
  CHECK(io_one == 0xC001);
  CHECK(io_two == 0xC041);
  CHECK(one.config_read(0x14, 4) != two.config_read(0x14, 4));
  CHECK((one.config_read(0x20, 4) & ~0xFu) >= kPciHoleBase);
  CHECK((one.config_read(0x04, 2) & 3) == 3);
  CHECK(ports.owner(0xC000) == "card");
  CHECK(one.config_read(0x3C, 1) == 11);
  CHECK(two.config_read(0x3C, 1) == 11);
  REQUIRE(platform.pci_interrupts.size() == 2);
  CHECK(platform.pci_interrupts[1].slot == 4);
  CHECK(isa.irq_of(0) == 10);
}

TEST_CASE("the_mtrrs_cover_the_pci_hole", "[direct_boot]") {
  std::map<u32, u64> msrs;
  for (const BootMsr& msr : boot_msrs()) msrs[msr.index] = msr.value;
  CHECK(msrs.at(0x200) == 0xC0000000);
  CHECK(msrs.at(0x201) == 0xFFC0000800ull);
  CHECK(msrs.at(0x2FF) == 0xC06);
}
