// Local APIC of one CPU, in xAPIC and x2APIC mode. Intel SDM vol. 3, "Advanced Programmable Interrupt
// Controller (APIC)" and "Extended XAPIC (x2APIC)". Version 0x14, seven LVT entries, EOI-broadcast
// suppression.
//
// LINT0 carries the INTR output of the 8259A pair (wired to every CPU; software unmasks it on one), LINT1 the
// NMI sources. While the APIC is disabled in IA32_APIC_BASE they are the CPU's INTR and NMI pins. ExtINT
// requests come before vectors of the IRR at INTA and are not held back by PPR. The timer input runs at
// kApicTimerHz; counts are computed from the clock, and a Timer is armed only while its expiry can be seen
// (LVT entry unmasked).
//
// Choices where the manual leaves room: APIC ID is writable in xAPIC mode (as on P6 and Pentium 4);
// arbitration priority (APR) reads as on P6; lowest-priority IPIs are supported; fixed IPIs are always
// edge-triggered; when TPR and ISRV have the same class, PPR's low bits are TPR's; a disabled and re-enabled
// APIC is in its reset state; pending vectors are still delivered while the APIC is software-disabled.
// Thermal, performance and CMCI entries fire only through fire_local().
#pragma once

#include <array>

#include "core/clock.h"
#include "devices/device.h"
#include "devices/interrupt/apic_bus.h"
#include "devices/irq.h"

namespace lapwing {

// Input of the APIC timer before its divider; CPUID leaf 15H must report the same crystal frequency.
constexpr u64 kApicTimerHz = 1'000'000'000;

struct LocalApicConfig {
  u8 cpu = 0;
  u32 id = 0;
  bool bootstrap = false;
  bool present = true;  // false: a CPU without APIC; its INTR and NMI pins are LINT0 and LINT1
  bool x2apic = true;
  bool tsc_deadline = true;
  u64 reserved_addresses = 0;  // bits of IA32_APIC_BASE beyond the CPU's MAXPHYADDR
};

// A set of vectors 0-255, as in ISR, IRR and TMR.
class VectorSet {
 public:
  bool test(u8 vector) const { return bit_of(words_[vector / 32], vector % 32); }
  void set(u8 vector, bool on) { words_[vector / 32] = with_bit(words_[vector / 32], vector % 32, on); }
  // Highest vector in the set, -1 if empty.
  int highest() const;
  u32 word(unsigned index) const { return words_[index]; }
  void set_word(unsigned index, u32 value) { words_[index] = value; }
  void clear() { words_ = {}; }

 private:
  std::array<u32, 8> words_{};
};

class LocalApic final : public Device, public InterruptUnit {
 public:
  enum class Mode : u8 { kDisabled, kXapic, kX2apic };
  // Entries of the local vector table, in the order of VER's "max LVT entry".
  enum class Lvt : u8 { kTimer, kThermal, kPerformance, kLint0, kLint1, kError, kCmci };
  static constexpr unsigned kLvtEntries = 7;

  LocalApic(const LocalApicConfig& config, Clock& clock, IrqTrace& trace, CpuPins& pins, ApicBus& bus,
            InterruptAcknowledge& pic);

  const LocalApicConfig& config() const { return config_; }
  Mode mode() const;

  // Levels of the LINT pins (0 or 1).
  void set_lint(unsigned pin, bool level, CauseId cause);
  // An event inside the processor: thermal, performance counter, corrected machine check.
  void fire_local(Lvt entry);

  // Does this APIC answer to a message for `destination`?
  bool matches(const ApicDestination& destination) const;
  // A message from the bus. False when refused (disabled, illegal vector).
  bool deliver(const ApicDelivery& delivery);
  // Takes part in lowest-priority arbitration, with this priority.
  bool accepts_fixed() const;
  u8 arbitration_priority() const { return processor_priority(); }

  // InterruptUnit
  Acknowledged acknowledge() override;
  u8 cr8() const override { return static_cast<u8>(tpr_ >> 4); }
  void set_cr8(u8 value) override;
  bool read_msr(u32 index, u64& value) override;
  bool write_msr(u32 index, u64 value) override;
  u64 mmio_page() const override;
  u64 mmio_read(u32 offset, unsigned size) override;
  void mmio_write(u32 offset, u64 value, unsigned size) override;
  bool send_ipi(u32 command, u32 apic_id) override;
  void init_reset() override;
  void set_tsc_offset(u64 offset) override;

