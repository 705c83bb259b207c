// Register numbers and bits of the VGA and of the Bochs display interface, and the rows that the monitor
// shows. IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem" (VGA function); Bochs/QEMU
// "VBE display API" (DISPI registers).
#pragma once

#include <array>

#include "core/bitfield.h"
#include "core/types.h"

namespace lapwing::vga {

enum Port : u16 {
  kFirstPort = 0x3B0,
  kMonoCrtcIndex = 0x3B4,
  kMonoCrtcData = 0x3B5,
  kMonoStatus1 = 0x3BA,
  kAttributeIndex = 0x3C0,
  kAttributeData = 0x3C1,
  kMiscWrite = 0x3C2,  // reads input status 0
  kEnable = 0x3C3,
  kSequencerIndex = 0x3C4,
  kSequencerData = 0x3C5,
  kDacMask = 0x3C6,
  kDacReadIndex = 0x3C7,  // reads the DAC state
  kDacWriteIndex = 0x3C8,
  kDacData = 0x3C9,
  kFeatureRead = 0x3CA,
  kMiscRead = 0x3CC,
  kGraphicsIndex = 0x3CE,
  kGraphicsData = 0x3CF,
  kColourCrtcIndex = 0x3D4,
  kColourCrtcData = 0x3D5,
  kColourStatus1 = 0x3DA,
  kPortsEnd = 0x3E0,
};

enum Sequencer : u8 { kReset, kClockingMode, kMapMask, kCharacterMap, kMemoryMode };
enum Graphics : u8 {
  kSetReset,
  kEnableSetReset,
  kColourCompare,
  kDataRotate,
  kReadMapSelect,
  kGraphicsMode,
  kMiscellaneous,
  kColourDontCare,
  kBitMask,
};
enum Crtc : u8 {
  kHorizontalTotal = 0x00,
  kHorizontalEnd = 0x01,
  kVerticalTotal = 0x06,
  kOverflow = 0x07,
  kPresetRowScan = 0x08,
  kMaximumScanLine = 0x09,
  kCursorStart = 0x0A,
  kCursorEnd = 0x0B,
  kStartHigh = 0x0C,
  kStartLow = 0x0D,
  kCursorHigh = 0x0E,
  kCursorLow = 0x0F,
  kRetraceStart = 0x10,
  kRetraceEnd = 0x11,
  kVerticalEnd = 0x12,
  kOffset = 0x13,
  kUnderline = 0x14,
  kModeControl = 0x17,
  kLineCompare = 0x18,
};
enum Attribute : u8 {
  kPalette = 0x00,
  kAttributeMode = 0x10,
  kOverscan = 0x11,
  kPlaneEnable = 0x12,
  kPixelPanning = 0x13,
  kColourSelect = 0x14,
};
enum Dispi : u16 {
  kDispiId,
  kXRes,
  kYRes,
  kBpp,
  kDispiEnable,
  kBank,
  kVirtualWidth,
  kVirtualHeight,
  kXOffset,
  kYOffset,
  kVideoMemory64K,
  kDispiRegisters,
};

// Miscellaneous output register.
constexpr u8 kMiscColour = 1 << 0, kMiscRamEnable = 1 << 1;
// Sequencer: clocking mode, memory mode.
constexpr u8 kEightDots = 1 << 0, kHalfClock = 1 << 3, kScreenOff = 1 << 5;
constexpr u8 kSequential = 1 << 2, kChain4 = 1 << 3;
// Graphics controller: mode, miscellaneous.
constexpr u8 kWriteMode = 3, kReadMode1 = 1 << 3, kHostOddEven = 1 << 4, kShiftInterleave = 1 << 5,
             kShift256 = 1 << 6;
constexpr u8 kGraphicsEnable = 1 << 0;
using MemoryMap = Field<u8, u8, 2, 2>;
// CRTC: vertical retrace end, maximum scan line, mode control.
constexpr u8 kProtect = 1 << 7, kDoubleScan = 1 << 7;
constexpr u8 kRowScan0Address = 1 << 0, kRowScan1Address = 1 << 1, kByteMode = 1 << 6;
constexpr u8 kScanLineMask = 0x1F, kCursorOff = 1 << 5;
// Attribute controller: index, mode control.
constexpr u8 kPaletteSource = 1 << 5, kAttributeIndexMask = 0x1F;
constexpr u8 kMonochrome = 1 << 1, kLineGraphics = 1 << 2, kBlink = 1 << 3, kPanningCompatible = 1 << 5,
             kPalette54 = 1 << 7;
// Input status 1.
constexpr u8 kDisplayOff = 1 << 0, kVerticalRetrace = 1 << 3;
// DISPI enable register.
constexpr u16 kDispiOn = 1 << 0, kDispiGetCaps = 1 << 1, kDispiEightBitDac = 1 << 5, kDispiLinear = 1 << 6,
              kDispiNoClear = 1 << 7;
constexpr u16 kDispiFirstId = 0xB0C0, kDispiLastId = 0xB0C5;
constexpr u16 kMaxXRes = 16000, kMaxYRes = 12000, kMaxBpp = 32;

constexpr unsigned kDacEntries = 256;

}  // namespace lapwing::vga

namespace lapwing {

// Everything that a guest can set, apart from video memory.
struct VgaRegisters {
  u8 misc_output;
  u8 feature_control;
  u8 enable;
  u8 sequencer_index;
  std::array<u8, 8> sequencer;
  u8 graphics_index;
  std::array<u8, 16> graphics;
  u8 crtc_index;
  std::array<u8, 32> crtc;
  u8 attribute_index;  // with the palette source bit
  bool attribute_data_next;
  std::array<u8, 32> attribute;
  u8 dac_mask;
  u8 dac_index;
  u8 dac_component;  // 0 red, 1 green, 2 blue
  bool dac_reading;
  std::array<u8, 3> dac_latch;
  std::array<u8, vga::kDacEntries * 3> dac;
  std::array<u8, 4> latch;  // one byte of each plane
  u16 dispi_index;
  std::array<u16, vga::kDispiRegisters> dispi;

  bool dispi_on() const { return (dispi[vga::kDispiEnable] & vga::kDispiOn) != 0; }
};

}  // namespace lapwing
