// Guest-physical memory: RAM, ROM and MMIO, found by page. Every access is bounds-checked by construction:
// the page table below maps a guest page to RAM, to a ROM/alias buffer or to an MMIO device, and nothing else
// is reachable. Holds the code bitmap (which 128-byte pieces of a RAM page have been decoded) that makes
// self-modifying code seen.
//
// Guest-physical map: RAM below 3 GiB at its own offset, the rest from 4 GiB up. 0xA0000-0xBFFFF is never
// RAM: it is whoever maps it, else unmapped. 0xC0000-0xFFFFF is RAM or ROM, page by page, as set_shadow()
// says (at first RAM). Elsewhere a window (MMIO or ROM) hides RAM under it. Unmapped reads give all ones,
// unmapped writes are lost. Unsupported: SMRAM (system management mode does not exist).
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/snapshot.h"
#include "core/types.h"

namespace lapwing {

constexpr u64 kPageSize = 4096;
constexpr u64 kPageMask = kPageSize - 1;
constexpr unsigned kPageShift = 12;
// MAXPHYADDR of the model, and the highest RAM top.
constexpr unsigned kPhysicalAddressBits = 40;

// A memory-mapped register window. `offset` is relative to the window's base; size is 1, 2, 4 or 8 and the
// access lies within the window. Unsupported sizes are the device's to split or to answer with all ones.
class MmioDevice {
 public:
  virtual ~MmioDevice() = default;
  virtual u64 mmio_read(u64 offset, unsigned size) = 0;
  virtual void mmio_write(u64 offset, u64 value, unsigned size) = 0;
};

// The I/O port space as the CPU sees it. size is 1, 2 or 4.
class PortSpace {
 public:
  virtual ~PortSpace() = default;
  virtual u32 port_in(u16 port, unsigned size) = 0;
  virtual void port_out(u16 port, u32 value, unsigned size) = 0;
};

// Memory of a device that the CPU may reach without asking the device, such as video memory. Each page has a
// mark that is set whenever the page may be written; marks are the host's (what to draw), not machine state.
class DirectMemory {
 public:
  // `bytes` outlives the object; `size` is a multiple of the page size.
  DirectMemory(u8* bytes, u64 size)
      : bytes_(bytes), size_(size), marks_(static_cast<std::size_t>(size >> kPageShift), 1) {}
  u8* bytes() const { return bytes_; }
  u64 size() const { return size_; }
  void mark(u64 offset) { marks_[static_cast<std::size_t>(offset >> kPageShift)] = 1; }
  void mark_all() { std::fill(marks_.begin(), marks_.end(), u8{1}); }
  // Moves the marks to `out`; false when there are none. Whoever takes them must then call
  // Cpu::drop_write_tags_of(), so that later writes are seen.
  bool take_marks(std::vector<u8>& out);

 private:
  u8* bytes_;
  u64 size_;
  std::vector<u8> marks_;
};

class PhysicalMemory {
 public:
  // `ram` has `size` bytes (a multiple of 4 KiB), page-aligned, zeroed by the owner.
  PhysicalMemory(u8* ram, u64 size);

  u64 ram_size() const { return ram_size_; }
  u8* ram() { return ram_; }
  const u8* ram() const { return ram_; }
  // RAM above 3 GiB-ish goes to 4 GiB and up; below, guest-physical equals the offset in ram().
  static constexpr u64 kLowRamLimit = 0xC0000000ull;

  // Host pointer of a RAM page for reading / writing, nullptr when the page is not plain RAM for that purpose
  // (MMIO, unmapped, ROM for writing). `address` may have any offset; the pointer is that of the page's first
  // byte.
  u8* readable_page(u64 address);
  u8* writable_page(u64 address);

  // Any-size accesses that may reach MMIO and may cross pages. size <= 8. Unmapped reads give all ones.
  u64 read(u64 address, unsigned size);
  void write(u64 address, u64 value, unsigned size);
  // Bulk copies for DMA and loaders; false when any byte is not RAM. Writes invalidate code.
  bool read_ram(u64 address, void* out, u64 size);
  bool write_ram(u64 address, const void* data, u64 size);

