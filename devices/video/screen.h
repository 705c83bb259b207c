// Draws what a VGA shows as RGBA pixels, only where something changed, and gives the text of text modes. A
// reader of the machine: drawing changes nothing that a guest can see. Doubled lines and dots are drawn once;
// whoever shows the picture scales it (to 4:3 where pixels are not square).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "devices/video/vga.h"
#include "devices/video/vga_mode.h"

namespace lapwing {

// Lines that were drawn anew.
struct ScreenBand {
  u32 y;
  u32 height;
};

class Screen {
 public:
  explicit Screen(const Vga& vga) : vga_(vga) {}

  // Brings the picture up to date; `time_ns` decides what blinks. False: nothing changed. bands() tells
  // where. `marks_taken` says whether pages may have been written since the last time.
  bool update(u64 time_ns);
  // Whether the last update() took the marks of video memory (write tags must then be dropped).
  bool took_marks() const { return took_marks_; }

  const PictureMode& mode() const { return mode_; }
  const std::vector<u32>& pixels() const { return pixels_; }
  const std::vector<ScreenBand>& bands() const { return bands_; }
  u32 generation() const { return generation_; }

  // The text of a text mode, a line each, as UTF-8 without trailing spaces; empty in graphics modes.
  std::string text() const;

 private:
  // What a cell looks like, so that only changed ones are drawn.
  struct CellLook {
    u8 character;
    u8 foreground, background;
    u8 font;
    u8 cursor_first, cursor_end;  // lines of the cell, equal: none
    bool operator==(const CellLook&) const = default;
  };
  using Palette = std::array<u32, vga::kDacEntries>;

  Palette palette() const;
  bool take_fonts();
  void add_band(u32 y, u32 height);
  u32 byte_at(u64 offset) const;

  // render_text.cpp
  void draw_text(bool everything, u64 time_ns);
  u32 draw_text_rows(u32 top, u32 bottom, u32 first_line, u32 start, u32 pan, u32 cell_index, u64 time_ns);
  CellLook look_of(u32 cell_address, u64 time_ns) const;
  void draw_cell(const CellLook& look, i64 x, i64 y, u32 top, u32 bottom);
  // render_graphics.cpp: one line
  void draw_graphics(bool everything);
  void draw_line(u32 y, u64 address, u32 pan);
  void draw_planar(u32* out, u64 address, u32 pan) const;
  void draw_interleaved(u32* out, u64 address, u32 pan) const;
  void draw_packed(u32* out, u64 address, u32 pan) const;
  void draw_linear(u32* out, u64 address) const;
  u32 line_bytes() const;
  u64 line_address(u32 y, u32& pan) const;
  bool is_marked(u64 address, u32 bytes) const;

  const Vga& vga_;
  PictureMode mode_;
  Palette palette_{};
  std::vector<u32> pixels_;
  std::vector<ScreenBand> bands_;
  std::vector<u8> marks_;
  std::vector<CellLook> cells_;
  std::array<std::array<u8, 256 * 32>, 2> fonts_{};
  bool took_marks_ = false;
  bool drawn_ = false;
  u32 generation_ = 0;
};

}  // namespace lapwing
