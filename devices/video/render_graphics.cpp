// Graphics modes, line by line: planar 16 colours, CGA's interleaved 4, packed 256, and DISPI's linear ones.
#include <algorithm>
#include <cstring>

#include "devices/video/screen.h"

namespace lapwing {

namespace {

constexpr u32 kOpaque = 0xFF000000;

// A colour field of `bits` bits at `shift`, widened to eight by repeating its upper bits.
u32 widened(u32 pixel, unsigned shift, unsigned bits) {
  const u32 value = (pixel >> shift) & ((1u << bits) - 1);
  return value << (8 - bits) | value >> (2 * bits - 8);
}

u32 from_rgb(u32 red, u32 green, u32 blue) {
  return kOpaque | blue << 16 | green << 8 | red;
}

}  // namespace

// Where line y lies in video memory, and how far it is shifted.
u64 Screen::line_address(u32 y, u32& pan) const {
  const bool below = y >= mode_.split;
  pan = below ? mode_.split_pan : mode_.pan;
  const u32 line = below ? y - mode_.split : y + mode_.first_line;
  const u32 row = line / mode_.row_lines;
  const u32 within = line % mode_.row_lines;
  u64 address = (below ? 0 : u64{mode_.start}) + u64{row} * mode_.pitch;
  if (mode_.bank_bit0 != 0) address = (address & ~u64{mode_.bank_bit0}) | ((within & 1) * mode_.bank_bit0);
  if (mode_.bank_bit1 != 0)
    address = (address & ~u64{mode_.bank_bit1}) | (((within >> 1) & 1) * mode_.bank_bit1);
  return address;
}

// Bytes of video memory behind a line, with what panning brings in.
u32 Screen::line_bytes() const {
  switch (mode_.kind) {
    case PictureKind::kPlanar:
    case PictureKind::kInterleaved: return mode_.width / 2 + 4;
    case PictureKind::kPacked: return mode_.width + 4;
    case PictureKind::kLinear8: return mode_.width;
    case PictureKind::kLinear15:
    case PictureKind::kLinear16: return mode_.width * 2;
    case PictureKind::kLinear24: return mode_.width * 3;
    default: return mode_.width * 4;
  }
}

bool Screen::is_marked(u64 address, u32 bytes) const {
  const u64 pages = marks_.size();
  for (u64 page = address >> kPageShift; page <= (address + bytes - 1) >> kPageShift; ++page) {
    if (marks_[static_cast<std::size_t>(page % pages)] != 0) return true;
  }
  return false;
}

void Screen::draw_graphics(bool everything) {
  const u32 bytes = line_bytes();
  for (u32 y = 0; y < mode_.height; ++y) {
    u32 pan = 0;
    const u64 address = line_address(y, pan);
    if (!everything && !is_marked(address, bytes)) continue;
    draw_line(y, address, pan);
    add_band(y, 1);
  }
}

void Screen::draw_line(u32 y, u64 address, u32 pan) {
  u32* out = pixels_.data() + std::size_t{y} * mode_.width;
  switch (mode_.kind) {
    case PictureKind::kPlanar: return draw_planar(out, address, pan);
    case PictureKind::kInterleaved: return draw_interleaved(out, address, pan);
    case PictureKind::kPacked:
    case PictureKind::kLinear8: return draw_packed(out, address, pan);
    default: return draw_linear(out, address);
  }
}

void Screen::draw_planar(u32* out, u64 address, u32 pan) const {
  for (i64 x = -i64{pan}; x < mode_.width; address += 4) {
    u32 planes[4];
    for (unsigned plane = 0; plane < 4; ++plane) {
      planes[plane] = ((mode_.plane_mask >> plane) & 1) != 0 ? byte_at(address + plane) : 0;
    }
    for (unsigned bit = 8; bit-- > 0; ++x) {
      if (x < 0 || x >= mode_.width) continue;
      const u32 colour = ((planes[0] >> bit) & 1) | ((planes[1] >> bit) & 1) << 1 |
                         ((planes[2] >> bit) & 1) << 2 | ((planes[3] >> bit) & 1) << 3;
      out[x] = palette_[colour];
    }
  }
}

// Two bits a pixel from plane 0, then from plane 1; planes 2 and 3 give the upper two bits.
void Screen::draw_interleaved(u32* out, u64 address, u32 pan) const {
  for (i64 x = -i64{pan}; x < mode_.width; address += 4) {
    for (unsigned half = 0; half < 2; ++half) {
      const u32 low = byte_at(address + half), high = byte_at(address + half + 2);
      for (unsigned shift = 8; shift > 0; ++x) {
        shift -= 2;
        if (x < 0 || x >= mode_.width) continue;
        const u32 colour = ((low >> shift) & 3) | ((high >> shift) & 3) << 2;
        out[x] = palette_[colour & mode_.plane_mask];
      }
    }
  }
}

void Screen::draw_packed(u32* out, u64 address, u32 pan) const {
  for (u32 x = 0; x < mode_.width; ++x) out[x] = palette_[byte_at(address + pan + x)];
}

void Screen::draw_linear(u32* out, u64 address) const {
  const u8* from = vga_.memory().bytes() + address;
  if (address + line_bytes() > vga_.memory().size()) return;
  for (u32 x = 0; x < mode_.width; ++x) {
    u32 pixel = 0;
    switch (mode_.kind) {
      case PictureKind::kLinear15:
        std::memcpy(&pixel, from + x * 2, 2);
        out[x] = from_rgb(widened(pixel, 10, 5), widened(pixel, 5, 5), widened(pixel, 0, 5));
        break;
      case PictureKind::kLinear16:
        std::memcpy(&pixel, from + x * 2, 2);
        out[x] = from_rgb(widened(pixel, 11, 5), widened(pixel, 5, 6), widened(pixel, 0, 5));
        break;
      case PictureKind::kLinear24: out[x] = from_rgb(from[x * 3 + 2], from[x * 3 + 1], from[x * 3]); break;
      default: out[x] = from_rgb(from[x * 4 + 2], from[x * 4 + 1], from[x * 4]);
    }
  }
}

}  // namespace lapwing
