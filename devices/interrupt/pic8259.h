// The PC's two cascaded 8259A programmable interrupt controllers with their edge/level control registers.
// Intel 8259A data sheet (ICW, OCW, priority, poll); Intel PIIX/ICH data sheets, "ELCR1/ELCR2" (0x4D0,
// 0x4D1). Ports: master 0x20/0x21, slave 0xA0/0xA1, ELCR 0x4D0/0x4D1. The slave's INT feeds the master's IR2.
//
// INT is a latch, as the data sheet's "default IR7" asks: once a request has raised it, a device that
// withdraws its request does not lower it; the next INTA then finds nothing and yields IR7 of the chip
// without setting an ISR bit. Writes by software (masks, EOI, initialization) evaluate it anew.
//
// Not modelled: MCS-80/85 vectoring (ICW4 bit 0 clear behaves as 8086 mode), buffered mode pins, ICW1's LTIM
// bit (the PC chip sets replace it by the ELCRs).
#pragma once

#include <array>

#include "devices/device.h"
#include "devices/interrupt/apic_bus.h"
#include "devices/irq.h"

namespace lapwing {

class Pic8259Pair final : public Device, public PortDevice, public LineSink, public InterruptAcknowledge {
 public:
  static constexpr u16 kMasterPort = 0x20;
  static constexpr u16 kSlavePort = 0xA0;
  static constexpr u16 kElcrPort = 0x4D0;
  static constexpr unsigned kPortsPerChip = 2;
  static constexpr unsigned kCascadeInput = 2;

  // `intr` gets the level of the master's INT as its line 0.
  Pic8259Pair(IrqTrace& trace, LineSink& intr);

  // Inputs 0-7 are the master's, 8-15 the slave's. Input 2 is the cascade and ignored here.
  void set_line(unsigned line, bool level, CauseId cause) override;
  // The two INTA cycles of the CPU.
  Acknowledged acknowledge() override;
  bool intr() const { return chips_[0].int_output; }

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  std::string_view name() const override { return "pic8259"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

  // For "why is this line not served": of input 0-15.
  bool requested(unsigned line) const { return bit_of(chips_[line / 8].irr(), line % 8); }
  bool masked(unsigned line) const { return bit_of(chips_[line / 8].imr, line % 8); }
  bool in_service(unsigned line) const { return bit_of(chips_[line / 8].isr, line % 8); }

 private:
  enum class Next : u8 { kOperation, kIcw2, kIcw3, kIcw4 };  // what a write with A0 = 1 means

  struct Chip {
    u8 lines = 0;    // input levels
    u8 latched = 0;  // edge sense latches
    u8 imr = 0;
    u8 isr = 0;
    u8 elcr = 0;
    u8 vector_base = 0;
    u8 icw3 = 0;
    u8 lowest = 7;  // input of lowest priority
    Next next = Next::kOperation;
    bool needs_icw4 = false;
    bool single = false;
    bool auto_eoi = false;
    bool rotate_in_auto_eoi = false;
    bool special_mask = false;
    bool special_fully_nested = false;
    bool read_isr = false;
    bool poll = false;
    bool int_output = false;
    std::array<CauseId, 8> irr_cause{};
    std::array<CauseId, 8> isr_cause{};

    // A level input requests while it is high, an edge input from its edge until INTA or until it falls.
    u8 irr() const { return static_cast<u8>((latched & ~elcr) | (lines & elcr)); }
    // 0 = highest.
    unsigned rank(unsigned input) const { return (input + 7u - lowest) & 7u; }
    unsigned input_of_rank(unsigned rank) const { return (lowest + 1u + rank) & 7u; }
    // Highest-priority set bit of `bits`, 8 if none.
    unsigned highest(u8 bits) const;
    // The input INTA would serve, 8 if none.
    unsigned deliverable() const;
  };

  static constexpr unsigned kNoInput = 8;

  void set_input(unsigned chip, unsigned input, bool level, CauseId cause);
  // Raises INT when something is deliverable; lowers it only when `may_lower`.
  void update(unsigned chip, bool may_lower);
  // After a write by software: INT follows what is deliverable now.
  void evaluate(unsigned chip);
  void drive_int(unsigned chip, bool level);
  // INTA or poll on one chip: the input served, or kNoInput.
  unsigned take(unsigned chip);
  void finish_auto_eoi(unsigned chip, unsigned input);
  void clear_isr(unsigned chip, unsigned input);
  Acknowledged spurious(unsigned chip, CauseId cause);

  void write_icw1(unsigned chip, u8 value);
  void write_ocw2(unsigned chip, u8 value);
  void write_ocw3(unsigned chip, u8 value);
  void write_data(unsigned chip, u8 value);
  u8 read_poll(unsigned chip);
  void trace(IrqEventKind kind, unsigned chip, unsigned input, CauseId cause, u16 vector = kNoVector);

  IrqTrace& trace_;
  LineSink& intr_;
  std::array<Chip, 2> chips_;
};

}  // namespace lapwing
