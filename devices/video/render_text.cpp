// Text modes: cells of 8 or 9 dots, two fonts in plane 2, cursor, blinking, underline, smooth scrolling and
// the split line.
#include <algorithm>
#include <cstring>

#include "devices/video/screen.h"

namespace lapwing {

using namespace vga;

namespace {

constexpr unsigned kGlyphSlot = 32;
constexpr u32 kGlyphs = 256;
// A cursor shows for 16 frames of 1/70 s in turn, a blinking character for 32.
constexpr u64 kCursorPhaseNs = 228'000'000;
constexpr u64 kBlinkPhaseNs = 2 * kCursorPhaseNs;
constexpr u8 kFirstLineGraphic = 0xC0, kLastLineGraphic = 0xDF;

// Code page 437, the character set of the PC's ROM font, as Unicode.
constexpr char16_t kCodePage437[257] =
    u" ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼ !\"#$%&'()*+,-./0123456789:;<=>?"
    u"@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~⌂"
    u"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
    u"└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

void append_utf8(std::string& text, char16_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xC0 | (c >> 6));
    text += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | (c >> 12));
    text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (c & 0x3F));
  }
}

}  // namespace

// Copies the two selected fonts out of plane 2; false when they are as before.
bool Screen::take_fonts() {
  const u8* memory = vga_.memory().bytes();
  bool changed = false;
  for (unsigned font = 0; font < 2; ++font) {
    std::array<u8, kGlyphs * kGlyphSlot> now;
    for (unsigned i = 0; i < now.size(); ++i) now[i] = memory[(mode_.fonts[font] + i) * 4u + 2];
    changed = changed || now != fonts_[font];
    fonts_[font] = now;
  }
  return changed;
}

Screen::CellLook Screen::look_of(u32 cell_address, u64 time_ns) const {
  const VgaRegisters& r = vga_.registers();
  const u64 at = u64{cell_address} * 4;
  const u32 attribute = byte_at(at + 1);
  CellLook look{};
  look.character = static_cast<u8>(byte_at(at));
  look.font = static_cast<u8>((attribute >> 3) & 1);
  u32 foreground = attribute & 15;
  u32 background = attribute >> 4;
  if (mode_.blinks != 0) {
    background &= 7;
    if ((attribute & 0x80) != 0 && time_ns / kBlinkPhaseNs % 2 != 0) foreground = background;
  }
  look.foreground = static_cast<u8>(foreground & mode_.plane_mask);
  look.background = static_cast<u8>(background & mode_.plane_mask);
  // Underline and cursor are runs of lines in the foreground colour; the cursor hides the underline.
  if (mode_.underline < mode_.row_lines && (attribute & 0x77) == 1) {
    look.cursor_first = static_cast<u8>(mode_.underline);
    look.cursor_end = static_cast<u8>(mode_.underline + 1);
  }
  const u32 cursor = static_cast<u32>(r.crtc[kCursorHigh]) << 8 | r.crtc[kCursorLow];
  const u8 first = r.crtc[kCursorStart] & kScanLineMask;
  const u32 last = std::min<u32>(r.crtc[kCursorEnd] & kScanLineMask, mode_.row_lines - 1);
  const bool shown = (r.crtc[kCursorStart] & kCursorOff) == 0 && first <= last;
  if (shown && (cell_address & 0xFFFF) == cursor && time_ns / kCursorPhaseNs % 2 == 0) {
    look.cursor_first = first;
    look.cursor_end = static_cast<u8>(last + 1);
    look.foreground = static_cast<u8>(attribute & 15 & mode_.plane_mask);
  }
  return look;
}

void Screen::draw_cell(const CellLook& look, i64 x, i64 y, u32 top, u32 bottom) {
  const u32 colours[2] = {palette_[look.background], palette_[look.foreground]};
  const bool extends =
      mode_.line_graphics != 0 && look.character >= kFirstLineGraphic && look.character <= kLastLineGraphic;
  for (u32 line = 0; line < mode_.row_lines; ++line) {
    const i64 row = y + line;
    if (row < top || row >= bottom) continue;
    u32 bits = static_cast<u32>(fonts_[look.font][look.character * kGlyphSlot + line]) << 1;
    if (extends) bits |= (bits >> 1) & 1;
    if (line >= look.cursor_first && line < look.cursor_end) bits = 0x1FF;
    u32* out = pixels_.data() + static_cast<std::size_t>(row) * mode_.width;
    for (u32 dot = 0; dot < mode_.cell_width; ++dot) {
      const i64 column = x + dot;
      if (column >= 0 && column < mode_.width) out[column] = colours[(bits >> (8 - dot)) & 1];
    }
  }
}

// Draws the changed cells of lines [top, bottom); the first row begins `first_line` lines down in its cells.
// Returns the index behind the last cell.
u32 Screen::draw_text_rows(u32 top, u32 bottom, u32 first_line, u32 start, u32 pan, u32 cell_index,
                           u64 time_ns) {
  const u32 columns = mode_.columns + (pan != 0 ? 1 : 0);
  u32 row_start = start;
  for (i64 y = i64{top} - first_line; y < bottom; y += mode_.row_lines, row_start += mode_.pitch / 4) {
    bool changed = false;
    for (u32 column = 0; column < columns; ++column, ++cell_index) {
      const CellLook look = look_of(row_start + column, time_ns);
      if (cell_index < cells_.size() && cells_[cell_index] == look) continue;
      if (cell_index >= cells_.size()) cells_.resize(cell_index + 1);
      cells_[cell_index] = look;
      draw_cell(look, i64{column} * mode_.cell_width - pan, y, top, bottom);
      changed = true;
    }
    if (!changed) continue;
    const u32 first = static_cast<u32>(std::max<i64>(y, top));
    add_band(first, static_cast<u32>(std::min<i64>(y + mode_.row_lines, bottom)) - first);
  }
  return cell_index;
}

void Screen::draw_text(bool everything, u64 time_ns) {
  if (everything) cells_.clear();
  const u32 split = std::min(mode_.split, mode_.height);
  const u32 next = draw_text_rows(0, split, mode_.first_line, mode_.start / 4, mode_.pan, 0, time_ns);
  if (split < mode_.height) draw_text_rows(split, mode_.height, 0, 0, mode_.split_pan, next, time_ns);
}

std::string Screen::text() const {
  const PictureMode mode = picture_mode(vga_.registers());
  std::string text;
  if (mode.kind != PictureKind::kText) return text;
  for (u32 row = 0; row < (mode.height + mode.row_lines - 1) / mode.row_lines; ++row) {
    std::string line;
    for (u32 column = 0; column < mode.columns; ++column) {
      const u64 at = u64{mode.start} + u64{row} * mode.pitch + column * 4u;
      append_utf8(line, kCodePage437[byte_at(at)]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace lapwing
