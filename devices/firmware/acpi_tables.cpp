#include "devices/firmware/acpi_tables.h"

#include <string_view>

#include "devices/firmware/dsdt.h"
#include "devices/firmware/table_bytes.h"
#include "devices/timer/acpi_pm.h"

namespace lapwing {

namespace {

constexpr std::string_view kOemId = "LAPWNG";
constexpr std::string_view kOemTableId = "LAPWING ";
constexpr std::string_view kCreatorId = "LPWG";
constexpr std::size_t kLengthOffset = 4;
constexpr std::size_t kChecksumOffset = 9;
constexpr u32 kHeaderSize = 36;
// Root System Description Pointer (section 5.2.5.3).
constexpr u32 kRsdpFirstPart = 20;
constexpr u32 kRsdpChecksum = 8;
constexpr u32 kRsdtPointer = 16;
constexpr u32 kXsdtPointer = 24;
constexpr u32 kRsdpWideChecksum = 32;

// System description table header (section 5.2.6); finish() fills in length and checksum.
TableBytes start(std::string_view signature, u8 revision) {
  TableBytes table;
  table.add(signature).add(0, 4).add(revision, 1).add(0, 1).add(kOemId).add(kOemTableId).add(1, 4);
  table.add(kCreatorId).add(1, 4);
  return table;
}

std::vector<u8> finish(TableBytes& table) {
  table.set(kLengthOffset, table.size(), 4);
  table.set_checksum(kChecksumOffset, 0, table.size());
  return table.bytes();
}

enum class AddressSpace : u8 { kMemory = 0, kIo = 1 };

// Generic Address Structure (section 5.2.3.2).
void add_address(TableBytes& table, AddressSpace space, u8 bits, u8 access_size, u64 address) {
  table.add(static_cast<u8>(space), 1).add(bits, 1).add(0, 1).add(access_size, 1).add(address, 8);
}

void add_no_address(TableBytes& table) {
  add_address(table, AddressSpace::kMemory, 0, 0, 0);
}

enum FadtFlag : u32 {
  kWbinvd = 1u << 0,
  kProcC1 = 1u << 2,
  kNoFixedSleepButton = 1u << 5,
  kResetRegister = 1u << 10,
};
enum BootArchitecture : u16 { kLegacyDevices = 1 << 0, kHas8042 = 1 << 1, kNoVga = 1 << 2 };

// Section 5.2.9, as of revision 3. Event, control and timer blocks of the PIIX4 at PMBASE.
std::vector<u8> make_fadt(u64 facs, u64 dsdt, const Platform& platform) {
  constexpr u8 kDesktop = 1;
  constexpr u16 kNoCState = 0xFFF;
  constexpr u16 kEvent = kPmBase + AcpiPm::kPm1EventOffset;
  constexpr u16 kControl = kPmBase + AcpiPm::kPm1ControlOffset;
  constexpr u16 kTimer = kPmBase + AcpiPm::kTimerOffset;
  constexpr u16 kGpe0 = kPmBase + AcpiPm::kGpe0Offset;
  constexpr u8 kCenturyRegister = 0x32;
  constexpr u16 kResetPort = 0xCF9;
  constexpr u8 kHardReset = 0x06;
  TableBytes table = start("FACP", 3);
  table.add(facs, 4).add(dsdt, 4).add(0, 1).add(kDesktop, 1).add(kSciIrq, 2);
  table.add(kSmiCommandPort, 4).add(kAcpiEnableCommand, 1).add(kAcpiDisableCommand, 1).add(0, 2);
  table.add(kEvent, 4).add(0, 4).add(kControl, 4).add(0, 4).add(0, 4).add(kTimer, 4).add(kGpe0, 4).add(0, 4);
  table.add(4, 1).add(2, 1).add(0, 1).add(4, 1);        // lengths: events, control, control 2, timer
  table.add(AcpiPmConfig{}.gpe0_bytes, 1).add(0, 3);    // one GPE block, no _CST
  table.add(kNoCState, 2).add(kNoCState, 2).add(0, 4);  // C2 and C3 latency, no flush, no duty cycle
  table.add(0, 4).add(kCenturyRegister, 1);             // no duty setting, no alarm registers
  const u16 boot_architecture =
      static_cast<u16>(kLegacyDevices | (platform.keyboard ? kHas8042 : 0) | (platform.vga ? 0 : kNoVga));
  table.add(boot_architecture, 2).add(0, 1);
  table.add(kWbinvd | kProcC1 | kNoFixedSleepButton | kResetRegister, 4);
  add_address(table, AddressSpace::kIo, 8, 1, kResetPort);
  table.add(kHardReset, 1).add(0, 3);
  table.add(0, 8).add(dsdt, 8);
  add_address(table, AddressSpace::kIo, 32, 0, kEvent);
  add_no_address(table);
  add_address(table, AddressSpace::kIo, 16, 0, kControl);
  add_no_address(table);
  add_no_address(table);
  add_address(table, AddressSpace::kIo, 32, 0, kTimer);
  add_address(table, AddressSpace::kIo, AcpiPmConfig{}.gpe0_bytes * 8, 0, kGpe0);
  add_no_address(table);
  return finish(table);
}

// Firmware ACPI Control Structure (section 5.2.10): no header, no checksum.
std::vector<u8> make_facs() {
  TableBytes table;
  table.add("FACS").add(64, 4).add(std::vector<u8>(56));
  return table.bytes();
}

constexpr u16 kActiveHighLevel = 0x000D;

// Section 5.2.12.
std::vector<u8> make_madt(const Platform& platform) {
  constexpr u32 kPcatCompatible = 1;
  TableBytes table = start("APIC", 3);
  table.add(kLocalApicBase, 4).add(kPcatCompatible, 4);
  for (unsigned cpu = 0; cpu < platform.cpus; ++cpu)
    table.add(0, 1).add(8, 1).add(cpu, 1).add(cpu, 1).add(1, 4);
  table.add(1, 1).add(12, 1).add(platform.ioapic_id, 1).add(0, 1).add(kIoapicBase, 4).add(0, 4);
  const auto source_override = [&](u8 irq, u32 gsi, u16 flags) {
    table.add(2, 1).add(10, 1).add(0, 1).add(irq, 1).add(gsi, 4).add(flags, 2);
  };
  source_override(0, 2, 0);
  for (const u8 irq : {u8{5}, kSciIrq, u8{10}, u8{11}}) source_override(irq, irq, kActiveHighLevel);
  table.add(4, 1).add(6, 1).add(0xFF, 1).add(0, 2).add(1, 1);  // NMI on LINT1 of every CPU
  return finish(table);
}

std::vector<u8> make_hpet(const Platform& platform) {
  constexpr u16 kMinimumTicks = 100;
  TableBytes table = start("HPET", 1);
  table.add(platform.hpet_id, 4);
  add_address(table, AddressSpace::kMemory, 0, 0, kHpetBase);
  table.add(0, 1).add(kMinimumTicks, 2).add(0, 1);
  return finish(table);
}

// RSDT (4-byte entries) or XSDT (8-byte entries).
std::vector<u8> make_index(std::string_view signature, unsigned entry_size,
                           const std::vector<u64>& addresses) {
  TableBytes table = start(signature, 1);
  for (const u64 address : addresses) table.add(address, entry_size);
  return finish(table);
}

std::vector<u8> make_rsdp(u64 rsdt, u64 xsdt, RsdpRevision revision) {
  TableBytes table;
  table.add("RSD PTR ").add(0, 1).add(kOemId).add(static_cast<u8>(revision), 1).add(rsdt, 4);
  table.set_checksum(kRsdpChecksum, 0, kRsdpFirstPart);
  if (revision == RsdpRevision::k0) return table.bytes();
  table.add(36, 4).add(xsdt, 8).add(0, 4);
  table.set_checksum(kRsdpWideChecksum, 0, table.size());
  return table.bytes();
}

// Lays tables out one after another, each 16-byte aligned, and notes where they hold addresses.
class Layout {
 public:
  explicit Layout(u64 base) : base_(base) {}
  u64 place(const std::vector<u8>& table) {
    made_.tables.resize((made_.tables.size() + 15) & ~std::size_t{15});
    offset_ = static_cast<u32>(made_.tables.size());
    made_.tables.insert(made_.tables.end(), table.begin(), table.end());
    return base_ + offset_;
  }
  // Places a table with a header and with pointers of `width` bytes at these offsets.
  u64 place(const std::vector<u8>& table, u8 width, const std::vector<u32>& pointers) {
    const u64 address = place(table);
    add_pointers(width, pointers);
    add_checksum(table.size());
    return address;
  }
  void add_pointers(u8 width, const std::vector<u32>& pointers) {
    for (const u32 pointer : pointers) made_.pointers.push_back({false, offset_ + pointer, width});
  }
  AcpiTables take() { return std::move(made_); }

