// The state a video BIOS leaves, and the VGA's registers as the monitor and snapshots see them.
#include <cstring>

#include "devices/video/vga.h"

namespace lapwing {

using namespace vga;

namespace {

// 80x25, 16 colours, 9x16 dots (IBM PS/2 HITR, "Video Subsystem", mode 3+ of the mode tables).
constexpr u8 kTextSequencer[5] = {0x03, 0x00, 0x03, 0x00, 0x02};
constexpr u8 kTextGraphics[9] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x0F, 0xFF};
constexpr u8 kTextCrtc[25] = {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00,
                              0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF};
constexpr u8 kTextAttribute[21] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A,
                                   0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C, 0x00, 0x0F, 0x08, 0x00};
constexpr u8 kTextMisc = 0x67;
constexpr unsigned kCells = 0x4000;  // words in 32 KiB
constexpr unsigned kGlyphs = 256, kGlyphBytes = 16, kGlyphSlot = 32;

// The 64 colours of the EGA: two bits of each primary, the low one of lesser weight.
u8 ega_level(unsigned colour, unsigned bit) {
  const unsigned strong = (colour >> bit) & 1, weak = (colour >> (bit + 3)) & 1;
  return static_cast<u8>(strong * 0x2A + weak * 0x15);
}

constexpr const char* kSequencerSection = "HITR Video Subsystem, Sequencer Registers";
constexpr const char* kGraphicsSection = "HITR Video Subsystem, Graphics Controller Registers";
constexpr const char* kCrtcSection = "HITR Video Subsystem, CRT Controller Registers";
constexpr const char* kAttributeSection = "HITR Video Subsystem, Attribute Controller Registers";
constexpr const char* kGeneralSection = "HITR Video Subsystem, General Registers";
constexpr const char* kDispiSection = "VBE display API, DISPI registers";

constexpr FieldInfo kClockingFields[] = {{"8 dots", 0, 1},
                                         {"shift load", 2, 1},
                                         {"half dot clock", 3, 1},
                                         {"shift 4", 4, 1},
                                         {"screen off", 5, 1}};
constexpr FieldInfo kMemoryModeFields[] = {{"extended", 1, 1}, {"sequential", 2, 1}, {"chain 4", 3, 1}};
constexpr FieldInfo kGraphicsModeFields[] = {{"write mode", 0, 2},
                                             {"read mode", 3, 1},
                                             {"odd/even", 4, 1},
                                             {"interleave", 5, 1},
                                             {"256 colours", 6, 1}};
constexpr FieldInfo kMiscellaneousFields[] = {{"graphics", 0, 1}, {"odd/even", 1, 1}, {"memory map", 2, 2}};
constexpr FieldInfo kAttributeModeFields[] = {
    {"graphics", 0, 1}, {"monochrome", 1, 1},  {"line graphics", 2, 1}, {"blink", 3, 1},
    {"panning", 5, 1},  {"256 colours", 6, 1}, {"P5, P4 select", 7, 1}};
constexpr FieldInfo kMiscFields[] = {{"I/O 3Dx", 0, 1}, {"RAM", 1, 1}, {"clock", 2, 2}, {"page", 5, 1}};
constexpr FieldInfo kDispiEnableFields[] = {
    {"enabled", 0, 1}, {"capabilities", 1, 1}, {"8-bit DAC", 5, 1}, {"linear", 6, 1}, {"no clear", 7, 1}};

