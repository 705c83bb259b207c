#include "devices/firmware/dsdt.h"

#include <string>

#include "devices/firmware/memory_map.h"

namespace lapwing {

namespace {

using aml::Aml;
using aml::Terms;

constexpr u8 kPirqDisabled = 0x80;  // PIRQRC bit 7
constexpr u8 kStaPresent = 0x0F;
constexpr u8 kStaLinkEnabled = 0x0B;
constexpr u8 kStaLinkDisabled = 0x09;

Aml hid(std::string_view id) {
  return aml::name("_HID", aml::eisa_id(id));
}
Aml uid(u64 value) {
  return aml::name("_UID", aml::integer(value));
}
Aml crs(const Terms& resources) {
  return aml::name("_CRS", aml::template_of(resources));
}

Aml isa_device(std::string_view name, std::string_view id, const Terms& resources) {
  return aml::device(name, {hid(id), crs(resources)});
}

Aml serial_port(unsigned index) {
  constexpr u16 kBases[] = {0x3F8, 0x2F8, 0x3E8, 0x2E8};
  constexpr unsigned kIrqs[] = {4, 3, 4, 3};
  const std::string name = "COM" + std::to_string(index + 1);
  return aml::device(name, {hid("PNP0501"), uid(index + 1), aml::name("_STA", aml::integer(kStaPresent)),
                            crs({aml::io(kBases[index], 8), aml::irq(kIrqs[index])})});
}

// Ports that belong to the chipset itself. (The APICs' windows are known from the MADT.)
Aml motherboard_resources() {
  return aml::device("SYSR", {hid("PNP0C02"), uid(1),
                              crs({aml::io(0x80, 1), aml::io(0x92, 1), aml::io(kSmiCommandPort, 2),
                                   aml::io(kPmBase, 0x40), aml::io(kSmbusBase, 0x10)})});
}

Aml isa_bridge(const Platform& platform) {
  Terms body = {
      aml::name("_ADR", aml::integer(0x00010000)),
      aml::operation_region("P40C", aml::RegionSpace::kPciConfig, 0x60, 4),
      motherboard_resources(),
      isa_device("PIC", "PNP0000", {aml::io(0x20, 2), aml::io(0xA0, 2), aml::io(0x4D0, 2), aml::irq(2)}),
      isa_device("TIMR", "PNP0100", {aml::io(0x40, 4), aml::irq(0)}),
      isa_device("SPKR", "PNP0800", {aml::io(0x61, 1)}),
      isa_device("RTC", "PNP0B00", {aml::io(0x70, 2), aml::irq(8)}),
  };
  if (platform.dma) {
    body.push_back(isa_device("DMAC", "PNP0200",
                              {aml::io(0x00, 16), aml::io(0x81, 15), aml::io(0xC0, 32), aml::dma(4)}));
  }
  if (platform.keyboard) {
    body.push_back(isa_device("KBD", "PNP0303", {aml::io(0x60, 1), aml::io(0x64, 1), aml::irq(1)}));
    body.push_back(isa_device("MOU", "PNP0F13", {aml::irq(12)}));
  }
  for (unsigned i = 0; i < platform.serial_ports; ++i) body.push_back(serial_port(i));
  return aml::device("ISA", body);
}

Aml interrupt_routing() {
  constexpr std::string_view kLinks[] = {"LNKD", "LNKA", "LNKB", "LNKC"};
  Terms entries;
  for (u32 slot = 1; slot < 32; ++slot) {
    for (u32 pin = 0; pin < 4; ++pin) {
      const bool sci = slot == 1 && pin == 0;
      const Aml link = aml::path(sci ? "LNKS" : kLinks[(slot + pin) & 3]);
      const Aml address = aml::integer((slot << 16) | 0xFFFF);
      entries.push_back(aml::package({address, aml::integer(pin), link, aml::integer(0)}));
    }
  }
  return aml::name("_PRT", aml::package(entries));
}

Aml host_bridge(const Platform& platform) {
  const Aml resources = crs({
      aml::word_bus_number(0, 0xFF),
      aml::io(0xCF8, 8),
      aml::word_io(0, 0xCF7),
      aml::word_io(0xD00, 0xFFFF),
      aml::dword_memory(0xA0000, 0xBFFFF, true),
      aml::dword_memory(static_cast<u32>(kPciHoleBase), static_cast<u32>(kPciHoleEnd - 1), false),
  });
  return aml::device("PCI0", {hid("PNP0A03"), uid(0), resources, interrupt_routing(), isa_bridge(platform)});
}

// LNKA-LNKD: one PIRQ route control register each.
Aml link_device(unsigned index) {
  const std::string name = std::string("LNK") + static_cast<char>('A' + index);
  const Aml route = aml::path("PRQ" + std::to_string(index));
  return aml::device(
      name,
      {hid("PNP0C0F"), uid(index + 1), aml::name("_PRS", aml::template_of({aml::interrupts({5, 10, 11})})),
       aml::method("_STA", 0, false, {aml::return_value(aml::call("IQST", {route}))}),
       aml::method("_DIS", 0, false, {aml::bit_or(route, aml::integer(kPirqDisabled), route)}),
       aml::method("_CRS", 0, false, {aml::return_value(aml::call("IQCR", {route}))}),
       aml::method("_SRS", 1, true,
                   {aml::create_dword_field(aml::arg(0), aml::kInterruptNumberOffset, "PRRI"),
                    aml::store(aml::path("PRRI"), route)})});
}

Aml sci_link() {
  const Aml resources = aml::template_of({aml::interrupts({kSciIrq})});
  return aml::device(
      "LNKS",
      {hid("PNP0C0F"), uid(5), aml::name("_PRS", resources), aml::name("_STA", aml::integer(kStaLinkEnabled)),
       aml::method("_DIS", 0, false, {}), aml::name("_CRS", resources), aml::method("_SRS", 1, false, {})});
}

Terms interrupt_links() {
  Terms terms = {
      aml::byte_fields("\\_SB.PCI0.ISA.P40C", {"PRQ0", "PRQ1", "PRQ2", "PRQ3"}),
      aml::method("IQST", 1, false,
                  {aml::if_then(aml::bit_and(aml::arg(0), aml::integer(kPirqDisabled)),
                                {aml::return_value(aml::integer(kStaLinkDisabled))}),
                   aml::return_value(aml::integer(kStaLinkEnabled))}),
      aml::method("IQCR", 1, true,
                  {aml::name("PRR0", aml::template_of({aml::interrupts({0})})),
                   aml::create_dword_field(aml::path("PRR0"), aml::kInterruptNumberOffset, "PRRI"),
                   aml::if_then(aml::less(aml::arg(0), aml::integer(kPirqDisabled)),
                                {aml::store(aml::arg(0), aml::path("PRRI"))}),
                   aml::return_value(aml::path("PRR0"))}),
  };
  for (unsigned i = 0; i < 4; ++i) terms.push_back(link_device(i));
  terms.push_back(sci_link());
  return terms;
}

Aml processors(unsigned count) {
  constexpr char kHex[] = "0123456789ABCDEF";
  Terms body = {aml::name("_HID", aml::string("ACPI0010")), uid(0)};
  for (unsigned i = 0; i < count; ++i) {
    const std::string name = {'C', '0', kHex[(i >> 4) & 15], kHex[i & 15]};
    body.push_back(aml::device(name, {aml::name("_HID", aml::string("ACPI0007")), uid(i)}));
  }
  return aml::device("CPUS", body);
}

}  // namespace

aml::Aml make_dsdt_body(const Platform& platform) {
  Terms system_bus = {host_bridge(platform)};
  for (Aml& term : interrupt_links()) system_bus.push_back(std::move(term));
  if (platform.hpet) {
    system_bus.push_back(
        aml::device("HPET", {hid("PNP0103"), uid(0), crs({aml::memory32_fixed(kHpetBase, 0x400)})}));
  }
  if (platform.fw_cfg) {
    system_bus.push_back(
        aml::device("FWCF", {aml::name("_HID", aml::string("QEMU0002")),
                             aml::name("_STA", aml::integer(kStaLinkEnabled)), crs({aml::io(0x510, 12)})}));
  }
  system_bus.push_back(processors(platform.cpus));
  const auto sleep_state = [](std::string_view name, u8 type) {
    const Aml value = aml::integer(type);
    const Aml reserved = aml::integer(0);
    return aml::name(name, aml::package({value, value, reserved, reserved}));
  };
  // S4 leaves the image to the operating system and turns the power off.
  return aml::concat({aml::scope("\\_SB", system_bus), sleep_state("\\_S3", kSleepToRam),
                      sleep_state("\\_S4", kSleepOff), sleep_state("\\_S5", kSleepOff)});
}

}  // namespace lapwing
