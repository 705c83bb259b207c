#include "devices/pci/pci_bus.h"

#include <utility>
#include <vector>

#include "devices/pci/i440fx.h"
#include "devices/pci/piix3.h"
#include "devices/pci/piix4_pm.h"
#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

namespace {

constexpr u64 kRamSize = 2 * 1024 * 1024;

struct IsaLines final : LineSink {
  void set_line(unsigned line, bool level, CauseId cause) override {
    if (!level || !bit_of(levels, line)) changes.emplace_back(line, level);
    levels = with_bit(levels, line, level);
    if (level) last_cause = cause;
  }
  u32 levels = 0;
  std::vector<std::pair<unsigned, bool>> changes;
  CauseId last_cause = 0;
};

// A function with one BAR of each kind and an INTx pin.
struct Sample final : PciDevice {
  Sample(PciBus& bus, u8 slot, u8 pin)
      : PciDevice(bus, slot, 0, {.vendor = 0x1234, .device = 0x5678, .revision = 9, .class_code = 0x010802}) {
    define_bar(0, BarKind::kIo, 32);
    define_bar(1, BarKind::kMemory32, 4096);
    define_bar(2, BarKind::kMemory64, 1 << 20, true);
    define_interrupt_pin(pin);
    first = define_capability(pci::kCapVendor, 6);
    second = define_capability(pci::kCapMsix, 12);
  }
  std::string_view name() const override { return "sample"; }
  u64 bar_read(unsigned bar, u64 offset, unsigned) override { return bar * 0x1000 + offset; }
  void bar_write(unsigned bar, u64 offset, u64 value, unsigned) override {
    writes.push_back({bar, offset, value});
  }
  void interrupt(bool level) { set_intx(level); }
  std::vector<std::vector<u64>> writes;
  u8 first = 0;
  u8 second = 0;
};

struct Messages final : MessageSink {
  bool send(const InterruptMessage& message) override {
    sent.push_back(message);
    return true;
  }
  std::vector<InterruptMessage> sent;
};

// A function with MSI and MSI-X; the MSI-X table is in the second half of its BAR.
struct MessageCard final : PciDevice {
  static constexpr MsixCapability::Layout kLayout{
      .table_bar = 0, .table_offset = 0x800, .pba_bar = 0, .pba_offset = 0xC00};
  MessageCard(PciBus& bus, MessageSink& sink)
      : PciDevice(bus, 6, 0, {.vendor = 0x1234, .device = 0x9999, .revision = 0, .class_code = 0x020000}),
        msi({bus.trace(), sink}, 2),
        msix({bus.trace(), sink}, 4, kLayout) {
    define_bar(0, BarKind::kMemory32, 4096);
    define_interrupt_pin(0);
    define_msi(msi);
    define_msix(msix, kLayout);
  }
  std::string_view name() const override { return "message card"; }
  u64 bar_read(unsigned, u64, unsigned) override { return 0x42; }
  void interrupt(bool level) { set_intx(level); }
  MsiCapability msi;
  MsixCapability msix;
};

struct BufferSink final : StateSink {
  void bytes(const void* data, std::size_t size) override {
    const auto* begin = static_cast<const u8*>(data);
    buffer.insert(buffer.end(), begin, begin + size);
  }
  std::vector<u8> buffer;
};

struct Chipset {
  Chipset()
      : trace(clock),
        ports(clock, trace),
        ram(kRamSize),
        memory(ram.page, kRamSize),
        bus(ports, memory, trace),
        host(bus),
        isa(bus, lines, [this](ResetRequest request) { resets.push_back(request); }),
        pm(bus, {[this](u16 base) { pm_base = base; }, [this](bool on) { acpi_mode = on; }}),
        one(bus, 3, 0),
        two(bus, 4, 3) {
    REQUIRE(bus.claim_ports().ok());
    REQUIRE(pm.claim_ports().ok());
    for (PciDevice* device : std::initializer_list<PciDevice*>{&host, &isa, &pm, &one, &two}) {
      REQUIRE(bus.attach(*device).ok());
      device->reset();
    }
    bus.set_intx_sink(isa);
    bus.set_reset_control(isa);
  }
  u32 config(u32 slot, u32 function, u32 offset, unsigned size = 4) {
    ports.port_out(0xCF8, 0x80000000 | (slot << 11) | (function << 8) | (offset & ~3u), 4);
    return ports.port_in(static_cast<u16>(0xCFC + (offset & 3)), size);
  }
  void configure(u32 slot, u32 function, u32 offset, u32 value, unsigned size = 4) {
    ports.port_out(0xCF8, 0x80000000 | (slot << 11) | (function << 8) | (offset & ~3u), 4);
    ports.port_out(static_cast<u16>(0xCFC + (offset & 3)), value, size);
  }
  Clock clock;
  IrqTrace trace;
  PortBus ports;
  GuestRam ram;
  PhysicalMemory memory;
  PciBus bus;
  IsaLines lines;
  std::vector<ResetRequest> resets;
  u16 pm_base = 0xFFFF;
  bool acpi_mode = false;
  I440fx host;
  Piix3 isa;
  Piix4Pm pm;
  Sample one;
  Sample two;
};

}  // namespace

