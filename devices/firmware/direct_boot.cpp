#include "devices/firmware/direct_boot.h"

#include <algorithm>
#include <array>

#include "devices/firmware/acpi_tables.h"
#include "devices/pci/i440fx.h"
#include "devices/pci/pci_bus.h"
#include "devices/pci/piix3.h"
#include "devices/pci/piix4_pm.h"

namespace lapwing {

namespace {

// ISA IRQ of PIRQA-PIRQD.
constexpr u8 kPirqIrqs[Piix3::kPirqs] = {10, 10, 11, 11};
constexpr u64 kFirstIoBar = 0xC000;
constexpr u16 kIdeDevice = 0x7010;

// Code in the BIOS segment that the interrupt vectors point to: IRET at the place where PC BIOSes have had
// it, EOI to the master, EOI to both.
constexpr u32 kBiosSegment = 0xF000;
constexpr u32 kIretStub = 0xFF53;
constexpr u32 kMasterStub = 0xFEA5;
constexpr u32 kSlaveStub = 0xFEB0;
constexpr u8 kIretCode[] = {0xCF};
// push ax; mov al, 0x20; out 0x20, al; pop ax; iret
constexpr u8 kMasterCode[] = {0x50, 0xB0, 0x20, 0xE6, 0x20, 0x58, 0xCF};
// push ax; mov al, 0x20; out 0xA0, al; out 0x20, al; pop ax; iret
constexpr u8 kSlaveCode[] = {0x50, 0xB0, 0x20, 0xE6, 0xA0, 0xE6, 0x20, 0x58, 0xCF};
constexpr unsigned kMasterVector = 0x08;
constexpr unsigned kSlaveVector = 0x70;

void put_code(PhysicalMemory& memory, u32 offset, std::span<const u8> code) {
  ASSERT(memory.write_ram(kBiosArea + offset, code.data(), code.size()));
}

void fill_vectors(PhysicalMemory& memory) {
  put_code(memory, kIretStub, kIretCode);
  put_code(memory, kMasterStub, kMasterCode);
  put_code(memory, kSlaveStub, kSlaveCode);
  for (unsigned vector = 0; vector < 256; ++vector) {
    const u32 stub = vector - kMasterVector < 8  ? kMasterStub
                     : vector - kSlaveVector < 8 ? kSlaveStub
                                                 : kIretStub;
    memory.write(kIvtAddress + vector * 4, (kBiosSegment << 16) | stub, 4);
  }
}

// BIOS data area: what firmware, DOS-like guests and Linux read.
void fill_bda(PhysicalMemory& memory, const Platform& platform) {
  constexpr u16 kComPorts[] = {0x3F8, 0x2F8, 0x3E8, 0x2E8};
  constexpr u16 kEquipmentFpu = 1 << 1;
  constexpr u16 kEquipmentMouse = 1 << 2;
  constexpr u16 kEquipmentColour80 = 2 << 4;
  const auto put = [&](u64 offset, u64 value, unsigned size) {
    memory.write(kBdaAddress + offset, value, size);
  };
  for (unsigned i = 0; i < platform.serial_ports; ++i) put(i * 2, kComPorts[i], 2);
  put(0x0E, kEbdaAddress >> 4, 2);
  put(0x10,
      kEquipmentFpu | (platform.keyboard ? kEquipmentMouse : 0u) | (platform.vga ? kEquipmentColour80 : 0u) |
          (platform.serial_ports << 9),
      2);
  put(0x13, kEbdaAddress / 1024, 2);
  put(0x1A, 0x1E, 2);  // keyboard buffer: head, tail, then start and end
  put(0x1C, 0x1E, 2);
  put(0x80, 0x1E, 2);
  put(0x82, 0x3E, 2);
  put(0x96, 0x10, 1);  // 101-key keyboard
  memory.write(kEbdaAddress, (kConventionalTop - kEbdaAddress) / 1024, 1);
  if (!platform.vga) return;
  put(0x49, 3, 1);  // video mode, columns, page size, CRTC port, rows - 1, character height
  put(0x4A, 80, 2);
  put(0x4C, 0x1000, 2);
  put(0x63, 0x3D4, 2);
  put(0x84, 24, 1);
  put(0x85, 16, 2);
}

void initialize_chips(PhysicalMemory& memory, PortSpace& ports, const Platform& platform) {
  struct PortWrite {
    u16 port;
    u8 value;
  };
  constexpr PortWrite kWrites[] = {
      {0x20, 0x11},  {0x21, kMasterVector}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0xB8},  // ICW1-4, mask
      {0xA0, 0x11},  {0xA1, kSlaveVector},  {0xA1, 0x02}, {0xA1, 0x01}, {0xA1, 0x8E},
      {0x4D0, 0x00}, {0x4D1, 0x0C},                        // ELCR: 10 and 11 are level-triggered
      {0x43, 0x34},  {0x40, 0x00},          {0x40, 0x00},  // channel 0: low and high byte, mode 2
  };
  for (const PortWrite& write : kWrites) ports.port_out(write.port, write.value, 1);
  if (!platform.apic) return;
  constexpr u64 kIoapicData = kIoapicBase + 0x10;
  memory.write(kIoapicBase, 0, 4);
  memory.write(kIoapicData, u32{platform.ioapic_id} << 24, 4);
}

// PAM0 has its nibble for F0000 above.
constexpr u32 kReadOnly = 1;
constexpr u32 kReadWrite = 3;
void set_pam(PciBus& pci, u32 attributes) {
  pci.config_write(0, 0, I440fx::kPam0, attributes << 4, 1);
  for (unsigned i = 1; i < I440fx::kPamRegisters; ++i) {
    pci.config_write(0, 0, static_cast<u8>(I440fx::kPam0 + i), attributes * 0x11, 1);
  }
}

struct Bar {
  PciDevice* device;
  u8 offset;
  bool io;
  bool wide;
  u64 size;
  std::size_t number;  // in the order of slots
};

// Finds the BARs of a function by writing ones to them.
void find_bars(PciDevice& device, std::vector<Bar>& bars) {
  for (unsigned i = 0; i < pci::kBars; ++i) {
    const auto offset = static_cast<u8>(pci::kBar0 + i * 4);
    device.config_write(offset, 0xFFFFFFFF, 4);
    const u32 value = device.config_read(offset, 4);
    device.config_write(offset, 0, 4);
    const bool io = (value & pci::kBarIo) != 0;
    const u32 mask = value & (io ? pci::kBarIoMask : pci::kBarMemoryMask);
    if (mask == 0) continue;
    const bool wide = !io && (value & pci::kBarMemory64) != 0;
    bars.push_back({&device, offset, io, wide, u64{~mask} + 1, bars.size()});
    if (wide) ++i;
  }
}

// Largest first, so that each is aligned to its size without gaps.
void assign_bars(std::vector<Bar>& bars) {
  std::sort(bars.begin(), bars.end(), [](const Bar& a, const Bar& b) {
    return a.size != b.size ? a.size > b.size : a.number < b.number;
  });
  u64 io = kFirstIoBar;
  u64 memory = kPciHoleBase;
  for (const Bar& bar : bars) {
    u64& next = bar.io ? io : memory;
    const u64 base = (next + bar.size - 1) & ~(bar.size - 1);
    if (base + bar.size > (bar.io ? 0x10000 : kPciHoleEnd)) continue;
    next = base + bar.size;
    bar.device->config_write(bar.offset, static_cast<u32>(base), 4);
    if (bar.wide) bar.device->config_write(static_cast<u8>(bar.offset + 4), 0, 4);
  }
}

void configure_chipset(PciBus& pci) {
  for (unsigned pirq = 0; pirq < Piix3::kPirqs; ++pirq) {
    pci.config_write(1, 0, static_cast<u8>(Piix3::kPirqRouteA + pirq), kPirqIrqs[pirq], 1);
  }
  pci.config_write(1, 3, pci::kInterruptLine, kSciIrq, 1);
  pci.config_write(1, 3, Piix4Pm::kPmBase, kPmBase | 1, 4);
  pci.config_write(1, 3, Piix4Pm::kPmRegMisc, 1, 1);
  pci.config_write(1, 3, Piix4Pm::kSmbBase, kSmbusBase | 1, 4);
  pci.config_write(1, 3, Piix4Pm::kSmbHostConfig, 0x09, 1);  // host enabled, IRQ 9
  if (pci.config_read(1, 1, pci::kDeviceId, 2) != kIdeDevice) return;
  pci.config_write(1, 1, 0x40, 0x8000, 2);  // IDETIM: both channels decode their ports
  pci.config_write(1, 1, 0x42, 0x8000, 2);
}

}  // namespace

