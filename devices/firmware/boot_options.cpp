#include "devices/firmware/boot_options.h"

#include <charconv>

namespace lapwing {

namespace {

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

// Takes a "key=value" off the front; a doubled comma belongs to the value.
std::string take_property(std::string_view& rest) {
  std::string taken;
  while (!rest.empty()) {
    const char letter = rest.front();
    rest.remove_prefix(1);
    if (letter == ',') {
      if (!rest.starts_with(',')) break;
      rest.remove_prefix(1);
    }
    taken += letter;
  }
  return taken;
}

Result<void> set_order(BootOptions& options, std::string_view letters) {
  options.order = {};
  std::size_t place = 0;
  for (const char letter : letters) {
    BootMedium medium = BootMedium::kNone;
    switch (letter) {
      case 'a':
      case 'b': medium = BootMedium::kFloppy; break;
      case 'c': medium = BootMedium::kDisk; break;
      case 'd': medium = BootMedium::kCd; break;
      case 'n': medium = BootMedium::kNetwork; break;
      default:
        return Error{"boot order " + quoted(letters) +
                     ": give letters of a (floppy), c (disk), d (CD), n (network)"};
    }
    for (std::size_t i = 0; i < place; ++i) {
      if (options.order[i] == medium) return Error{"boot order " + quoted(letters) + " names a medium twice"};
    }
    if (place == options.order.size())
      return Error{"boot order " + quoted(letters) + ": give at most three letters"};
    options.order[place++] = medium;
  }
  return {};
}

Result<bool> on_or_off(std::string_view key, std::string_view value) {
  if (value == "on") return true;
  if (value == "off") return false;
  return Error{"boot option " + std::string(key) + " is on or off, not " + quoted(value)};
}

Result<u32> milliseconds(std::string_view key, std::string_view value, u32 most) {
  u32 number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number > most) {
    return Error{"boot option " + std::string(key) + "=" + std::string(value) +
                 ": give milliseconds from 0 to " + std::to_string(most)};
  }
  return number;
}

Result<void> set_option(BootOptions& options, std::string_view key, std::string_view value) {
  if (key == "order") return set_order(options, value);
  if (key == "menu" || key == "strict") {
    const Result<bool> on = on_or_off(key, value);
    if (!on.ok()) return Error{on.error()};
    (key == "menu" ? options.menu : options.strict) = on.value();
    return {};
  }
  if (key == "splash-time") {
    const Result<u32> wait = milliseconds(key, value, 0xFFFF);
    if (!wait.ok()) return Error{wait.error()};
    options.menu_wait_ms = static_cast<u16>(wait.value());
    return {};
  }
  if (key == "reboot-timeout") {
    if (value == "-1") {
      options.retry_after_ms.reset();
      return {};
    }
    const Result<u32> wait = milliseconds(key, value, 0xFFFF);
    if (!wait.ok()) return Error{wait.error()};
    options.retry_after_ms = wait.value();
    return {};
  }
  if (key == "once" || key == "splash") return Error{"boot option " + quoted(key) + " is not supported yet"};
  return Error{"unknown boot option " + quoted(key) +
               "; known: order, menu, strict, splash-time, reboot-timeout"};
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

}  // namespace

Result<BootOptions> parse_boot_options(std::string_view text) {
  BootOptions options;
  for (bool first = true; !text.empty(); first = false) {
    const std::string property = take_property(text);
    const std::size_t equals = property.find('=');
    const bool bare = equals == std::string::npos;
    if (bare && !first) return Error{"boot option " + quoted(property) + " has no value"};
    const std::string key = bare ? "order" : property.substr(0, equals);
    const std::string value = bare ? property : property.substr(equals + 1);
    if (Result<void> done = set_option(options, key, value); !done.ok()) return Error{done.error()};
  }
  return options;
}

Result<FirmwareFile> parse_firmware_file(std::string_view text) {
  FirmwareFile file;
  bool has_text = false;
  for (bool first = true; !text.empty(); first = false) {
    std::string property = take_property(text);
    if (first && property.find('=') == std::string::npos) property = "name=" + property;
    const std::size_t equals = property.find('=');
    const std::string key = property.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : property.substr(equals + 1);
    if (key == "name") {
      file.name = value;
    } else if (key == "string") {
      file.data.assign(value.begin(), value.end());
      has_text = true;
    } else {
      return Error{"unknown fw_cfg property " + quoted(key) + "; known: name, string, file"};
    }
  }
  if (file.name.empty()) return Error{"an fw_cfg entry needs name=NAME"};
  if (!has_text) return Error{"the fw_cfg entry " + quoted(file.name) + " needs string=TEXT or file=PATH"};
  return file;
}

Result<Uuid> parse_uuid(std::string_view text) {
  constexpr std::size_t kLength = 36;
  const Error wrong{"uuid " + quoted(text) + ": write it as xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"};
  if (text.size() != kLength) return wrong;
  Uuid uuid{};
  std::size_t nibbles = 0;
  for (std::size_t i = 0; i < kLength; ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return wrong;
      continue;
    }
    const int digit = hex_digit(text[i]);
    if (digit < 0) return wrong;
    uuid[nibbles / 2] = static_cast<u8>((uuid[nibbles / 2] << 4) | digit);
    ++nibbles;
  }
  return uuid;
}

}  // namespace lapwing