TEST_CASE("configuration_mechanism_1_finds_functions_and_their_bytes", "[pci]") {
  Chipset pc;
  CHECK(pc.config(0, 0, 0) == 0x12378086);
  CHECK(pc.config(1, 0, 0) == 0x70008086);
  CHECK(pc.config(1, 3, 2, 2) == 0x7113);
  CHECK(pc.config(1, 0, 0x0E, 1) == 0x80);
  CHECK(pc.config(3, 0, 0x0B, 1) == 0x01);
  CHECK(pc.config(5, 0, 0) == 0xFFFFFFFF);
  CHECK(pc.config(3, 1, 0) == 0xFFFFFFFF);
  CHECK(pc.ports.port_in(0xCF8, 4) == 0x80001900);
  INFO("only dwords reach CONFIG_ADDRESS");
  pc.ports.port_out(0xCF8, 0, 1);
  pc.ports.port_out(0xCFA, 0, 2);
  CHECK(pc.ports.port_in(0xCF8, 4) == 0x80001900);
  pc.ports.port_out(0xCF8, 0x00001900, 4);
  CHECK(pc.ports.port_in(0xCFC, 4) == 0xFFFFFFFF);
  pc.ports.port_out(0xCF8, 0x80011900, 4);
  CHECK(pc.ports.port_in(0xCFC, 4) == 0xFFFFFFFF);
  Sample again(pc.bus, 3, 0);
  CHECK(pc.bus.attach(again).error().find("3.0") != std::string::npos);
}

TEST_CASE("bars_are_sized_mapped_and_moved", "[pci]") {
  Chipset pc;
  for (const u32 offset : {0x10u, 0x14u, 0x18u, 0x1Cu, 0x20u}) pc.configure(3, 0, offset, 0xFFFFFFFF);
  CHECK(pc.config(3, 0, 0x10) == 0xFFFFFFE1);
  CHECK(pc.config(3, 0, 0x14) == 0xFFFFF000);
  CHECK(pc.config(3, 0, 0x18) == 0xFFF0000C);
  CHECK(pc.config(3, 0, 0x1C) == 0xFFFFFFFF);
  CHECK(pc.config(3, 0, 0x20) == 0);
  pc.configure(3, 0, 0x10, 0xC000);
  pc.configure(3, 0, 0x14, 0xE0000000);
  pc.configure(3, 0, 0x18, 0x00000000);
  pc.configure(3, 0, 0x1C, 0x00000002);
  CHECK(pc.ports.port_in(0xC004, 4) == 0xFFFFFFFF);
  pc.configure(3, 0, 0x04, 3, 2);
  CHECK(pc.ports.port_in(0xC004, 4) == 4);
  CHECK(pc.memory.read(0xE0000010, 4) == 0x1010);
  CHECK(pc.memory.read(0x200000020ull, 4) == 0x2020);
  pc.memory.write(0xE0000014, 0x99, 4);
  CHECK(pc.one.writes == std::vector<std::vector<u64>>{{1, 0x14, 0x99}});
  pc.configure(3, 0, 0x10, 0xD000);
  CHECK(pc.ports.owner(0xC004).empty());
  CHECK(pc.ports.port_in(0xD01F, 1) == 0x1F);
  pc.configure(3, 0, 0x04, 1, 2);
  CHECK(pc.memory.read(0xE0000010, 4) == 0xFFFFFFFF);
  INFO("ports of another chip are not taken");
  pc.configure(3, 0, 0x10, 0xCE0);
  CHECK(pc.ports.owner(0xCF8) == "pci");
  pc.one.reset();
  CHECK(pc.ports.owner(0xD000).empty());
}

