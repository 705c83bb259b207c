// IA-PC HPET (High Precision Event Timers) specification, revision 1.0a. 64-bit main counter of 14.31818 MHz
// (as in ICH: Linux's drivers take 128 ticks for longer than a few register accesses), 3 to 8 comparators,
// all periodic-capable, 64 bits wide and able to deliver by FSB message; legacy replacement route.
//
// The counter is computed from virtual time; a comparator is a timer only while its match can be seen.
// Edge-triggered comparators hold their line high and take it low for an instant before each edge, so that an
// 8259A (whose edge requests must stay high until INTA) sees them too. In FSB mode the interrupt type is
// taken as edge. A comparator written with the counter's very value matches at once.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "devices/device.h"
#include "devices/irq.h"

namespace lapwing {

class Hpet final : public Device, public MmioDevice {
 public:
  static constexpr u64 kBase = 0xFED00000;
  static constexpr u64 kWindowSize = 0x400;
  static constexpr u64 kFemtosecondsPerTick = 69'841'279;
  static constexpr unsigned kMaxComparators = 8;
  // ISA lines that the legacy replacement route takes over.
  static constexpr unsigned kLegacyTimerLine = 0;
  static constexpr unsigned kLegacyRtcLine = 8;

  // `lines` gets the comparators' lines (n = GSI n); `legacy_lines` what passes from legacy_input(). Both are
  // sources of the GSI router.
  Hpet(Clock& clock, IrqTrace& trace, LineSink& lines, LineSink& legacy_lines, MessageSink& messages,
       unsigned comparators = 3);

  // Ticks completed after `ns`, and the first nanosecond at which `ticks` are complete.
  static u64 ticks_after(u64 ns);
  static u64 ns_of(u64 ticks);

  // Where the PIT (line 0) and the RTC (line 8) are connected: they pass while legacy replacement is off.
  LineSink& legacy_input() { return legacy_; }
  // Low half of GCAP_ID, as the ACPI HPET table repeats it.
  u32 block_id() const;

  u64 mmio_read(u64 offset, unsigned size) override;
  void mmio_write(u64 offset, u64 value, unsigned size) override;

  std::string_view name() const override { return "hpet"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

 private:
  // Stands between the PIT and RTC and their interrupt lines.
  class LegacyGate final : public LineSink {
   public:
    explicit LegacyGate(LineSink& out) : out_(out) {}
    void set_line(unsigned line, bool level, CauseId cause) override;
    void block(bool blocked);

    LineSink& out_;
    bool blocked_ = false;
    u32 levels_ = 0;
    std::array<CauseId, 16> causes_{};
  };

  struct Comparator {
    explicit Comparator(Hpet& hpet, unsigned index);
    u64 config = 0;
    u64 value = 0;
    u64 period = 0;
    u64 fsb = 0;
    u64 considered = 0;  // counts before this one have been compared
    bool edge_high = false;
    CauseId cause = 0;
    Timer timer;
  };

  u64 counter() const;
  bool enabled() const;
  bool legacy_route() const;
  u64 capabilities() const;
  u64 route_capability(unsigned index) const;
  u64 width_mask(const Comparator& comparator) const;
  // GSI of a comparator, kNoLine when it has none.
  unsigned line_of(unsigned index) const;
  // Compares up to now, advancing a periodic comparator; signals what matched.
  void settle(unsigned index);
  void settle_all();
  void signal(unsigned index);
  void rearm(unsigned index);
  void rearm_all();
  u64 next_match_ns(const Comparator& comparator) const;
  void update_lines();

  u64 read_register(u64 offset) const;
  void write_register(u64 offset, u64 value, u64 mask);
  void write_config(u64 value);
  void write_comparator_register(unsigned index, u64 offset, u64 value, u64 mask);
  void write_timer_config(unsigned index, u64 value);
  void write_comparator(Comparator& comparator, u64 value, u64 mask);

  Clock& clock_;
  IrqTrace& trace_;
  LineSink& lines_out_;
  MessageSink& messages_;
  LegacyGate legacy_;
  std::vector<std::unique_ptr<Comparator>> comparators_;
  u64 config_ = 0;
  u32 status_ = 0;
  u64 counter_base_ = 0;  // the counter when it was started or last written
  u64 start_ns_ = 0;
  u32 lines_ = 0;  // levels last driven
  std::array<CauseId, 32> line_causes_{};
};

}  // namespace lapwing
