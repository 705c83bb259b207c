// VGA: register files, planes and the CPU's window on them. IBM PS/2 Hardware Interface Technical Reference,
// "Video Subsystem"; and the Bochs display interface ("VBE display API") in the form of QEMU's stdvga.
//
// Video memory holds the planes interleaved: byte n of plane p is at 4n + p. Chain-4 is therefore linear
// memory, as is the frame buffer of DISPI modes. As on QEMU's stdvga, and unlike IBM's chip, the address bits
// that select a plane are dropped from the address within it (odd/even: byte n of a pair is at n, not 2n), so
// software that changes the addressing mode over a picture in memory sees it elsewhere. Unsupported: the
// vertical interrupt, light pen, cursor and display skew, EGA palette timing, DISPI 4-bit banks.
#pragma once

#include <vector>

#include "core/clock.h"
#include "core/memory/physical.h"
#include "core/snapshot.h"
#include "devices/device.h"
#include "devices/video/vga_registers.h"

namespace lapwing {

class Vga {
 public:
  static constexpr u64 kWindowBase = 0xA0000;
  static constexpr u64 kWindowSize = 0x20000;
  static constexpr u64 kBankSize = 0x10000;

  Vga(Clock& clock, DirectMemory& memory) : clock_(clock), memory_(memory) { reset(); }

  // Power-on: everything clear, video memory too.
  void reset();
  // 80x25 text as a video BIOS leaves it; `font` holds 256 characters of 16 bytes, or nothing.
  void enter_text_mode(const u8* font);

  u8 port_read(u16 port);
  void port_write(u16 port, u8 value);
  u16 dispi_index() const { return r_.dispi_index; }
  void set_dispi_index(u16 index) { r_.dispi_index = index; }
  u16 dispi_read(u16 index) const;
  void dispi_write(u16 index, u16 value);

  // The window at 0xA0000.
  u8 window_read(u32 offset);
  void window_write(u32 offset, u8 value);
  // Whether the first 64 KiB of the window are plain video memory, and from where on.
  bool window_is_linear() const;
  u64 bank() const;

  const VgaRegisters& registers() const { return r_; }
  DirectMemory& memory() const { return memory_; }
  std::vector<RegisterValue> register_values() const;

  void save(StateWriter& out) const;
  bool load(StateReader& in);

 private:
  u8 status1();
  u8 dac_read();
  void dac_write(u8 value);
  void attribute_write(u8 value);
  void crtc_write(u8 value);
  u64 frame_ns() const;
  // Address in the window that the memory map selects; false outside it.
  bool decode(u32 offset, u32& address) const;
  void load_latch(u64 plane_address);
  void write_planes(u64 plane_address, u8 value, u8 planes);
  u32 combine(u32 data) const;
  void dispi_enable(u16 value);
  void dispi_normalize();
  bool is_possible();

  Clock& clock_;
  DirectMemory& memory_;
  VgaRegisters r_{};
};

}  // namespace lapwing
