// IA-PC HPET specification 1.0a, chapter 2.
#include "devices/timer/hpet.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u64 kLevel = 1 << 1;
constexpr u64 kInterrupt = 1 << 2;
constexpr u64 kPeriodic = 1 << 3;
constexpr u64 kValueSet = 1 << 6;
constexpr u64 kMode32 = 1 << 8;
constexpr u64 kFsb = 1 << 14;

struct Machine {
  Clock clock;
  IrqTrace trace{clock};
  FakeLines lines;
  FakeLines legacy;
  FakeMessages messages;
  Hpet hpet{clock, trace, lines, legacy, messages};

  void write(u64 offset, u64 value, unsigned size = 8) { hpet.mmio_write(offset, value, size); }
  u64 read(u64 offset, unsigned size = 8) { return hpet.mmio_read(offset, size); }
  void timer(unsigned n, u64 config, u64 comparator) {
    write(0x100 + 0x20 * n, config);
    write(0x108 + 0x20 * n, comparator);
  }
  void ticks(u64 count) { advance(clock, Hpet::ns_of(count)); }
};

u64 route(unsigned line) {
  return static_cast<u64>(line) << 9;
}

}  // namespace

TEST_CASE("hpet_capabilities") {
  Machine m;
  CHECK(m.read(0) == 0x0429B17F8086A201ull);  // 69,841,279 fs, three timers, 64 bits, legacy
  CHECK(m.hpet.block_id() == 0x8086A201);
  CHECK(m.read(0x100, 4) == 0x8030);
  CHECK(m.read(0x104, 4) == 0x00F00000);
  m.write(0, 0);
  CHECK(m.read(4, 4) == 69'841'279);
}

TEST_CASE("hpet_counter_runs_only_while_enabled_and_is_written_only_while_halted") {
  Machine m;
  m.ticks(100);
  CHECK(m.read(0xF0) == 0);
  m.write(0xF0, 0xFFFFFFF0);
  m.write(0x10, 1);
  m.ticks(32);
  CHECK(m.read(0xF0) == 0x1'0000'0010);
  CHECK(m.read(0xF4, 4) == 1);
  m.write(0xF0, 0);
  CHECK(m.read(0xF0) == 0x1'0000'0010);
  m.write(0x10, 0);
  m.ticks(1000);
  CHECK(m.read(0xF0) == 0x1'0000'0010);
  m.write(0xF0, 7, 4);
  CHECK(m.read(0xF0) == 0x1'0000'0007);
}

