#include "devices/pci/pci_device.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "devices/pci/pci_bus.h"

namespace lapwing {

namespace {

// Whether an access lies in a capability, whose first byte is at `base`.
bool inside(u8 offset, u8 base, u8 size) {
  return base != 0 && offset >= base && offset < base + size;
}

u64 size_mask(u64 size) {
  return ~(size - 1);
}

}  // namespace

PciDevice::PciDevice(PciBus& bus, u8 slot, u8 function, const PciIdentity& identity)
    : bus_(bus), slot_(slot), function_(function), trace_id_(identity.trace_id) {
  using namespace pci;
  define(kVendorId, 2, identity.vendor, 0);
  define(kDeviceId, 2, identity.device, 0);
  define(kCommand, 2, 0,
         kCommandIo | kCommandMemory | kCommandBusMaster | kCommandSerr | kCommandInterruptDisable);
  define(kStatus, 2, 0, 0);
  define(kRevisionId, 1, identity.revision, 0);
  define(kClassCode, 3, identity.class_code, 0);
  define(kCacheLineSize, 1, 0, 0xFF);
  define(kLatencyTimer, 1, 0, 0xF8);
  define(kSubsystemVendorId, 2, identity.subsystem_vendor, 0);
  define(kSubsystemId, 2, identity.subsystem, 0);
  define(kInterruptLine, 1, 0, 0xFF);
  clearable_[kStatus] = static_cast<u8>(kStatusErrors);
  clearable_[kStatus + 1] = static_cast<u8>(kStatusErrors >> 8);
  for (unsigned i = 0; i <= kRomWindow; ++i) {
    windows_[i].owner = this;
    windows_[i].index = i;
  }
}

void PciDevice::define(u8 offset, unsigned size, u32 reset_value, u32 writable) {
  for (unsigned i = 0; i < size; ++i) {
    reset_[offset + i] = static_cast<u8>(reset_value >> (i * 8));
    config_[offset + i] = reset_[offset + i];
    writable_[offset + i] = static_cast<u8>(writable >> (i * 8));
  }
}

void PciDevice::define_bar(unsigned index, BarKind kind, u64 size, bool prefetchable) {
  ASSERT(index < pci::kBars && size >= (kind == BarKind::kIo ? 4 : 16) && (size & (size - 1)) == 0);
  windows_[index].kind = kind;
  windows_[index].size = size;
  const auto offset = static_cast<u8>(pci::kBar0 + index * 4);
  const u64 mask = size_mask(size);
  if (kind == BarKind::kIo) return define(offset, 4, pci::kBarIo, static_cast<u32>(mask));
  const u32 type =
      (kind == BarKind::kMemory64 ? pci::kBarMemory64 : 0) | (prefetchable ? pci::kBarPrefetchable : 0);
  define(offset, 4, type, static_cast<u32>(mask));
  if (kind == BarKind::kMemory64) define(static_cast<u8>(offset + 4), 4, 0, static_cast<u32>(mask >> 32));
}

void PciDevice::define_interrupt_pin(u8 pin) {
  define(pci::kInterruptPin, 1, pin + 1u, 0);
}

u8 PciDevice::define_capability(u8 id, u8 size) {
  const u8 offset = next_capability_;
  ASSERT(offset + size <= pci::kConfigSize);
  const u8 link = last_capability_ == 0 ? u8{pci::kCapabilities} : static_cast<u8>(last_capability_ + 1);
  define(link, 1, offset, 0);
  define(offset, 2, id, 0);
  define(pci::kStatus, 1, reset_[pci::kStatus] | pci::kStatusCapabilities, 0);
  last_capability_ = offset;
  next_capability_ = static_cast<u8>((offset + size + 3) & ~3);
  return offset;
}

void PciDevice::define_msi(MsiCapability& msi) {
  msi_ = &msi;
  msi_offset_ = define_capability(MsiCapability::kId, MsiCapability::kSize);
}

void PciDevice::define_msix(MsixCapability& msix, const MsixCapability::Layout& layout) {
  msix_ = &msix;
  msix_layout_ = layout;
  msix_offset_ = define_capability(MsixCapability::kId, MsixCapability::kSize);
}

u32 PciDevice::field(u8 offset, unsigned size) const {
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= u32{config_[offset + i]} << (i * 8);
  return value;
}

void PciDevice::set_field(u8 offset, u32 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) config_[offset + i] = static_cast<u8>(value >> (i * 8));
}

