// 82C54 data sheet, mode by mode.
#include "devices/timer/pit8254.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

struct Pit {
  Clock clock;
  IrqTrace trace{clock};
  FakeLines lines;
  Pit8254 pit{clock, IrqPin(lines, 0, trace, DeviceId::kPit)};

  void out(u16 port, u8 value) { pit.port_write(port, value, 1); }
  u8 in(u16 port) { return static_cast<u8>(pit.port_read(port, 1)); }
  // Control word: counter, access LSB then MSB, mode; then the count.
  void program(unsigned counter, unsigned mode, unsigned count, bool bcd = false) {
    out(0x43, static_cast<u8>(counter << 6 | 0x30 | mode << 1 | (bcd ? 1 : 0)));
    write(counter, count);
  }
  void write(unsigned counter, unsigned count) {
    out(static_cast<u16>(0x40 + counter), static_cast<u8>(count));
    out(static_cast<u16>(0x40 + counter), static_cast<u8>(count >> 8));
  }
  // To the given input clock.
  void at(u64 tick) { advance_to(clock, PitRate::ns_of(tick)); }
  u64 now() const { return PitRate::ticks_at(clock.now_ns()); }
  void step(u64 ticks) { at(now() + ticks); }
  u16 count(unsigned counter) {
    out(0x43, static_cast<u8>(counter << 6));
    const auto port = static_cast<u16>(0x40 + counter);
    const u8 low = in(port);
    return static_cast<u16>(low | in(port) << 8);
  }
  u8 status(unsigned counter) {
    out(0x43, static_cast<u8>(0xE0 | 2u << counter));
    return in(static_cast<u16>(0x40 + counter));
  }
  bool output(unsigned counter) { return (status(counter) & 0x80) != 0; }
  bool null_count(unsigned counter) { return (status(counter) & 0x40) != 0; }
  void gate2(bool on) { out(0x61, on ? 1 : 0); }
};

}  // namespace

