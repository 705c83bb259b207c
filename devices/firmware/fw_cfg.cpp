#include "devices/firmware/fw_cfg.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace lapwing {

namespace {

constexpr u16 kWriteChannel = 0x4000;                 // selector bit that marked writes before DMA; ignored
constexpr u64 kDmaSignature = 0x51454D5520434647ull;  // "QEMU CFG"
constexpr u32 kIdTraditional = 1 << 0;
constexpr u32 kIdDma = 1 << 1;

// FWCfgDmaAccess, all fields big-endian.
constexpr u64 kAccessSize = 16;
constexpr u32 kDmaError = 1 << 0;
constexpr u32 kDmaRead = 1 << 1;
constexpr u32 kDmaSkip = 1 << 2;
constexpr u32 kDmaSelect = 1 << 3;
constexpr u32 kDmaWrite = 1 << 4;

u64 big_endian(const u8* bytes, unsigned size) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) value = (value << 8) | bytes[i];
  return value;
}

void append_big_endian(std::vector<u8>& out, u64 value, unsigned size) {
  for (unsigned i = size; i-- > 0;) out.push_back(static_cast<u8>(value >> (i * 8)));
}

std::vector<u8> little_endian(u64 value, unsigned size) {
  std::vector<u8> out;
  for (unsigned i = 0; i < size; ++i) out.push_back(static_cast<u8>(value >> (i * 8)));
  return out;
}

u32 swapped(u32 value) {
  return __builtin_bswap32(value);
}

}  // namespace

FwCfg::FwCfg(PhysicalMemory& memory) : memory_(memory) {
  add_item(kSignature, {'Q', 'E', 'M', 'U'});
  add_u32(kId, kIdTraditional | kIdDma);
  items_[kFileDirectory].data = directory();
}

Result<void> FwCfg::claim_ports(PortBus& ports) {
  return ports.claim(kSelectorPort, kPorts, *this, "fw_cfg", 4, DeviceId::kFwCfg);
}

void FwCfg::add_item(u16 key, std::vector<u8> data) {
  items_[key] = {std::move(data), false};
}
void FwCfg::add_u16(u16 key, u16 value) {
  add_item(key, little_endian(value, 2));
}
void FwCfg::add_u32(u16 key, u32 value) {
  add_item(key, little_endian(value, 4));
}
void FwCfg::add_u64(u16 key, u64 value) {
  add_item(key, little_endian(value, 8));
}

Result<void> FwCfg::add_file(const std::string& name, std::vector<u8> data, bool writable) {
  if (name.empty() || name.size() >= kNameSize)
    return Error{"the fw_cfg name '" + name + "' has no or over 55 characters"};
  if (files_.contains(name)) return Error{"the fw_cfg file '" + name + "' exists twice"};
  if (files_.size() >= kFiles) return Error{"there is no room for the fw_cfg file '" + name + "'"};
  const auto key = static_cast<u16>(kFirstFile + files_.size());
  files_[name] = key;
  items_[key] = {std::move(data), writable};
  items_[kFileDirectory].data = directory();
  return {};
}

void FwCfg::add_standard_items(const MemoryMap& map, unsigned cpus, bool has_display) {
  add_u64(kRamSize, map.ram_size);
  add_u16(kCpuCount, static_cast<u16>(cpus));
  add_u16(kMaxCpus, static_cast<u16>(cpus));
  add_u16(kNoGraphic, has_display ? 0 : 1);
  add_u16(kBootMenu, 0);
  add_item(kUuid, std::vector<u8>(16));
  add_u32(kIrq0Override, 1);
  // RAM only: firmware adds what it reserves itself.
  std::vector<u8> e820;
  const auto add_ram = [&](u64 base, u64 size) {
    for (const auto& [value, width] : {std::pair<u64, unsigned>{base, 8}, {size, 8}, {1, 4}}) {
      const std::vector<u8> bytes = little_endian(value, width);
      e820.insert(e820.end(), bytes.begin(), bytes.end());
    }
  };
  add_ram(0, map.low_top);
  if (map.ram_size > map.low_top) add_ram(kFourGiB, map.ram_size - map.low_top);
  ASSERT(add_file("etc/e820", std::move(e820)).ok());
}

// FWCfgFiles: count, then {size, select, reserved, name[56]} in the order of names.
std::vector<u8> FwCfg::directory() const {
  std::vector<u8> out;
  append_big_endian(out, files_.size(), 4);
  for (const auto& [name, key] : files_) {
    append_big_endian(out, items_.at(key).data.size(), 4);
    append_big_endian(out, key, 2);
    append_big_endian(out, 0, 2);
    out.insert(out.end(), name.begin(), name.end());
    out.resize(out.size() + kNameSize - name.size());
  }
  return out;
}