constexpr RegisterInfo kMiscRegister = {"miscellaneous output", 0x3CC, 8, kGeneralSection, kMiscFields, 4};
constexpr RegisterInfo kSequencerRows[] = {
    {"SR0 reset", 0, 8, kSequencerSection, nullptr, 0},
    {"SR1 clocking mode", 1, 8, kSequencerSection, kClockingFields, 5},
    {"SR2 map mask", 2, 8, kSequencerSection, nullptr, 0},
    {"SR3 character map select", 3, 8, kSequencerSection, nullptr, 0},
    {"SR4 memory mode", 4, 8, kSequencerSection, kMemoryModeFields, 3},
};
constexpr RegisterInfo kGraphicsRows[] = {
    {"GR0 set/reset", 0, 8, kGraphicsSection, nullptr, 0},
    {"GR1 enable set/reset", 1, 8, kGraphicsSection, nullptr, 0},
    {"GR2 colour compare", 2, 8, kGraphicsSection, nullptr, 0},
    {"GR3 data rotate", 3, 8, kGraphicsSection, nullptr, 0},
    {"GR4 read map select", 4, 8, kGraphicsSection, nullptr, 0},
    {"GR5 graphics mode", 5, 8, kGraphicsSection, kGraphicsModeFields, 5},
    {"GR6 miscellaneous", 6, 8, kGraphicsSection, kMiscellaneousFields, 3},
    {"GR7 colour don't care", 7, 8, kGraphicsSection, nullptr, 0},
    {"GR8 bit mask", 8, 8, kGraphicsSection, nullptr, 0},
};
constexpr RegisterInfo kCrtcRows[] = {
    {"CR0 horizontal total", 0x00, 8, kCrtcSection, nullptr, 0},
    {"CR1 horizontal display end", 0x01, 8, kCrtcSection, nullptr, 0},
    {"CR2 start horizontal blanking", 0x02, 8, kCrtcSection, nullptr, 0},
    {"CR3 end horizontal blanking", 0x03, 8, kCrtcSection, nullptr, 0},
    {"CR4 start horizontal retrace", 0x04, 8, kCrtcSection, nullptr, 0},
    {"CR5 end horizontal retrace", 0x05, 8, kCrtcSection, nullptr, 0},
    {"CR6 vertical total", 0x06, 8, kCrtcSection, nullptr, 0},
    {"CR7 overflow", 0x07, 8, kCrtcSection, nullptr, 0},
    {"CR8 preset row scan", 0x08, 8, kCrtcSection, nullptr, 0},
    {"CR9 maximum scan line", 0x09, 8, kCrtcSection, nullptr, 0},
    {"CRA cursor start", 0x0A, 8, kCrtcSection, nullptr, 0},
    {"CRB cursor end", 0x0B, 8, kCrtcSection, nullptr, 0},
    {"CRC start address high", 0x0C, 8, kCrtcSection, nullptr, 0},
    {"CRD start address low", 0x0D, 8, kCrtcSection, nullptr, 0},
    {"CRE cursor location high", 0x0E, 8, kCrtcSection, nullptr, 0},
    {"CRF cursor location low", 0x0F, 8, kCrtcSection, nullptr, 0},
    {"CR10 vertical retrace start", 0x10, 8, kCrtcSection, nullptr, 0},
    {"CR11 vertical retrace end", 0x11, 8, kCrtcSection, nullptr, 0},
    {"CR12 vertical display end", 0x12, 8, kCrtcSection, nullptr, 0},
    {"CR13 offset", 0x13, 8, kCrtcSection, nullptr, 0},
    {"CR14 underline location", 0x14, 8, kCrtcSection, nullptr, 0},
    {"CR15 start vertical blanking", 0x15, 8, kCrtcSection, nullptr, 0},
    {"CR16 end vertical blanking", 0x16, 8, kCrtcSection, nullptr, 0},
    {"CR17 mode control", 0x17, 8, kCrtcSection, nullptr, 0},
    {"CR18 line compare", 0x18, 8, kCrtcSection, nullptr, 0},
};
constexpr RegisterInfo kAttributeRows[] = {
    {"AR10 mode control", 0x10, 8, kAttributeSection, kAttributeModeFields, 7},
    {"AR11 overscan colour", 0x11, 8, kAttributeSection, nullptr, 0},
    {"AR12 colour plane enable", 0x12, 8, kAttributeSection, nullptr, 0},
    {"AR13 horizontal panning", 0x13, 8, kAttributeSection, nullptr, 0},
    {"AR14 colour select", 0x14, 8, kAttributeSection, nullptr, 0},
};
constexpr RegisterInfo kDispiRows[] = {
    {"ID", kDispiId, 16, kDispiSection, nullptr, 0},
    {"XRES", kXRes, 16, kDispiSection, nullptr, 0},
    {"YRES", kYRes, 16, kDispiSection, nullptr, 0},
    {"BPP", kBpp, 16, kDispiSection, nullptr, 0},
    {"ENABLE", kDispiEnable, 16, kDispiSection, kDispiEnableFields, 5},
    {"BANK", kBank, 16, kDispiSection, nullptr, 0},
    {"VIRT_WIDTH", kVirtualWidth, 16, kDispiSection, nullptr, 0},
    {"VIRT_HEIGHT", kVirtualHeight, 16, kDispiSection, nullptr, 0},
    {"X_OFFSET", kXOffset, 16, kDispiSection, nullptr, 0},
    {"Y_OFFSET", kYOffset, 16, kDispiSection, nullptr, 0},
};

bool is_zero(const u8* page) {
  static constexpr u8 kZeros[kPageSize] = {};
  return std::memcmp(page, kZeros, kPageSize) == 0;
}

}  // namespace

void Vga::enter_text_mode(const u8* font) {
  r_.misc_output = kTextMisc;
  r_.enable = 1;
  std::memcpy(r_.sequencer.data(), kTextSequencer, sizeof kTextSequencer);
  std::memcpy(r_.graphics.data(), kTextGraphics, sizeof kTextGraphics);
  std::memcpy(r_.crtc.data(), kTextCrtc, sizeof kTextCrtc);
  std::memcpy(r_.attribute.data(), kTextAttribute, sizeof kTextAttribute);
  r_.attribute_index = kPaletteSource;
  for (unsigned colour = 0; colour < 64; ++colour) {
    for (unsigned primary = 0; primary < 3; ++primary) {  // bits 2, 1, 0: red, green, blue
      r_.dac[colour * 3 + primary] = ega_level(colour, 2 - primary);
    }
  }
  u8* planes = memory_.bytes();
  for (unsigned cell = 0; cell < kCells; ++cell) {
    planes[cell * 4] = ' ';
    planes[cell * 4 + 1] = 0x07;
  }
  for (unsigned byte = 0; font != nullptr && byte < kGlyphs * kGlyphBytes; ++byte) {
    const unsigned place = byte / kGlyphBytes * kGlyphSlot + byte % kGlyphBytes;
    planes[place * 4 + 2] = font[byte];
  }
  memory_.mark_all();
}

