#include "devices/firmware/bios_rom.h"

#include <algorithm>

#include "devices/firmware/memory_map.h"

namespace lapwing {

Result<void> BiosRom::set(std::vector<u8> image) {
  if (image.size() > kMaxSize || image.size() % kGranule != 0) {
    return Error{"the BIOS image must have a multiple of 64 KiB and at most 1 MiB; it has " +
                 std::to_string(image.size()) + " bytes"};
  }
  if (present()) memory_.unmap_rom(image_.data(), image_.size());
  image_ = std::move(image);
  return present() ? map() : Result<void>();
}

Result<void> BiosRom::map() {
  constexpr u64 kLowSize = 0x20000;
  constexpr u64 kLowEnd = 0x100000;
  constexpr u64 kMaskedEnd = kFourGiB - 0x100000;
  const u64 size = image_.size();
  const u64 low = std::min<u64>(size, kLowSize);
  const u8* last = image_.data() + size - low;
  struct Place {
    u64 base;
    const u8* data;
    u64 size;
  };
  for (const Place& place : {Place{kFourGiB - size, image_.data(), size}, Place{kMaskedEnd - low, last, low},
                             Place{kLowEnd - low, last, low}}) {
    if (Result<void> mapped = memory_.map_rom(place.base, place.data, place.size, "bios"); !mapped.ok())
      return mapped;
  }
  return {};
}

void BiosRom::save(StateWriter& out) const {
  out.put_u32(static_cast<u32>(image_.size()));
  out.put_bytes(image_.data(), image_.size());
}

bool BiosRom::load(StateReader& in) {
  const u32 size = in.get_u32();
  if (!in.ok() || size > kMaxSize || size > in.remaining()) return false;
  std::vector<u8> image(size);
  in.get_bytes(image.data(), image.size());
  return in.ok() && (image == image_ || set(std::move(image)).ok());
}

}  // namespace lapwing
