// System Management BIOS tables (DMTF DSP0134, version 2.8): system, enclosure, one socket per CPU, memory.
// The BIOS information (type 0) is the firmware's own to add.
#include <algorithm>

#include "devices/firmware/firmware_files.h"
#include "devices/firmware/table_bytes.h"

namespace lapwing {

namespace {

enum Type : u8 {
  kSystem = 1,
  kEnclosure = 3,
  kProcessor = 4,
  kMemoryArray = 16,
  kMemoryDevice = 17,
  kMappedArray = 19,
  kBootStatus = 32,
  kEndOfTable = 127,
};
constexpr u16 kNoError = 0xFFFE;  // error information handle: not provided
constexpr u64 kKiB = 1024;
constexpr u64 kMiB = 1024 * kKiB;

class Smbios {
 public:
  // Opens a structure; its strings are numbered from 1 in the order of text().
  Smbios& begin(Type type, u16 handle) {
    body_ = TableBytes();
    strings_.clear();
    handle_ = handle;
    type_ = type;
    return *this;
  }
  Smbios& add(u64 value, unsigned size) {
    body_.add(value, size);
    return *this;
  }
  Smbios& text(std::string_view words) {
    strings_.emplace_back(words);
    body_.add(strings_.size(), 1);
    return *this;
  }
  void end() {
    constexpr unsigned kHeader = 4;
    const std::size_t start = table_.size();
    table_.add(type_, 1).add(kHeader + body_.size(), 1).add(handle_, 2).add(body_.bytes());
    for (const std::string& words : strings_) table_.add(words).add(0, 1);
    table_.add(0, strings_.empty() ? 2 : 1);
    largest_ = std::max(largest_, table_.size() - start);
    ++count_;
  }
  const std::vector<u8>& table() const { return table_.bytes(); }

  // The 2.1 entry point; the firmware fills in where it puts the table, and both checksums.
  std::vector<u8> anchor() const {
    TableBytes anchor;
    anchor.add("_SM_").add(0, 1).add(31, 1).add(2, 1).add(8, 1).add(largest_, 2).add(0, 1).add(0, 5);
    anchor.add("_DMI_").add(0, 1).add(table_.size(), 2).add(0, 4).add(count_, 2).add(0x28, 1);
    constexpr std::size_t kSecondPart = 16;
    anchor.set_checksum(21, kSecondPart, anchor.size() - kSecondPart);
    anchor.set_checksum(4, 0, anchor.size());
    return anchor.bytes();
  }

 private:
  TableBytes table_;
  TableBytes body_;
  std::vector<std::string> strings_;
  std::size_t largest_ = 0;
  u16 count_ = 0;
  u16 handle_ = 0;
  Type type_ = kEndOfTable;
};

void add_system(Smbios& smbios, const Uuid& uuid) {
  constexpr u8 kPowerSwitch = 6;
  smbios.begin(kSystem, 0x100).text("Lapwing").text("PC (i440FX + PIIX)").text("pc").add(0, 1);
  // The first three fields of the UUID are little-endian.
  constexpr u8 kOrder[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  for (const u8 index : kOrder) smbios.add(uuid[index], 1);
  smbios.add(kPowerSwitch, 1).add(0, 1).add(0, 1).end();
}

void add_enclosure(Smbios& smbios) {
  constexpr u8 kOther = 1, kSafe = 3, kUnknown = 2;
  smbios.begin(kEnclosure, 0x300).text("Lapwing").add(kOther, 1).text("pc").add(0, 1).add(0, 1);
  smbios.add(kSafe, 1).add(kSafe, 1).add(kSafe, 1).add(kUnknown, 1).add(0, 4).add(0, 1).add(0, 1);
  smbios.add(0, 1).add(0, 1).add(0, 1).end();
}

void add_processor(Smbios& smbios, unsigned index, const Platform& platform) {
  constexpr u8 kCentralProcessor = 3, kOther = 1, kUnknown = 2, kEnabled = 0x41;
  constexpr u16 kNoCache = 0xFFFF;
  smbios.begin(kProcessor, static_cast<u16>(0x400 + index)).text("CPU " + std::to_string(index));
  smbios.add(kCentralProcessor, 1).add(kOther, 1).text("Lapwing");
  smbios.add(platform.cpu_signature, 4).add(platform.cpu_features, 4).text("pc");
  smbios.add(0, 1).add(0, 2).add(0, 2).add(0, 2).add(kEnabled, 1).add(kUnknown, 1);
  smbios.add(kNoCache, 2).add(kNoCache, 2).add(kNoCache, 2).add(0, 1).add(0, 1).add(0, 1);
  smbios.add(1, 1).add(1, 1).add(1, 1).add(0, 2).add(kOther, 2).end();
}

void add_memory(Smbios& smbios, u64 ram_size) {
  constexpr u8 kOther = 1, kSystemMemory = 3, kNoCorrection = 3, kDimm = 9, kRam = 7, kUnknown = 2;
  constexpr u16 kArray = 0x1000;
  smbios.begin(kMemoryArray, kArray).add(kOther, 1).add(kSystemMemory, 1).add(kNoCorrection, 1);
  smbios.add(ram_size / kKiB, 4).add(kNoError, 2).add(1, 2).end();
  smbios.begin(kMemoryDevice, 0x1100).add(kArray, 2).add(kNoError, 2).add(0xFFFF, 2).add(0xFFFF, 2);
  smbios.add(ram_size / kMiB, 2).add(kDimm, 1).add(0, 1).text("DIMM 0").add(0, 1).add(kRam, 1);
  smbios.add(kUnknown, 2).add(0, 2).text("Lapwing").add(0, 1).add(0, 1).add(0, 1).add(0, 1).add(0, 4);
  smbios.add(0, 2).add(0, 2).add(0, 2).add(0, 2).end();
  const u64 low = std::min(ram_size, PhysicalMemory::kLowRamLimit);
  smbios.begin(kMappedArray, 0x1300).add(0, 4).add(low / kKiB - 1, 4).add(kArray, 2).add(1, 1).end();
}

}  // namespace

Result<void> add_smbios_files(FwCfg& fw_cfg, const Platform& platform, u64 ram_size, const Uuid& uuid) {
  Smbios smbios;
  add_system(smbios, uuid);
  add_enclosure(smbios);
  for (unsigned cpu = 0; cpu < platform.cpus; ++cpu) add_processor(smbios, cpu, platform);
  add_memory(smbios, ram_size);
  smbios.begin(kBootStatus, 0x2000).add(0, 6).add(0, 1).end();
  smbios.begin(kEndOfTable, 0x7F00).end();
  Result<void> added = fw_cfg.add_file("etc/smbios/smbios-anchor", smbios.anchor());
  return added.ok() ? fw_cfg.add_file("etc/smbios/smbios-tables", smbios.table()) : added;
}

}  // namespace lapwing