std::vector<RegisterValue> Vga::register_values() const {
  std::vector<RegisterValue> values;
  values.push_back({&kMiscRegister, r_.misc_output});
  for (const RegisterInfo& row : kSequencerRows) values.push_back({&row, r_.sequencer[row.offset]});
  for (const RegisterInfo& row : kGraphicsRows) values.push_back({&row, r_.graphics[row.offset]});
  for (const RegisterInfo& row : kCrtcRows) values.push_back({&row, r_.crtc[row.offset]});
  for (const RegisterInfo& row : kAttributeRows) values.push_back({&row, r_.attribute[row.offset]});
  for (const RegisterInfo& row : kDispiRows)
    values.push_back({&row, dispi_read(static_cast<u16>(row.offset))});
  return values;
}

void Vga::save(StateWriter& out) const {
  for (const u8 value : {r_.misc_output, r_.feature_control, r_.enable, r_.sequencer_index, r_.graphics_index,
                         r_.crtc_index, r_.attribute_index, r_.dac_mask, r_.dac_index, r_.dac_component}) {
    out.put_u8(value);
  }
  out.put_bool(r_.attribute_data_next);
  out.put_bool(r_.dac_reading);
  out.put_bytes(r_.sequencer.data(), r_.sequencer.size());
  out.put_bytes(r_.graphics.data(), r_.graphics.size());
  out.put_bytes(r_.crtc.data(), r_.crtc.size());
  out.put_bytes(r_.attribute.data(), r_.attribute.size());
  out.put_bytes(r_.dac_latch.data(), r_.dac_latch.size());
  out.put_bytes(r_.dac.data(), r_.dac.size());
  out.put_bytes(r_.latch.data(), r_.latch.size());
  out.put_u16(r_.dispi_index);
  for (const u16 value : r_.dispi) out.put_u16(value);
  const u64 pages = memory_.size() / kPageSize;
  for (u64 page = 0; page < pages; ++page) {
    const u8* bytes = memory_.bytes() + page * kPageSize;
    if (is_zero(bytes)) continue;
    out.put_u32(static_cast<u32>(page));
    out.put_bytes(bytes, kPageSize);
  }
  out.put_u32(static_cast<u32>(pages));
}

bool Vga::load(StateReader& in) {
  for (u8* value : {&r_.misc_output, &r_.feature_control, &r_.enable, &r_.sequencer_index, &r_.graphics_index,
                    &r_.crtc_index, &r_.attribute_index, &r_.dac_mask, &r_.dac_index, &r_.dac_component}) {
    *value = in.get_u8();
  }
  r_.attribute_data_next = in.get_bool();
  r_.dac_reading = in.get_bool();
  in.get_bytes(r_.sequencer.data(), r_.sequencer.size());
  in.get_bytes(r_.graphics.data(), r_.graphics.size());
  in.get_bytes(r_.crtc.data(), r_.crtc.size());
  in.get_bytes(r_.attribute.data(), r_.attribute.size());
  in.get_bytes(r_.dac_latch.data(), r_.dac_latch.size());
  in.get_bytes(r_.dac.data(), r_.dac.size());
  in.get_bytes(r_.latch.data(), r_.latch.size());
  r_.dispi_index = in.get_u16();
  for (u16& value : r_.dispi) value = in.get_u16();
  if (!is_possible()) in.fail();
  const u64 pages = memory_.size() / kPageSize;
  std::memset(memory_.bytes(), 0, static_cast<std::size_t>(memory_.size()));
  memory_.mark_all();
  for (u64 next = 0; in.ok();) {
    const u32 page = in.get_u32();
    if (page == pages) break;
    if (page < next || page > pages) in.fail();
    if (!in.ok()) return false;
    in.get_bytes(memory_.bytes() + page * kPageSize, kPageSize);
    next = page + 1;
  }
  return in.ok();
}

// Values from which no access could lead outside the tables or video memory.
bool Vga::is_possible() {
  if (r_.sequencer_index > 7 || r_.graphics_index > 15 || r_.crtc_index > 31 || r_.dac_component > 2)
    return false;
  if (r_.graphics[kReadMapSelect] > 3) return false;
  if (r_.dispi[kBank] >= memory_.size() / kBankSize) return false;
  if (!r_.dispi_on()) return true;
  const auto saved = r_.dispi;
  dispi_normalize();
  return saved == r_.dispi;
}

}  // namespace lapwing
