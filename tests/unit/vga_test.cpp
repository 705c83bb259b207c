#include "tests/fuzz/vga.h"
#include "devices/bus.h"
#include "devices/pci/pci_bus.h"
#include "devices/video/rom_font.h"
#include "devices/video/screen.h"
#include "devices/video/stdvga.h"
#include "tests/unit/catch.h"

using namespace lapwing;
using namespace lapwing::vga;

namespace {

constexpr u64 kRamSize = 2 << 20;
constexpr u64 kFrameBuffer = 0xE0000000, kRegisters = 0xE1000000;
constexpr u32 kBlack = 0xFF000000;

// A VGA on its bus, with RAM around.
struct Rig {
  Rig() {
    bus.memory().map_mmio(Vga::kWindowBase, Vga::kWindowSize, card, "vga");
    card.reset();
    card.config_write(pci::kBar0, kFrameBuffer, 4);
    card.config_write(pci::kBar0 + 8, kRegisters, 4);
    card.config_write(pci::kCommand, pci::kCommandMemory | pci::kCommandIo, 2);
  }
  void out(u16 port, u8 value) { card.port_write(port, value, 1); }
  u8 in(u16 port) { return static_cast<u8>(card.port_read(port, 1)); }
  void set(u16 port, u8 index, u8 value) {
    out(port, index);
    out(static_cast<u16>(port + 1), value);
  }
  void dispi(u16 index, u16 value) {
    card.port_write(0x1CE, index, 2);
    card.port_write(0x1CF, value, 2);
  }
  u16 dispi(u16 index) {
    card.port_write(0x1CE, index, 2);
    return static_cast<u16>(card.port_read(0x1CF, 2));
  }
  void display(u16 width, u16 height, u16 bpp) {
    dispi(kXRes, width);
    dispi(kYRes, height);
    dispi(kBpp, bpp);
    dispi(kDispiEnable, kDispiOn | kDispiLinear);
  }
  void attribute(u8 index, u8 value) {
    in(0x3DA);
    out(0x3C0, index);
    out(0x3C0, value);
    out(0x3C0, kPaletteSource);
  }
  // From text mode to a graphics mode of the given controller values (IBM PS/2 HITR, mode tables).
  void graphics(u8 memory_mode, u8 gr5, u8 gr6, u8 cr9, u8 offset, u8 mode_control, u8 horizontal_end) {
    card.enter_text_mode(nullptr);
    set(0x3C4, kMapMask, 15);
    set(0x3C4, kMemoryMode, memory_mode);
    set(0x3CE, kGraphicsMode, gr5);
    set(0x3CE, kMiscellaneous, gr6);
    set(0x3D4, kRetraceEnd, 0x0E);
    set(0x3D4, kHorizontalEnd, horizontal_end);
    set(0x3D4, kMaximumScanLine, cr9);
    set(0x3D4, kOffset, offset);
    set(0x3D4, kModeControl, mode_control);
    for (u32 at = 0; at < Vga::kWindowSize; ++at) card.mmio_write(at, 0, 1);
    for (u8 i = 0; i < 16; ++i) attribute(i, i);
    attribute(kPixelPanning, 0);
  }
  u32 pixel(u32 x, u32 y) { return screen.pixels()[std::size_t{y} * screen.mode().width + x]; }
  // The DAC's colour as a pixel.
  u32 colour(u8 index) {
    const auto& dac = card.vga().registers().dac;
    const auto wide = [&](unsigned part) {
      const u32 value = dac[index * 3u + part];
      return value << 2 | value >> 4;
    };
    return kBlack | wide(2) << 16 | wide(1) << 8 | wide(0);
  }
  bool update() { return screen.update(0); }