TEST_CASE("pit_rate_is_exact_over_days") {
  CHECK(PitRate::ticks_at(1'000'000'000) == 1'193'182);
  CHECK(PitRate::ticks_at(86'400ull * 30 * 1'000'000'000) == 1'193'182ull * 86'400 * 30);
  for (const u64 tick : {1ull, 2ull, 1'193'181ull, 1'193'183ull, 123'456'789'012ull}) {
    CHECK(PitRate::ticks_at(PitRate::ns_of(tick)) == tick);
    CHECK(PitRate::ticks_at(PitRate::ns_of(tick) - 1) == tick - 1);
  }
}

TEST_CASE("pit_mode_0_out_rises_n_plus_1_clocks_after_the_count") {
  Pit p;
  p.program(0, 0, 100);
  CHECK(!p.output(0));
  CHECK(p.null_count(0));
  p.step(1);
  CHECK(!p.null_count(0));
  CHECK(p.count(0) == 100);
  p.step(99);
  CHECK(p.count(0) == 1);
  CHECK(p.lines.rises[0] == 0);
  p.step(1);
  CHECK(p.lines.rises[0] == 1);
  p.step(10);
  CHECK(p.count(0) == 0xFFF6);  // goes on counting
  CHECK(p.clock.next_deadline() == kNever);
  p.out(0x40, 50);  // the first byte stops the counting and lowers OUT
  CHECK(!p.lines.levels[0]);
  p.step(1000);
  CHECK(p.lines.rises[0] == 1);
  p.out(0x40, 0);
  p.step(51);
  CHECK(p.lines.rises[0] == 2);
}

TEST_CASE("pit_mode_1_one_shot_is_triggered_and_retriggered_by_gate") {
  Pit p;
  p.gate2(false);
  p.program(2, 1, 10);
  CHECK(p.output(2));
  CHECK(p.null_count(2));
  p.step(50);
  CHECK(p.output(2));
  p.gate2(true);
  p.step(1);
  CHECK(!p.output(2));
  p.step(5);
  p.gate2(false);
  p.gate2(true);
  p.step(10);
  CHECK(!p.output(2));
  p.step(1);
  CHECK(p.output(2));
}

TEST_CASE("pit_mode_2_divides_and_takes_a_new_count_at_the_end_of_the_cycle") {
  Pit p;
  p.program(0, 2, 1000);
  const int before = p.lines.rises[0];
  const u64 start = p.now() + 1;
  p.at(start + 999);
  CHECK(!p.output(0));  // low while the count is 1
  CHECK(p.count(0) == 1);
  p.at(start + 10'000);
  CHECK(p.lines.rises[0] == before + 10);
  CHECK(p.count(0) == 1000);
  p.step(300);
  p.write(0, 500);
  CHECK(p.null_count(0));
  CHECK(p.count(0) == 700);
  p.at(start + 11'000);
  CHECK(!p.null_count(0));
  CHECK(p.count(0) == 500);
  p.at(start + 12'000);
  CHECK(p.lines.rises[0] == before + 13);
}

TEST_CASE("pit_mode_2_does_not_drift") {
  Pit p;
  p.program(0, 2, 11932);
  const int before = p.lines.rises[0];
  advance(p.clock, 600ull * 1'000'000'000);
  CHECK(p.lines.rises[0] - before == 1'193'182 * 600 / 11932);
}

TEST_CASE("pit_mode_3_square_wave_of_even_and_odd_counts") {
  Pit p;
  p.gate2(true);
  p.program(2, 3, 10);
  p.step(1);
  for (const int expected : {10, 8, 6, 4, 2, 10, 8, 6, 4, 2, 10}) {
    CHECK(p.count(2) == expected);
    p.step(1);
  }
  p.program(2, 3, 7);
  p.step(1);
  int high = 0;
  for (int i = 0; i < 70; ++i) {
    if (p.output(2)) ++high;
    CHECK(p.count(2) % 2 == 0);
    p.step(1);
  }
  CHECK(high == 40);  // (N+1)/2 of N
  p.program(2, 3, 10);
  p.step(3);
  p.write(2, 20);  // takes over after the half cycle
  p.step(3);
  CHECK(!p.output(2));
  CHECK(p.count(2) == 20);
  p.step(9);
  CHECK(!p.output(2));
  p.step(1);
  CHECK(p.output(2));
}

TEST_CASE("pit_gate_low_stops_modes_2_and_3_with_out_high_and_reloads_on_rise") {
  Pit p;
  p.gate2(true);
  p.program(2, 2, 100);
  p.step(31);
  p.gate2(false);
  CHECK(p.output(2));
  p.step(500);
  CHECK(p.count(2) == 70);
  p.gate2(true);
  p.step(1);
  CHECK(p.count(2) == 100);
}

TEST_CASE("pit_gate_low_suspends_mode_0") {
  Pit p;
  p.gate2(true);
  p.program(2, 0, 100);
  p.step(41);
  p.gate2(false);
  p.step(1000);
  CHECK(p.count(2) == 60);
  p.gate2(true);
  p.step(59);
  CHECK((p.in(0x61) & 0x20) == 0);
  p.step(1);
  CHECK((p.in(0x61) & 0x20) != 0);
}

TEST_CASE("pit_modes_4_and_5_strobe_low_for_one_clock") {
  Pit p;
  p.gate2(true);
  p.program(2, 4, 10);
  p.step(10);
  CHECK(p.output(2));
  p.step(1);
  CHECK(!p.output(2));
  p.step(1);
  CHECK(p.output(2));
  p.gate2(false);
  p.program(2, 5, 10);
  p.step(20);
  CHECK(p.output(2));
  p.gate2(true);
  p.step(11);
  CHECK(!p.output(2));
  p.step(1);
  CHECK(p.output(2));
  // Counter 0: the strobe's end is its edge.
  p.program(0, 4, 10);
  const int before = p.lines.rises[0];
  p.step(12);
  CHECK(p.lines.rises[0] == before + 1);
}

TEST_CASE("pit_bcd_counts_in_decades") {
  Pit p;
  p.program(0, 0, 0x1000, true);
  p.step(2);
  CHECK(p.count(0) == 0x0999);
  p.program(0, 2, 0, true);
  p.step(2);
  CHECK(p.count(0) == 0x9999);
}

TEST_CASE("pit_latches") {
  Pit p;
  p.program(0, 2, 1000);
  p.step(101);
  p.out(0x43, 0x00);
  p.step(50);
  p.out(0x43, 0x00);  // a second latch command is ignored
  CHECK((p.in(0x40) | p.in(0x40) << 8) == 900);
  CHECK((p.in(0x40) | p.in(0x40) << 8) == 850);  // live again
  p.out(0x43, 0xC2);                             // read-back: status and count of counter 0
  p.step(10);
  CHECK(p.in(0x40) == 0xB4);
  CHECK((p.in(0x40) | p.in(0x40) << 8) == 850);
  p.out(0x43, 0x14);  // access: LSB only
  p.out(0x40, 0x20);
  p.step(1);
  CHECK(p.in(0x40) == 0x20);
  p.out(0x43, 0x24);  // MSB only
  p.out(0x40, 0x20);
  p.step(1);
  CHECK(p.in(0x40) == 0x20);
  CHECK(p.in(0x43) == 0xFF);
}

TEST_CASE("pit_port_61_refresh_toggles_every_15_us") {
  Pit p;
  int toggles = 0;
  bool last = false;
  for (int i = 0; i < 1000; ++i) {
    advance(p.clock, 1000);
    const bool bit = (p.in(0x61) & 0x10) != 0;
    if (bit != last) ++toggles;
    last = bit;
  }
  CHECK(toggles == 66);
}

TEST_CASE("pit_restores_in_mid_count") {
  Pit p;
  p.program(0, 2, 1000);
  p.program(2, 3, 777);
  p.gate2(true);
  p.step(250);
  p.write(0, 300);
  Pit q;
  q.clock.jump_to(p.clock.now_ns());
  REQUIRE(restore(q.pit, saved(p.pit)));
  CHECK(saved(q.pit) == saved(p.pit));
  CHECK(q.clock.next_deadline() == p.clock.next_deadline());
  p.step(12'345);
  q.step(12'345);
  CHECK(p.count(0) == q.count(0));
  CHECK(p.count(2) == q.count(2));
}