TEST_CASE("capabilities_are_linked", "[pci]") {
  Chipset pc;
  CHECK((pc.config(3, 0, 0x06, 2) & 0x10) != 0);
  CHECK(pc.config(3, 0, 0x34, 1) == pc.one.first);
  CHECK(pc.config(3, 0, pc.one.first, 2) == (0x09u | (u32{pc.one.second} << 8)));
  CHECK(pc.config(3, 0, pc.one.second, 2) == 0x11);
  CHECK(pc.one.second == 0x48);
}

TEST_CASE("intx_pins_reach_isa_irqs_as_shared_levels", "[pci]") {
  using Changes = std::vector<std::pair<unsigned, bool>>;
  Chipset pc;
  INFO("slot 3 pin A and slot 4 pin D both reach PIRQC");
  CHECK(Piix3::pirq_of(3, 0) == 2);
  CHECK(Piix3::pirq_of(4, 3) == 2);
  pc.one.interrupt(true);
  CHECK(pc.lines.changes.empty());
  pc.configure(1, 0, 0x62, 0x0B, 1);
  CHECK(pc.lines.changes == Changes{{11, true}});
  CHECK(pc.lines.last_cause != 0);
  pc.two.interrupt(true);
  pc.one.interrupt(false);
  CHECK(pc.lines.changes.size() == 1);
  pc.configure(1, 0, 0x62, 0x0A, 1);
  CHECK(pc.lines.changes == Changes{{11, true}, {10, true}, {11, false}});
  CHECK((pc.config(4, 0, 0x06, 2) & 8) != 0);
  pc.configure(4, 0, 0x04, 0x400, 2);
  CHECK(pc.lines.changes.back() == std::make_pair(10u, false));
  pc.configure(4, 0, 0x04, 0, 2);
  CHECK(pc.lines.changes.back() == std::make_pair(10u, true));
  pc.two.reset();
  CHECK(pc.lines.changes.back() == std::make_pair(10u, false));
  pc.two.interrupt(true);
  pc.configure(1, 0, 0x62, 0x08, 1);
  CHECK(pc.lines.changes.back() == std::make_pair(10u, false));
}

TEST_CASE("two_pirqs_on_one_irq_are_ored", "[pci]") {
  Chipset pc;
  Sample other(pc.bus, 5, 0);
  REQUIRE(pc.bus.attach(other).ok());
  pc.configure(1, 0, 0x60, 0x0B0B0B0B, 4);
  pc.one.interrupt(true);
  other.interrupt(true);
  pc.one.interrupt(false);
  CHECK(pc.lines.changes.size() == 1);
  other.interrupt(false);
  CHECK(pc.lines.changes.back() == std::make_pair(11u, false));
}

TEST_CASE("each_raiser_of_a_shared_line_is_named_and_inherits_it", "[pci]") {
  Chipset pc;
  pc.configure(1, 0, 0x62, 0x0B, 1);
  pc.trace.start(64, false);
  pc.one.interrupt(true);
  const CauseId first = pc.lines.last_cause;
  pc.two.interrupt(true);
  CHECK(pc.lines.last_cause == first);
  pc.one.interrupt(false);
  const CauseId second = pc.lines.last_cause;
  CHECK(second != first);
  pc.one.interrupt(true);
  pc.one.interrupt(false);
  CHECK(pc.lines.last_cause == second);
  pc.two.interrupt(false);
  IrqEvent events[16];
  const std::size_t count = pc.trace.drain(events, 16);
  using Kind = IrqEventKind;
  const std::vector<Kind> kinds = {Kind::kDeviceRaise, Kind::kLineRaised,  Kind::kDeviceRaise,
                                   Kind::kLineJoined,  Kind::kDeviceLower, Kind::kLineKept,
                                   Kind::kDeviceRaise, Kind::kLineJoined,  Kind::kDeviceLower,
                                   Kind::kDeviceLower, Kind::kLineLowered};
  REQUIRE(count == kinds.size());
  for (std::size_t i = 0; i < count; ++i) CHECK(events[i].kind == static_cast<u8>(kinds[i]));
  CHECK(events[0].line == (kIntxLine | 12));
  CHECK(events[2].line == (kIntxLine | 19));
  CHECK(events[3].cause == second);
  CHECK(events[3].data == first);
  CHECK(events[5].cause == second);
  CHECK(events[5].data == first);
  CHECK(events[10].cause == second);
}

