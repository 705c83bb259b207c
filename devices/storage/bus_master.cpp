#include "devices/storage/bus_master.h"

#include <algorithm>
#include <array>

#include "core/bitfield.h"

namespace lapwing {

namespace {

constexpr unsigned kDescriptorSize = 8;
constexpr u32 kTableMask = ~3u;
constexpr u64 kAddressTop = 1ull << 32;
constexpr u8 kStatusClearable = BusMaster::kError | BusMaster::kInterrupt;
constexpr u8 kStatusWritable = BusMaster::kDrive0Dma | BusMaster::kDrive1Dma;

using RegionAddress = Field<u32, u32, 1, 31>;
using RegionCount = Field<u32, u32, 1, 15>;
using LastRegion = Field<bool, u32, 31, 1>;

u32 little_endian(const u8* bytes) {
  return bytes[0] | u32{bytes[1]} << 8 | u32{bytes[2]} << 16 | u32{bytes[3]} << 24;
}

}  // namespace

u8 BusMaster::read(unsigned offset) const {
  switch (offset) {
    case kCommand: return command_;
    case kStatus: return status_;
    case kTable:
    case kTable + 1:
    case kTable + 2:
    case kTable + 3: return static_cast<u8>(table_ >> ((offset - kTable) * 8));
    default: return 0;
  }
}

void BusMaster::write(unsigned offset, u8 value) {
  switch (offset) {
    case kCommand: {
      const bool starts = (value & kStart) != 0 && (command_ & kStart) == 0;
      command_ = value & (kStart | kToMemory);
      if (starts) {
        next_ = table_;
        left_ = 0;
        last_ = false;
        status_ |= kActive;
      } else if ((value & kStart) == 0) {
        stop(0);
      }
      return;
    }
    case kStatus: {
      const auto kept = static_cast<u8>(status_ & ~kStatusWritable & ~(value & kStatusClearable));
      status_ = static_cast<u8>(kept | (value & kStatusWritable));
      return;
    }
    case kTable:
    case kTable + 1:
    case kTable + 2:
    case kTable + 3: {
      const unsigned shift = (offset - kTable) * 8;
      table_ = ((table_ & ~(0xFFu << shift)) | u32{value} << shift) & kTableMask;
      return;
    }
    default: return;
  }
}

// Fetches the next descriptor; false when there is none or it cannot be read.
bool BusMaster::next_region() {
  if (last_) {
    stop(0);
    return false;
  }
  std::array<u8, kDescriptorSize> bytes{};
  if (!memory_.read_ram(next_, bytes.data(), bytes.size())) {
    stop(kError);
    return false;
  }
  next_ += kDescriptorSize;
  address_ = u64{RegionAddress::get(little_endian(bytes.data()))} << 1;
  const u32 control = little_endian(bytes.data() + 4);
  const u32 count = RegionCount::get(control) << 1;
  left_ = count == 0 ? 0x10000 : count;
  last_ = LastRegion::get(control);
  return true;
}

std::size_t BusMaster::transfer(u8* data, std::size_t size, bool to_memory) {
  std::size_t done = 0;
  while (done < size && active()) {
    if (left_ == 0 && !next_region()) break;
    const std::size_t count = std::min<std::size_t>(size - done, left_);
    const bool fits = address_ + count <= kAddressTop;
    const bool moved = fits && (to_memory ? memory_.write_ram(address_, data + done, count)
                                          : memory_.read_ram(address_, data + done, count));
    if (!moved) {
      stop(kError);
      break;
    }
    done += count;
    address_ += count;
    left_ -= static_cast<u32>(count);
    if (left_ == 0 && last_) stop(0);
  }
  return done;
}

void BusMaster::reset() {
  command_ = 0;
  status_ = 0;
  table_ = 0;
  next_ = 0;
  address_ = 0;
  left_ = 0;
  last_ = false;
}

void BusMaster::save(StateWriter& out) const {
  out.put_u8(command_);
  out.put_u8(status_);
  for (const u32 value : {table_, next_, left_}) out.put_u32(value);
  out.put_u64(address_);
  out.put_bool(last_);
}

bool BusMaster::load(StateReader& in) {
  command_ = in.get_u8();
  status_ = in.get_u8();
  for (u32* value : {&table_, &next_, &left_}) *value = in.get_u32();
  address_ = in.get_u64();
  last_ = in.get_bool();
  if (left_ > 0x10000 || address_ > kAddressTop) in.fail();
  return in.ok();
}

}  // namespace lapwing
