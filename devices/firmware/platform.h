// What firmware tables say about a machine: filled in by the machine from what it built, read by the ACPI
// tables, the MP table and fw_cfg, so that they all describe the same hardware.
#pragma once

#include <vector>

#include "core/types.h"

namespace lapwing {

constexpr u32 kLocalApicBase = 0xFEE00000;
constexpr u32 kIoapicBase = 0xFEC00000;
constexpr u32 kHpetBase = 0xFED00000;
constexpr u16 kPmBase = 0x600;     // PIIX4 power management block
constexpr u16 kSmbusBase = 0x700;  // PIIX4 SMBus block
constexpr u8 kSciIrq = 9;
constexpr u16 kSmiCommandPort =
    0xB2;  // APMC; there is no SMI: the PIIX4 function takes the two commands at once
// SLP_TYP in the PIIX4's PMCNTRL (82371AB, 7.2.3): soft off, suspend to RAM.
constexpr u8 kSleepOff = 0;
constexpr u8 kSleepToRam = 1;
constexpr u8 kAcpiEnableCommand = 0xF1;
constexpr u8 kAcpiDisableCommand = 0xF0;

// One PCI interrupt pin and the ISA IRQ (= GSI) that the firmware routed it to.
struct PciInterrupt {
  u8 slot;
  u8 pin;  // 0 = INTA
  u8 irq;
};

struct Platform {
  unsigned cpus = 1;  // APIC IDs are 0 ... cpus - 1
  bool apic = true;   // local APICs and an IOAPIC exist
  u8 ioapic_id = 0;
  u8 ioapic_version = 0x20;
  u8 lapic_version = 0x14;
  bool hpet = true;
  u32 hpet_id =
      0x8086A201;        // low half of the HPET's capability register: vendor, legacy route, timers, revision
  bool keyboard = true;  // i8042 with keyboard and mouse
  bool vga = false;
  bool dma = false;  // 8237A pair
  bool fw_cfg = false;
  unsigned serial_ports = 1;
  u32 cpu_signature = 0;  // CPUID.1:EAX and EDX, for the MP table
  u32 cpu_features = 0;
  std::vector<PciInterrupt> pci_interrupts;
};

}  // namespace lapwing
