// What the user tells the firmware: the boot order and menu (QEMU's -boot), named files (-fw_cfg) and the
// machine's UUID, each parsed from QEMU's syntax. Unsupported: once=, splash= (a picture).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/types.h"

namespace lapwing {

// A kind of medium as CMOS bytes 0x38 and 0x3D number it (0 = none).
enum class BootMedium : u8 { kNone = 0, kFloppy = 1, kDisk = 2, kCd = 3, kNetwork = 4 };

struct BootOptions {
  std::array<BootMedium, 3> order = {BootMedium::kDisk, BootMedium::kCd, BootMedium::kFloppy};
  bool menu = false;
  bool strict = false;                // nothing but what the order names
  std::optional<u16> menu_wait_ms;    // splash-time
  std::optional<u32> retry_after_ms;  // reboot-timeout; nothing = never
};

// "order=dc,menu=on,splash-time=MS,reboot-timeout=MS,strict=on", or the letters alone.
Result<BootOptions> parse_boot_options(std::string_view text);

struct FirmwareFile {
  std::string name;
  std::vector<u8> data;
};

// "name=NAME,string=TEXT" or "NAME,string=TEXT"; a comma in the text is written twice.
Result<FirmwareFile> parse_firmware_file(std::string_view text);

using Uuid = std::array<u8, 16>;

// "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".
Result<Uuid> parse_uuid(std::string_view text);

}  // namespace lapwing