std::vector<PciInterrupt> configure_pci(PciBus& pci) {
  std::vector<Bar> bars;
  std::vector<PciInterrupt> interrupts;
  for (unsigned slot = 0; slot < PciBus::kSlots; ++slot) {
    for (unsigned function = 0; function < PciBus::kFunctions; ++function) {
      PciDevice* device = pci.device(slot, function);
      if (device == nullptr) continue;
      find_bars(*device, bars);
      // The functions of slot 1 use ISA IRQs and the SCI.
      if (!device->has_interrupt_pin() || slot == 1) continue;
      const u8 irq = kPirqIrqs[Piix3::pirq_of(slot, device->interrupt_pin())];
      device->config_write(pci::kInterruptLine, irq, 1);
      const auto same = [&](const PciInterrupt& other) {
        return other.slot == slot && other.pin == device->interrupt_pin();
      };
      if (std::any_of(interrupts.begin(), interrupts.end(), same)) continue;
      interrupts.push_back({static_cast<u8>(slot), device->interrupt_pin(), irq});
    }
  }
  assign_bars(bars);
  configure_chipset(pci);
  for (unsigned slot = 0; slot < PciBus::kSlots; ++slot) {
    for (unsigned function = 0; function < PciBus::kFunctions; ++function) {
      const u32 command = pci.config_read(slot, function, pci::kCommand, 2);
      const u32 enable = pci::kCommandIo | pci::kCommandMemory | pci::kCommandSerr;
      pci.config_write(slot, function, pci::kCommand, command | enable, 2);
    }
  }
  return interrupts;
}

