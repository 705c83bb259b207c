#include "devices/firmware/firmware_files.h"

#include <map>
#include <numeric>
#include <string>

#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

namespace {

constexpr u64 kRamSize = 2 * 1024 * 1024;

using Bytes = std::vector<u8>;

struct Firmware {
  Firmware() : ram(kRamSize), memory(ram.page, kRamSize), fw_cfg(memory) {}
  u64 read(unsigned size, bool big) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) {
      const u64 byte = fw_cfg.port_read(FwCfg::kDataPort, 1);
      value = big ? value << 8 | byte : value | byte << (8 * i);
    }
    return value;
  }
  std::map<std::string, Bytes> files() {
    std::map<std::string, Bytes> result;
    fw_cfg.port_write(FwCfg::kSelectorPort, FwCfg::kFileDirectory, 2);
    struct Entry {
      std::size_t size;
      u16 key;
      std::string name;
    };
    std::vector<Entry> entries(read(4, true));
    for (Entry& entry : entries) {
      entry.size = read(4, true);
      entry.key = static_cast<u16>(read(2, true));
      read(2, true);
      for (unsigned i = 0; i < FwCfg::kNameSize; ++i) {
        if (const auto letter = static_cast<char>(read(1, true)); letter != 0) entry.name += letter;
      }
    }
    for (const Entry& entry : entries) {
      fw_cfg.port_write(FwCfg::kSelectorPort, entry.key, 2);
      for (std::size_t i = 0; i < entry.size; ++i)
        result[entry.name].push_back(static_cast<u8>(read(1, true)));
    }
    return result;
  }
  GuestRam ram;
  PhysicalMemory memory;
  FwCfg fw_cfg;
};

u64 little(const Bytes& bytes, std::size_t at, unsigned size) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= u64{bytes.at(at + i)} << (8 * i);
  return value;
}

void put(Bytes& bytes, std::size_t at, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) bytes.at(at + i) = static_cast<u8>(value >> (8 * i));
}

u8 sum(const Bytes& bytes, std::size_t first, std::size_t size) {
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(first);
  return static_cast<u8>(std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(size), 0u));
}

std::string name_at(const Bytes& bytes, std::size_t at) {
  std::string name;
  while (bytes.at(at) != 0) name += static_cast<char>(bytes[at++]);
  return name;
}

}  // namespace

TEST_CASE("the_table_loader_makes_valid_acpi_tables_wherever_it_puts_them", "[firmware]") {
  Firmware pc;
  Platform platform;
  platform.cpus = 3;
  REQUIRE(add_acpi_files(pc.fw_cfg, platform).ok());
  std::map<std::string, Bytes> files = pc.files();
  const std::map<std::string, u64> places = {{"etc/acpi/rsdp", 0xF5000}, {"etc/acpi/tables", 0x1234500}};
  const Bytes& script = files["etc/table-loader"];
  REQUIRE(script.size() % 128 == 0);
  unsigned allocated = 0;
  for (std::size_t at = 0; at < script.size(); at += 128) {
    const std::string name = name_at(script, at + 4);
    Bytes& file = files.at(name);
    switch (little(script, at, 4)) {
      case 1:
        CHECK(places.at(name) % little(script, at + 60, 4) == 0);
        ++allocated;
        break;
      case 2: {
        const u64 target = places.at(name_at(script, at + 60));
        const auto offset = little(script, at + 116, 4);
        const auto size = static_cast<unsigned>(little(script, at + 120, 1));
        put(file, offset, little(file, offset, size) + target, size);
        break;
      }
      case 3: {
        const auto offset = little(script, at + 60, 4);
        file.at(offset) =
            static_cast<u8>(file[offset] - sum(file, little(script, at + 64, 4), little(script, at + 68, 4)));
        break;
      }
      default: FAIL("unknown command");
    }
  }
  CHECK(allocated == 2);
  const Bytes& rsdp = files["etc/acpi/rsdp"];
  CHECK(sum(rsdp, 0, 20) == 0);
  CHECK(sum(rsdp, 0, rsdp.size()) == 0);
  const Bytes& tables = files["etc/acpi/tables"];
  const u64 base = places.at("etc/acpi/tables");
  for (const auto& [address, width] :
       {std::pair<u64, unsigned>{little(rsdp, 16, 4), 4}, {little(rsdp, 24, 8), 8}}) {
    const u64 index = address - base;
    const u64 length = little(tables, index + 4, 4);
    CHECK(sum(tables, index, length) == 0);
    std::string found;
    for (u64 at = index + 36; at < index + length; at += width) {
      const u64 table = little(tables, at, width) - base;
      CHECK(sum(tables, table, little(tables, table + 4, 4)) == 0);
      found += std::string(tables.begin() + static_cast<std::ptrdiff_t>(table),
                           tables.begin() + static_cast<std::ptrdiff_t>(table + 4));
      if (!found.ends_with("FACP")) continue;
      CHECK(little(tables, table + 36, 4) == base);  // FACS
      CHECK(little(tables, table + 40, 4) == little(tables, table + 140, 8));
      const u64 dsdt = little(tables, table + 40, 4) - base;
      CHECK(sum(tables, dsdt, little(tables, dsdt + 4, 4)) == 0);
    }
    CHECK(found == "FACPAPICHPET");
  }
}

