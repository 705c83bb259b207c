// ACPI tables of the machine: RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET, DSDT (ACPI specification 6.4,
// section 5.2; HPET: IA-PC HPET specification 1.0a, section 3.2.4), and the MP table that says the same (MP
// specification 1.4). The RSDP and the MP table lie in 0xF0000-0xFFFFF, the other tables in the reserved top
// of low RAM. Unsupported: SLIT, SRAT, MCFG (no PCI Express), BGRT, SMBIOS.
#pragma once

#include <vector>

#include "core/memory/physical.h"
#include "devices/firmware/memory_map.h"
#include "devices/firmware/platform.h"

namespace lapwing {

constexpr u64 kRsdpAddress = 0xF5A00;
constexpr u64 kMpPointerAddress = 0xF5B00;

// ACPI 1.0 tables are found through an RSDP of revision 0 and the RSDT; revision 2 adds the XSDT.
enum class RsdpRevision : u8 { k0 = 0, k2 = 2 };

// A field that holds the address of a table: moved tables need it corrected.
struct AcpiPointer {
  bool in_rsdp;
  u32 offset;
  u8 size;
};
// A checksum byte over [first, first + size) that a corrected pointer invalidates.
struct AcpiChecksum {
  bool in_rsdp;
  u32 offset;
  u32 first;
  u32 size;
};

struct AcpiTables {
  std::vector<u8> tables;  // to be placed at the base they were made for
  std::vector<u8> rsdp;
  std::vector<AcpiPointer> pointers;
  std::vector<AcpiChecksum> checksums;
};

// Makes the tables for `base`, which must be 64-byte aligned.
AcpiTables make_acpi_tables(u64 base, const Platform& platform, RsdpRevision revision = RsdpRevision::k2);

// The MP floating pointer structure followed by its configuration table, made for `base`.
std::vector<u8> make_mp_table(u64 base, const Platform& platform);

// Writes both into RAM at their places. The MP table is left out of machines without APICs.
void install_firmware_tables(PhysicalMemory& memory, const MemoryMap& map, const Platform& platform,
                             RsdpRevision revision = RsdpRevision::k2);

}  // namespace lapwing
