// The state that SeaBIOS leaves to a boot loader on QEMU's pc, made without running a BIOS, for `-kernel`.
//
// Memory: interrupt vectors, BIOS data area, EBDA, ACPI and MP tables; PAM leaves C0000-FFFFF as
// write-protected RAM. PCI: every BAR has an address and is enabled, INTx pins have their IRQ (PIRQA, B: 10;
// PIRQC, D: 11; ELCR says level), PMBASE 0x600, SMBus 0x700. Chips: PIC initialized to vectors 0x08 and 0x70
// with masks 0xB8 and 0x8E, PIT channel 0 in mode 2 with count 65536, I/O APIC ID set. CPU 0: MTRRs, local
// APIC enabled with LINT0 = ExtINT and LINT1 = NMI. The other CPUs wait for SIPI. Unsupported: BIOS services.
// Every vector returns at once; those of hardware interrupts send the EOI first.
#pragma once

#include <span>
#include <vector>

#include "core/memory/physical.h"
#include "devices/firmware/memory_map.h"
#include "devices/firmware/platform.h"

namespace lapwing {

class PciBus;

// Puts the machine, which has just been reset, into that state; fills in platform.pci_interrupts. The loaders
// of linux_boot.h and multiboot.h come after it.
void prepare_direct_boot(PhysicalMemory& memory, PortSpace& ports, PciBus& pci, const MemoryMap& map,
                         Platform& platform);

// The chips' part of it: what firmware does when RAM is kept (resume from S3).
void prepare_chips(PhysicalMemory& memory, PortSpace& ports, PciBus& pci, const Platform& platform);

// Gives every BAR an address and every INTx pin its IRQ, as prepare_direct_boot() does.
std::vector<PciInterrupt> configure_pci(PciBus& pci);

// Registers of CPUs: MSRs of every CPU that runs, and the local APIC of CPU 0 (offset, value).
struct BootMsr {
  u32 index;
  u64 value;
};
struct BootApicRegister {
  u32 offset;
  u32 value;
};
std::span<const BootMsr> boot_msrs();
std::span<const BootApicRegister> boot_apic_registers();

}  // namespace lapwing
