#include "devices/video/screen.h"

namespace lapwing {

using namespace vga;

namespace {

constexpr u32 kOpaque = 0xFF000000;

u32 rgba(u32 red, u32 green, u32 blue) {
  return kOpaque | blue << 16 | green << 8 | red;
}

}  // namespace

// The DAC's colours as pixels; six bits become eight by repeating the upper ones.
Screen::Palette Screen::palette() const {
  const VgaRegisters& r = vga_.registers();
  const bool wide = (r.dispi[kDispiEnable] & kDispiEightBitDac) != 0;
  Palette result;
  for (unsigned i = 0; i < kDacEntries; ++i) {
    u32 parts[3];
    for (unsigned part = 0; part < 3; ++part) {
      const u32 value = r.dac[(i & r.dac_mask) * 3u + part];
      parts[part] = wide ? value : ((value & 63) << 2 | (value & 63) >> 4);
    }
    result[i] = rgba(parts[0], parts[1], parts[2]);
  }
  if (mode_.kind == PictureKind::kPacked || mode_.kind == PictureKind::kLinear8) return result;
  // Four bits go through the attribute controller's palette.
  Palette sixteen{};
  const u8 select = r.attribute[kColourSelect];
  for (unsigned i = 0; i < 16; ++i) {
    unsigned index = r.attribute[i] & 0x3Fu;
    index |= (select & 0xCu) << 4;
    if ((r.attribute[kAttributeMode] & kPalette54) != 0) index = (index & ~0x30u) | (select & 3u) << 4;
    sixteen[i] = result[index];
  }
  return sixteen;
}

u32 Screen::byte_at(u64 offset) const {
  const DirectMemory& memory = vga_.memory();
  return memory.bytes()[offset & (memory.size() - 1)];
}

void Screen::add_band(u32 y, u32 height) {
  if (!bands_.empty() && bands_.back().y + bands_.back().height == y)
    bands_.back().height += height;
  else
    bands_.push_back({y, height});
}

bool Screen::update(u64 time_ns) {
  bands_.clear();
  const PictureMode mode = picture_mode(vga_.registers());
  took_marks_ = vga_.memory().take_marks(marks_);
  bool everything = !drawn_ || mode != mode_;
  mode_ = mode;
  if (const Palette now = palette(); now != palette_) {
    palette_ = now;
    everything = everything || mode.kind < PictureKind::kLinear15;
  }
  if (everything) {
    drawn_ = true;
    pixels_.assign(std::size_t{mode_.width} * mode_.height, kOpaque);
    cells_.clear();
  }
  if (mode_.kind == PictureKind::kText) {
    const bool new_fonts = (took_marks_ || everything) && take_fonts();
    draw_text(everything || new_fonts, time_ns);
  } else if (mode_.kind != PictureKind::kBlank && (everything || took_marks_)) {
    draw_graphics(everything);
  }
  if (everything) bands_.assign(1, {0, mode_.height});
  if (!bands_.empty()) ++generation_;
  return !bands_.empty();
}

}  // namespace lapwing