FwCfg::Item* FwCfg::current() {
  const auto found = items_.find(selected_);
  return found == items_.end() ? nullptr : &found->second;
}

void FwCfg::select(u16 key) {
  selected_ = static_cast<u16>(key & ~kWriteChannel);
  offset_ = 0;
}

u8 FwCfg::read_byte() {
  const Item* item = current();
  if (item == nullptr || offset_ >= item->data.size()) return 0;
  return item->data[static_cast<std::size_t>(offset_++)];
}

u32 FwCfg::port_read(u16 port, unsigned size) {
  if (port == kDataPort && size == 1) return read_byte();
  if (port < kDmaPort) return ~0u;
  // The signature, big-endian: its first byte is at the lowest port.
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) {
    const unsigned shift = 56 - (port - kDmaPort + i) * 8;
    value |= static_cast<u32>((kDmaSignature >> shift) & 0xFF) << (i * 8);
  }
  return value;
}

void FwCfg::port_write(u16 port, u32 value, unsigned size) {
  if (port == kSelectorPort && size == 2) return select(static_cast<u16>(value));
  if (size != 4) return;
  if (port == kDmaPort) dma_address_ = u64{swapped(value)} << 32;
  if (port == kDmaPort + 4) {
    dma_address_ |= swapped(value);
    run_dma();
    dma_address_ = 0;
  }
}

void FwCfg::run_dma() {
  std::array<u8, kAccessSize> access{};
  u32 result = kDmaError;
  if (memory_.read_ram(dma_address_, access.data(), access.size())) {
    const auto control = static_cast<u32>(big_endian(access.data(), 4));
    if ((control & kDmaSelect) != 0) select(static_cast<u16>(control >> 16));
    const bool read = (control & kDmaRead) != 0;
    const bool write = !read && (control & kDmaWrite) != 0;
    const bool moves = read || write || (control & kDmaSkip) != 0;
    const auto length = moves ? static_cast<u32>(big_endian(access.data() + 4, 4)) : 0u;
    if (transfer({read, write, big_endian(access.data() + 8, 8), length})) result = 0;
  }
  const u32 stored = swapped(result);
  memory_.write_ram(dma_address_, &stored, sizeof stored);
}

// Reading beyond the item's end gives zeros; writing must fit exactly into what is left of a writable item.
bool FwCfg::transfer(const Transfer& request) {
  Item* item = current();
  const u64 left = item == nullptr || offset_ >= item->data.size() ? 0 : item->data.size() - offset_;
  const u64 count = std::min<u64>(request.length, left);
  if (request.write && request.length != 0) {
    if (item == nullptr || !item->writable || request.length != left) return false;
    if (!memory_.read_ram(request.address, item->data.data() + offset_, count)) return false;
  }
  if (request.read && !copy_out(request.address, count, request.length - count)) return false;
  offset_ += count;
  return true;
}

bool FwCfg::copy_out(u64 address, u64 count, u64 zeros) {
  if (count != 0 && !memory_.write_ram(address, current()->data.data() + offset_, count)) return false;
  const std::array<u8, kPageSize> blank{};
  for (u64 done = 0; done < zeros; done += kPageSize) {
    if (!memory_.write_ram(address + count + done, blank.data(), std::min<u64>(zeros - done, kPageSize)))
      return false;
  }
  return true;
}

void FwCfg::reset() {
  select(kSignature);
  dma_address_ = 0;
}

// What a guest can read here and did not write itself.
u64 FwCfg::content_hash() const {
  StateHash hash;
  for (const auto& [key, item] : items_) {
    hash.add(&key, sizeof key);
    if (!item.writable) hash.add(item.data.data(), item.data.size());
  }
  return hash.value();
}

void FwCfg::save(StateWriter& out) const {
  out.put_u64(content_hash());
  out.put_u16(selected_);
  out.put_u64(offset_);
  out.put_u64(dma_address_);
  for (const auto& [key, item] : items_) {
    if (item.writable) out.put_bytes(item.data.data(), item.data.size());
  }
}

bool FwCfg::load(StateReader& in) {
  if (in.get_u64() != content_hash()) return false;
  selected_ = in.get_u16();
  offset_ = in.get_u64();
  dma_address_ = in.get_u64();
  for (auto& [key, item] : items_) {
    if (item.writable) in.get_bytes(item.data.data(), item.data.size());
  }
  return in.ok();
}

}  // namespace lapwing
