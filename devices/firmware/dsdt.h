// The Differentiated System Description Table: the PC's devices in AML (ACPI specification 6.4, chapters 5, 6
// and 19).
//
// PCI interrupts: _PRT names the link devices LNKA-LNKD for PIC mode and APIC mode alike, as on QEMU's pc. A
// link programs PIRQ route control 0x60-0x63 of the PIIX3 to ISA IRQ 5, 10 or 11; in APIC mode the same line
// is GSI 5, 10 or 11, that is IOAPIC pin 5, 10 or 11, level-triggered and active high as the MADT's overrides
// say. IOAPIC pins 16-23 carry no PCI interrupt. LNKS is the SCI, hard-wired to IRQ 9. Unsupported: S1, S2,
// CPU and memory hot-plug, thermal zones, general-purpose events.
#pragma once

#include "devices/firmware/aml.h"
#include "devices/firmware/platform.h"

namespace lapwing {

// The table's body, without the 36-byte header.
aml::Aml make_dsdt_body(const Platform& platform);

}  // namespace lapwing