TEST_CASE("smbios_structures_fill_the_table_that_the_anchor_describes", "[firmware]") {
  Firmware pc;
  Platform platform;
  platform.cpus = 2;
  Uuid uuid{};
  uuid[0] = 0x11;
  REQUIRE(add_smbios_files(pc.fw_cfg, platform, 64u << 20, uuid).ok());
  std::map<std::string, Bytes> files = pc.files();
  const Bytes& anchor = files["etc/smbios/smbios-anchor"];
  const Bytes& table = files["etc/smbios/smbios-tables"];
  REQUIRE(anchor.size() == 31);
  CHECK(sum(anchor, 0, 31) == 0);
  CHECK(sum(anchor, 16, 15) == 0);
  CHECK(little(anchor, 22, 2) == table.size());
  std::string types;
  std::size_t at = 0;
  while (at < table.size()) {
    types += std::to_string(table[at]) + " ";
    if (table[at] == 1) CHECK(table[at + 8 + 3] == 0x11);
    at += table.at(at + 1);
    while (table.at(at) != 0 || table.at(at + 1) != 0) ++at;
    at += 2;
  }
  CHECK(at == table.size());
  CHECK(types == "1 3 4 4 16 17 19 32 127 ");
  CHECK(little(anchor, 28, 2) == 9);
}

TEST_CASE("boot_options_become_files_and_mistakes_sentences", "[firmware]") {
  Firmware pc;
  const Result<BootOptions> options =
      parse_boot_options("order=dn,menu=on,splash-time=300,reboot-timeout=4000,strict=on");
  REQUIRE(options.ok());
  CHECK(options.value().order[0] == BootMedium::kCd);
  CHECK(options.value().order[1] == BootMedium::kNetwork);
  CHECK(options.value().order[2] == BootMedium::kNone);
  REQUIRE(add_boot_files(pc.fw_cfg, options.value(), "/a\n/b\n").ok());
  std::map<std::string, Bytes> files = pc.files();
  CHECK(files["etc/boot-menu-wait"] == Bytes{0x2C, 0x01});
  CHECK(files["etc/boot-fail-wait"] == Bytes{0xA0, 0x0F, 0, 0});
  CHECK(files["bootorder"] == Bytes{'/', 'a', '\n', '/', 'b', '\n', 'H', 'A', 'L', 'T', 0});
  CHECK(parse_boot_options("d").ok());
  for (const char* wrong :
       {"order=z", "dd", "cdna", "menu=1", "splash-time=x", "once=d", "colour=red", "d,c"})
    CHECK_FALSE(parse_boot_options(wrong).ok());
  const Result<FirmwareFile> file = parse_firmware_file("name=opt/a,string=b,,c=d");
  REQUIRE(file.ok());
  CHECK(file.value().name == "opt/a");
  CHECK(std::string(file.value().data.begin(), file.value().data.end()) == "b,c=d");
  for (const char* wrong : {"", "string=x", "name=a", "name=a,text=b"})
    CHECK_FALSE(parse_firmware_file(wrong).ok());
  CHECK(parse_uuid("00112233-4455-6677-8899-AABBCCDDEEFF").value()[15] == 0xFF);
  CHECK_FALSE(parse_uuid("00112233445566778899aabbccddeeff0000").ok());
}
