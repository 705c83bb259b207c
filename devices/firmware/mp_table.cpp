// MultiProcessor Specification 1.4, chapter 4: floating pointer structure and configuration table.
#include "devices/firmware/acpi_tables.h"
#include "devices/firmware/table_bytes.h"

namespace lapwing {

namespace {

constexpr u8 kSpecRevision = 4;  // 1.4
constexpr std::size_t kPointerSize = 16;
constexpr u8 kPciBus = 0;
constexpr u8 kIsaBus = 1;

enum EntryType : u8 { kProcessor = 0, kBus = 1, kIoapic = 2, kIoInterrupt = 3, kLocalInterrupt = 4 };
enum InterruptType : u8 { kInt = 0, kNmi = 1, kExtInt = 3 };
constexpr u16 kConforms = 0;
constexpr u16 kActiveHigh = 1;  // polarity; the trigger mode conforms to the bus (PCI: level)
constexpr u16 kActiveHighLevel = 0x000D;

class ConfigTable {
 public:
  explicit ConfigTable(const Platform& platform) : platform_(platform) {
    table_.add("PCMP").add(0, 2).add(kSpecRevision, 1).add(0, 1).add("LAPWING ").add("PC          ");
    table_.add(0, 4).add(0, 2).add(0, 2).add(kLocalApicBase, 4).add(0, 4);
  }

  std::vector<u8> make() {
    for (unsigned cpu = 0; cpu < platform_.cpus; ++cpu) add_processor(cpu);
    add_bus(kPciBus, "PCI   ");
    add_bus(kIsaBus, "ISA   ");
    entry(kIoapic).add(platform_.ioapic_id, 1).add(platform_.ioapic_version, 1).add(1, 1).add(kIoapicBase, 4);
    for (const PciInterrupt& source : platform_.pci_interrupts) {
      const auto source_irq = static_cast<u8>((source.slot << 2) | source.pin);
      add_interrupt(kInt, kActiveHigh, kPciBus, source_irq, source.irq);
    }
    for (u8 irq = 0; irq < 16; ++irq) add_isa_interrupt(irq);
    entry(kLocalInterrupt).add(kExtInt, 1).add(kConforms, 2).add(kIsaBus, 1).add(0, 1).add(0, 1).add(0, 1);
    entry(kLocalInterrupt).add(kNmi, 1).add(kConforms, 2).add(kIsaBus, 1).add(0, 1).add(0xFF, 1).add(1, 1);
    table_.set(4, table_.size(), 2);
    table_.set(34, entries_, 2);
    table_.set_checksum(7, 0, table_.size());
    return table_.bytes();
  }

 private:
  TableBytes& entry(EntryType type) {
    ++entries_;
    return table_.add(type, 1);
  }
  void add_processor(unsigned cpu) {
    const u8 flags = cpu == 0 ? 3 : 1;  // enabled, boot processor
    entry(kProcessor).add(cpu, 1).add(platform_.lapic_version, 1).add(flags, 1);
    table_.add(platform_.cpu_signature, 4).add(platform_.cpu_features, 4).add(0, 8);
  }
  void add_bus(u8 id, std::string_view name) { entry(kBus).add(id, 1).add(name); }
  void add_interrupt(InterruptType type, u16 flags, u8 bus, u8 irq, u8 pin) {
    entry(kIoInterrupt)
        .add(type, 1)
        .add(flags, 2)
        .add(bus, 1)
        .add(irq, 1)
        .add(platform_.ioapic_id, 1)
        .add(pin, 1);
  }
  // IRQ 0 is wired to pin 2, IRQ 2 is the PIC's cascade, and IRQs that carry PCI interrupts are not ISA's.
  void add_isa_interrupt(u8 irq) {
    for (const PciInterrupt& source : platform_.pci_interrupts) {
      if (source.irq == irq) return;
    }
    if (irq == 2) return;
    add_interrupt(kInt, irq == kSciIrq ? kActiveHighLevel : kConforms, kIsaBus, irq, irq == 0 ? u8{2} : irq);
  }

  const Platform& platform_;
  TableBytes table_;
  u32 entries_ = 0;
};

}  // namespace

std::vector<u8> make_mp_table(u64 base, const Platform& platform) {
  TableBytes table;
  table.add("_MP_").add(base + kPointerSize, 4).add(1, 1).add(kSpecRevision, 1).add(0, 1).add(0, 5);
  table.set_checksum(10, 0, kPointerSize);
  table.add(ConfigTable(platform).make());
  return table.bytes();
}

}  // namespace lapwing