TEST_CASE("msi_and_msix_are_reached_through_config_space_and_bar", "[pci]") {
  Chipset pc;
  Messages messages;
  MessageCard card(pc.bus, messages);
  REQUIRE(pc.bus.attach(card).ok());
  const u32 msi = pc.config(6, 0, 0x34, 1);
  CHECK(pc.config(6, 0, msi, 1) == 0x05);
  const u32 msix = pc.config(6, 0, msi + 1, 1);
  CHECK(pc.config(6, 0, msix) == 0x00030011);
  CHECK(pc.config(6, 0, msix + 4) == 0x800);
  pc.configure(1, 0, 0x60, 0x0B0B0B0B, 4);
  pc.configure(6, 0, 0x10, 0xE0000000);
  pc.configure(6, 0, 0x04, 2, 2);
  CHECK(pc.memory.read(0xE0000000, 4) == 0x42);

  INFO("MSI-X entry 1");
  pc.memory.write(0xE0000810, 0xFEE00000, 4);
  pc.memory.write(0xE0000818, 0x0000000000000031, 8);
  card.interrupt(true);
  CHECK(pc.lines.changes.size() == 1);
  pc.configure(6, 0, msix + 2, 0x8000, 2);
  CHECK(pc.lines.changes.size() == 2);
  card.msix.notify(1);
  REQUIRE(messages.sent.size() == 1);
  CHECK(messages.sent[0].data == 0x31);
  CHECK(pc.memory.read(0xE0000C00, 8) == 0);

  INFO("MSI, vector 0");
  pc.configure(6, 0, msix + 2, 0, 2);
  pc.configure(6, 0, msi + 4, 0xFEE01000);
  pc.configure(6, 0, msi + 12, 0x40, 2);
  pc.configure(6, 0, msi + 2, 1, 2);
  card.msi.notify(0);
  CHECK(messages.sent.back().address == 0xFEE01000);
  card.reset();
  CHECK((pc.config(6, 0, msi + 2, 2) & 1) == 0);
}

TEST_CASE("pam_registers_shadow_the_bios_area", "[pci]") {
  Chipset pc;
  CHECK(pc.memory.writable_page(0xF0000) == nullptr);
  pc.configure(0, 0, 0x59, 0x30, 1);
  CHECK(pc.memory.writable_page(0xFF000) != nullptr);
  CHECK(pc.memory.writable_page(0xEF000) == nullptr);
  pc.configure(0, 0, 0x5A, 0x13, 1);
  CHECK(pc.memory.writable_page(0xC3000) != nullptr);
  CHECK(pc.memory.writable_page(0xC4000) == nullptr);
  CHECK(pc.memory.readable_page(0xC4000) != nullptr);
  pc.host.reset();
  CHECK(pc.memory.readable_page(0xC3000) == nullptr);
}

TEST_CASE("the_reset_control_register_resets_on_a_rising_edge", "[pci]") {
  Chipset pc;
  pc.ports.port_out(0xCF9, 0x02, 1);
  CHECK(pc.resets.empty());
  pc.ports.port_out(0xCF9, 0x06, 1);
  pc.ports.port_out(0xCF9, 0x06, 1);
  CHECK(pc.resets == std::vector<ResetRequest>{ResetRequest::kHard});
  CHECK(pc.ports.port_in(0xCF9, 1) == 0x06);
  pc.ports.port_out(0xCF9, 0x00, 1);
  pc.ports.port_out(0xCF9, 0x04, 1);
  CHECK(pc.resets.back() == ResetRequest::kSoft);
}