u32 PciDevice::config_read(u8 offset, unsigned size) {
  // The capabilities answer from offset 2; the bytes below, ID and link, are here.
  u32 value = field(offset, size);
  if (inside(offset, msi_offset_, MsiCapability::kSize)) value |= msi_->read(offset - msi_offset_, size);
  if (inside(offset, msix_offset_, MsixCapability::kSize)) value |= msix_->read(offset - msix_offset_, size);
  return value;
}

void PciDevice::config_write(u8 offset, u32 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) {
    const auto byte = static_cast<u8>(value >> (i * 8));
    u8& current = config_[offset + i];
    const u8 writable = writable_[offset + i];
    current = static_cast<u8>((current & ~writable) | (byte & writable));
    current = static_cast<u8>(current & ~(byte & clearable_[offset + i]));
  }
  if (inside(offset, msi_offset_, MsiCapability::kSize)) msi_->write(offset - msi_offset_, value, size);
  if (inside(offset, msix_offset_, MsixCapability::kSize)) msix_->write(offset - msix_offset_, value, size);
  const bool moves = offset < pci::kCommand + 2 ||
                     (offset >= pci::kBar0 && offset < pci::kBar0 + pci::kBars * 4) ||
                     (offset >= pci::kExpansionRom && offset < pci::kExpansionRom + 4);
  if (moves) update_windows();
  drive_intx();
  config_changed(offset, size);
}

void PciDevice::config_changed(u8, unsigned) {}

u64 PciDevice::bar_read(unsigned, u64, unsigned) {
  return ~0ull;
}

void PciDevice::bar_write(unsigned, u64, u64, unsigned) {}

u64 PciDevice::bar_base(unsigned index) const {
  return windows_[index].mapped_at;
}

// Where the guest wants a window to be, 0 = nowhere. All ones is what sizing writes, not an address.
u64 PciDevice::wanted_base(const Window& window) const {
  if (window.index == kRomWindow) return wanted_rom_base(window);
  const auto offset = static_cast<u8>(pci::kBar0 + window.index * 4);
  const u16 enable = window.kind == BarKind::kIo ? pci::kCommandIo : pci::kCommandMemory;
  if (window.kind == BarKind::kNone || (command() & enable) == 0) return 0;
  if (window.kind == BarKind::kIo) {
    const u64 base = field(offset, 4) & pci::kBarIoMask;
    return base + window.size >= 0x10000 ? 0 : base;
  }
  u64 base = field(offset, 4) & pci::kBarMemoryMask;
  const u64 top = window.kind == BarKind::kMemory64 ? 1ull << kPhysicalAddressBits : 1ull << 32;
  if (window.kind == BarKind::kMemory64) base |= u64{field(static_cast<u8>(offset + 4), 4)} << 32;
  return base >= top - window.size ? 0 : base;
}

u64 PciDevice::wanted_rom_base(const Window& window) const {
  const u32 value = field(pci::kExpansionRom, 4);
  const bool on = (value & pci::kRomEnable) != 0 && (command() & pci::kCommandMemory) != 0;
  if (window.size == 0 || !on) return 0;
  const u64 base = value & pci::kRomMask;
  return base >= (1ull << 32) - window.size ? 0 : base;
}

void PciDevice::set_rom(std::vector<u8> image) {
  constexpr std::size_t kLeast = 2048;
  rom_ = std::move(image);
  rom_.resize(std::bit_ceil(std::max(rom_.size(), kLeast)), 0xFF);
  windows_[kRomWindow].kind = BarKind::kMemory32;
  windows_[kRomWindow].size = rom_.size();
  define(pci::kExpansionRom, 4, 0, static_cast<u32>(size_mask(rom_.size())) | pci::kRomEnable);
}

void PciDevice::update_windows() {
  for (Window& window : windows_) {
    const u64 base = wanted_base(window);
    if (base == window.mapped_at) continue;
    unmap(window);
    if (base != 0) map(window, base);
  }
}

void PciDevice::unmap(Window& window) {
  if (window.mapped_at == 0) return;
  if (window.kind == BarKind::kIo) {
    bus_.ports().release(static_cast<u16>(window.mapped_at), static_cast<unsigned>(window.size));
  } else {
    bus_.memory().unmap_mmio(window);
  }
  window.mapped_at = 0;
}

// A window that the guest puts on ports of another chip stays unmapped.
void PciDevice::map(Window& window, u64 base) {
  if (window.kind == BarKind::kIo) {
    const auto first = static_cast<u16>(base);
    const auto count = static_cast<unsigned>(window.size);
    if (!bus_.ports().claim(first, count, window, std::string(name()), 4, trace_id_).ok()) return;
  } else {
    bus_.memory().map_movable(base, window.size, window, std::string(name()), 1u + slot_ * 8u + function_);
    if (window.memory != nullptr) bus_.memory().set_direct(window, 0, window.size, window.memory, 0);
  }
  window.mapped_at = base;
}

