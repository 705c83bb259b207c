#include "core/memory/physical.h"

#include <algorithm>
#include <cstring>

namespace lapwing {

namespace {

constexpr u64 kFourGiB = 1ull << 32;
constexpr u64 kOneMiB = 1ull << 20;
constexpr u64 kIsaHole = 0xA0000;     // VGA memory: never RAM
constexpr u64 kShadowBase = 0xC0000;  // option ROMs and BIOS: PAM decides
constexpr u64 kPhysicalTop = 1ull << kPhysicalAddressBits;
constexpr unsigned kCodeGranuleShift = 7;  // 128 bytes, 32 pieces a page

u64 page_of(u64 address) {
  return address & ~kPageMask;
}

u32 granule_mask(u64 offset, u64 size) {
  const u64 first = (offset & kPageMask) >> kCodeGranuleShift;
  const u64 last = ((offset & kPageMask) + size - 1) >> kCodeGranuleShift;
  const u64 count = last - first + 1;
  return static_cast<u32>(((1ull << count) - 1) << first);
}

bool is_zero_page(const u8* page) {
  for (u64 at = 0; at < kPageSize; at += 64) {
    u64 words[8];
    std::memcpy(words, page + at, sizeof words);
    const u64 any = words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7];
    if (any != 0) return false;
  }
  return true;
}

u64 all_ones(unsigned size) {
  return size >= 8 ? ~0ull : (1ull << (size * 8)) - 1;
}

// A device window takes 1, 2, 4 or 8 bytes at once.
bool device_size(unsigned size) {
  return size != 0 && (size & (size - 1)) == 0;
}

}  // namespace

bool DirectMemory::take_marks(std::vector<u8>& out) {
  if (std::memchr(marks_.data(), 1, marks_.size()) == nullptr) return false;
  out.assign(marks_.size(), 0);
  out.swap(marks_);
  return true;
}

PhysicalMemory::PhysicalMemory(u8* ram, u64 size)
    : ram_(ram),
      ram_size_(size),
      flags_(static_cast<std::size_t>(size >> kPageShift)),
      code_(static_cast<std::size_t>(size >> kPageShift)),
      shadow_(static_cast<std::size_t>(kOneMiB >> kPageShift), Shadow::kRam) {
  ASSERT((size & kPageMask) == 0);
  refresh_pages(0, kPhysicalTop);
}

u64 PhysicalMemory::ram_offset(u64 address) const {
  if (address < kLowRamLimit) return address < ram_size_ ? address : kNoRam;
  if (address < kFourGiB) return kNoRam;
  const u64 offset = address - kFourGiB;
  return ram_size_ > kLowRamLimit && offset < ram_size_ - kLowRamLimit ? offset + kLowRamLimit : kNoRam;
}

PhysicalMemory::Shadow PhysicalMemory::shadow_at(u64 address) const {
  return address < kOneMiB ? shadow_[static_cast<std::size_t>(address >> kPageShift)] : Shadow::kRam;
}

u8 PhysicalMemory::ram_rights(u64 address) const {
  if (ram_offset(address) == kNoRam) return 0;
  if (address >= kIsaHole && address < kShadowBase) return 0;
  switch (shadow_at(address)) {
    case Shadow::kRam: return kReadable | kWritable;
    case Shadow::kRamReadOnly: return kReadable;
    case Shadow::kRomWriteRam: return kWritable;
    case Shadow::kRom: return 0;
  }
  return 0;
}

const PhysicalMemory::Window* PhysicalMemory::window_at(u64 address) const {
  for (const Window& window : windows_) {
    if (window.contains(address)) return &window;
  }
  return nullptr;
}

bool PhysicalMemory::page_has_window(u64 page_address) const {
  return std::any_of(windows_.begin(), windows_.end(), [&](const Window& window) {
    return window.base < page_address + kPageSize && page_address < window.base + window.size;
  });
}

// Recomputes the direct-access flags of the RAM pages in a guest-physical range.
void PhysicalMemory::refresh_pages(u64 base, u64 size) {
  const u64 end = std::min(base + size, kPhysicalTop);
  u64 page = page_of(base);
  while (page < end) {
    const u64 offset = ram_offset(page);
    if (offset == kNoRam) {
      if (page >= kFourGiB) return;
      page = kFourGiB;
      continue;
    }
    // In the shadow range PAM routes the access to RAM before any window is asked.
    const bool shadowed = page >= kShadowBase && page < kOneMiB;
    const bool hidden = !shadowed && page_has_window(page);
    flags_[static_cast<std::size_t>(offset >> kPageShift)] = hidden ? u8{0} : ram_rights(page);
    page += kPageSize;
  }
}