  std::vector<u8> ram_bytes = std::vector<u8>(kRamSize + kPageSize);
  u8* ram =
      reinterpret_cast<u8*>((reinterpret_cast<std::uintptr_t>(ram_bytes.data()) + kPageMask) & ~kPageMask);
  std::unique_ptr<u8[]> video = std::make_unique<u8[]>(StdVga::kMemorySize);
  Clock clock;
  IrqTrace trace{clock};
  PortBus ports{clock, trace};
  PhysicalMemory memory{ram, kRamSize};
  PciBus bus{ports, memory, trace};
  StdVga card{bus, 2, clock, video.get()};
  Screen screen{card.vga()};
};

u8 window(Rig& rig, u32 at) {
  return static_cast<u8>(rig.card.mmio_read(at, 1));
}

}  // namespace

TEST_CASE("vga: text mode shows characters, their colours and the cursor, and redraws only what changes") {
  Rig rig;
  std::vector<u8> font(4096);
  font['A' * 16 + 2] = 0x81;
  font[0xC4 * 16 + 7] = 0xFF;  // a line graphic goes on in the ninth dot
  rig.card.enter_text_mode(font.data());
  rig.set(0x3D4, kCursorLow, 200);
  CHECK(rig.update());
  CHECK(rig.screen.mode().width == 720);
  CHECK(rig.screen.mode().height == 400);
  CHECK(rig.screen.mode().columns == 80);

  rig.card.mmio_write(0x18000 + 80 * 2, 0x1E41, 2);  // second row: yellow A on blue
  rig.card.mmio_write(0x18000 + 80 * 2 + 2, 0x07C4, 2);
  CHECK(rig.update());
  REQUIRE(rig.screen.bands().size() == 1);
  CHECK(rig.screen.bands()[0].y == 16);
  CHECK(rig.screen.bands()[0].height == 16);
  CHECK(rig.pixel(0, 18) == rig.colour(0x3E));
  CHECK(rig.pixel(1, 18) == rig.colour(1));
  CHECK(rig.pixel(7, 18) == rig.colour(0x3E));
  CHECK(rig.pixel(8, 18) == rig.colour(1));
  CHECK(rig.pixel(17, 16 + 7) == rig.colour(7));
  CHECK(rig.screen.text().substr(0, 6) == "\nA─\n");
  CHECK_FALSE(rig.update());

  rig.set(0x3D4, kCursorLow, 80);
  CHECK(rig.update());
  CHECK(rig.pixel(3, 16 + 13) == rig.colour(0x3E));
  CHECK(rig.screen.update(300'000'000));  // the cursor blinks
  CHECK(rig.pixel(3, 16 + 13) == rig.colour(1));
}

TEST_CASE("vga: text scrolls by the start address, smoothly, and stops at the split line") {
  Rig rig;
  rig.card.enter_text_mode(nullptr);
  rig.card.mmio_write(0x18000, 0x10, 1);
  rig.card.mmio_write(0x18001, 0x40, 1);        // row 0: red background
  rig.card.mmio_write(0x18000 + 161, 0x20, 1);  // row 1: green
  rig.set(0x3D4, kCursorStart, kCursorOff);
  rig.set(0x3D4, kRetraceEnd, 0x0E);
  rig.set(0x3D4, kStartLow, 80);
  rig.set(0x3D4, kPresetRowScan, 4);
  rig.set(0x3D4, kOverflow, 0x1F & ~0x10);
  rig.set(0x3D4, kMaximumScanLine, 0x0F);
  rig.set(0x3D4, kLineCompare, 99);
  rig.update();
  CHECK(rig.pixel(0, 11) == rig.colour(2));
  CHECK(rig.pixel(0, 12) == rig.colour(0));
  CHECK(rig.pixel(0, 99) == rig.colour(0));
  CHECK(rig.pixel(0, 100) == rig.colour(4));  // from address 0 again
}

