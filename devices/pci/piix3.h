// Intel 82371SB PIIX3, function 0 (PCI to ISA bridge), 00:01.0, 8086:7000: PIRQ routing of the INTx pins to
// ISA IRQs and the reset control register 0xCF9. Intel 82371FB/82371SB data sheet (290550), sections 2.2
// and 2.5.
//
// The pins of slot s, pin p reach PIRQ ((p + s - 1) mod 4), as the board wires them. A PIRQ that is routed
// drives its ISA IRQ as a level; PIRQs on the same IRQ are OR-ed. Reserved route values drive nothing. A line
// belongs to the journey of its first raiser; when that one lets go, to the next one's.
// Unsupported: MIRQ, APIC chip select, X-bus chip selects, SMI, USB (registers read back).
#pragma once

#include <functional>

#include "devices/pci/pci_device.h"

namespace lapwing {

// What a write to the reset control register asks for.
enum class ResetRequest : u8 { kSoft, kHard };

class Piix3 final : public PciDevice, public LineSink, public PortDevice {
 public:
  enum Reg : u8 { kPirqRouteA = 0x60 };
  static constexpr unsigned kPirqs = 4;
  static constexpr unsigned kIrqs = 16;

  // `isa` gets the level of ISA IRQ n as its line n.
  Piix3(PciBus& bus, LineSink& isa, std::function<void(ResetRequest)> reset);

  // PIRQ of an INTx pin, and the ISA IRQ it is routed to (kIrqs when none).
  static unsigned pirq_of(unsigned slot, unsigned pin) { return (pin + slot + 3) % kPirqs; }
  unsigned irq_of(unsigned pirq) const;
  bool pirq_level(unsigned pirq) const { return pins_[pirq] != 0; }

  // INTx pins: line = slot * 4 + pin.
  void set_line(unsigned line, bool level, CauseId cause) override;

  // Reset control register, 0xCF9.
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  std::string_view name() const override { return "piix3"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

 protected:
  void config_changed(u8 offset, unsigned size) override;

 private:
  void update();
  void drive(unsigned irq, bool level, CauseId holder);
  // The journey that an IRQ belongs to; 0 when nobody asserts it.
  CauseId holder_of(unsigned irq) const;

  LineSink& isa_;
  std::function<void(ResetRequest)> reset_request_;
  std::array<u32, kPirqs> pins_{};  // per PIRQ: bit = slot whose pin is asserted
  static constexpr unsigned kSlots = 32;
  std::array<std::array<CauseId, kSlots>, kPirqs> causes_{};  // of the asserted pins
  std::array<CauseId, kIrqs> irq_causes_{};
  u16 irqs_ = 0;  // ISA IRQs that are driven high
  u8 reset_control_ = 0;
};

}  // namespace lapwing
