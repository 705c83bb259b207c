#include "devices/video/vga.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "devices/video/vga_mode.h"

namespace lapwing {

using namespace vga;

namespace {

// Bits of each register that exist.
constexpr u8 kSequencerMasks[5] = {0x03, 0x3D, 0x0F, 0x3F, 0x0E};
constexpr u8 kGraphicsMasks[9] = {0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};
constexpr unsigned kCrtcCount = 0x19;
constexpr unsigned kAttributeCount = 0x15;
constexpr u8 kPaletteRegisterMask = 0x3F;
constexpr u8 kSixBits = 0x3F;
constexpr u8 kMiscBits = 0xEF;

u32 all_planes(u8 value) {
  return value * 0x01010101u;
}

// A byte of ones in each plane whose bit is set.
u32 expand(unsigned planes) {
  u32 result = 0;
  for (unsigned plane = 0; plane < 4; ++plane) {
    if (((planes >> plane) & 1) != 0) result |= 0xFFu << (plane * 8);
  }
  return result;
}

u8 rotate_right(u8 value, unsigned count) {
  return static_cast<u8>((value >> count) | (value << (8 - count)));
}

u32 as_word(const std::array<u8, 4>& latch) {
  u32 word;
  std::memcpy(&word, latch.data(), sizeof word);
  return word;
}

constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u64 kDotClocks[4] = {25'175'000, 28'322'000, 25'175'000, 25'175'000};
constexpr u64 kDispiFrameNs = kNsPerSecond / 60;

}  // namespace

void Vga::reset() {
  r_ = VgaRegisters{};
  r_.dispi[kDispiId] = kDispiLastId;
  r_.dac_mask = 0xFF;
  std::memset(memory_.bytes(), 0, static_cast<std::size_t>(memory_.size()));
  memory_.mark_all();
}

// One frame of the CRTC's programmed timing.
u64 Vga::frame_ns() const {
  if (r_.dispi_on()) return kDispiFrameNs;
  const u8 clocking = r_.sequencer[kClockingMode];
  const u64 dots = ((clocking & kEightDots) != 0 ? 8 : 9) * ((clocking & kHalfClock) != 0 ? 2u : 1u);
  const u64 line = (r_.crtc[kHorizontalTotal] + 5u) * dots;
  return line * total_lines(r_) * kNsPerSecond / kDotClocks[(r_.misc_output >> 2) & 3];
}

u8 Vga::status1() {
  r_.attribute_data_next = false;
  const u64 frame = frame_ns();
  const u64 at = clock_.now_ns() % frame;
  const u64 total = r_.dispi_on() ? r_.dispi[kYRes] + 45u : total_lines(r_);
  const u64 shown = r_.dispi_on() ? r_.dispi[kYRes] : scan_lines(r_);
  const u64 line_ns = std::max<u64>(frame / total, 1);
  const u64 line = at / line_ns;
  constexpr u64 kRetraceDelay = 12, kRetraceLines = 3;
  if (line >= shown) {
    const bool retrace = line >= shown + kRetraceDelay && line < shown + kRetraceDelay + kRetraceLines;
    return static_cast<u8>(kDisplayOff | (retrace ? kVerticalRetrace : 0));
  }
  // The last fifth of a line is horizontal blanking.
  return at % line_ns >= line_ns * 4 / 5 ? kDisplayOff : 0;
}

u8 Vga::port_read(u16 port) {
  const bool colour = (r_.misc_output & kMiscColour) != 0;
  switch (port) {
    case kAttributeIndex: return r_.attribute_index;
    case kAttributeData: return r_.attribute[r_.attribute_index & kAttributeIndexMask];
    case kMiscWrite: return 0;  // input status 0: no interrupt, no switches
    case kEnable: return r_.enable;
    case kSequencerIndex: return r_.sequencer_index;
    case kSequencerData: return r_.sequencer[r_.sequencer_index];
    case kDacMask: return r_.dac_mask;
    case kDacReadIndex: return r_.dac_reading ? 3 : 0;
    case kDacWriteIndex: return r_.dac_index;
    case kDacData: return dac_read();
    case kFeatureRead: return r_.feature_control;
    case kMiscRead: return r_.misc_output;
    case kGraphicsIndex: return r_.graphics_index;
    case kGraphicsData: return r_.graphics[r_.graphics_index];
    default: break;
  }
  // The CRTC and status 1 answer at 0x3Bx or 0x3Dx.
  if (port == (colour ? kColourCrtcIndex : kMonoCrtcIndex)) return r_.crtc_index;
  if (port == (colour ? kColourCrtcData : kMonoCrtcData)) return r_.crtc[r_.crtc_index];
  if (port == (colour ? kColourStatus1 : kMonoStatus1)) return status1();
  return 0xFF;
}

void Vga::port_write(u16 port, u8 value) {
  const bool colour = (r_.misc_output & kMiscColour) != 0;
  switch (port) {
    case kAttributeIndex: return attribute_write(value);
    case kMiscWrite: r_.misc_output = value & kMiscBits; return;
    case kEnable: r_.enable = value & 1; return;
    case kSequencerIndex: r_.sequencer_index = value & 7; return;
    case kSequencerData:
      if (r_.sequencer_index < std::size(kSequencerMasks))
        r_.sequencer[r_.sequencer_index] = value & kSequencerMasks[r_.sequencer_index];
      return;
    case kDacMask: r_.dac_mask = value; return;
    case kDacReadIndex:
    case kDacWriteIndex:
      r_.dac_index = value;
      r_.dac_component = 0;
      r_.dac_reading = port == kDacReadIndex;
      return;
    case kDacData: return dac_write(value);
    case kGraphicsIndex: r_.graphics_index = value & 15; return;
    case kGraphicsData:
      if (r_.graphics_index < std::size(kGraphicsMasks))
        r_.graphics[r_.graphics_index] = value & kGraphicsMasks[r_.graphics_index];
      return;
    default: break;
  }
  if (port == (colour ? kColourCrtcIndex : kMonoCrtcIndex)) r_.crtc_index = value & 31;
  if (port == (colour ? kColourCrtcData : kMonoCrtcData)) crtc_write(value);
  if (port == (colour ? kColourStatus1 : kMonoStatus1)) r_.feature_control = value & 3;
}

// Port 0x3C0 takes an index and its data in turn; reading status 1 starts over.
void Vga::attribute_write(u8 value) {
  const unsigned index = r_.attribute_index & kAttributeIndexMask;
  if (!r_.attribute_data_next) {
    r_.attribute_index = value & (kAttributeIndexMask | kPaletteSource);
  } else if (index < kAttributeMode) {
    r_.attribute[index] = value & kPaletteRegisterMask;
  } else if (index < kAttributeCount) {
    r_.attribute[index] = value;
  }
  r_.attribute_data_next = !r_.attribute_data_next;
}

void Vga::crtc_write(u8 value) {
  const u8 index = r_.crtc_index;
  if (index >= kCrtcCount) return;
  if (index <= kOverflow && (r_.crtc[kRetraceEnd] & kProtect) != 0) {
    constexpr u8 kLineCompare8 = 1 << 4;  // the only unprotected bit
    if (index == kOverflow)
      r_.crtc[index] = static_cast<u8>((r_.crtc[index] & ~kLineCompare8) | (value & kLineCompare8));
    return;
  }
  r_.crtc[index] = value;
}

u8 Vga::dac_read() {
  const u8 value = r_.dac[r_.dac_index * 3u + r_.dac_component];
  if (++r_.dac_component == 3) {
    r_.dac_component = 0;
    ++r_.dac_index;
  }
  return value;
}

void Vga::dac_write(u8 value) {
  const bool wide = (r_.dispi[kDispiEnable] & kDispiEightBitDac) != 0;
  r_.dac_latch[r_.dac_component] = wide ? value : value & kSixBits;
  if (++r_.dac_component < 3) return;
  std::memcpy(&r_.dac[r_.dac_index * 3u], r_.dac_latch.data(), 3);
  r_.dac_component = 0;
  ++r_.dac_index;
}

u64 Vga::bank() const {
  return static_cast<u64>(r_.dispi[kBank]) * kBankSize;
}

bool Vga::decode(u32 offset, u32& address) const {
  constexpr struct {
    u32 base, size;
  } kMaps[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
  const auto& map = kMaps[MemoryMap::get(r_.graphics[kMiscellaneous])];
  address = offset - map.base;
  return (r_.misc_output & kMiscRamEnable) != 0 && offset >= map.base && address < map.size;
}

bool Vga::window_is_linear() const {
  const auto& g = r_.graphics;
  return (r_.misc_output & kMiscRamEnable) != 0 && MemoryMap::get(g[kMiscellaneous]) <= 1 &&
         (r_.sequencer[kMemoryMode] & kChain4) != 0 && r_.sequencer[kMapMask] == 15 &&
         (g[kGraphicsMode] & (kWriteMode | kReadMode1)) == 0 && g[kEnableSetReset] == 0 &&
         g[kDataRotate] == 0 && g[kBitMask] == 0xFF && bank() + kBankSize <= memory_.size();
}

void Vga::load_latch(u64 plane_address) {
  std::memcpy(r_.latch.data(), memory_.bytes() + plane_address * 4, 4);
}

u8 Vga::window_read(u32 offset) {
  u32 address;
  if (!decode(offset, address)) return 0xFF;
  const auto& g = r_.graphics;
  const u64 mask = memory_.size() / 4 - 1;
  unsigned plane = g[kReadMapSelect];
  u64 at = address;
  if ((r_.sequencer[kMemoryMode] & kChain4) != 0) {
    plane = address & 3;
    at = (address + bank()) >> 2;
  } else if ((g[kGraphicsMode] & kHostOddEven) != 0) {
    plane = (plane & 2) | (address & 1);
    at = address >> 1;
  }
  load_latch(at & mask);
  if ((g[kGraphicsMode] & kReadMode1) == 0) return r_.latch[plane];
  const u32 differs = (as_word(r_.latch) ^ expand(g[kColourCompare])) & expand(g[kColourDontCare]);
  const u32 folded = differs | (differs >> 16);
  return static_cast<u8>(~(folded | (folded >> 8)));
}

void Vga::window_write(u32 offset, u8 value) {
  u32 address;
  if (!decode(offset, address)) return;
  const u64 mask = memory_.size() / 4 - 1;
  u8 planes = r_.sequencer[kMapMask];
  const u8 memory_mode = r_.sequencer[kMemoryMode];
  if ((memory_mode & kChain4) != 0) {
    planes = static_cast<u8>(planes & (1u << (address & 3)));
    return write_planes(((address + bank()) >> 2) & mask, value, planes);
  }
  if ((memory_mode & kSequential) == 0) {
    constexpr u8 kEvenPlanes = 0x5, kOddPlanes = 0xA;
    planes = planes & ((address & 1) != 0 ? kOddPlanes : kEvenPlanes);
    return write_planes((address >> 1) & mask, value, planes);
  }
  write_planes(address & mask, value, planes);
}

// Logical function with the latch, then the bit mask.
u32 Vga::combine(u32 data) const {
  const u32 latch = as_word(r_.latch);
  switch (r_.graphics[kDataRotate] >> 3) {
    case 1: data &= latch; break;
    case 2: data |= latch; break;
    case 3: data ^= latch; break;
    default: break;
  }
  return data;
}

void Vga::write_planes(u64 plane_address, u8 value, u8 planes) {
  const auto& g = r_.graphics;
  const u32 latch = as_word(r_.latch);
  const unsigned rotation = g[kDataRotate] & 7;
  const u32 set_reset = expand(g[kSetReset]);
  u32 bits = all_planes(g[kBitMask]);
  u32 data = 0;
  switch (g[kGraphicsMode] & kWriteMode) {
    case 0: {
      const u32 enabled = expand(g[kEnableSetReset]);
      data = combine((all_planes(rotate_right(value, rotation)) & ~enabled) | (set_reset & enabled));
      break;
    }
    case 1:
      data = latch;
      bits = ~0u;
      break;
    case 2: data = combine(expand(value & 15)); break;
    default: bits &= all_planes(rotate_right(value, rotation)); data = combine(set_reset);
  }
  data = (data & bits) | (latch & ~bits);
  const u32 written = expand(planes);
  u8* place = memory_.bytes() + plane_address * 4;
  u32 old;
  std::memcpy(&old, place, 4);
  const u32 result = (old & ~written) | (data & written);
  if (result == old) return;
  std::memcpy(place, &result, 4);
  memory_.mark(plane_address * 4);
}

u16 Vga::dispi_read(u16 index) const {
  if (index >= kDispiRegisters) return 0;
  if (index == kVideoMemory64K) return static_cast<u16>(memory_.size() / kBankSize);
  if ((r_.dispi[kDispiEnable] & kDispiGetCaps) != 0) {
    if (index == kXRes) return kMaxXRes;
    if (index == kYRes) return kMaxYRes;
    if (index == kBpp) return kMaxBpp;
  }
  return r_.dispi[index];
}

void Vga::dispi_write(u16 index, u16 value) {
  switch (index) {
    case kDispiId:
      if (value >= kDispiFirstId && value <= kDispiLastId) r_.dispi[index] = value;
      return;
    case kDispiEnable: return dispi_enable(value);
    case kBank: r_.dispi[index] = static_cast<u16>(value & (memory_.size() / kBankSize - 1)); return;
    case kXRes:
    case kYRes:
    case kBpp:
    case kVirtualWidth:
    case kXOffset:
    case kYOffset:
      r_.dispi[index] = value;
      if (r_.dispi_on()) dispi_normalize();
      return;
    default: return;  // read-only
  }
}

void Vga::dispi_enable(u16 value) {
  const bool was_on = r_.dispi_on();
  const bool on = (value & kDispiOn) != 0;
  r_.dispi[kDispiEnable] =
      value & (kDispiOn | kDispiGetCaps | kDispiEightBitDac | kDispiLinear | kDispiNoClear);
  if (!on) {
    r_.dispi[kBank] = 0;
    return;
  }
  if (was_on) return dispi_normalize();
  for (const Dispi index : {kVirtualWidth, kXOffset, kYOffset, kBank}) r_.dispi[index] = 0;
  dispi_normalize();
  // The VGA behind shows linear memory through its window.
  r_.sequencer[kClockingMode] = static_cast<u8>(r_.sequencer[kClockingMode] & ~kScreenOff);
  r_.graphics[kMiscellaneous] =
      static_cast<u8>(MemoryMap::set(r_.graphics[kMiscellaneous], 1) | kGraphicsEnable);
  if (r_.dispi[kBpp] != 4) {
    r_.sequencer[kMapMask] = 15;
    r_.sequencer[kMemoryMode] |= kChain4;
    r_.graphics[kGraphicsMode] =
        static_cast<u8>((r_.graphics[kGraphicsMode] & ~kShiftInterleave) | kShift256);
  } else {
    r_.sequencer[kMemoryMode] = static_cast<u8>(r_.sequencer[kMemoryMode] & ~kChain4);
    r_.graphics[kGraphicsMode] =
        static_cast<u8>(r_.graphics[kGraphicsMode] & ~(kShiftInterleave | kShift256));
  }
  if ((value & kDispiNoClear) != 0) return;
  const u32 bytes = dispi_bytes(r_.dispi[kBpp]);
  const u64 pitch = bytes == 0 ? r_.dispi[kVirtualWidth] / 2u : u64{r_.dispi[kVirtualWidth]} * bytes;
  std::memset(memory_.bytes(), 0,
              static_cast<std::size_t>(std::min(pitch * r_.dispi[kYRes], memory_.size())));
  memory_.mark_all();
}

// Keeps every line of the picture inside video memory.
void Vga::dispi_normalize() {
  auto& d = r_.dispi;
  switch (d[kBpp]) {
    case 4:
    case 8:
    case 15:
    case 16:
    case 24:
    case 32: break;
    default: d[kBpp] = 8;
  }
  const auto multiple_of_8 = [](u16 value, u16 least, u16 most) {
    return static_cast<u16>(std::clamp<u16>(value, least, most) & ~7);
  };
  d[kXRes] = multiple_of_8(d[kXRes], 8, kMaxXRes);
  d[kVirtualWidth] = multiple_of_8(d[kVirtualWidth], d[kXRes], kMaxXRes);
  const u64 bits = d[kBpp] == 15 ? 16 : d[kBpp];
  const u64 pitch = d[kVirtualWidth] * bits / 8;
  const u64 rows = std::min<u64>(memory_.size() / pitch, 0xFFFF);
  d[kVirtualHeight] = static_cast<u16>(rows);
  d[kYRes] = static_cast<u16>(std::clamp<u64>(d[kYRes], 1, std::min<u64>(rows, kMaxYRes)));
  d[kXOffset] = std::min(d[kXOffset], static_cast<u16>(d[kVirtualWidth] - d[kXRes]));
  d[kYOffset] = std::min(d[kYOffset], static_cast<u16>(rows - d[kYRes]));
}

}  // namespace lapwing