void PhysicalMemory::map_changed(u64 base, u64 size) {
  refresh_pages(base, size);
  if (map_change_) map_change_();
}

const u8* PhysicalMemory::rom_page(u64 address) const {
  const u64 page = page_of(address);
  const Window* window = window_at(page);
  if (window == nullptr || window->rom == nullptr || page + kPageSize > window->base + window->size)
    return nullptr;
  return covered_by_another(page, *window) ? nullptr : window->rom + (page - window->base);
}

bool PhysicalMemory::covered_by_another(u64 page, const Window& window) const {
  return std::any_of(windows_.begin(), windows_.end(), [&](const Window& other) {
    return &other != &window && other.base < page + kPageSize && page < other.base + other.size;
  });
}

// The page's plain memory of a device, marked when it is to be written.
u8* PhysicalMemory::direct_page(u64 address, bool write) const {
  if (!has_direct_) return nullptr;
  const u64 page = page_of(address);
  const Window* window = window_at(page);
  if (window == nullptr || window->direct == nullptr || covered_by_another(page, *window)) return nullptr;
  const u64 inside = page - window->base - window->direct_offset;
  if (inside >= window->direct_size) return nullptr;
  const u64 at = window->direct_at + inside;
  if (write) window->direct->mark(at);
  return window->direct->bytes() + at;
}

u8* PhysicalMemory::readable_page(u64 address) {
  address = gate(address);
  const u64 offset = ram_offset(address);
  if (offset != kNoRam && (flags_[static_cast<std::size_t>(offset >> kPageShift)] & kReadable) != 0) {
    return ram_ + page_of(offset);
  }
  if (u8* page = direct_page(address)) return page;
  return const_cast<u8*>(rom_page(address));
}

u8* PhysicalMemory::writable_page(u64 address) {
  address = gate(address);
  const u64 offset = ram_offset(address);
  if (offset != kNoRam && (flags_[static_cast<std::size_t>(offset >> kPageShift)] & kWritable) != 0) {
    return ram_ + page_of(offset);
  }
  return direct_page(address, true);
}

u64 PhysicalMemory::read(u64 address, unsigned size) {
  const u64 room = kPageSize - (address & kPageMask);
  if (size <= room) return read_in_page(gate(address), size);
  const auto low = static_cast<unsigned>(room);
  const u64 value = read_in_page(gate(address), low);
  return value | (read_in_page(gate(address + low), size - low) << (low * 8));
}

void PhysicalMemory::write(u64 address, u64 value, unsigned size) {
  const u64 room = kPageSize - (address & kPageMask);
  if (size <= room) return write_in_page(gate(address), value, size);
  const auto low = static_cast<unsigned>(room);
  write_in_page(gate(address), value, low);
  write_in_page(gate(address + low), value >> (low * 8), size - low);
}

u64 PhysicalMemory::read_in_page(u64 address, unsigned size) {
  const u64 offset = ram_offset(address);
  if (offset != kNoRam && (flags_[static_cast<std::size_t>(offset >> kPageShift)] & kReadable) != 0) {
    u64 value = 0;
    std::memcpy(&value, ram_ + offset, size);
    return value;
  }
  if (const u8* page = direct_page(address)) {
    u64 value = 0;
    std::memcpy(&value, page + (address & kPageMask), size);
    return value;
  }
  const Window* window = window_at(address);
  if (window != nullptr && window->device != nullptr && device_size(size) &&
      window->contains(address + size - 1)) {
    if (mmio_access_) mmio_access_(address, 0, size, false);
    return window->device->mmio_read(address - window->base, size) & all_ones(size);
  }
  if (size > 1) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) value |= read_in_page(address + i, 1) << (i * 8);
    return value;
  }
  if (window != nullptr && window->rom != nullptr) return window->rom[address - window->base];
  return (ram_rights(address) & kReadable) != 0 && window == nullptr ? ram_[offset] : all_ones(1);
}

void PhysicalMemory::write_in_page(u64 address, u64 value, unsigned size) {
  const u64 offset = ram_offset(address);
  if (offset != kNoRam && (flags_[static_cast<std::size_t>(offset >> kPageShift)] & kWritable) != 0) {
    return store_ram(address, offset, &value, size);
  }
  if (u8* page = direct_page(address, true)) {
    std::memcpy(page + (address & kPageMask), &value, size);
    return;
  }
  const Window* window = window_at(address);
  if (window != nullptr && window->device != nullptr && device_size(size) &&
      window->contains(address + size - 1)) {
    if (mmio_access_) mmio_access_(address, value & all_ones(size), size, true);
    return window->device->mmio_write(address - window->base, value & all_ones(size), size);
  }
  if (size > 1) {
    for (unsigned i = 0; i < size; ++i) write_in_page(address + i, value >> (i * 8), 1);
    return;
  }
  if (window == nullptr && (ram_rights(address) & kWritable) != 0) store_ram(address, offset, &value, 1);
}