TEST_CASE("the_pm_function_moves_its_blocks_and_takes_apm_commands", "[pci]") {
  Chipset pc;
  CHECK(pc.config(1, 3, 0x40) == 1);
  pc.configure(1, 3, 0x40, 0x601);
  CHECK(pc.pm_base == 0xFFFF);
  pc.configure(1, 3, 0x80, 1, 1);
  CHECK(pc.pm_base == 0x600);
  pc.ports.port_out(0xB2, 0xF1, 1);
  CHECK(pc.acpi_mode);
  pc.ports.port_out(0xB2, 0xF0, 1);
  CHECK(!pc.acpi_mode);
  pc.configure(1, 3, 0x90, 0x701);
  pc.configure(1, 3, 0xD2, 9, 1);
  pc.configure(1, 3, 0x04, 1, 2);
  CHECK(pc.ports.port_in(0x700, 1) == 0);
  INFO("an SMBus transaction finds nobody");
  pc.ports.port_out(0x704, 0xA1, 1);
  pc.ports.port_out(0x702, 0x48, 1);
  CHECK(pc.ports.port_in(0x700, 1) == 0x04);
  pc.ports.port_out(0x700, 0x04, 1);
  CHECK(pc.ports.port_in(0x700, 1) == 0);
  pc.pm.reset();
  CHECK(pc.pm_base == 0);
  CHECK(pc.ports.owner(0x700).empty());
}

TEST_CASE("functions_are_restored_with_their_windows_and_levels", "[pci]") {
  Chipset pc;
  pc.configure(1, 0, 0x62, 0x0B, 1);
  pc.configure(3, 0, 0x10, 0xC000);
  pc.configure(3, 0, 0x04, 1, 2);
  pc.one.interrupt(true);
  BufferSink sink;
  StateWriter out(sink);
  pc.isa.save(out);
  pc.one.save(out);
  Chipset fresh;
  StateReader in(sink.buffer.data(), sink.buffer.size());
  REQUIRE(fresh.isa.load(in));
  REQUIRE(fresh.one.load(in));
  CHECK(fresh.lines.changes.empty());
  CHECK(fresh.ports.port_in(0xC004, 1) == 4);
  fresh.one.interrupt(false);
  CHECK(fresh.lines.changes == std::vector<std::pair<unsigned, bool>>{{11, false}});
  sink.buffer[0] ^= 1;
  StateReader damaged(sink.buffer.data(), sink.buffer.size());
  CHECK(!Chipset().isa.load(damaged));
}

TEST_CASE("each_of_the_13_pam_regions_switches_reads_and_writes_on_its_own", "[pci]") {
  Chipset pc;
  std::vector<u8> rom(0x40000, 0xEE);
  REQUIRE(pc.memory.map_rom(0xC0000, rom.data(), rom.size(), "rom").ok());
  struct Region {
    u32 reg;
    unsigned shift;
    u64 base;
    u64 size;
  };
  std::vector<Region> regions = {{0x59, 4, 0xF0000, 0x10000}};
  for (u32 i = 0; i < 12; ++i) regions.push_back({0x5A + i / 2, i % 2 * 4, 0xC0000 + i * 0x4000ull, 0x4000});
  for (const Region& region : regions) {
    CAPTURE(region.base);
    const auto last = region.base + region.size - 1;
    const auto set = [&](u32 attributes) { pc.configure(0, 0, region.reg, attributes << region.shift, 1); };
    set(3);  // RE and WE: RAM
    pc.memory.write(region.base, 0x11, 1);
    pc.memory.write(last, 0x12, 1);
    CHECK(pc.memory.read(region.base, 1) == 0x11);
    CHECK(pc.memory.read(region.base - 1, 1) != 0x11);
    set(1);  // RE: write-protected RAM
    pc.memory.write(region.base, 0x21, 1);
    CHECK(!pc.memory.write_ram(last, "x", 1));
    CHECK(pc.memory.read(region.base, 1) == 0x11);
    CHECK(pc.memory.read(last, 1) == 0x12);
    set(2);  // WE: writes go to RAM under the ROM
    pc.memory.write(region.base, 0x31, 1);
    CHECK(pc.memory.read(region.base, 1) == 0xEE);
    CHECK(pc.memory.read(last, 1) == 0xEE);
    set(0);
    pc.memory.write(region.base, 0x41, 1);
    CHECK(pc.memory.read(region.base, 1) == 0xEE);
    set(1);
    CHECK(pc.memory.read(region.base, 1) == 0x31);
    set(0);
  }
}