  std::string_view name() const override { return "local_apic"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

  // For "why is this vector not served". No side effects.
  bool requested(u8 vector) const { return irr_.test(vector); }
  bool in_service(u8 vector) const { return isr_.test(vector); }
  u8 processor_priority() const;
  u32 lvt(Lvt entry) const { return lvt_[static_cast<std::size_t>(entry)]; }
  bool software_enabled() const;

 private:
  enum class Reg : u16;

  // Priority and delivery
  u32& entry(Lvt lvt) { return lvt_[static_cast<std::size_t>(lvt)]; }
  u32 lint_entry(unsigned pin) const { return lvt(pin == 0 ? Lvt::kLint0 : Lvt::kLint1); }
  bool lint_active(unsigned pin) const;
  bool lint_level_triggered(unsigned pin) const;
  void lint_edge(unsigned pin);
  void service_lint_level(unsigned pin);
  bool extint_pending() const;
  int deliverable_vector() const;
  void update_intr();
  bool accept_vector(u8 vector, bool level, CauseId cause);
  void fire_lvt(Lvt lvt, CauseId cause);
  void end_of_interrupt();
  void record_error(u32 bit);
  void trace(IrqEventKind kind, CauseId cause, u16 vector = kNoVector, u32 line = 0, u64 data = 0);

  // Registers
  bool read_register(Reg reg, u32& value) const;
  bool write_register(Reg reg, u32 value);
  void write_lvt(Lvt lvt, u32 value);
  u32 read_lvt(Lvt lvt) const;
  void write_svr(u32 value);
  void write_icr(u32 low, u32 destination);
  bool send(u32 command, const ApicDestination& destination);
  void write_tpr(u8 value);
  u32 logical_id() const;
  u8 p6_arbitration_priority() const;
  bool write_apic_base(u64 value);
  bool read_x2apic(Reg reg, u64& value) const;
  bool write_x2apic(Reg reg, u64 value);
  void clear_registers();

  // Timer
  enum class TimerMode : u8 { kOneShot = 0, kPeriodic = 1, kTscDeadline = 2, kReserved = 3 };
  TimerMode timer_mode() const;
  unsigned divide_shift() const;
  u32 current_count() const;
  u64 visible_tsc_deadline() const;
  u64 timer_deadline_ns() const;
  void settle_timer();
  void rearm_timer();
  void timer_expired(u64 deadline_ns);
  void write_initial_count(u32 value);
  void write_divide(u32 value);
  void write_tsc_deadline(u64 value);
  void change_timer_entry(u32 value);

  LocalApicConfig config_;
  Clock& clock_;
  IrqTrace& trace_;
  CpuPins& pins_;
  ApicBus& bus_;
  InterruptAcknowledge& pic_;
  Timer timer_;

  u64 apic_base_ = 0;
  u32 id_ = 0;
  u8 tpr_ = 0;
  u32 ldr_ = 0;
  u32 dfr_ = 0;
  u32 svr_ = 0;
  VectorSet isr_, tmr_, irr_;
  std::array<CauseId, 256> irr_cause_{};
  std::array<CauseId, 256> isr_cause_{};
  u32 esr_ = 0;     // as last latched
  u32 errors_ = 0;  // since then
  u32 icr_low_ = 0;
  u32 icr_high_ = 0;
  std::array<u32, kLvtEntries> lvt_{};
  u32 divide_ = 0;
  u32 initial_count_ = 0;
  u32 start_count_ = 0;  // the count at start_ns_, 0 = stopped
  u64 start_ns_ = 0;
  u64 tsc_deadline_ = 0;
  u64 tsc_offset_ = 0;
  std::array<bool, 2> lint_level_{};
  std::array<CauseId, 2> lint_cause_{};
  bool extint_message_ = false;  // an ExtINT message waits for INTA
  CauseId extint_cause_ = 0;
  bool intr_ = false;         // what the CPU was told last
  bool extint_seen_ = false;  // trace only: the ExtINT request was reported
};

}  // namespace lapwing
