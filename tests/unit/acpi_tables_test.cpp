#include "devices/firmware/acpi_tables.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "devices/firmware/aml.h"
#include "devices/firmware/dsdt.h"
#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

namespace {

constexpr u64 kRamSize = 64 * 1024 * 1024;

Platform two_cpus() {
  Platform platform;
  platform.cpus = 2;
  platform.ioapic_id = 2;
  platform.pci_interrupts = {{3, 0, 11}, {4, 0, 11}};
  return platform;
}

struct Installed {
  explicit Installed(const Platform& platform, RsdpRevision revision = RsdpRevision::k2)
      : ram(kRamSize), memory(ram.page, kRamSize), map(make_memory_map(kRamSize)) {
    install_firmware_tables(memory, map, platform, revision);
  }
  u64 at(u64 address, unsigned size) { return memory.read(address, size); }
  std::string text(u64 address, std::size_t size) {
    return {reinterpret_cast<const char*>(ram.page + address), size};
  }
  u8 sum(u64 address, u64 size) {
    u8 total = 0;
    for (u64 i = 0; i < size; ++i) total = static_cast<u8>(total + ram.page[address + i]);
    return total;
  }
  // Signature to address, through the RSDT.
  std::map<std::string, u64> tables() {
    std::map<std::string, u64> found;
    const u64 rsdt = at(kRsdpAddress + 16, 4);
    for (u64 entry = rsdt + 36; entry < rsdt + at(rsdt + 4, 4); entry += 4) {
      found[text(at(entry, 4), 4)] = at(entry, 4);
    }
    return found;
  }
  GuestRam ram;
  PhysicalMemory memory;
  MemoryMap map;
};

std::string hex(const aml::Aml& bytes) {
  std::string out;
  char digits[4];
  for (const u8 byte : bytes) {
    std::snprintf(digits, sizeof digits, "%02x", byte);
    out += digits;
  }
  return out;
}

}  // namespace

TEST_CASE("aml_terms_have_the_bytes_of_the_specification", "[acpi]") {
  CHECK(hex(aml::integer(0)) == "00");
  CHECK(hex(aml::integer(0x1234)) == "0b3412");
  CHECK(hex(aml::integer(0x123456789)) == "0e8967452301000000");
  CHECK(hex(aml::eisa_id("PNP0A03")) == "0c41d00a03");
  CHECK(hex(aml::path("\\_SB.PCI0.ISA")) == "5c2f035f53425f504349304953415f");
  CHECK(hex(aml::name("A", aml::integer(1))) == "08415f5f5f01");
  CHECK(hex(aml::scope("\\", {aml::integer(1)})) == "10045c0001");
  INFO("a package length of two bytes from 63 bytes of content on");
  CHECK(hex(aml::buffer(aml::Aml(60))).substr(0, 8) == "113f0a3c");
  CHECK(hex(aml::buffer(aml::Aml(61))).substr(0, 10) == "1141040a3d");
  CHECK(hex(aml::interrupts({5})) ==
        "89060009"
        "0105000000");
}

TEST_CASE("every_table_is_found_and_its_checksum_is_zero", "[acpi]") {
  for (const RsdpRevision revision : {RsdpRevision::k0, RsdpRevision::k2}) {
    Installed machine(two_cpus(), revision);
    CHECK(machine.text(kRsdpAddress, 8) == "RSD PTR ");
    CHECK(machine.sum(kRsdpAddress, 20) == 0);
    const std::map<std::string, u64> tables = machine.tables();
    CHECK(tables.size() == 3);
    for (const auto& [signature, address] : tables) {
      CAPTURE(signature);
      CHECK(address >= machine.map.acpi_base);
      CHECK(address + machine.at(address + 4, 4) <= machine.map.low_top);
      CHECK(machine.sum(address, machine.at(address + 4, 4)) == 0);
    }
    const u64 fadt = tables.at("FACP");
    const u64 dsdt = machine.at(fadt + 40, 4);
    CHECK(machine.text(dsdt, 4) == "DSDT");
    CHECK(machine.sum(dsdt, machine.at(dsdt + 4, 4)) == 0);
    CHECK(machine.at(fadt + 140, 8) == dsdt);
    CHECK(machine.text(machine.at(fadt + 36, 4), 4) == "FACS");
    CHECK((machine.at(fadt + 36, 4) & 63) == 0);
    if (revision == RsdpRevision::k2) {
      CHECK(machine.sum(kRsdpAddress, 36) == 0);
      const u64 xsdt = machine.at(kRsdpAddress + 24, 8);
      CHECK(machine.text(xsdt, 4) == "XSDT");
      CHECK(machine.at(xsdt + 36, 8) == fadt);
    }
  }
}