  // Maps a device over [base, base+size) (page-granular windows are fastest, others are kept in a list per
  // page). An overlap with another device is an error naming both.
  Result<void> map_mmio(u64 base, u64 size, MmioDevice& device, const std::string& name);
  // Maps a window that the guest placed (a BAR). It may overlap anything: fixed windows win, then lower
  // `priority`, then RAM loses.
  void map_movable(u64 base, u64 size, MmioDevice& device, const std::string& name, unsigned priority);
  void unmap_mmio(const MmioDevice& device);
  // Lets [offset, offset + size) of a device's window be plain memory, `memory` from `at` on; size 0 ends
  // that. Offsets and sizes are in whole pages. A page that another window overlaps still asks the device.
  void set_direct(const MmioDevice& device, u64 offset, u64 size, DirectMemory* memory, u64 at);
  // Whether an address is plain memory of a device: code there is never cached.
  bool is_direct(u64 address) const { return direct_page(gate(address)) != nullptr; }
  // Maps read-only bytes (a ROM); writes are ignored. `data` must outlive the map.
  Result<void> map_rom(u64 base, const u8* data, u64 size, const std::string& name);
  // Takes away every map_rom() of bytes within [data, data + size).
  void unmap_rom(const u8* data, u64 size);
  // PAM-style control of one 4 KiB page under 1 MiB: what reads and writes reach.
  enum class Shadow : u8 { kRam, kRamReadOnly, kRomWriteRam, kRom };
  void set_shadow(u64 page_address, Shadow shadow);
  // A20 gate: off forces address bit 20 to zero.
  void set_a20(bool enabled);
  bool a20() const { return a20_; }
  // The address after the A20 gate.
  u64 gate(u64 address) const { return a20_ ? address : (address & ~(1ull << 20)); }

  // Code tracking: bit n of a page's word = bytes [128n, 128n+128) hold decoded instructions.
  u32 code_bits(u64 address) const;
  void mark_code(u64 address, u64 size);
  void clear_code(u64 page_address);
  // Index of the RAM page behind an address (its place in ram()); false where there is no RAM.
  bool ram_page_number(u64 address, u64& number) const;
  void clear_code_of_page_number(u64 number) { code_[static_cast<std::size_t>(number)] = 0; }
  // Called with (address, size) before a write to bytes that are marked as code, by CPU, DMA or another CPU;
  // the listener drops the decoded blocks and clears the marks.
  void on_code_write(std::function<void(u64 address, u64 size)> listener) {
    code_write_ = std::move(listener);
  }
  // Called when page kinds changed (shadow, MMIO, A20): translations held elsewhere must be dropped.
  void on_map_change(std::function<void()> listener) { map_change_ = std::move(listener); }
  // Called when pages of a device changed what plain memory they are: translations to them must be dropped.
  void on_direct_change(std::function<void(u64 base, u64 size)> listener) {
    direct_change_ = std::move(listener);
  }
  // Called once when a page gets its first code mark, so that write translations to it are dropped.
  void on_first_code(std::function<void(u64 page_address)> listener) { first_code_ = std::move(listener); }

  // Called before every access to a device window, so that the owner of the clock can charge it and log
  // writes.
  void on_mmio_access(std::function<void(u64 address, u64 value, unsigned size, bool write)> listener) {
    mmio_access_ = std::move(listener);
  }

  // Hash over RAM contents.
  void hash_ram(StateHash& hash) const;
  void save(StateWriter& out) const;
  bool load(StateReader& in);

 private:
  struct Window {
    u64 base;
    u64 size;
    MmioDevice* device;  // nullptr: ROM
    const u8* rom;
    std::string name;
    unsigned priority;  // 0 = fixed
    // Part that is plain memory.
    DirectMemory* direct = nullptr;
    u64 direct_offset = 0;
    u64 direct_size = 0;
    u64 direct_at = 0;
    bool contains(u64 address) const { return address - base < size; }
  };
  static constexpr u64 kNoRam = ~0ull;
  // Per RAM page: may plain loads / stores use it directly?
  static constexpr u8 kReadable = 1;
  static constexpr u8 kWritable = 2;

  const Window* window_at(u64 address) const;
  u64 ram_offset(u64 address) const;
  Shadow shadow_at(u64 address) const;
  // Whether RAM answers reads and writes at this address when no window does.
  u8 ram_rights(u64 address) const;
  bool page_has_window(u64 page_address) const;
  bool covered_by_another(u64 page, const Window& window) const;
  const u8* rom_page(u64 address) const;
  u8* direct_page(u64 address, bool write = false) const;
  void refresh_pages(u64 base, u64 size);
  static bool overlap(const Window& a, const Window& b) {
    return a.base < b.base + b.size && b.base < a.base + a.size;
  }
  Result<void> add_fixed(Window window);
  void insert_window(Window window);
  void map_changed(u64 base, u64 size);
  u64 read_in_page(u64 address, unsigned size);
  void write_in_page(u64 address, u64 value, unsigned size);
  void store_ram(u64 address, u64 offset, const void* data, u64 size);
  void note_code_write(u64 address, u64 offset, u64 size);

  u8* ram_;
  u64 ram_size_;
  bool a20_ = true;
  bool has_direct_ = false;
  std::vector<Window> windows_;  // by priority, then base
  std::vector<u8> flags_;        // per RAM page
  std::vector<u32> code_;        // per RAM page
  std::vector<Shadow> shadow_;   // 256 pages under 1 MiB
  std::function<void(u64, u64)> code_write_;
  std::function<void()> map_change_;
  std::function<void(u64, u64)> direct_change_;
  std::function<void(u64)> first_code_;
  std::function<void(u64, u64, unsigned, bool)> mmio_access_;
};

}  // namespace lapwing