u32 PciDevice::Window::port_read(u16 port, unsigned size_) {
  return static_cast<u32>(owner->window_read(index, port - mapped_at, size_));
}

void PciDevice::Window::port_write(u16 port, u32 value, unsigned size_) {
  owner->window_write(index, port - mapped_at, value, size_);
}

u64 PciDevice::Window::mmio_read(u64 offset, unsigned size_) {
  return owner->window_read(index, offset, size_);
}

void PciDevice::Window::mmio_write(u64 offset, u64 value, unsigned size_) {
  owner->window_write(index, offset, value, size_);
}

bool PciDevice::in_msix_table(unsigned bar, u64 offset) const {
  return msix_ != nullptr && bar == msix_layout_.table_bar &&
         offset - msix_layout_.table_offset < u64{msix_->vectors()} * MsixCapability::kEntrySize;
}

bool PciDevice::in_msix_pba(unsigned bar, u64 offset) const {
  return msix_ != nullptr && bar == msix_layout_.pba_bar &&
         offset - msix_layout_.pba_offset < (u64{msix_->vectors()} + 63) / 64 * 8;
}

u64 PciDevice::window_read(unsigned bar, u64 offset, unsigned size) {
  if (bar == kRomWindow) {
    u64 value = 0;
    std::memcpy(&value, rom_.data() + offset, size);
    return value;
  }
  if (in_msix_table(bar, offset)) return msix_->table_read(offset - msix_layout_.table_offset, size);
  if (in_msix_pba(bar, offset)) return msix_->pba_read(offset - msix_layout_.pba_offset, size);
  return bar_read(bar, offset, size);
}

void PciDevice::window_write(unsigned bar, u64 offset, u64 value, unsigned size) {
  if (bar == kRomWindow) return;
  if (in_msix_table(bar, offset)) return msix_->table_write(offset - msix_layout_.table_offset, value, size);
  if (!in_msix_pba(bar, offset)) bar_write(bar, offset, value, size);
}

void PciDevice::set_intx(bool level) {
  if (level == intx_) return;
  intx_ = level;
  if (level) cause_ = bus_.trace().new_cause();
  set_field(pci::kStatus,
            (field(pci::kStatus, 1) & ~u32{pci::kStatusInterrupt}) | (level ? pci::kStatusInterrupt : 0u), 1);
  drive_intx();
}

void PciDevice::drive_intx() {
  const bool message = (msi_ != nullptr && msi_->enabled()) || (msix_ != nullptr && msix_->enabled());
  const bool level = intx_ && !message && (command() & pci::kCommandInterruptDisable) == 0;
  if (level == intx_driven_ || !has_interrupt_pin()) return;
  intx_driven_ = level;
  bus_.trace().add(level ? IrqEventKind::kDeviceRaise : IrqEventKind::kDeviceLower, trace_id_,
                   {.cause = cause_,
                    .line = kIntxLine | (slot_ * PciBus::kPins + interrupt_pin()),
                    .instance = trace_instance_});
  bus_.set_intx(slot_, interrupt_pin(), level, cause_);
}

void PciDevice::reset() {
  intx_ = false;
  drive_intx();
  if (msi_ != nullptr) msi_->reset();
  if (msix_ != nullptr) msix_->reset();
  config_ = reset_;
  update_windows();
  config_changed(0, pci::kConfigSize);
}

void PciDevice::save(StateWriter& out) const {
  out.put_bytes(config_.data(), config_.size());
  out.put_bool(intx_);
  out.put_bool(intx_driven_);
  out.put_u32(cause_);
  if (msi_ != nullptr) msi_->save(out);
  if (msix_ != nullptr) msix_->save(out);
}

bool PciDevice::load(StateReader& in) {
  in.get_bytes(config_.data(), config_.size());
  for (unsigned i = 0; i < pci::kFirstDeviceSpecific; ++i) {
    // Only what the guest or the status register can change may differ from the layout.
    const u8 fixed =
        static_cast<u8>(~(writable_[i] | clearable_[i] | (i == pci::kStatus ? pci::kStatusInterrupt : 0)));
    if (((config_[i] ^ reset_[i]) & fixed) != 0) in.fail();
  }
  intx_ = in.get_bool();
  intx_driven_ = in.get_bool();
  cause_ = in.get_u32();
  if (msi_ != nullptr && !msi_->load(in)) return false;
  if (msix_ != nullptr && !msix_->load(in)) return false;
  if (!in.ok()) return false;
  update_windows();
  config_changed(0, pci::kConfigSize);
  return true;
}

}  // namespace lapwing