TEST_CASE("vga: write modes, latches, functions and read modes work on four planes") {
  Rig rig;
  rig.graphics(0x06, 0x00, 0x05, 0x40, 0x28, 0xE3, 0x4F);
  rig.set(0x3C4, kMapMask, 5);
  rig.card.mmio_write(0, 0xF0, 1);
  rig.set(0x3C4, kMapMask, 15);
  rig.set(0x3CE, kReadMapSelect, 0);
  CHECK(window(rig, 0) == 0xF0);
  rig.set(0x3CE, kReadMapSelect, 1);
  CHECK(window(rig, 0) == 0);
  rig.update();
  CHECK(rig.pixel(0, 0) == rig.colour(5));
  CHECK(rig.pixel(4, 0) == kBlack);

  rig.set(0x3CE, kGraphicsMode, 1);  // copies the latches
  window(rig, 0);
  rig.card.mmio_write(80, 0, 1);
  rig.update();
  CHECK(rig.pixel(0, 1) == rig.colour(5));
  REQUIRE(rig.screen.bands().size() == 1);

  rig.set(0x3CE, kGraphicsMode, 2);  // a colour in the bits of the mask
  rig.set(0x3CE, kBitMask, 0x0F);
  window(rig, 80);
  rig.card.mmio_write(80, 0x0A, 1);
  rig.update();
  CHECK(rig.pixel(3, 1) == rig.colour(5));
  CHECK(rig.pixel(4, 1) == rig.colour(10));

  rig.set(0x3CE, kGraphicsMode, 3);  // the data is one more mask, set/reset the colour
  rig.set(0x3CE, kBitMask, 0xFF);
  rig.set(0x3CE, kSetReset, 3);
  window(rig, 80);
  rig.card.mmio_write(80, 0x80, 1);
  rig.update();
  CHECK(rig.pixel(0, 1) == rig.colour(3));
  CHECK(rig.pixel(1, 1) == rig.colour(5));

  rig.set(0x3CE, kGraphicsMode, 0);
  rig.set(0x3CE, kDataRotate, 0x18);  // exclusive or with the latch
  window(rig, 0);
  rig.card.mmio_write(0, 0xFF, 1);
  rig.update();
  CHECK(rig.pixel(0, 0) == rig.colour(10));
  CHECK(rig.pixel(7, 0) == rig.colour(15));

  rig.set(0x3CE, kGraphicsMode, kReadMode1);
  rig.set(0x3CE, kColourCompare, 10);
  rig.set(0x3CE, kColourDontCare, 15);
  CHECK(window(rig, 0) == 0xF0);
}

TEST_CASE("vga: CGA's four colours lie in two banks of lines") {
  Rig rig;
  rig.graphics(0x02, 0x30, 0x0F, 0xC1, 0x14, 0xA2, 0x27);
  rig.set(0x3C4, kMapMask, 3);
  rig.card.mmio_write(0x18000, 0x1B, 1);           // colours 0, 1, 2, 3
  rig.card.mmio_write(0x18000 + 0x2000, 0xE4, 1);  // 3, 2, 1, 0 one line below
  rig.update();
  CHECK(rig.screen.mode().width == 320);
  CHECK(rig.screen.mode().height == 200);
  for (u32 x = 0; x < 4; ++x) {
    CHECK(rig.pixel(x, 0) == rig.colour(static_cast<u8>(x)));
    CHECK(rig.pixel(x, 1) == rig.colour(static_cast<u8>(3 - x)));
  }
}

TEST_CASE("vga: mode 13h is plain memory to the CPU, mode X is not") {
  Rig rig;
  rig.graphics(0x0E, 0x40, 0x05, 0x41, 0x28, 0xA3, 0x4F);
  CHECK(rig.memory.writable_page(0xA0000) == rig.video.get());
  rig.memory.write(0xA0000 + 320 * 7 + 5, 0x0C, 1);
  rig.update();
  CHECK(rig.screen.mode().width == 320);
  CHECK(rig.screen.mode().height == 200);
  CHECK(rig.pixel(5, 7) == rig.colour(0x0C));
  rig.set(0x3C4, kMemoryMode, 0x06);
  CHECK(rig.memory.writable_page(0xA0000) == nullptr);
  rig.set(0x3C4, kMapMask, 2);
  rig.memory.write(0xA0000 + 80 * 7, 0x0D, 1);
  rig.update();
  CHECK(rig.pixel(1, 7) == rig.colour(0x0D));
}