TEST_CASE("the_fadt_names_the_piix4_registers", "[acpi]") {
  Installed machine(two_cpus());
  const u64 fadt = machine.tables().at("FACP");
  CHECK(machine.at(fadt + 4, 4) == 244);
  CHECK(machine.at(fadt + 46, 2) == 9);
  CHECK(machine.at(fadt + 48, 4) == 0xB2);
  CHECK(machine.at(fadt + 56, 4) == 0x600);
  CHECK(machine.at(fadt + 64, 4) == 0x604);
  CHECK(machine.at(fadt + 76, 4) == 0x608);
  CHECK(machine.at(fadt + 80, 4) == 0x60C);
  CHECK(machine.at(fadt + 88, 4) == 0x04000204);
  CHECK(machine.at(fadt + 92, 1) == 4);
  CHECK(machine.at(fadt + 224, 8) == 0x60C);
  CHECK(machine.at(fadt + 108, 1) == 0x32);
  CHECK(machine.at(fadt + 109, 2) == 7);
  CHECK(machine.at(fadt + 120, 8) == 0xCF9);
  CHECK(machine.at(fadt + 128, 1) == 6);
  CHECK(machine.at(fadt + 148, 1) == 1);
  CHECK(machine.at(fadt + 149, 1) == 32);
  CHECK(machine.at(fadt + 152, 8) == 0x600);
  CHECK(machine.at(fadt + 212, 8) == 0x608);
}

TEST_CASE("the_madt_lists_cpus_ioapic_overrides_and_nmi", "[acpi]") {
  Installed machine(two_cpus());
  const u64 madt = machine.tables().at("APIC");
  CHECK(machine.at(madt + 36, 4) == 0xFEE00000);
  CHECK(machine.at(madt + 44, 8) == 0x0000000100000800ull);
  CHECK(machine.at(madt + 52, 8) == 0x0000000101010800ull);
  CHECK(machine.at(madt + 60, 8) == 0xFEC0000000020C01ull);
  INFO("IRQ 0 is pin 2; 5, 9, 10, 11 are level-triggered and active high");
  CHECK(machine.at(madt + 72, 8) == 0x0000000200000A02ull);
  const u64 expected[] = {5, 9, 10, 11};
  for (u64 i = 0; i < 4; ++i) {
    const u64 entry = madt + 82 + i * 10;
    CHECK(machine.at(entry + 3, 1) == expected[i]);
    CHECK(machine.at(entry + 4, 4) == expected[i]);
    CHECK(machine.at(entry + 8, 2) == 0x0D);
  }
  CHECK(machine.at(madt + 122, 6) == 0x010000FF0604ull);
  CHECK(machine.at(madt + 4, 4) == 128);
}

TEST_CASE("the_mp_table_matches", "[acpi]") {
  Installed machine(two_cpus());
  CHECK(machine.text(kMpPointerAddress, 4) == "_MP_");
  CHECK(machine.sum(kMpPointerAddress, 16) == 0);
  const u64 config = machine.at(kMpPointerAddress + 4, 4);
  CHECK(machine.text(config, 4) == "PCMP");
  const u64 length = machine.at(config + 4, 2);
  CHECK(machine.sum(config, length) == 0);
  u64 entry = config + 44;
  std::map<u64, unsigned> count;
  std::vector<u64> isa_irqs;
  unsigned total = 0;
  while (entry < config + length) {
    const u64 type = machine.at(entry, 1);
    ++count[type];
    ++total;
    if (type == 3 && machine.at(entry + 4, 1) == 1) isa_irqs.push_back(machine.at(entry + 5, 1));
    entry += type == 0 ? 20 : 8;
  }
  CHECK(entry == config + length);
  CHECK(total == machine.at(config + 34, 2));
  CHECK(count[0] == 2);
  CHECK(count[1] == 2);
  CHECK(count[2] == 1);
  CHECK(count[4] == 2);
  CHECK(isa_irqs == std::vector<u64>{0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15});
}

TEST_CASE("a_machine_without_apics_says_so", "[acpi]") {
  Platform platform;
  platform.apic = false;
  platform.hpet = false;
  Installed machine(platform);
  CHECK(machine.tables().size() == 1);
  CHECK(machine.at(kMpPointerAddress, 4) == 0);
}

TEST_CASE("the_dsdt_disassembles_without_complaint", "[acpi]") {
  if (std::system("command -v iasl >/dev/null 2>&1") != 0) return;
  Platform platform = two_cpus();
  platform.dma = true;
  platform.serial_ports = 4;
  const AcpiTables acpi = make_acpi_tables(0, platform);
  const std::string bytes(acpi.tables.begin(), acpi.tables.end());
  const std::size_t at = bytes.find("DSDT");
  u32 length = 0;
  std::memcpy(&length, bytes.data() + at + 4, 4);
  char folder[] = "/tmp/lapwing-dsdt-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string base = std::string(folder) + "/dsdt";
  std::ofstream(base + ".aml", std::ios::binary) << bytes.substr(at, length);
  const std::string shell =
      "cd " + std::string(folder) + " && iasl -d dsdt.aml >log 2>&1 && iasl -vs dsdt.dsl >>log 2>&1";
  const int status = std::system(shell.c_str());
  std::ifstream log_file(std::string(folder) + "/log");
  const std::string log((std::istreambuf_iterator<char>(log_file)), std::istreambuf_iterator<char>());
  std::ifstream source_file(base + ".dsl");
  const std::string source((std::istreambuf_iterator<char>(source_file)), std::istreambuf_iterator<char>());
  INFO(log);
  CHECK(status == 0);
  CHECK(log.find("0 Errors, 0 Warnings") != std::string::npos);
  for (const char* word :
       {"Device (LNKD)", "PRQ3,   8", "_S5, Package", "\"ACPI0007\"", "Method (_SRS", "PNP0501"}) {
    CAPTURE(word);
    CHECK(source.find(word) != std::string::npos);
  }
  const std::string cleanup = std::string("rm -r ") + folder;
  CHECK(std::system(cleanup.c_str()) == 0);
}