void PhysicalMemory::store_ram(u64 address, u64 offset, const void* data, u64 size) {
  note_code_write(address, offset, size);
  std::memcpy(ram_ + offset, data, static_cast<std::size_t>(size));
}

void PhysicalMemory::note_code_write(u64 address, u64 offset, u64 size) {
  const u32 bits = code_[static_cast<std::size_t>(offset >> kPageShift)];
  if (bits != 0 && (bits & granule_mask(offset, size)) != 0 && code_write_) code_write_(address, size);
}

bool PhysicalMemory::read_ram(u64 address, void* out, u64 size) {
  if (address + size < address) return false;
  for (u64 done = 0; done < size;) {
    const u64 at = address + done;
    const u64 chunk = std::min(size - done, kPageSize - (at & kPageMask));
    const u8* page = readable_page(at);
    if (page == nullptr) return false;
    std::memcpy(static_cast<u8*>(out) + done, page + (at & kPageMask), static_cast<std::size_t>(chunk));
    done += chunk;
  }
  return true;
}

bool PhysicalMemory::write_ram(u64 address, const void* data, u64 size) {
  if (address + size < address) return false;
  for (u64 page = page_of(address); page < address + size; page += kPageSize) {
    if (writable_page(page) == nullptr) return false;
  }
  for (u64 done = 0; done < size;) {
    const u64 at = gate(address + done);
    const u64 chunk = std::min(size - done, kPageSize - (at & kPageMask));
    const u8* from = static_cast<const u8*>(data) + done;
    if (u8* page = direct_page(at, true)) {
      std::memcpy(page + (at & kPageMask), from, static_cast<std::size_t>(chunk));
    } else {
      store_ram(at, ram_offset(at), from, chunk);
    }
    done += chunk;
  }
  return true;
}

void PhysicalMemory::insert_window(Window window) {
  const auto before = [](const Window& a, const Window& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.base < b.base;
  };
  const u64 base = window.base;
  const u64 size = window.size;
  windows_.insert(std::upper_bound(windows_.begin(), windows_.end(), window, before), std::move(window));
  map_changed(base, size);
}

Result<void> PhysicalMemory::add_fixed(Window window) {
  ASSERT(window.size != 0 && window.base + window.size <= kPhysicalTop);
  for (const Window& other : windows_) {
    if (other.priority != 0 || !overlap(window, other)) continue;
    return Error{"the memory windows of '" + window.name + "' and '" + other.name + "' overlap"};
  }
  insert_window(std::move(window));
  return {};
}

Result<void> PhysicalMemory::map_mmio(u64 base, u64 size, MmioDevice& device, const std::string& name) {
  return add_fixed({base, size, &device, nullptr, name, 0});
}

void PhysicalMemory::map_movable(u64 base, u64 size, MmioDevice& device, const std::string& name,
                                 unsigned priority) {
  if (size == 0 || base >= kPhysicalTop || size > kPhysicalTop - base) return;
  insert_window({base, size, &device, nullptr, name, std::max(priority, 1u)});
}

void PhysicalMemory::unmap_mmio(const MmioDevice& device) {
  for (std::size_t i = windows_.size(); i-- > 0;) {
    if (windows_[i].device != &device) continue;
    const u64 base = windows_[i].base;
    const u64 size = windows_[i].size;
    windows_.erase(windows_.begin() + static_cast<std::ptrdiff_t>(i));
    map_changed(base, size);
  }
}

void PhysicalMemory::set_direct(const MmioDevice& device, u64 offset, u64 size, DirectMemory* memory,
                                u64 at) {
  ASSERT(((offset | size | at) & kPageMask) == 0);
  ASSERT(size == 0 || (memory != nullptr && at + size <= memory->size()));
  for (Window& window : windows_) {
    if (window.device != &device) continue;
    const bool same = window.direct == memory && window.direct_offset == offset &&
                      window.direct_size == size && window.direct_at == at;
    if (same || (size == 0 && window.direct_size == 0)) continue;
    const bool had = window.direct_size != 0;
    window.direct = size == 0 ? nullptr : memory;
    window.direct_offset = offset;
    window.direct_size = size;
    window.direct_at = at;
    has_direct_ = has_direct_ || size != 0;
    // Pages that only the device answered had no translations.
    if (had && direct_change_) direct_change_(window.base, window.size);
  }
}