TEST_CASE("vga: DISPI modes show the frame buffer, with a window on a larger picture") {
  Rig rig;
  CHECK(rig.dispi(kDispiId) == 0xB0C5);
  CHECK(rig.dispi(kVideoMemory64K) == 256);
  rig.dispi(kDispiEnable, kDispiGetCaps);
  CHECK(rig.dispi(kXRes) == kMaxXRes);
  rig.display(64, 32, 32);
  rig.memory.write(kFrameBuffer + (64 * 3 + 2) * 4, 0x00112233, 4);
  rig.update();
  CHECK(rig.screen.mode().square);
  CHECK(rig.pixel(2, 3) == (kBlack | 0x332211));
  rig.dispi(kVirtualWidth, 128);
  rig.dispi(kXOffset, 8);
  rig.dispi(kYOffset, 1);
  rig.memory.write(kFrameBuffer + (128 * 1 + 8) * 4, 0x00FFFFFF, 4);
  rig.update();
  CHECK(rig.pixel(0, 0) == 0xFFFFFFFF);
  CHECK(rig.dispi(kVirtualHeight) == (StdVga::kMemorySize / (128 * 4)));

  rig.dispi(kDispiEnable, 0);
  rig.display(64, 32, 16);
  rig.memory.write(kFrameBuffer, 0x07E0F800, 4);
  rig.update();
  CHECK(rig.pixel(0, 0) == 0xFF0000FF);
  CHECK(rig.pixel(1, 0) == 0xFF00FF00);
  rig.dispi(kDispiEnable, 0);
  rig.display(64, 32, 15);
  rig.memory.write(kFrameBuffer, 0x7C00, 2);
  rig.update();
  CHECK(rig.pixel(0, 0) == 0xFF0000FF);
  rig.dispi(kDispiEnable, 0);
  rig.display(64, 32, 24);
  rig.memory.write(kFrameBuffer + 3, 0xFF, 1);
  rig.update();
  CHECK(rig.pixel(1, 0) == 0xFFFF0000);
}

TEST_CASE("vga: sizes beyond video memory are cut, odd ones rounded, unknown depths are 8 bits") {
  Rig rig;
  rig.display(65535, 65535, 32);
  CHECK(rig.dispi(kXRes) == kMaxXRes);
  CHECK(rig.dispi(kYRes) == StdVga::kMemorySize / (kMaxXRes * 4));
  rig.dispi(kDispiEnable, 0);
  rig.display(0, 0, 7);
  CHECK(rig.dispi(kXRes) == 8);
  CHECK(rig.dispi(kYRes) == 1);
  CHECK(rig.dispi(kBpp) == 8);
}

TEST_CASE(
    "vga: the bank of the window moves with the DISPI register, and the MMIO registers are the same ones") {
  Rig rig;
  rig.out(0x3C2, 0x67);
  rig.memory.write(kRegisters + 0x500 + kXRes * 2, 640, 2);
  rig.memory.write(kRegisters + 0x500 + kYRes * 2, 480, 2);
  rig.memory.write(kRegisters + 0x500 + kBpp * 2, 8, 2);
  rig.memory.write(kRegisters + 0x500 + kDispiEnable * 2, kDispiOn, 2);
  rig.set(0x3CE, kBitMask, 0xFF);
  rig.dispi(kBank, 3);
  rig.memory.write(0xA0000 + 5, 0x77, 1);
  CHECK(rig.video[3 * 65536 + 5] == 0x77);
  CHECK(rig.memory.writable_page(0xA0000) == rig.video.get() + 3 * 65536);
  CHECK(rig.memory.read(kRegisters + 0x500, 4) == (640u << 16 | 0xB0C5));
  CHECK(rig.memory.read(kRegisters + 0x40C, 1) == 0x67);
}

