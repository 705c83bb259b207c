// The drives of a machine and the controllers they are on, from text:
//   drive=id=NAME,if=ide|nvme|virtio|none,index=N,media=disk|cdrom,size=BYTES,readonly=on|off,serial=TEXT,image=HEX
//     size 0 is a CD drive without a disc. `image` identifies the contents (the host's fingerprint): an input
//     log that names it belongs to that image only. The host's number of a drive is its place among these
//     lines.
//   device=nvme,drive=NAME,serial=TEXT,id=NAME,addr=SLOT      device=nvme-ns,drive=NAME,bus=ID,nsid=N
//   device=ide-hd,drive=NAME,bus=ide.CHANNEL,unit=N           device=ide-cd the same
//     nvme, ide-hd and ide-cd take bootindex=N: firmware tries the lowest first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/types.h"

namespace lapwing {

struct DriveConfig {
  enum class Interface : u8 { kNone, kIde, kNvme, kVirtio };
  std::string id;
  Interface interface = Interface::kIde;
  std::optional<unsigned> index;  // kIde: 0, 1 primary master and slave; 2, 3 secondary
  bool cdrom = false;
  u64 size = 0;
  bool read_only = false;
  std::string serial;
  std::string image;
  std::optional<u64> boot_index;
  bool used = false;  // a device has it
};

struct NvmeNamespaceConfig {
  u32 id;
  unsigned drive;  // place in StorageConfig::drives
};

struct NvmeConfig {
  std::string id;
  std::string serial;
  std::optional<unsigned> slot;
  std::vector<NvmeNamespaceConfig> namespaces;
  std::optional<u64> boot_index;
};

struct StorageConfig {
  static constexpr unsigned kMostDrives = 16;
  static constexpr unsigned kIdePlaces = 4;

  std::vector<DriveConfig> drives;
  std::vector<NvmeConfig> nvme;

  Result<void> add_drive(std::string_view text);
  static bool is_device(std::string_view name);
  // The text after `device=`; refers to drives whose lines may follow.
  void add_device(std::string_view text) { device_lines_.emplace_back(text); }
  // After all lines: gives every drive its place.
  Result<void> finish();
  // The drive at a place of the IDE cables, nullopt = none.
  std::optional<unsigned> ide_drive(unsigned place) const;
  // What a snapshot must agree on.
  std::string summary() const;

 private:
  struct Properties;
  Result<unsigned> take_drive(Properties& properties);
  Result<void> add_nvme(Properties& properties);
  Result<void> add_nvme_namespace(Properties& properties);
  Result<void> add_ide(Properties& properties, bool cdrom);
  Result<void> place_ide_drives();

  std::vector<std::string> device_lines_;
};

}  // namespace lapwing