 private:
  void add_checksum(std::size_t size) {
    const u32 at = offset_ + static_cast<u32>(kChecksumOffset);
    made_.checksums.push_back({false, at, offset_, static_cast<u32>(size)});
  }
  u64 base_;
  u32 offset_ = 0;
  AcpiTables made_;
};

std::vector<u32> index_entries(unsigned entry_size, std::size_t count) {
  std::vector<u32> offsets;
  for (u32 i = 0; i < count; ++i) offsets.push_back(kHeaderSize + i * entry_size);
  return offsets;
}

}  // namespace

AcpiTables make_acpi_tables(u64 base, const Platform& platform, RsdpRevision revision) {
  ASSERT((base & 63) == 0);
  Layout layout(base);
  const u64 facs = layout.place(make_facs());  // first, because it must be 64-byte aligned
  TableBytes dsdt = start("DSDT", 2);
  dsdt.add(make_dsdt_body(platform));
  const u64 dsdt_address = layout.place(finish(dsdt));
  constexpr u32 kFacsPointer = 36, kDsdtPointer = 40, kWideDsdtPointer = 140;
  std::vector<u64> listed = {
      layout.place(make_fadt(facs, dsdt_address, platform), 4, {kFacsPointer, kDsdtPointer})};
  layout.add_pointers(8, {kWideDsdtPointer});
  if (platform.apic) listed.push_back(layout.place(make_madt(platform)));
  if (platform.hpet) listed.push_back(layout.place(make_hpet(platform)));
  const u64 rsdt = layout.place(make_index("RSDT", 4, listed), 4, index_entries(4, listed.size()));
  const bool wide = revision != RsdpRevision::k0;
  const u64 xsdt = wide ? layout.place(make_index("XSDT", 8, listed), 8, index_entries(8, listed.size())) : 0;
  AcpiTables made = layout.take();
  made.rsdp = make_rsdp(rsdt, xsdt, revision);
  made.pointers.push_back({true, kRsdtPointer, 4});
  made.checksums.push_back({true, kRsdpChecksum, 0, kRsdpFirstPart});
  if (!wide) return made;
  made.pointers.push_back({true, kXsdtPointer, 8});
  made.checksums.push_back({true, kRsdpWideChecksum, 0, static_cast<u32>(made.rsdp.size())});
  return made;
}

void install_firmware_tables(PhysicalMemory& memory, const MemoryMap& map, const Platform& platform,
                             RsdpRevision revision) {
  const AcpiTables acpi = make_acpi_tables(map.acpi_base, platform, revision);
  ASSERT(acpi.tables.size() <= kAcpiReservedSize);
  ASSERT(memory.write_ram(map.acpi_base, acpi.tables.data(), acpi.tables.size()));
  ASSERT(memory.write_ram(kRsdpAddress, acpi.rsdp.data(), acpi.rsdp.size()));
  if (!platform.apic) return;
  const std::vector<u8> mp = make_mp_table(kMpPointerAddress, platform);
  ASSERT(memory.write_ram(kMpPointerAddress, mp.data(), mp.size()));
}

}  // namespace lapwing
