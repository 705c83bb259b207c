#include "devices/firmware/memory_map.h"

#include <algorithm>

#include "core/memory/physical.h"

namespace lapwing {

bool MemoryMap::usable(u64 base, u64 size) const {
  return std::any_of(ranges.begin(), ranges.end(), [&](const MemoryRange& range) {
    return range.type == MemoryType::kUsable && base >= range.base && size <= range.size &&
           base - range.base <= range.size - size;
  });
}

MemoryMap make_memory_map(u64 ram_size) {
  constexpr u64 kLowLimit = PhysicalMemory::kLowRamLimit;
  ASSERT(ram_size >= 2 * kHighMemory);
  MemoryMap map;
  map.ram_size = ram_size;
  map.low_top = std::min(ram_size, kLowLimit);
  map.acpi_base = map.low_top - kAcpiReservedSize;
  map.ranges = {
      {0, kEbdaAddress, MemoryType::kUsable},
      {kEbdaAddress, kConventionalTop - kEbdaAddress, MemoryType::kReserved},
      {kBiosArea, kHighMemory - kBiosArea, MemoryType::kReserved},
      {kHighMemory, map.acpi_base - kHighMemory, MemoryType::kUsable},
      {map.acpi_base, kAcpiReservedSize, MemoryType::kReserved},
      {kBiosRomBase, kFourGiB - kBiosRomBase, MemoryType::kReserved},
  };
  if (ram_size > kLowLimit) map.ranges.push_back({kFourGiB, ram_size - kLowLimit, MemoryType::kUsable});
  return map;
}

}  // namespace lapwing
