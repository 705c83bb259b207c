// Finds the 8x16 character set in a video BIOS: 256 glyphs of 16 bytes, recognised by its first two (the
// space and the face of code page 437). A machine that starts a kernel without running the BIOS takes its
// font from there. nullptr when the image has none.
#pragma once

#include <algorithm>
#include <span>

#include "core/types.h"

namespace lapwing {

inline const u8* find_rom_font(std::span<const u8> rom) {
  constexpr u8 kStart[32] = {0, 0, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0, 0, 0,
                             0, 0, 0x7E, 0x81, 0xA5, 0x81, 0x81, 0xBD, 0x99, 0x81, 0x81, 0x7E, 0x00, 0, 0, 0};
  constexpr std::ptrdiff_t kFontSize = 256 * 16;
  const auto found = std::search(rom.begin(), rom.end(), std::begin(kStart), std::end(kStart));
  return rom.end() - found < kFontSize ? nullptr : &*found;
}

}  // namespace lapwing
