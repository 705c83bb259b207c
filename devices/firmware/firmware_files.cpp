#include "devices/firmware/firmware_files.h"

#include "devices/firmware/acpi_tables.h"
#include "devices/firmware/table_bytes.h"

namespace lapwing {

namespace {

constexpr char kTablesFile[] = "etc/acpi/tables";
constexpr char kRsdpFile[] = "etc/acpi/rsdp";

// One command of the table loader: 128 bytes, little-endian.
class LoaderScript {
 public:
  enum class Zone : u8 { kHigh = 1, kFSegment = 2 };

  void allocate(std::string_view file, u32 alignment, Zone zone) {
    begin(kAllocate).name(file).bytes_.add(alignment, 4).add(static_cast<u8>(zone), 1);
    end();
  }
  void add_pointer(std::string_view in, std::string_view to, u32 offset, u8 size) {
    begin(kAddPointer).name(in).name(to).bytes_.add(offset, 4).add(size, 1);
    end();
  }
  void add_checksum(std::string_view file, u32 offset, u32 first, u32 size) {
    begin(kAddChecksum).name(file).bytes_.add(offset, 4).add(first, 4).add(size, 4);
    end();
  }
  const std::vector<u8>& bytes() const { return bytes_.bytes(); }

 private:
  enum Command : u32 { kAllocate = 1, kAddPointer = 2, kAddChecksum = 3 };
  static constexpr std::size_t kCommandSize = 128;
  static constexpr std::size_t kNameSize = 56;

  LoaderScript& begin(Command command) {
    bytes_.add(command, 4);
    return *this;
  }
  LoaderScript& name(std::string_view file) {
    bytes_.add(file).add(std::vector<u8>(kNameSize - file.size()));
    return *this;
  }
  void end() { bytes_.add(std::vector<u8>((kCommandSize - bytes_.size() % kCommandSize) % kCommandSize)); }

  TableBytes bytes_;
};

std::vector<u8> little_endian(u64 value, unsigned size) {
  return TableBytes().add(value, size).bytes();
}

}  // namespace

Result<void> add_acpi_files(FwCfg& fw_cfg, const Platform& platform) {
  // Made for address 0, so that each pointer is the offset that the loader adds the file's address to.
  const AcpiTables acpi = make_acpi_tables(0, platform);
  constexpr u32 kFacsAlignment = 64;
  constexpr u32 kRsdpAlignment = 16;
  LoaderScript script;
  script.allocate(kRsdpFile, kRsdpAlignment, LoaderScript::Zone::kFSegment);
  script.allocate(kTablesFile, kFacsAlignment, LoaderScript::Zone::kHigh);
  for (const AcpiPointer& pointer : acpi.pointers) {
    script.add_pointer(pointer.in_rsdp ? kRsdpFile : kTablesFile, kTablesFile, pointer.offset, pointer.size);
  }
  for (const AcpiChecksum& sum : acpi.checksums) {
    script.add_checksum(sum.in_rsdp ? kRsdpFile : kTablesFile, sum.offset, sum.first, sum.size);
  }
  for (auto [name, data] : {std::pair<const char*, const std::vector<u8>*>{kTablesFile, &acpi.tables},
                            {kRsdpFile, &acpi.rsdp},
                            {"etc/table-loader", &script.bytes()}}) {
    if (Result<void> added = fw_cfg.add_file(name, *data); !added.ok()) return added;
  }
  return {};
}

Result<void> add_boot_files(FwCfg& fw_cfg, const BootOptions& boot, std::string order) {
  constexpr u32 kNeverRetry = ~0u;
  fw_cfg.add_u16(FwCfg::kBootMenu, boot.menu ? 1 : 0);
  Result<void> added =
      fw_cfg.add_file("etc/boot-fail-wait", little_endian(boot.retry_after_ms.value_or(kNeverRetry), 4));
  if (added.ok() && boot.menu_wait_ms) {
    added = fw_cfg.add_file("etc/boot-menu-wait", little_endian(*boot.menu_wait_ms, 2));
  }
  if (boot.strict) order += "HALT\n";  // end of the list, try nothing else
  if (added.ok() && !order.empty()) {
    order.back() = '\0';
    added = fw_cfg.add_file("bootorder", {order.begin(), order.end()});
  }
  return added;
}

}  // namespace lapwing
