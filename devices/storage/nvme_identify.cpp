// Identify data structures and log pages of the NVMe controller (NVM Express 1.4, 5.14 and 5.15).
#include <algorithm>
#include <cstring>

#include "devices/storage/nvme.h"

namespace lapwing {

using namespace nvme;

namespace {

constexpr u32 kIdentifySize = 4096;
constexpr u8 kIeeeOui[] = {0x00, 0x54, 0x52};
constexpr u16 kKelvin = 313;

// A page of little-endian fields at the offsets of the specification's figures.
class Page {
 public:
  explicit Page(std::size_t size) : bytes_(size) {}
  template <class T>
  void put(std::size_t offset, T value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }
  // ASCII, padded with spaces.
  void text(std::size_t offset, std::size_t size, std::string_view text) {
    std::memset(bytes_.data() + offset, ' ', size);
    std::memcpy(bytes_.data() + offset, text.data(), std::min(size, text.size()));
  }
  void string(std::size_t offset, std::string_view text) {
    std::memcpy(bytes_.data() + offset, text.data(), text.size());
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  std::vector<u8> bytes_;
};

u64 big_endian(u64 value) {
  return __builtin_bswap64(value);
}

}  // namespace

u16 NvmeController::identify(const Command& command) {
  enum Cns : u8 { kNamespace = 0, kController = 1, kActiveNamespaces = 2, kDescriptors = 3 };
  switch (static_cast<u8>(command.cdw10)) {
    case kNamespace:
      if (command.nsid == 0 || command.nsid > kMostNamespaces) return kInvalidNamespace;
      return send_data(command, identify_namespace(command.nsid));
    case kController: return send_data(command, identify_controller());
    case kActiveNamespaces:
      if (command.nsid >= 0xFFFFFFFE) return kInvalidNamespace;
      return send_data(command, namespace_list(command.nsid));
    case kDescriptors:
      if (drive_of(command.nsid) == nullptr) return kInvalidNamespace;
      return send_data(command, namespace_descriptors(command.nsid));
    default: return kInvalidField;
  }
}

std::vector<u8> NvmeController::identify_controller() const {
  constexpr std::string_view kModel = "Lapwing NVMe disk";
  Page page(kIdentifySize);
  page.put<u16>(0, 0x1B36);
  page.put<u16>(2, 0x1AF4);
  page.text(4, 20, setup_.serial);
  page.text(24, 40, kModel);
  page.text(64, 8, "1.0");
  page.put<u8>(72, 6);  // recommended arbitration burst
  for (unsigned i = 0; i < 3; ++i) page.put<u8>(73 + i, kIeeeOui[i]);
  page.put<u8>(77, kMdts);
  page.put<u16>(78, setup_.instance);
  page.put<u32>(80, kVersion);
  page.put<u8>(111, 1);  // an I/O controller
  page.put<u8>(258, 3);  // abort command limit
  page.put<u8>(259, kMostEvents - 1);
  page.put<u8>(260, 0x03);  // one firmware slot, read-only
  page.put<u8>(261, 0x04);  // log pages by offset
  page.put<u8>(262, kErrorEntries - 1);
  page.put<u16>(266, kKelvin + 30);  // warning and critical temperature
  page.put<u16>(268, kKelvin + 50);
  page.put<u8>(512, 0x66);
  page.put<u8>(513, 0x44);
  page.put<u32>(516, kMostNamespaces);
  page.put<u16>(520, 1u << 0 | 1u << 2 | 1u << 3);  // compare, dataset management, write zeroes
  page.put<u8>(525, 0x07);                          // volatile write cache; flush of all namespaces
  std::string qualified_name = "nqn.2014.08.org.nvmexpress:1b361af4" + setup_.serial;
  page.string(768, qualified_name.append(kModel));
  page.put<u16>(2048, 2500);  // power state 0: 25 W
  return page.take();
}

std::vector<u8> NvmeController::identify_namespace(u32 id) const {
  Page page(kIdentifySize);
  const BlockDevice* drive = drive_of(id);
  if (drive == nullptr) return page.take();     // inactive: zeros
  constexpr std::size_t kSizes[] = {0, 8, 16};  // size, capacity, use
  for (const std::size_t offset : kSizes) page.put<u64>(offset, drive->sectors());
  page.put<u8>(99, drive->read_only() ? 1 : 0);
  page.put<u64>(120, big_endian(eui64(id)));
  page.put<u32>(128, 9u << 16);  // LBA format 0: 512 bytes, no metadata
  return page.take();
}

std::vector<u8> NvmeController::namespace_list(u32 above) const {
  std::vector<u32> ids;
  for (const Namespace& space : setup_.namespaces) {
    if (space.id > above) ids.push_back(space.id);
  }
  std::sort(ids.begin(), ids.end());
  Page page(kIdentifySize);
  for (std::size_t i = 0; i < ids.size(); ++i) page.put<u32>(i * 4, ids[i]);
  return page.take();
}

std::vector<u8> NvmeController::namespace_descriptors(u32 id) const {
  constexpr u8 kEui64 = 1;
  Page page(kIdentifySize);
  page.put<u8>(0, kEui64);
  page.put<u8>(1, 8);
  page.put<u64>(4, big_endian(eui64(id)));
  return page.take();
}

// Unique in the machine and the same in each run.
u64 NvmeController::eui64(u32 id) const {
  return 0x5254000000000000ull | u64{setup_.instance} << 32 | id;
}

std::vector<u8> NvmeController::smart_log() const {
  constexpr std::size_t kSize = 512;
  constexpr u64 kUnit = 1000;  // of 512 bytes
  Page page(kSize);
  page.put<u16>(1, kKelvin);
  page.put<u8>(3, 100);  // available spare, and its threshold
  page.put<u8>(4, 10);
  page.put<u64>(32, (counters_.sectors_read + kUnit - 1) / kUnit);
  page.put<u64>(48, (counters_.sectors_written + kUnit - 1) / kUnit);
  page.put<u64>(64, counters_.reads);
  page.put<u64>(80, counters_.writes);
  page.put<u64>(112, 1);  // power cycles
  page.put<u64>(176, error_count_);
  return page.take();
}

std::vector<u8> NvmeController::error_log() const {
  constexpr std::size_t kEntrySize = 64;
  Page page(kErrorEntries * kEntrySize);
  for (std::size_t i = 0; i < kErrorEntries; ++i) {
    const ErrorEntry& entry = errors_[i];
    if (entry.count == 0) continue;
    page.put<u64>(i * kEntrySize, entry.count);
    page.put<u16>(i * kEntrySize + 8, entry.sq);
    page.put<u16>(i * kEntrySize + 10, entry.command);
    page.put<u16>(i * kEntrySize + 12, static_cast<u16>(entry.status << 1));
    page.put<u16>(i * kEntrySize + 14, 0xFFFF);  // which parameter: not said
    page.put<u32>(i * kEntrySize + 24, entry.nsid);
  }
  return page.take();
}

std::vector<u8> NvmeController::firmware_log() const {
  constexpr std::size_t kSize = 512;
  Page page(kSize);
  page.put<u8>(0, 1);
  page.text(8, 8, "1.0");
  return page.take();
}

}  // namespace lapwing
