#include "devices/machine_config.h"

#include <charconv>
#include <optional>

namespace lapwing {

namespace {

constexpr u64 kMinMemory = 2ull << 20;
constexpr u64 kMaxMemory = 2ull << 30;
constexpr u64 kMemoryGranule = 4096;

std::optional<u64> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<bool> parse_switch(std::string_view text) {
  if (text == "on" || text == "1" || text == "yes") return true;
  if (text == "off" || text == "0" || text == "no") return false;
  return std::nullopt;
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

// Takes the text up to `separator` off the front of `rest`.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view first = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return first;
}

using Kind = IsaDeviceConfig::Kind;

struct DeviceRow {
  const char* name;
  Kind kind;
  u16 base;
  unsigned size;
};
constexpr DeviceRow kDeviceRows[] = {
    {"isa-debug-exit", Kind::kDebugExit, 0x501, 2},
    {"isa-debugcon", Kind::kDebugConsole, 0xE9, 1},
    {"pc-testdev", Kind::kPcTestDevice, 0, 0},
    {"pci-testdev", Kind::kPciTestDevice, 0, 0},
};

Result<void> set_property(IsaDeviceConfig& device, const DeviceRow& row, std::string_view property) {
  const std::string_view whole = property;
  const std::string_view name = take_until(property, '=');
  const std::optional<u64> value = parse_number(property);
  const bool has_size = row.kind == Kind::kDebugExit;
  if (name == "iobase" && row.size > 0) {
    if (!value || *value > 0xFFFF)
      return Error{"iobase of " + std::string(row.name) + " must be a port 0 to 0xffff"};
    device.base = static_cast<u16>(*value);
  } else if (name == "iosize" && has_size) {
    if (!value || *value < 1 || *value > 4)
      return Error{"iosize of " + std::string(row.name) + " must be 1 to 4"};
    device.size = static_cast<unsigned>(*value);
  } else if (name == "readback" || name == "chardev") {
    return {};
  } else {
    return Error{"device " + std::string(row.name) + " has no property " + quoted(whole)};
  }
  return {};
}

Result<void> add_device(MachineConfig& config, std::string_view text) {
  const std::string_view whole = text;
  const std::string_view name = take_until(text, ',');
  if (StorageConfig::is_device(name)) {
    config.storage.add_device(whole);
    return {};
  }
  for (const DeviceRow& row : kDeviceRows) {
    if (name != row.name) continue;
    IsaDeviceConfig device{row.kind, row.base, row.size};
    while (!text.empty()) {
      if (Result<void> done = set_property(device, row, take_until(text, ',')); !done.ok()) return done;
    }
    config.devices.push_back(device);
    return {};
  }
  std::string known;
  for (const DeviceRow& row : kDeviceRows) known += std::string(known.empty() ? "" : ", ") + row.name;
  return Error{"unknown device " + quoted(name) + "; known: " + known};
}

Result<void> set_memory(MachineConfig& config, std::string_view value) {
  const std::optional<u64> bytes = parse_number(value);
  if (!bytes) return Error{"memory=" + std::string(value) + ": give a number of bytes"};
  if (*bytes < kMinMemory)
    return Error{"too little memory: " + std::string(value) + " bytes; the least is 2 MiB"};
  if (*bytes > kMaxMemory)
    return Error{"too much memory: " + std::string(value) + " bytes; the most is 2 GiB"};
  if (*bytes % kMemoryGranule != 0) return Error{"memory must be a multiple of 4 KiB"};
  config.memory = *bytes;
  return {};
}

Result<void> set_number(std::string_view key, std::string_view value, u64 least, u64 most, u64& out) {
  const std::optional<u64> number = parse_number(value);
  if (!number || *number < least || *number > most) {
    return Error{std::string(key) + "=" + std::string(value) + ": give a number from " +
                 std::to_string(least) + " to " + std::to_string(most)};
  }
  out = *number;
  return {};
}

Result<void> set_small(std::string_view key, std::string_view value, u64 least, u64 most, unsigned& out) {
  u64 number = 0;
  Result<void> done = set_number(key, value, least, most, number);
  if (done.ok()) out = static_cast<unsigned>(number);
  return done;
}

Result<void> set_switch(std::string_view key, std::string_view value, bool& out) {
  const std::optional<bool> on = parse_switch(value);
  if (!on) return Error{std::string(key) + "=" + std::string(value) + ": give on or off"};
  out = *on;
  return {};
}

// Sets `out` to whether the value is the second of two words.
Result<void> set_choice(std::string_view key, std::string_view value, const char* no, const char* yes,
                        bool& out) {
  if (value != no && value != yes) {
    return Error{std::string(key) + "=" + std::string(value) + ": give " + no + " or " + yes};
  }
  out = value == yes;
  return {};
}

struct Extras {
  std::string cpu;
  bool kvm_signature = false;
};

// interp, or jit with options behind a comma (wasm_jit/runtime knows them).
Result<void> set_accel(MachineConfig& config, std::string_view value) {
  const std::string_view name = value.substr(0, value.find(','));
  if (name == "interp" && name == value) return {};
  if (name != "jit") return Error{"accel is interp or jit, not " + quoted(value)};
  config.jit = value.substr(std::min(value.size(), name.size() + 1));
  return {};
}

Result<void> set_boot(MachineConfig& config, std::string_view value) {
  Result<BootOptions> options = parse_boot_options(value);
  if (!options.ok()) return Error{options.error()};
  config.boot = options.value();
  return {};
}

Result<void> add_firmware_file(MachineConfig& config, std::string_view value) {
  Result<FirmwareFile> file = parse_firmware_file(value);
  if (!file.ok()) return Error{file.error()};
  config.firmware_files.push_back(std::move(file.value()));
  return {};
}

Result<void> set_uuid(MachineConfig& config, std::string_view value) {
  const Result<Uuid> uuid = parse_uuid(value);
  if (!uuid.ok()) return Error{uuid.error()};
  config.uuid = uuid.value();
  return {};
}

Result<void> set_key(MachineConfig& config, Extras& extras, std::string_view key, std::string_view value) {
  constexpr u64 kMax = ~0ull;
  if (key == "memory") return set_memory(config, value);
  if (key == "cpus") return set_small(key, value, 1, kMaxCpus, config.cpus);
  if (key == "cores") return set_small(key, value, 1, kMaxCpus, config.cores);
  if (key == "clock") return set_choice(key, value, "virtual", "realtime", config.realtime);
  if (key == "rtc") return set_number(key, value, 0, kMax, config.rtc_seconds);
  if (key == "seed") return set_number(key, value, 0, kMax, config.seed);
  if (key == "apic") return set_switch(key, value, config.apic);
  if (key == "vga") return set_choice(key, value, "none", "std", config.vga);
  if (key == "hpet") return set_switch(key, value, config.hpet);
  if (key == "no_reboot") return set_switch(key, value, config.no_reboot);
  if (key == "serial") return set_small(key, value, 0, kMaxUarts, config.uarts);
  if (key == "device") return add_device(config, value);
  if (key == "boot") return set_boot(config, value);
  if (key == "drive") return config.storage.add_drive(value);
  if (key == "fw_cfg") return add_firmware_file(config, value);
  if (key == "uuid") return set_uuid(config, value);
  if (key == "firmware_console") return set_choice(key, value, "screen", "serial", config.firmware_on_serial);
  if (key == "hv") return set_choice(key, value, "none", "kvm", extras.kvm_signature);
  if (key == "cmdline") {
    config.command_line = value;
    return {};
  }
  if (key == "cpu") {
    extras.cpu = value;
    return {};
  }
  if (key == "accel") return set_accel(config, value);
  return Error{"unknown machine setting " + quoted(key)};
}

// Which engine executes is no property of the machine: logs are replayed on any.
std::string without_accel(std::string_view text) {
  std::string kept;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    if (!line.starts_with("accel=")) kept += line;
  }
  return kept;
}

}  // namespace

Result<MachineConfig> parse_machine_config(std::string_view text) {
  MachineConfig config;
  config.text = without_accel(text);
  Extras extras;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.find('=') == std::string_view::npos)
      return Error{"machine setting " + quoted(line) + " has no value"};
    const std::string_view key = take_until(line, '=');
    if (Result<void> done = set_key(config, extras, key, line); !done.ok()) return Error{done.error()};
  }
  Result<CpuModel> model = make_cpu_model(extras.cpu);
  if (Result<void> done = config.storage.finish(); !done.ok()) return Error{done.error()};
  if (!model.ok()) return Error{model.error()};
  config.cpu = std::move(model.value());
  if (extras.kvm_signature) config.cpu.kvm_signature = true;
  if (!config.cpu.has(Feature::APIC)) config.apic = false;
  if (!config.apic) {
    for (const Feature feature : {Feature::APIC, Feature::X2APIC, Feature::TSC_DEADLINE})
      config.cpu.set(feature, false);
  }
  if (!config.apic && config.cpus > 1)
    return Error{"a machine without local APICs (apic=off) can have only one CPU"};
  return config;
}

}  // namespace lapwing
