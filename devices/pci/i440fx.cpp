#include "devices/pci/i440fx.h"

#include "devices/pci/pci_bus.h"

namespace lapwing {

namespace {

// A PAM nibble's RE (bit 0) and WE (bit 1): which accesses go to DRAM instead of PCI.
constexpr PhysicalMemory::Shadow kAttributes[4] = {
    PhysicalMemory::Shadow::kRom,
    PhysicalMemory::Shadow::kRamReadOnly,
    PhysicalMemory::Shadow::kRomWriteRam,
    PhysicalMemory::Shadow::kRam,
};

constexpr FieldInfo kPam0Fields[] = {{"F0000-FFFFF RE/WE", 4, 2}};
constexpr FieldInfo kPamFields[] = {{"low 16 KiB RE/WE", 0, 2}, {"high 16 KiB RE/WE", 4, 2}};
constexpr char kPamSection[] = "290549, 3.2.18";
constexpr RegisterInfo kPamInfo[I440fx::kPamRegisters] = {
    {"PAM0", 0x59, 8, kPamSection, kPam0Fields, 1},
    {"PAM1 (C0000-C7FFF)", 0x5A, 8, kPamSection, kPamFields, 2},
    {"PAM2 (C8000-CFFFF)", 0x5B, 8, kPamSection, kPamFields, 2},
    {"PAM3 (D0000-D7FFF)", 0x5C, 8, kPamSection, kPamFields, 2},
    {"PAM4 (D8000-DFFFF)", 0x5D, 8, kPamSection, kPamFields, 2},
    {"PAM5 (E0000-E7FFF)", 0x5E, 8, kPamSection, kPamFields, 2},
    {"PAM6 (E8000-EFFFF)", 0x5F, 8, kPamSection, kPamFields, 2},
};

void set_range(PhysicalMemory& memory, u64 base, u64 size, u32 attributes) {
  for (u64 page = base; page < base + size; page += kPageSize)
    memory.set_shadow(page, kAttributes[attributes & 3]);
}

}  // namespace

I440fx::I440fx(PciBus& bus)
    : PciDevice(bus, 0, 0, {.vendor = 0x8086, .device = 0x1237, .revision = 2, .class_code = 0x060000}) {
  define(pci::kCommand, 2, pci::kCommandMemory | pci::kCommandBusMaster, pci::kCommandSerr);
  define(pci::kStatus, 2, pci::kStatusDevselMedium | 0x80, 0);
  define(pci::kCacheLineSize, 1, 0, 0);
  define(pci::kInterruptLine, 1, 0, 0);
  define(0x50, 2, 0x0080, 0xFFFF);  // PMCCFG
  define(0x52, 2, 0x0000, 0xFFFF);  // DETURBO, DBC
  define(0x54, 4, 0x00000010, 0xFFFFFFFF);
  define(0x58, 1, 0x00, 0xFF);
  define(kPam0, 1, 0x00, 0x70);
  for (unsigned i = 1; i < kPamRegisters; ++i) define(static_cast<u8>(kPam0 + i), 1, 0x00, 0x77);
  define(0x60, 4, 0x01010101, 0xFFFFFFFF);  // DRB0-7
  define(0x64, 4, 0x01010101, 0xFFFFFFFF);
  define(0x68, 1, 0x00, 0xF8);  // FDHC
  define(kSmram, 1, 0x02, 0x78);
  define(0x93, 1, 0x00, 0x00);  // TRC: the reset control register is the PIIX3's
}

void I440fx::config_changed(u8 offset, unsigned size) {
  if (offset < kPam0 + kPamRegisters && offset + size > kPam0) apply_pam();
}

void I440fx::apply_pam() {
  constexpr u64 kFirst = 0xC0000;
  constexpr u64 kHalf = 0x4000;
  PhysicalMemory& memory = bus().memory();
  set_range(memory, 0xF0000, 0x10000, field(kPam0, 1) >> 4);
  for (unsigned i = 1; i < kPamRegisters; ++i) {
    const u32 value = field(static_cast<u8>(kPam0 + i), 1);
    const u64 base = kFirst + (i - 1) * 2 * kHalf;
    set_range(memory, base, kHalf, value);
    set_range(memory, base + kHalf, kHalf, value >> 4);
  }
}

std::vector<RegisterValue> I440fx::registers() const {
  std::vector<RegisterValue> values;
  for (const RegisterInfo& info : kPamInfo) values.push_back({&info, field(static_cast<u8>(info.offset), 1)});
  return values;
}

}  // namespace lapwing