void prepare_chips(PhysicalMemory& memory, PortSpace& ports, PciBus& pci, const Platform& platform) {
  configure_pci(pci);
  initialize_chips(memory, ports, platform);
  set_pam(pci, kReadOnly);
}

void prepare_direct_boot(PhysicalMemory& memory, PortSpace& ports, PciBus& pci, const MemoryMap& map,
                         Platform& platform) {
  set_pam(pci, kReadWrite);
  platform.pci_interrupts = configure_pci(pci);
  initialize_chips(memory, ports, platform);
  fill_vectors(memory);
  fill_bda(memory, platform);
  install_firmware_tables(memory, map, platform);
  set_pam(pci, kReadOnly);
}

// MTRRs as SeaBIOS programs them (SDM vol. 3, "Memory Type Range Registers"): write-back by default, the VGA
// window and everything from the PCI hole up to 4 GiB uncacheable, the ROM area write-protected.
std::span<const BootMsr> boot_msrs() {
  constexpr u64 kWriteBack = 0x0606060606060606ull;
  constexpr u64 kWriteProtected = 0x0505050505050505ull;
  constexpr u64 kAddressMask = (1ull << kPhysicalAddressBits) - 1;
  constexpr u64 kValid = 1 << 11;
  static constexpr BootMsr kMsrs[] = {
      {0x250, kWriteBack},       // FIX64K_00000
      {0x258, kWriteBack},       // FIX16K_80000
      {0x259, 0},                // FIX16K_A0000
      {0x268, kWriteProtected},  // FIX4K_C0000 ... F8000
      {0x269, kWriteProtected},
      {0x26A, kWriteProtected},
      {0x26B, kWriteProtected},
      {0x26C, kWriteProtected},
      {0x26D, kWriteProtected},
      {0x26E, kWriteProtected},
      {0x26F, kWriteProtected},
      {0x200, kPciHoleBase},                                              // PHYSBASE0, uncacheable
      {0x201, (~(kFourGiB - kPciHoleBase - 1) & kAddressMask) | kValid},  // PHYSMASK0
      {0x2FF, 0xC06},  // DEF_TYPE: enabled, fixed enabled, write-back
  };
  return kMsrs;
}

std::span<const BootApicRegister> boot_apic_registers() {
  static constexpr BootApicRegister kRegisters[] = {
      {0x0F0, 0x1FF},   // SVR: enabled
      {0x350, 0x8700},  // LINT0: ExtINT, level
      {0x360, 0x8400},  // LINT1: NMI, level
  };
  return kRegisters;
}

}  // namespace lapwing
