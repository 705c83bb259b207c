// The machine's memory as firmware reports it (INT 15h E820, ACPI "System Address Map Interfaces"), and the
// fixed places that firmware data uses. One table for Linux, multiboot, fw_cfg, ACPI and MP tables.
#pragma once

#include <vector>

#include "core/types.h"

namespace lapwing {

// Real-mode data that a BIOS leaves (direct_boot.h fills it).
constexpr u64 kIvtAddress = 0;
constexpr u16 kIvtSize = 0x400;
constexpr u64 kBdaAddress = 0x400;
constexpr u64 kEbdaAddress = 0x9FC00;  // 1 KiB up to 640 KiB
constexpr u64 kConventionalTop = 0xA0000;
constexpr u64 kBiosArea = 0xF0000;  // 64 KiB: RSDP, MP tables
constexpr u64 kHighMemory = 0x100000;
// Top of low RAM that ACPI tables take.
constexpr u64 kAcpiReservedSize = 0x20000;
// Where PCI memory BARs and the chips' fixed windows live.
constexpr u64 kPciHoleBase = 0xC0000000;
constexpr u64 kPciHoleEnd = 0xFEC00000;
constexpr u64 kBiosRomBase = 0xFFFC0000;
constexpr u64 kFourGiB = 1ull << 32;

enum class MemoryType : u32 { kUsable = 1, kReserved = 2, kAcpiReclaimable = 3, kAcpiNvs = 4 };

struct MemoryRange {
  u64 base;
  u64 size;
  MemoryType type;
};

struct MemoryMap {
  u64 ram_size = 0;
  u64 low_top = 0;    // end of RAM below 4 GiB
  u64 acpi_base = 0;  // start of the ACPI tables' reserved RAM, up to low_top
  std::vector<MemoryRange> ranges;

  // Whether [base, base + size) lies wholly in usable RAM.
  bool usable(u64 base, u64 size) const;
};

// The map for a machine with `ram_size` bytes of RAM (at least 2 MiB).
MemoryMap make_memory_map(u64 ram_size);

}  // namespace lapwing