TEST_CASE("hpet_one_shot_edge_fires_once_at_the_exact_tick") {
  Machine m;
  m.write(0x10, 1);
  m.timer(0, kInterrupt | route(20), 500);
  m.ticks(499);
  CHECK(m.lines.rises[20] == 0);
  m.ticks(1);
  CHECK(m.lines.rises[20] == 1);
  m.ticks(100'000);
  CHECK(m.lines.rises[20] == 1);
  CHECK(m.clock.next_deadline() == kNever);
  m.timer(0, kInterrupt | route(20), m.read(0xF0) + 10);
  m.ticks(10);
  CHECK(m.lines.rises[20] == 2);  // the line was taken low before
  m.write(0x100, route(20));
  CHECK(!m.lines.levels[20]);
}

TEST_CASE("hpet_32_bit_comparator_matches_again_at_each_wrap") {
  Machine m;
  m.write(0x10, 1);
  m.timer(1, kInterrupt | kMode32 | route(21), 0x9'0000'0064);
  CHECK(m.read(0x128) == 0x64);
  m.ticks(0x64);
  CHECK(m.lines.rises[21] == 1);
  m.ticks(0xFFFFFFFF);
  CHECK(m.lines.rises[21] == 1);
  m.ticks(1);
  CHECK(m.lines.rises[21] == 2);
}

TEST_CASE("hpet_periodic_accumulates_from_the_value_set_comparator") {
  Machine m;
  m.write(0x10, 1);
  m.write(0x100, kInterrupt | kPeriodic | kValueSet | route(20));
  m.write(0x108, 1000);  // accumulator
  m.write(0x108, 300);   // period
  CHECK((m.read(0x100) & kValueSet) == 0);
  m.ticks(999);
  CHECK(m.lines.rises[20] == 0);
  m.ticks(1);
  CHECK(m.lines.rises[20] == 1);
  CHECK(m.read(0x108) == 1300);
  m.ticks(900);
  CHECK(m.lines.rises[20] == 4);
  // Silent while disabled, but the comparator goes on.
  m.write(0x100, kPeriodic | route(20));
  CHECK(m.clock.next_deadline() == kNever);
  m.ticks(650);
  CHECK(m.read(0x108) == 2800);
  CHECK(m.lines.rises[20] == 4);
}

TEST_CASE("hpet_level_sets_status_and_holds_the_line_until_cleared") {
  Machine m;
  m.write(0x10, 1);
  m.timer(2, kInterrupt | kLevel | route(11), 50);
  m.ticks(50);
  CHECK(m.lines.levels[11]);
  CHECK(m.read(0x20) == 4);
  m.write(0x20, 3);
  CHECK(m.lines.levels[11]);
  m.write(0x20, 4);
  CHECK(!m.lines.levels[11]);
  CHECK(m.read(0x20) == 0);
  // Status is set without interrupts too; enabling them shows it.
  m.timer(2, kLevel | route(11), m.read(0xF0) + 5);
  m.ticks(5);
  CHECK(!m.lines.levels[11]);
  m.write(0x140, kInterrupt | kLevel | route(11));
  CHECK(m.lines.levels[11]);
}

TEST_CASE("hpet_legacy_replacement_takes_irq0_and_irq8") {
  Machine m;
  m.hpet.legacy_input().set_line(0, true, 1);
  CHECK(m.legacy.levels[0]);
  m.write(0x10, 3);
  CHECK(!m.legacy.levels[0]);
  m.hpet.legacy_input().set_line(8, true, 1);
  CHECK(!m.legacy.levels[8]);
  m.timer(0, kInterrupt | route(20), m.read(0xF0) + 10);
  m.timer(1, kInterrupt, m.read(0xF0) + 20);
  m.ticks(30);
  CHECK(m.lines.rises[0] == 1);
  CHECK(m.lines.rises[8] == 1);
  CHECK(m.lines.rises[20] == 0);
  m.write(0x10, 1);
  CHECK(m.legacy.levels[0]);
  CHECK(m.legacy.levels[8]);
  CHECK(!m.lines.levels[8]);
}

TEST_CASE("hpet_fsb_delivery_sends_a_message") {
  Machine m;
  m.write(0x10, 1);
  m.write(0x110, 0xFEE0100000004055ull);
  m.timer(0, kInterrupt | kFsb | route(20), 10);
  m.ticks(10);
  REQUIRE(m.messages.sent.size() == 1);
  CHECK(m.messages.sent[0].address == 0xFEE01000);
  CHECK(m.messages.sent[0].data == 0x4055);
  CHECK(m.lines.rises[20] == 0);
}

TEST_CASE("hpet_ignores_unsupported_routes_and_widths") {
  Machine m;
  m.write(0x100, route(21));
  m.write(0x100, route(5));
  CHECK((m.read(0x100) & route(31)) == route(21));
  m.write(0x10, 1, 1);
  CHECK(m.read(0x10) == 0);
  CHECK(m.read(0x3F8) == 0);
}

TEST_CASE("hpet_restores_running") {
  Machine m;
  m.write(0x10, 1);
  m.write(0x100, kInterrupt | kPeriodic | kValueSet | route(20));
  m.write(0x108, 1000);
  m.write(0x108, 300);
  m.timer(2, kInterrupt | kLevel | route(11), 50);
  m.ticks(1500);
  Machine n;
  n.clock.jump_to(m.clock.now_ns());
  REQUIRE(restore(n.hpet, saved(m.hpet)));
  CHECK(saved(n.hpet) == saved(m.hpet));
  m.ticks(1000);
  n.ticks(1000);
  CHECK(n.read(0x108) == m.read(0x108));
  CHECK(n.lines.rises[20] == 4);  // at 1600, 1900, 2200, 2500
  CHECK(register_value(m.hpet, "GINTR_STA") == 4);
}

TEST_CASE("hpet_reset_stops_everything_and_gives_the_legacy_lines_back") {
  Machine m;
  m.hpet.legacy_input().set_line(0, true, 1);
  m.write(0x10, 3);
  m.timer(2, kInterrupt | kLevel | route(11), 50);
  m.ticks(60);
  CHECK(m.lines.levels[11]);
  m.hpet.reset();
  CHECK(!m.lines.levels[11]);
  CHECK(m.legacy.levels[0]);
  CHECK(m.clock.next_deadline() == kNever);
  CHECK(m.read(0x10) == 0);
  CHECK(m.read(0x20) == 0);
  CHECK(m.read(0xF0) == 0);
  CHECK(m.read(0x148) == ~0ull);
}
