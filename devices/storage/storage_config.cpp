#include "devices/storage/storage_config.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "devices/storage/block_device.h"

namespace lapwing {

namespace {

constexpr u64 kMostBytes = BlockDevice::kMostSectors * BlockDevice::kSectorSize;
constexpr u64 kCdSector = 2048;
constexpr unsigned kPciSlots = 32;
constexpr std::size_t kSerialSize = 20;
constexpr u64 kMostBootIndex = 0x7FFFFFFF;

std::optional<u64> parse_number(std::string_view text) {
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

// "name=value,name=value" with a first word that names what they belong to. Taking a property removes it, so
// that what is left at the end is a mistake. The first complaint is kept.
struct StorageConfig::Properties {
  std::string owner;
  std::map<std::string, std::string, std::less<>> values;
  Result<void> outcome;

  Properties(std::string name, std::string_view text) : owner(std::move(name)) {
    while (!text.empty()) {
      const std::string_view property = text.substr(0, text.find(','));
      text.remove_prefix(std::min(text.size(), property.size() + 1));
      const std::size_t equals = property.find('=');
      if (equals == std::string_view::npos) {
        complain("has " + quoted(property) + ", which is not name=value");
      } else if (!values.emplace(property.substr(0, equals), property.substr(equals + 1)).second) {
        complain("has " + quoted(property.substr(0, equals)) + " twice");
      }
    }
  }

  void complain(const std::string& what) {
    if (outcome.ok()) outcome = Error{owner + " " + what};
  }
  std::string text(std::string_view name) {
    const auto found = values.find(name);
    if (found == values.end()) return {};
    std::string value = found->second;
    values.erase(found);
    return value;
  }
  std::optional<u64> number(std::string_view name, u64 most) {
    if (values.find(name) == values.end()) return std::nullopt;
    const std::string value = text(name);
    const std::optional<u64> parsed = parse_number(value);
    if (!parsed || *parsed > most) {
      complain(std::string(name) + "=" + value + ": give a number from 0 to " + std::to_string(most));
      return std::nullopt;
    }
    return parsed;
  }
  bool is_on(std::string_view name) {
    const std::string value = text(name);
    if (value == "on" || value == "true" || value == "1") return true;
    if (!value.empty() && value != "off" && value != "false" && value != "0")
      complain(std::string(name) + "=" + value + ": give on or off");
    return false;
  }
  // The place of the property's value among `words`; 0 when it is absent.
  unsigned choice(std::string_view name, std::initializer_list<std::string_view> words) {
    const std::string value = text(name);
    if (value.empty()) return 0;
    const auto found = std::find(words.begin(), words.end(), value);
    if (found != words.end()) return static_cast<unsigned>(found - words.begin());
    std::string known;
    for (const std::string_view word : words) known += (known.empty() ? "" : ", ") + std::string(word);
    complain(std::string(name) + "=" + value + ": there is only " + known);
    return 0;
  }
  Result<void> finish() {
    if (!values.empty()) complain("has no property " + quoted(values.begin()->first));
    return outcome;
  }
};

Result<void> StorageConfig::add_drive(std::string_view text) {
  Properties properties("drive", text);
  DriveConfig drive;
  drive.id = properties.text("id");
  if (drive.id.empty()) drive.id = "drive" + std::to_string(drives.size());
  properties.owner = "drive " + quoted(drive.id);
  using Interface = DriveConfig::Interface;
  constexpr Interface kInterfaces[] = {Interface::kIde, Interface::kNvme, Interface::kVirtio,
                                       Interface::kNone};
  drive.interface = kInterfaces[properties.choice("if", {"ide", "nvme", "virtio", "none"})];
  drive.index = properties.number("index", kIdePlaces - 1);
  drive.cdrom = properties.choice("media", {"disk", "cdrom"}) == 1;
  drive.size = properties.number("size", kMostBytes).value_or(0);
  drive.read_only = properties.is_on("readonly") || drive.cdrom;
  drive.serial = properties.text("serial");
  drive.image = properties.text("image");
  const u64 granule = drive.cdrom ? kCdSector : BlockDevice::kSectorSize;
  if (drive.size % granule != 0) {
    properties.complain("has " + std::to_string(drive.size) + " bytes, which is not a multiple of " +
                        std::to_string(granule));
  }
  if (drive.size == 0 && !drive.cdrom) properties.complain("is empty");
  if (drive.serial.size() > kSerialSize || !is_printable(drive.serial))
    properties.complain("serial=" + drive.serial + ": give at most 20 ASCII characters");
  if (Result<void> done = properties.finish(); !done.ok()) return done;
  if (drives.size() == kMostDrives) return Error{"too many drives; the most is 16"};
  for (const DriveConfig& other : drives) {
    if (other.id == drive.id) return Error{"there are two drives with id " + quoted(drive.id)};
  }
  drives.push_back(std::move(drive));
  return {};
}

bool StorageConfig::is_device(std::string_view name) {
  return name == "nvme" || name == "nvme-ns" || name == "ide-hd" || name == "ide-cd";
}

Result<void> StorageConfig::finish() {
  for (const std::string& line : device_lines_) {
    const std::size_t comma = line.find(',');
    const std::string name = line.substr(0, comma);
    Properties properties("device " + name, comma == std::string::npos ? "" : line.substr(comma + 1));
    Result<void> done = name == "nvme"      ? add_nvme(properties)
                        : name == "nvme-ns" ? add_nvme_namespace(properties)
                                            : add_ide(properties, name == "ide-cd");
    if (!done.ok()) return done;
  }
  for (std::size_t i = 0; i < drives.size(); ++i) {
    DriveConfig& drive = drives[i];
    if (drive.interface != DriveConfig::Interface::kNvme || drive.used) continue;
    drive.used = true;
    nvme.push_back({drive.id, drive.serial, std::nullopt, {{1, static_cast<unsigned>(i)}}});
  }
  for (const DriveConfig& drive : drives) {
    if (drive.interface == DriveConfig::Interface::kVirtio)
      return Error{"drive " + quoted(drive.id) + ": if=virtio is not supported yet; give if=nvme or if=ide"};
  }
  return place_ide_drives();
}

// The drive that a device names; each belongs to one device.
Result<unsigned> StorageConfig::take_drive(Properties& properties) {
  const std::string id = properties.text("drive");
  if (id.empty()) return Error{properties.owner + " needs drive=ID"};
  for (std::size_t i = 0; i < drives.size(); ++i) {
    DriveConfig& drive = drives[i];
    if (drive.id != id) continue;
    if (drive.interface != DriveConfig::Interface::kNone)
      return Error{"drive " + quoted(id) + " has its own interface; give it if=none for a -device"};
    if (drive.used) return Error{"drive " + quoted(id) + " is used by two devices"};
    drive.used = true;
    return static_cast<unsigned>(i);
  }
  return Error{properties.owner + " names drive " + quoted(id) + ", which does not exist"};
}

Result<void> StorageConfig::add_nvme(Properties& properties) {
  NvmeConfig controller;
  controller.id = properties.text("id");
  controller.serial = properties.text("serial");
  if (const auto slot = properties.number("addr", kPciSlots - 1))
    controller.slot = static_cast<unsigned>(*slot);
  controller.boot_index = properties.number("bootindex", kMostBootIndex);
  if (controller.serial.size() > kSerialSize || !is_printable(controller.serial))
    properties.complain("serial=" + controller.serial + ": give at most 20 ASCII characters");
  if (properties.values.count("drive") > 0) {
    const Result<unsigned> drive = take_drive(properties);
    if (!drive.ok()) return Error{drive.error()};
    if (drives[drive.value()].cdrom) properties.complain("cannot have a CD as its drive");
    controller.namespaces.push_back({1, drive.value()});
  }
  nvme.push_back(std::move(controller));
  return properties.finish();
}

Result<void> StorageConfig::add_nvme_namespace(Properties& properties) {
  constexpr u64 kMostNamespaces = 16;
  const std::string bus = properties.text("bus");
  if (nvme.empty()) return Error{"device nvme-ns needs a device nvme before it"};
  auto controller =
      bus.empty() ? nvme.end() - 1
                  : std::find_if(nvme.begin(), nvme.end(), [&bus](const auto& c) { return c.id == bus; });
  if (controller == nvme.end())
    return Error{"device nvme-ns names bus " + quoted(bus) + ", which is no device nvme before it"};
  const Result<unsigned> drive = take_drive(properties);
  if (!drive.ok()) return Error{drive.error()};
  u32 next = 1;
  for (const NvmeNamespaceConfig& other : controller->namespaces) next = std::max(next, other.id + 1);
  const u32 id = static_cast<u32>(properties.number("nsid", kMostNamespaces).value_or(next));
  const auto taken = [id](const NvmeNamespaceConfig& other) { return other.id == id; };
  const bool is_twice = std::any_of(controller->namespaces.begin(), controller->namespaces.end(), taken);
  if (id == 0 || id > kMostNamespaces || is_twice)
    properties.complain("nsid=" + std::to_string(id) + ": give a free number from 1 to 16");
  controller->namespaces.push_back({id, drive.value()});
  return properties.finish();
}

Result<void> StorageConfig::add_ide(Properties& properties, bool cdrom) {
  const Result<unsigned> found = take_drive(properties);
  if (!found.ok()) return Error{found.error()};
  DriveConfig& drive = drives[found.value()];
  const unsigned channel = properties.choice("bus", {"ide.0", "ide.1"});
  const auto unit = properties.number("unit", 1);
  properties.text("id");
  if (const std::string serial = properties.text("serial"); !serial.empty()) drive.serial = serial;
  drive.boot_index = properties.number("bootindex", kMostBootIndex);
  drive.interface = DriveConfig::Interface::kIde;
  if (unit) drive.index = channel * 2 + static_cast<unsigned>(*unit);
  if (drive.cdrom != cdrom) {
    properties.complain(cdrom ? "needs a drive with media=cdrom" : "cannot have a drive with media=cdrom");
  }
  return properties.finish();
}

// Drives without an index take the first free place, CDs the secondary master if it is free.
Result<void> StorageConfig::place_ide_drives() {
  std::optional<unsigned> places[kIdePlaces];
  const auto is_ide = [](const DriveConfig& d) { return d.interface == DriveConfig::Interface::kIde; };
  for (std::size_t i = 0; i < drives.size(); ++i) {
    if (!is_ide(drives[i]) || !drives[i].index) continue;
    std::optional<unsigned>& place = places[*drives[i].index];
    if (place) {
      return Error{"drives " + quoted(drives[*place].id) + " and " + quoted(drives[i].id) +
                   " have the same place on the IDE cables, index " + std::to_string(*drives[i].index)};
    }
    place = static_cast<unsigned>(i);
  }
  for (std::size_t i = 0; i < drives.size(); ++i) {
    if (!is_ide(drives[i]) || drives[i].index) continue;
    unsigned place = drives[i].cdrom && !places[2] ? 2 : 0;
    while (place < kIdePlaces && places[place]) ++place;
    if (place == kIdePlaces)
      return Error{"there is no place for drive " + quoted(drives[i].id) + " on IDE; four fit"};
    drives[i].index = place;
    places[place] = static_cast<unsigned>(i);
  }
  return {};
}

std::optional<unsigned> StorageConfig::ide_drive(unsigned place) const {
  for (std::size_t i = 0; i < drives.size(); ++i) {
    if (drives[i].interface == DriveConfig::Interface::kIde && drives[i].index == place)
      return static_cast<unsigned>(i);
  }
  return std::nullopt;
}

std::string StorageConfig::summary() const {
  std::string text;
  for (const DriveConfig& drive : drives) {
    text += " drive=" + std::to_string(static_cast<unsigned>(drive.interface)) + "." +
            std::to_string(drive.index.value_or(0)) + (drive.cdrom ? "cdrom" : std::to_string(drive.size)) +
            (drive.read_only ? "ro" : "rw");
  }
  for (const NvmeConfig& controller : nvme) {
    text += " nvme=" + controller.serial;
    for (const NvmeNamespaceConfig& space : controller.namespaces)
      text += "/" + std::to_string(space.id) + ":" + std::to_string(space.drive);
  }
  return text;
}

}  // namespace lapwing
