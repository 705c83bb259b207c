// ACPI fixed hardware: PM1 blocks, PM timer, GPE0, SCI.
#include "devices/timer/acpi_pm.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u16 kBase = 0x600;

struct Power {
  Clock clock;
  IrqTrace trace{clock};
  FakeLines lines;
  PortBus bus{clock, trace};
  AcpiPm pm;

  explicit Power(const AcpiPmConfig& config = {})
      : pm(clock, IrqPin(lines, 9, trace, DeviceId::kAcpiPm), config) {
    REQUIRE(pm.map(bus, kBase).ok());
  }
  u32 in(unsigned offset, unsigned size = 2) { return pm.port_read(static_cast<u16>(kBase + offset), size); }
  void out(unsigned offset, u32 value, unsigned size = 2) {
    pm.port_write(static_cast<u16>(kBase + offset), value, size);
  }
};

}  // namespace

TEST_CASE("pm_timer_counts_at_3579545_hz_in_24_or_32_bits") {
  Power p;
  advance_to(p.clock, 1'000'000'000);
  CHECK(p.in(8, 4) == 3'579'545);
  advance_to(p.clock, 100'000'000'000);
  CHECK(p.in(8, 4) == (357'954'500 & 0xFFFFFF));
  Power wide({.timer_32bit = true});
  advance_to(wide.clock, 100'000'000'000);
  CHECK(wide.in(8, 4) == 357'954'500);
}

TEST_CASE("pm_timer_status_is_set_when_the_top_bit_changes_and_raises_sci_when_enabled") {
  Power p;
  CHECK(p.clock.next_deadline() == kNever);
  const u64 half = PmTimerRate::ns_of(1u << 23);
  advance_to(p.clock, half - 1);
  CHECK(p.in(0) == 0);
  advance_to(p.clock, half);
  CHECK(p.in(0) == 1);
  p.out(0, 1);
  CHECK(p.in(0) == 0);
  p.pm.set_acpi_mode(true);
  p.out(2, 1);
  CHECK(!p.lines.levels[9]);
  advance_to(p.clock, PmTimerRate::ns_of(2u << 23));
  CHECK(p.lines.levels[9]);
  p.out(0, 1);
  CHECK(!p.lines.levels[9]);
}

TEST_CASE("pm1_events_need_enable_and_sci_enable") {
  Power p;
  p.pm.press_power_button();
  CHECK(p.in(0) == 0x100);
  p.out(2, 0xFFFF);
  CHECK(p.in(2) == 0x721);
  CHECK(!p.lines.levels[9]);
  p.pm.set_acpi_mode(true);
  CHECK((p.in(4) & 1) == 1);
  CHECK(p.lines.levels[9]);
  p.out(0, 0x01, 1);
  CHECK(p.lines.levels[9]);
  p.out(1, 0x01, 1);  // the high byte clears PWRBTN_STS
  CHECK(!p.lines.levels[9]);
  p.pm.rtc_alarm();
  CHECK(p.lines.levels[9]);
  p.pm.set_acpi_mode(false);
  CHECK(!p.lines.levels[9]);
}

TEST_CASE("pm1_control_sleep_calls_once_with_the_type") {
  Power p;
  std::vector<u8> sleeps;
  p.pm.on_sleep([&](u8 type) { sleeps.push_back(type); });
  p.out(4, 5 << 10);
  CHECK(sleeps.empty());
  p.out(4, 5 << 10 | 1 << 13);
  CHECK(sleeps == std::vector<u8>{5});
  CHECK(p.in(4) == 5 << 10);  // SLP_EN is write-only
}

TEST_CASE("gpe_status_follows_a_level_until_it_is_gone") {
  Power p;
  p.pm.set_acpi_mode(true);
  p.out(0x0E, 0x0002);
  p.pm.set_gpe(1, true);
  CHECK(p.lines.levels[9]);
  p.out(0x0C, 0x0002);
  CHECK(p.lines.levels[9]);
  p.pm.set_gpe(1, false);
  p.out(0x0C, 0x0002);
  CHECK(!p.lines.levels[9]);
  p.pm.set_gpe(40, true);
  CHECK(p.in(0x0C, 4) == 0x00020000);
}

TEST_CASE("pm_block_moves_and_reads_at_any_width") {
  Power p;
  REQUIRE(p.pm.map(p.bus, 0xB000).ok());
  CHECK(p.bus.owner(0x600).empty());
  advance_to(p.clock, 1'000'000'000);
  CHECK(p.bus.port_in(0xB008, 4) == 3'579'545);
  CHECK(p.bus.port_in(0xB030, 4) == 0);
  CHECK(p.bus.port_in(0x0608, 4) == 0xFFFFFFFF);
  REQUIRE(p.pm.map(p.bus, 0).ok());
  CHECK(p.bus.port_in(0xB008, 4) == 0xFFFFFFFF);
}

TEST_CASE("pm_restores") {
  Power p;
  p.pm.set_acpi_mode(true);
  p.out(2, 0x101);
  advance_to(p.clock, 3'000'000'000);
  Power q;
  q.clock.jump_to(p.clock.now_ns());
  REQUIRE(restore(q.pm, saved(p.pm)));
  CHECK(saved(q.pm) == saved(p.pm));
  CHECK(q.in(0) == p.in(0));
  CHECK(register_value(p.pm, "PM1a_STS") == 1);
}
