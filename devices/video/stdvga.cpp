#include "devices/video/stdvga.h"

#include <cstring>

#include "devices/pci/pci_bus.h"

namespace lapwing {

namespace {

constexpr PciIdentity kIdentity = {.vendor = 0x1234,
                                   .device = 0x1111,
                                   .revision = 2,
                                   .class_code = 0x030000,
                                   .subsystem_vendor = 0x1AF4,
                                   .subsystem = 0x1100,
                                   .trace_id = DeviceId::kVga};
constexpr unsigned kFrameBufferBar = 0;
constexpr unsigned kRegisterBar = 2;

// Parts of the register BAR.
constexpr u64 kVgaPorts = 0x400, kVgaPortsEnd = 0x420;
constexpr u64 kDispi = 0x500, kDispiEnd = kDispi + vga::kDispiRegisters * 2;
constexpr u64 kExtension = 0x600;
constexpr u32 kExtensionSize = 8;
constexpr u32 kLittleEndian = 0x1E1E1E1E;

}  // namespace

StdVga::StdVga(PciBus& bus, u8 slot, Clock& clock, u8* memory)
    : PciDevice(bus, slot, 0, kIdentity), memory_(memory, kMemorySize), vga_(clock, memory_) {
  define_bar(kFrameBufferBar, BarKind::kMemory32, kMemorySize, true);
  define_bar_memory(kFrameBufferBar, memory_);
  define_bar(kRegisterBar, BarKind::kMemory32, kRegisterSize);
}

void StdVga::reset() {
  PciDevice::reset();
  vga_.reset();
  refresh_window();
}

void StdVga::enter_text_mode(const u8* font) {
  vga_.enter_text_mode(font);
  refresh_window();
}

u32 StdVga::port_read(u16 port, unsigned size) {
  if (port == kDispiPort) return vga_.dispi_index();
  if (port - kDispiPort < static_cast<int>(kDispiPorts) && port > kDispiPort)
    return vga_.dispi_read(vga_.dispi_index());
  static_cast<void>(size);
  return vga_.port_read(port);
}

void StdVga::port_write(u16 port, u32 value, unsigned size) {
  const bool dispi = port >= kDispiPort && port < kDispiPort + kDispiPorts;
  if (dispi && size == 1) return;
  if (port == kDispiPort)
    vga_.set_dispi_index(static_cast<u16>(value));
  else if (dispi)
    vga_.dispi_write(vga_.dispi_index(), static_cast<u16>(value));
  else
    vga_.port_write(port, static_cast<u8>(value));
  refresh_window();
}

u64 StdVga::mmio_read(u64 offset, unsigned size) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= u64{vga_.window_read(static_cast<u32>(offset + i))} << (i * 8);
  return value;
}

void StdVga::mmio_write(u64 offset, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i)
    vga_.window_write(static_cast<u32>(offset + i), static_cast<u8>(value >> (i * 8)));
}

u8 StdVga::register_byte(u64 offset) {
  if (offset >= kVgaPorts && offset < kVgaPortsEnd)
    return vga_.port_read(static_cast<u16>(offset - kVgaPorts + vga::kAttributeIndex));
  if (offset >= kDispi && offset < kDispiEnd) {
    const u16 value = vga_.dispi_read(static_cast<u16>((offset - kDispi) / 2));
    return static_cast<u8>(value >> ((offset & 1) * 8));
  }
  if (offset >= kExtension && offset < kExtension + 4)
    return static_cast<u8>(kExtensionSize >> ((offset & 3) * 8));
  if (offset >= kExtension + 4 && offset < kExtension + 8)
    return static_cast<u8>(kLittleEndian >> ((offset & 3) * 8));
  return 0;
}

void StdVga::write_register(u64 offset, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) {
    const u64 at = offset + i;
    if (at >= kVgaPorts && at < kVgaPortsEnd) {
      vga_.port_write(static_cast<u16>(at - kVgaPorts + vga::kAttributeIndex),
                      static_cast<u8>(value >> (i * 8)));
    } else if (at >= kDispi && at < kDispiEnd && (at & 1) == 0 && i + 1 < size) {
      vga_.dispi_write(static_cast<u16>((at - kDispi) / 2), static_cast<u16>(value >> (i * 8)));
    }
  }
}

// The frame buffer is asked only where another window overlaps its page.
u64 StdVga::bar_read(unsigned bar, u64 offset, unsigned size) {
  u64 value = 0;
  if (bar == kFrameBufferBar) {
    std::memcpy(&value, memory_.bytes() + offset, size);
    return value;
  }
  for (unsigned i = 0; i < size; ++i) value |= u64{register_byte(offset + i)} << (i * 8);
  return value;
}

void StdVga::bar_write(unsigned bar, u64 offset, u64 value, unsigned size) {
  if (bar == kFrameBufferBar) {
    std::memcpy(memory_.bytes() + offset, &value, size);
    memory_.mark(offset);
    return;
  }
  write_register(offset, value, size);
  refresh_window();
}

void StdVga::refresh_window() {
  const bool linear = vga_.window_is_linear();
  const u64 bank = vga_.bank();
  if (linear == window_linear_ && (!linear || bank == window_bank_)) return;
  window_linear_ = linear;
  window_bank_ = bank;
  bus().memory().set_direct(*this, 0, linear ? Vga::kBankSize : 0, &memory_, linear ? bank : 0);
}

void StdVga::save(StateWriter& out) const {
  PciDevice::save(out);
  vga_.save(out);
}

bool StdVga::load(StateReader& in) {
  if (!PciDevice::load(in) || !vga_.load(in)) return false;
  refresh_window();
  return true;
}

}  // namespace lapwing