TEST_CASE("vga: retrace comes once a frame of virtual time") {
  Rig rig;
  rig.card.enter_text_mode(nullptr);
  const auto in_retrace = [&] { return (rig.in(0x3DA) & kVerticalRetrace) != 0; };
  unsigned starts = 0;
  bool before = in_retrace();
  for (unsigned i = 0; i < 100'000; ++i) {
    rig.clock.jump_to(rig.clock.now_ns() + 10'000);
    const bool now = in_retrace();
    if (now && !before) ++starts;
    before = now;
  }
  CHECK(starts == 70);
}

TEST_CASE("vga: marks come back after they were taken, and moving the BAR moves the memory") {
  Rig rig;
  rig.display(64, 32, 32);
  rig.update();
  std::vector<u8> marks;
  CHECK_FALSE(rig.card.vga().memory().take_marks(marks));
  rig.memory.write(kFrameBuffer + 0x5000, 1, 1);
  CHECK(rig.card.vga().memory().take_marks(marks));
  CHECK(marks[5] == 1);
  CHECK(marks[4] == 0);
  rig.card.config_write(pci::kBar0, 0xD0000000, 4);
  CHECK(rig.memory.writable_page(kFrameBuffer) == nullptr);
  CHECK(rig.memory.writable_page(0xD0005000) == rig.video.get() + 0x5000);
  CHECK(rig.memory.is_direct(0xD0005000));
}

TEST_CASE("vga: the expansion ROM appears where firmware maps it, and the font is found in it") {
  Rig rig;
  std::vector<u8> rom(40'000, 0xEE);
  rom[0] = 0x55;
  rom[1] = 0xAA;
  constexpr u8 kFace[16] = {0, 0, 0x7E, 0x81, 0xA5, 0x81, 0x81, 0xBD, 0x99, 0x81, 0x81, 0x7E, 0, 0, 0, 0};
  std::fill_n(rom.begin() + 1000, 16, u8{0});
  std::copy(std::begin(kFace), std::end(kFace), rom.begin() + 1016);
  CHECK(find_rom_font(rom) == rom.data() + 1000);
  CHECK(find_rom_font(std::span(rom).first(3000)) == nullptr);
  CHECK(find_rom_font({}) == nullptr);
  CHECK(rig.card.config_read(pci::kExpansionRom, 4) == 0);
  rig.card.set_rom(rom);
  rig.card.config_write(pci::kExpansionRom, ~0u, 4);
  CHECK(rig.card.config_read(pci::kExpansionRom, 4) == (~0xFFFFu | 1));
  rig.card.config_write(pci::kExpansionRom, 0xE2000001, 4);
  CHECK(rig.memory.read(0xE2000000, 4) == 0xEEEEAA55);
  CHECK(rig.memory.read(0xE2000000 + 65535, 1) == 0xFF);
  rig.memory.write(0xE2000000, 0, 4);
  CHECK(rig.memory.read(0xE2000000, 4) == 0xEEEEAA55);
}

TEST_CASE("vga: a snapshot holds registers and memory; damaged ones are refused") {
  Rig rig;
  rig.display(64, 32, 32);
  rig.memory.write(kFrameBuffer + 64, 0x00ABCDEF, 4);
  rig.update();
  const std::vector<u8> bytes = testing::saved(rig.card);
  CHECK(bytes.size() < 16384);
  Rig other;
  REQUIRE(testing::restore(other.card, bytes));
  CHECK(testing::saved(other.card) == bytes);
  other.update();
  CHECK(other.screen.pixels() == rig.screen.pixels());
  CHECK(other.memory.writable_page(kFrameBuffer) == other.video.get());
  for (std::size_t cut = 0; cut < bytes.size(); cut += 97) {
    const std::vector<u8> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    CHECK_FALSE(testing::restore(other.card, part));
  }
}

TEST_CASE("vga: arbitrary accesses draw alike in part and in whole, and survive a snapshot") {
  constexpr unsigned kRuns = 1500;
  for (unsigned run = 1; run <= kRuns; ++run) {
    u64 random = run * 0x9E3779B97F4A7C15ull;
    const auto next = [&random] {
      random ^= random << 13;
      random ^= random >> 7;
      return random ^= random << 17;
    };
    std::vector<u8> data(100 + next() % 900);
    for (u8& byte : data) byte = static_cast<u8>(next() >> 33);
    const char* why = "";
    const bool held = fuzz::run_vga(data.data(), data.size(), why);
    INFO("run " << run << ": " << std::string(why));
    REQUIRE(held);
  }
}
