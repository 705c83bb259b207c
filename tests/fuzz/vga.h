// Drives a VGA with arbitrary register and window accesses. Whatever a guest does: drawing only what changed
// gives the same picture as drawing everything, and a restored VGA goes on as the original.
#pragma once

#include "devices/video/screen.h"
#include "tests/unit/irq_fakes.h"

namespace lapwing::fuzz {

using namespace lapwing::testing;

constexpr u64 kVgaMemory = 256 * 1024;
// Larger pictures are not drawn: that would be most of the time.
constexpr u32 kMostPixels = 1 << 14;

struct VgaRig {
  // `bytes` may hold anything: power-on clears them.
  explicit VgaRig(u8* bytes) : memory(bytes, kVgaMemory) {}
  bool is_drawable() const {
    const PictureMode mode = picture_mode(vga.registers());
    return u64{mode.width} * mode.height <= kMostPixels;
  }
  std::vector<u8> state() const {
    ByteSink sink;
    StateWriter out(sink);
    vga.save(out);
    return sink.out;
  }

  Clock clock;
  DirectMemory memory;
  Vga vga{clock, memory};
  Screen screen{vga};
};

class VgaInput {
 public:
  VgaInput(const u8* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  u8 byte() { return empty() ? u8{0} : data_[at_++]; }
  u16 word() {
    const u8 low = byte();
    return static_cast<u16>(low | byte() << 8);
  }

 private:
  const u8* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

inline bool draws_alike(VgaRig& rig) {
  if (!rig.is_drawable()) return true;
  const u64 now = rig.clock.now_ns();
  rig.screen.update(now);
  Screen fresh(rig.vga);
  fresh.update(now);
  return fresh.pixels() == rig.screen.pixels();
}

inline void vga_step(VgaRig& rig, VgaInput& in) {
  const u8 kind = in.byte();
  const u8 value = in.byte();
  switch (kind % 8) {
    case 0: rig.vga.port_write(static_cast<u16>(0x3B0 + value % 0x30), in.byte()); break;
    case 1: rig.vga.port_read(static_cast<u16>(0x3B0 + value % 0x30)); break;
    case 2: {  // index and data
      constexpr u16 kPairs[] = {0x3C4, 0x3CE, 0x3D4, 0x3B4};
      const u16 port = kPairs[kind / 8 % 4];
      rig.vga.port_write(port, value);
      rig.vga.port_write(static_cast<u16>(port + 1), in.byte());
      break;
    }
    case 3:
      rig.vga.port_read(0x3DA);
      rig.vga.port_write(0x3C0, value);
      rig.vga.port_write(0x3C0, in.byte());
      break;
    case 4: {
      const u32 at = (u32{value} << 9 | u32{in.byte()} << 1 | kind / 8u % 2) & (Vga::kWindowSize - 1);
      rig.vga.window_write(at, in.byte());
      break;
    }
    case 5: rig.vga.window_read((u32{value} << 9 | in.byte()) & (Vga::kWindowSize - 1)); break;
    case 6: rig.vga.dispi_write(value % 12, in.word()); break;
    default:
      rig.clock.jump_to(rig.clock.now_ns() + u64{value} * 1'000'000);
      if (value % 4 == 0 && rig.is_drawable()) rig.screen.update(rig.clock.now_ns());
  }
}

// False when a property does not hold; `why` says which.
inline bool run_vga(const u8* data, std::size_t size, const char*& why) {
  static u8 memory[2][kVgaMemory];
  VgaInput in(data, size);
  VgaRig rig(memory[0]);
  if (in.byte() % 2 == 0) rig.vga.enter_text_mode(nullptr);
  while (!in.empty()) vga_step(rig, in);
  // Drawing everything and saving are slow beside an access: only some inputs end with them.
  if (size % 4 != 0) return true;
  why = "drawing what changed differs from drawing everything";
  if (!draws_alike(rig)) return false;
  VgaRig other(memory[1]);
  const std::vector<u8> saved_state = rig.state();
  why = "a saved VGA is refused";
  StateReader reader(saved_state.data(), saved_state.size());
  if (!other.vga.load(reader) || reader.remaining() != 0) return false;
  why = "a restored VGA differs";
  return other.state() == saved_state && draws_alike(other);
}

}  // namespace lapwing::fuzz
