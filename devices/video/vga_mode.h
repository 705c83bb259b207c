// What the registers amount to: the picture's size, and where in video memory its lines are. Shared by the
// renderer and by the timing of the retrace bit.
#pragma once

#include "devices/video/vga_registers.h"

namespace lapwing {

enum class PictureKind : u8 {
  kBlank,
  kText,
  kPlanar,       // 16 colours (or 2), four planes
  kInterleaved,  // CGA's 4 colours
  kPacked,       // 256 colours
  kLinear8,      // DISPI
  kLinear15,
  kLinear16,
  kLinear24,
  kLinear32,
};

// Plain numbers, compared as a whole: a change of any of them redraws everything.
struct PictureMode {
  PictureKind kind = PictureKind::kBlank;
  u32 width = 640;
  u32 height = 400;
  u32 pitch = 0;       // bytes of video memory from one row of addresses to the next
  u32 start = 0;       // byte of video memory that comes first
  u32 split = ~0u;     // first line that shows memory from 0 again
  u32 pan = 0;         // pixels by which the picture is shifted left
  u32 split_pan = 0;   // the same below the split
  u32 row_lines = 1;   // lines per row of addresses (character height; 2 for CGA's pairs of banks)
  u32 first_line = 0;  // line of the first row that comes first
  u32 bank_bit0 = 0;   // address bits that the line within the row replaces, 0 = none
  u32 bank_bit1 = 0;
  u32 cell_width = 0;  // text only
  u32 columns = 0;
  u32 fonts[2] = {0, 0};  // offset in plane 2, for attribute bit 3 clear and set
  u32 plane_mask = 15;
  u32 blinks = 0;
  u32 line_graphics = 0;
  u32 underline = ~0u;  // line of the cell
  bool square = false;  // pixels are square; else the picture fills a 4:3 tube

  bool operator==(const PictureMode&) const = default;
};

PictureMode picture_mode(const VgaRegisters& r);

// Lines that are shown, before any doubling (CRTC).
u32 scan_lines(const VgaRegisters& r);
u32 total_lines(const VgaRegisters& r);

// Bytes per pixel of a DISPI depth, 0 = 4 bits (planar).
u32 dispi_bytes(u16 bpp);

}  // namespace lapwing
