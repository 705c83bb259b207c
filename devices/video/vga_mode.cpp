#include "devices/video/vga_mode.h"

#include <algorithm>

namespace lapwing {

using namespace vga;

namespace {

// Bits 8 and 9 of vertical counts lie in the overflow register.
u32 vertical(const VgaRegisters& r, Crtc low, unsigned bit8, unsigned bit9) {
  const u8 overflow = r.crtc[kOverflow];
  return r.crtc[low] | (((overflow >> bit8) & 1u) << 8) | (((overflow >> bit9) & 1u) << 9);
}

u32 line_compare(const VgaRegisters& r) {
  return r.crtc[kLineCompare] | (((r.crtc[kOverflow] >> 4) & 1u) << 8) |
         (((r.crtc[kMaximumScanLine] >> 6) & 1u) << 9);
}

u32 start_address(const VgaRegisters& r) {
  return static_cast<u32>(r.crtc[kStartHigh]) << 8 | r.crtc[kStartLow];
}

// Character map select: two bits of 16 KiB and one of 8 KiB.
u32 font_offset(unsigned low_bits, unsigned high_bit) {
  return low_bits * 0x4000 + high_bit * 0x2000;
}

bool is_blank(const VgaRegisters& r) {
  return (r.attribute_index & kPaletteSource) == 0 || (r.sequencer[kClockingMode] & kScreenOff) != 0 ||
         scan_lines(r) < 8 || r.crtc[kHorizontalEnd] == 0;
}

void describe_text(const VgaRegisters& r, PictureMode& mode) {
  mode.kind = PictureKind::kText;
  mode.columns = r.crtc[kHorizontalEnd] + 1u;
  mode.cell_width = (r.sequencer[kClockingMode] & kEightDots) != 0 ? 8 : 9;
  mode.width = mode.columns * mode.cell_width;
  mode.row_lines = (r.crtc[kMaximumScanLine] & kScanLineMask) + 1u;
  const u8 map = r.sequencer[kCharacterMap];
  mode.fonts[0] = font_offset(map & 3, (map >> 4) & 1);
  mode.fonts[1] = font_offset((map >> 2) & 3, (map >> 5) & 1);
  const u8 control = r.attribute[kAttributeMode];
  mode.blinks = (control & kBlink) != 0;
  mode.line_graphics = (control & kLineGraphics) != 0;
  if ((control & kMonochrome) != 0) mode.underline = r.crtc[kUnderline] & kScanLineMask;
  const u32 panning = r.attribute[kPixelPanning] & 15u;
  mode.pan = mode.cell_width == 8 ? panning & 7 : (panning >= 8 ? 0 : panning + 1);
}

void describe_graphics(const VgaRegisters& r, PictureMode& mode) {
  const u8 control = r.graphics[kGraphicsMode];
  const u8 crtc_mode = r.crtc[kModeControl];
  mode.width = (r.crtc[kHorizontalEnd] + 1u) * 8;
  const u32 panning = r.attribute[kPixelPanning] & 15u;
  if ((control & kShift256) != 0) {
    mode.kind = PictureKind::kPacked;
    mode.width /= 2;
    mode.pan = (panning & 7) / 2;
  } else {
    mode.kind = (control & kShiftInterleave) != 0 ? PictureKind::kInterleaved : PictureKind::kPlanar;
    mode.pan = panning & 7;
  }
  // The line within the row replaces address bit 13 (CGA) and 14 (Hercules); pair addressing drops a bit.
  const unsigned shift = (crtc_mode & kByteMode) != 0 ? 2 : 1;
  if ((crtc_mode & kRowScan0Address) == 0) mode.bank_bit0 = 1u << (13 + shift);
  if ((crtc_mode & kRowScan1Address) == 0) mode.bank_bit1 = 1u << (14 + shift);
  const u32 lines = (r.crtc[kMaximumScanLine] & kScanLineMask) + 1u;
  if (mode.bank_bit0 != 0 || mode.bank_bit1 != 0) {
    mode.row_lines = lines;
  } else {
    mode.height = std::max(mode.height / lines, 1u);
    if (mode.split != ~0u) mode.split = (mode.split + lines - 1) / lines;
  }
}

void describe_dispi(const VgaRegisters& r, PictureMode& mode) {
  const u32 bytes = dispi_bytes(r.dispi[kBpp]);
  mode.square = true;
  mode.width = r.dispi[kXRes];
  mode.height = r.dispi[kYRes];
  const u32 virtual_width = r.dispi[kVirtualWidth];
  if (bytes == 0) {
    mode.kind = PictureKind::kPlanar;
    mode.pitch = virtual_width / 2;
    mode.start = r.dispi[kYOffset] * mode.pitch + r.dispi[kXOffset] / 8u * 4;
    mode.plane_mask = r.attribute[kPlaneEnable] & 15u;
    return;
  }
  mode.pitch = virtual_width * bytes;
  mode.start = r.dispi[kYOffset] * mode.pitch + r.dispi[kXOffset] * bytes;
  switch (r.dispi[kBpp]) {
    case 15: mode.kind = PictureKind::kLinear15; break;
    case 16: mode.kind = PictureKind::kLinear16; break;
    case 24: mode.kind = PictureKind::kLinear24; break;
    case 32: mode.kind = PictureKind::kLinear32; break;
    default: mode.kind = PictureKind::kLinear8;
  }
}

}  // namespace

u32 scan_lines(const VgaRegisters& r) {
  return vertical(r, kVerticalEnd, 1, 6) + 1;
}

u32 total_lines(const VgaRegisters& r) {
  return vertical(r, kVerticalTotal, 0, 5) + 2;
}

u32 dispi_bytes(u16 bpp) {
  return bpp == 4 ? 0 : (bpp + 7u) / 8;
}

PictureMode picture_mode(const VgaRegisters& r) {
  PictureMode mode;
  if (r.dispi_on()) {
    describe_dispi(r, mode);
    if ((r.attribute_index & kPaletteSource) == 0 && r.dispi[kBpp] <= 8) mode.kind = PictureKind::kBlank;
    return mode;
  }
  if (is_blank(r)) return mode;
  const u32 doubled = (r.crtc[kMaximumScanLine] & kDoubleScan) != 0 ? 2 : 1;
  mode.height = scan_lines(r) / doubled;
  const u32 split = line_compare(r) + 1;
  if (split < scan_lines(r)) mode.split = (split + doubled - 1) / doubled;
  mode.pitch = r.crtc[kOffset] * 8u;
  mode.start = (start_address(r) + ((r.crtc[kPresetRowScan] >> 5) & 3u)) * 4;
  mode.plane_mask = r.attribute[kPlaneEnable] & 15u;
  if ((r.graphics[kMiscellaneous] & kGraphicsEnable) != 0)
    describe_graphics(r, mode);
  else
    describe_text(r, mode);
  mode.first_line = std::min<u32>(r.crtc[kPresetRowScan] & kScanLineMask, mode.row_lines - 1);
  mode.split_pan = (r.attribute[kAttributeMode] & kPanningCompatible) != 0 ? 0 : mode.pan;
  return mode;
}

}  // namespace lapwing