Result<void> PhysicalMemory::map_rom(u64 base, const u8* data, u64 size, const std::string& name) {
  return add_fixed({base, size, nullptr, data, name, 0});
}

void PhysicalMemory::unmap_rom(const u8* data, u64 size) {
  for (std::size_t i = windows_.size(); i-- > 0;) {
    const Window window = windows_[i];
    if (window.rom == nullptr || window.rom < data || window.rom >= data + size) continue;
    windows_.erase(windows_.begin() + static_cast<std::ptrdiff_t>(i));
    map_changed(window.base, window.size);
  }
}

void PhysicalMemory::set_shadow(u64 page_address, Shadow shadow) {
  ASSERT(page_address >= kShadowBase && page_address < kOneMiB);
  Shadow& current = shadow_[static_cast<std::size_t>(page_address >> kPageShift)];
  if (current == shadow) return;
  current = shadow;
  map_changed(page_of(page_address), kPageSize);
}

void PhysicalMemory::set_a20(bool enabled) {
  if (a20_ == enabled) return;
  a20_ = enabled;
  if (map_change_) map_change_();
}

u32 PhysicalMemory::code_bits(u64 address) const {
  const u64 offset = ram_offset(gate(address));
  return offset == kNoRam ? 0 : code_[static_cast<std::size_t>(offset >> kPageShift)];
}

void PhysicalMemory::mark_code(u64 address, u64 size) {
  for (u64 done = 0; done < size;) {
    const u64 at = gate(address + done);
    const u64 chunk = std::min(size - done, kPageSize - (at & kPageMask));
    const u64 offset = ram_offset(at);
    if (offset != kNoRam) {
      u32& bits = code_[static_cast<std::size_t>(offset >> kPageShift)];
      const bool first = bits == 0;
      bits |= granule_mask(offset, chunk);
      if (first && first_code_) first_code_(page_of(at));
    }
    done += chunk;
  }
}

void PhysicalMemory::clear_code(u64 page_address) {
  const u64 offset = ram_offset(gate(page_address));
  if (offset != kNoRam) code_[static_cast<std::size_t>(offset >> kPageShift)] = 0;
}

bool PhysicalMemory::ram_page_number(u64 address, u64& number) const {
  const u64 offset = ram_offset(gate(address));
  number = offset >> kPageShift;
  return offset != kNoRam;
}

void PhysicalMemory::hash_ram(StateHash& hash) const {
  for (u64 offset = 0; offset < ram_size_; offset += kPageSize) {
    if (is_zero_page(ram_ + offset)) continue;
    hash.add(&offset, sizeof offset);
    hash.add(ram_ + offset, kPageSize);
  }
}

void PhysicalMemory::save(StateWriter& out) const {
  out.put_u64(ram_size_);
  out.put_bool(a20_);
  for (const Shadow shadow : shadow_) out.put_u8(static_cast<u8>(shadow));
  for (u64 offset = 0; offset < ram_size_; offset += kPageSize) {
    if (is_zero_page(ram_ + offset)) continue;
    out.put_u64(offset);
    out.put_bytes(ram_ + offset, kPageSize);
  }
  out.put_u64(kNoRam);
}

bool PhysicalMemory::load(StateReader& in) {
  if (in.get_u64() != ram_size_) return false;
  a20_ = in.get_bool();
  for (Shadow& shadow : shadow_) {
    const u8 value = in.get_u8();
    if (value > static_cast<u8>(Shadow::kRom)) return false;
    shadow = static_cast<Shadow>(value);
  }
  u64 next = 0;
  while (in.ok()) {
    const u64 offset = in.get_u64();
    const u64 end = offset == kNoRam ? ram_size_ : offset;
    if ((end & kPageMask) != 0 || end < next || end > ram_size_) return false;
    for (; next < end; next += kPageSize) {
      if (!is_zero_page(ram_ + next)) std::memset(ram_ + next, 0, kPageSize);
    }
    if (offset == kNoRam) break;
    if (offset >= ram_size_) return false;
    in.get_bytes(ram_ + offset, kPageSize);
    next = offset + kPageSize;
  }
  std::fill(code_.begin(), code_.end(), 0);
  map_changed(0, kPhysicalTop);
  return in.ok();
}

}  // namespace lapwing
