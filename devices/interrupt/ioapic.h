// I/O APIC. Intel 82093AA data sheet (registers, redirection table) with the EOI register and version 0x20 of
// the ICH data sheets ("I/O APIC", IND/DAT/EOIR). One object per chip; a machine may have several at other
// GSI bases.
//
// A pin gets the level "asserted" of its wire. Wires of PCI interrupts (pins 16 up on a PC) are active low,
// the ISA ones active high; `active_low_pins` says so per pin. A redirection entry whose polarity disagrees
// with the wire sees the inverse, as on hardware. Edge-triggered: the asserting edge of an unmasked pin sends
// one message; an edge at a masked pin is lost. Level-triggered: a message is sent while the pin is asserted,
// unmasked and remote IRR is clear, and again after EOI. NMI, SMI, INIT and ExtINT entries are always
// edge-triggered. Delivery status reads 1 only while a level message waits because no local APIC accepted it.
// The arbitration ID is a copy of the ID, loaded when the ID is written.
#pragma once

#include <array>

#include "devices/device.h"
#include "devices/interrupt/apic_bus.h"
#include "devices/irq.h"

namespace lapwing {

struct IoApicConfig {
  u8 instance = 0;
  u8 id = 0;
  unsigned gsi_base = 0;
  u64 base = 0xFEC00000;
  u32 active_low_pins = 0x00FF0000;
};

class IoApic final : public Device, public MmioDevice, public LineSink, public EoiSink {
 public:
  static constexpr unsigned kPins = 24;
  static constexpr u8 kVersion = 0x20;
  static constexpr u64 kWindowSize = 0x1000;

  IoApic(const IoApicConfig& config, IrqTrace& trace, MessageSink& messages);

  const IoApicConfig& config() const { return config_; }

  // `line` is the pin, 0-23.
  void set_line(unsigned line, bool level, CauseId cause) override;
  void eoi_broadcast(u8 vector) override;

  u64 mmio_read(u64 offset, unsigned size) override;
  void mmio_write(u64 offset, u64 value, unsigned size) override;

  std::string_view name() const override { return config_.instance == 0 ? "ioapic" : "ioapic1"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

  // For "why is this line not served".
  u64 redirection(unsigned pin) const { return visible_entry(pin); }
  bool asserted(unsigned pin) const { return bit_of(lines_, pin); }

 private:
  bool pin_active(unsigned pin) const;
  bool level_pin(unsigned pin) const;
  // The entry as software reads it, with delivery status.
  u64 visible_entry(unsigned pin) const;
  u32 read_register(u8 index) const;
  void write_register(u8 index, u32 value);
  void write_entry(unsigned pin, u64 entry);
  // Sends if the level rule asks for it.
  void service_level(unsigned pin);
  bool send(unsigned pin);
  void end_of_interrupt(u8 vector);
  void trace(IrqEventKind kind, unsigned pin, CauseId cause);

  IoApicConfig config_;
  IrqTrace& trace_;
  MessageSink& messages_;
  u8 select_ = 0;
  u8 id_ = 0;
  u8 arbitration_id_ = 0;
  u32 lines_ = 0;
  std::array<u64, kPins> entries_{};
  std::array<CauseId, kPins> cause_{};      // of the line
  std::array<CauseId, kPins> delivered_{};  // of the last message
};

}  // namespace lapwing
