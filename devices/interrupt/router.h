// The wiring between lines, messages and controllers.
//
// GsiRouter: global system interrupts (ACPI, "Global System Interrupts"). GSI n below 16 reaches PIC input n
// and I/O APIC pin n; ISA IRQ0 reaches I/O APIC pin 2 (the MADT's interrupt source override) and PIC input 0;
// GSI 2 reaches no PIC input (the cascade). From 16 up only I/O APICs. A line may have several sources: its
// level is their OR, and it belongs to the journey of the first raiser until that one lets go.
//
// MessageRouter: carries messages in MSI format and IPIs to local APICs (SDM vol. 3, "Determining IPI
// Destination", "Message Address Register Format"). Lowest priority goes to the acceptor of least PPR, on a
// tie to the lowest CPU number. Redirection hint with logical mode means lowest priority too.
#pragma once

#include <deque>
#include <vector>

#include "devices/device.h"
#include "devices/interrupt/apic_bus.h"
#include "devices/interrupt/ioapic.h"
#include "devices/interrupt/local_apic.h"
#include "devices/irq.h"

namespace lapwing {

class GsiRouter final : public Saveable {
 public:
  static constexpr unsigned kGsis = 64;
  static constexpr unsigned kIsaLines = 16;
  static constexpr unsigned kIsaTimerPin = 2;  // I/O APIC pin of ISA IRQ0

  // `pic` may be null.
  GsiRouter(LineSink* pic, IrqTrace& trace) : pic_(pic), trace_(trace) {}

  // The pins [gsi_base, gsi_base + 24) of an I/O APIC.
  void attach(IoApic& ioapic) { ioapics_.push_back(&ioapic); }
  // A new driver of GSI lines: its line n is GSI n. Drivers of one GSI are OR-ed. The reference stays valid.
  // Sources must be created in the same order on every start: they are saved by number.
  LineSink& new_source();
  bool level(unsigned gsi) const;

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  class Source final : public LineSink {
   public:
    explicit Source(GsiRouter& router) : router_(router) {}
    void set_line(unsigned line, bool level, CauseId cause) override;

    GsiRouter& router_;
    u64 levels_ = 0;
    std::array<CauseId, kGsis> causes_{};
  };

  void update(unsigned gsi);
  CauseId earliest(unsigned gsi) const;
  bool holds(unsigned gsi, CauseId cause) const;

  LineSink* pic_;
  IrqTrace& trace_;
  std::vector<IoApic*> ioapics_;
  std::deque<Source> sources_;
  std::array<CauseId, kGsis> holders_{};  // the journey that a high line belongs to
};

class MessageRouter final : public MessageSink, public ApicBus {
 public:
  explicit MessageRouter(IrqTrace& trace) : trace_(trace) {}

  // In the order of CPU numbers.
  void attach(LocalApic& apic) { apics_.push_back(&apic); }
  void attach(EoiSink& ioapic) { ioapics_.push_back(&ioapic); }

  bool send(const InterruptMessage& message) override;
  bool send_ipi(const InterprocessorInterrupt& ipi) override;
  void broadcast_eoi(u8 vector) override;

 private:
  // To every APIC for which `addressed` is true, or to the one of them that wins the arbitration.
  template <class Addressed>
  bool deliver(const ApicDelivery& delivery, bool lowest_priority, Addressed addressed);

  IrqTrace& trace_;
  std::vector<LocalApic*> apics_;
  std::vector<EoiSink*> ioapics_;
};

// The INT output of the 8259A pair: LINT0 of every CPU, and optionally an I/O APIC pin (pin 0 on a PC).
class PicOutput final : public LineSink {
 public:
  void attach(LocalApic& apic) { apics_.push_back(&apic); }
  void attach(IoApic& ioapic, unsigned pin) {
    ioapic_ = &ioapic;
    pin_ = pin;
  }
  void set_line(unsigned line, bool level, CauseId cause) override;

 private:
  std::vector<LocalApic*> apics_;
  IoApic* ioapic_ = nullptr;
  unsigned pin_ = 0;
};

}  // namespace lapwing
