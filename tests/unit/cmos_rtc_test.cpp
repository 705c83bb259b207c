// MC146818 data sheet.
#include "devices/timer/cmos_rtc.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u64 kSecond = 1'000'000'000;

struct Rtc {
  Clock clock;
  IrqTrace trace{clock};
  FakeLines lines;
  CmosRtc rtc;

  explicit Rtc(u64 start = kDefaultRtcStart) : rtc(clock, IrqPin(lines, 8, trace, DeviceId::kRtc), start) {}
  u8 get(u8 index) {
    rtc.port_write(0x70, index, 1);
    return static_cast<u8>(rtc.port_read(0x71, 1));
  }
  void set(u8 index, u8 value) {
    rtc.port_write(0x70, index, 1);
    rtc.port_write(0x71, value, 1);
  }
  // Year with century down to seconds, as the bytes read.
  std::vector<u8> time() { return {get(0x32), get(9), get(8), get(7), get(6), get(4), get(2), get(0)}; }
};

using Bytes = std::vector<u8>;

}  // namespace

TEST_CASE("rtc_starts_at_the_given_time_and_runs") {
  Rtc r;
  CHECK(r.time() == Bytes{0x20, 0x26, 0x01, 0x01, 5, 0x00, 0x00, 0x00});  // a Thursday
  advance(r.clock, 3725 * kSecond);
  CHECK(r.time() == Bytes{0x20, 0x26, 0x01, 0x01, 5, 0x01, 0x02, 0x05});
  CHECK(r.clock.next_deadline() == kNever);  // nobody enabled an interrupt
  CHECK(r.get(0x0D) == 0x80);
}

TEST_CASE("rtc_calendar_rolls_over") {
  Rtc leap(1'709'164'799);  // 2024-02-28 23:59:59, a Wednesday
  advance(leap.clock, kSecond);
  CHECK(leap.time() == Bytes{0x20, 0x24, 0x02, 0x29, 5, 0, 0, 0});
  advance(leap.clock, 86'400 * kSecond);
  CHECK(leap.time() == Bytes{0x20, 0x24, 0x03, 0x01, 6, 0, 0, 0});
  Rtc century(946'684'799);  // 1999-12-31 23:59:59
  advance(century.clock, kSecond);
  CHECK(century.time() == Bytes{0x20, 0x00, 0x01, 0x01, 7, 0, 0, 0});
}

TEST_CASE("rtc_binary_and_12_hour_formats") {
  Rtc r(kDefaultRtcStart + 13 * 3600);
  r.set(0x0B, 0x82);
  r.set(0x0B, 0x84);  // SET, binary, 12-hour: software writes the time again
  for (const auto& [index, value] :
       {std::pair<u8, u8>{4, 0x81}, {2, 59}, {0, 58}, {7, 31}, {8, 12}, {9, 99}}) {
    r.set(index, value);
  }
  r.set(0x32, 20);
  r.set(0x0B, 0x04);
  advance(r.clock, 2 * kSecond);
  CHECK(r.get(4) == 0x82);  // 2 PM
  CHECK(r.get(2) == 0);
  advance(r.clock, 10 * 3600 * kSecond);
  CHECK(r.get(4) == 12);  // midnight
  CHECK(r.get(9) == 0);
  CHECK(r.get(0x32) == 21);
}

TEST_CASE("rtc_set_bit_freezes_the_time_and_clears_uie") {
  Rtc r;
  r.set(0x0B, 0x12);
  r.set(0x0B, 0x92);
  CHECK(r.get(0x0B) == 0x82);
  advance(r.clock, 5 * kSecond);
  CHECK(r.get(0) == 0);
  CHECK((r.get(0x0C) & 0x10) == 0);
  r.set(0, 0x30);
  r.set(0x0B, 0x02);
  advance(r.clock, kSecond);
  CHECK(r.get(0) == 0x31);
}

TEST_CASE("rtc_update_in_progress_precedes_the_update") {
  Rtc r;
  advance(r.clock, kSecond - 2'228'001);
  CHECK(r.get(0x0A) == 0x26);
  advance(r.clock, 1);
  CHECK(r.get(0x0A) == 0xA6);
  CHECK(r.get(0) == 0);
  advance(r.clock, 2'228'000);
  CHECK(r.get(0x0A) == 0x26);
  CHECK(r.get(0) == 1);
  CHECK((r.get(0x0C) & 0x10) != 0);
}

TEST_CASE("rtc_divider_reset_holds_and_restarts_half_a_second_before_the_update") {
  Rtc r;
  advance(r.clock, 300'000'000);
  r.set(0x0A, 0x76);
  advance(r.clock, 10 * kSecond);
  CHECK(r.get(0) == 0);
  r.set(0x0A, 0x26);
  advance(r.clock, 499'999'999);
  CHECK(r.get(0) == 0);
  advance(r.clock, 1);
  CHECK(r.get(0) == 1);
}

TEST_CASE("rtc_periodic_interrupt_rate_and_acknowledge") {
  Rtc r;
  r.set(0x0B, 0x42);  // 1,024 Hz
  advance(r.clock, 976'562);
  CHECK(r.lines.rises[8] == 0);
  advance(r.clock, 1);
  CHECK(r.lines.levels[8]);
  CHECK(r.clock.next_deadline() == kNever);
  CHECK(r.get(0x0C) == 0xC0);
  CHECK(!r.lines.levels[8]);
  CHECK(r.get(0x0C) == 0);
  // Acknowledged each time, 1,024 come in a second: no drift.
  const int before = r.lines.rises[8];
  while (r.clock.next_deadline() <= kSecond) {
    advance_to(r.clock, r.clock.next_deadline());
    r.get(0x0C);
  }
  CHECK(r.lines.rises[8] - before == 1023);
  r.set(0x0A, 0x2F);
  r.get(0x0C);
  const int slow = r.lines.rises[8];
  advance(r.clock, kSecond / 2);
  CHECK(r.lines.rises[8] == slow + 1);
}

TEST_CASE("rtc_update_and_alarm_interrupts") {
  Rtc r;
  r.set(0x0B, 0x12);
  advance(r.clock, kSecond);
  CHECK(r.get(0x0C) == 0xD0);  // PF is set whether enabled or not
  r.set(0x0B, 0x22);
  SECTION("a full match") {
    r.set(1, 0x10);
    r.set(3, 0x02);
    r.set(5, 0x00);
    advance(r.clock, 128 * kSecond);
    CHECK(r.lines.rises[8] == 1);
    advance(r.clock, kSecond);
    CHECK(r.lines.rises[8] == 2);
    CHECK((r.get(0x0C) & 0xA0) == 0xA0);
    CHECK(r.clock.next_deadline() == (86'400 + 130) * kSecond);
  }
  SECTION("don't care in all three is once a second") {
    for (const u8 index : {u8{1}, u8{3}, u8{5}}) r.set(index, 0xC0);
    for (int i = 0; i < 5; ++i) {
      advance(r.clock, kSecond);
      CHECK((r.get(0x0C) & 0xA0) == 0xA0);
    }
  }
  SECTION("an impossible alarm never comes") {
    r.set(1, 0x77);
    CHECK(r.clock.next_deadline() == kNever);
  }
  SECTION("an alarm found late still sets AF") {
    r.set(0x0B, 0x02);
    r.set(1, 0xFF);
    r.set(3, 0x01);
    r.set(5, 0xFF);
    advance(r.clock, 3600 * kSecond);
    CHECK((r.get(0x0C) & 0x20) != 0);
  }
}

TEST_CASE("rtc_cmos_banks_and_nmi_mask") {
  Rtc r;
  r.rtc.set_byte(0x34, 0x5A);
  CHECK(r.get(0x34) == 0x5A);
  r.rtc.port_write(0x70, 0x8F, 1);
  CHECK(r.rtc.nmi_masked());
  r.rtc.port_write(0x71, 0x0A, 1);
  CHECK(r.rtc.byte(0x0F) == 0x0A);
  r.rtc.port_write(0x70, 0x0F, 1);
  CHECK(!r.rtc.nmi_masked());
  r.rtc.port_write(0x72, 0x05, 1);
  r.rtc.port_write(0x73, 0x77, 1);
  CHECK(r.rtc.byte(0x85) == 0x77);
  CHECK(r.rtc.port_read(0x73, 1) == 0x77);
}

TEST_CASE("rtc_reset_pin_keeps_time_and_clears_interrupts") {
  Rtc r;
  r.set(0x0B, 0x72);
  advance(r.clock, 5 * kSecond);
  r.rtc.reset();
  CHECK(r.get(0x0B) == 0x02);
  CHECK(r.get(0x0C) == 0);
  CHECK(r.get(0) == 5);
  CHECK(!r.lines.levels[8]);
}

TEST_CASE("rtc_looking_changes_nothing_and_restore_continues") {
  Rtc r;
  r.set(0x0B, 0x52);
  advance(r.clock, 2'500'000'000);
  const Bytes before = saved(r.rtc);
  CHECK(register_value(r.rtc, "seconds") == 2);
  CHECK(register_value(r.rtc, "C") == 0xD0);
  CHECK(saved(r.rtc) == before);
  Rtc q;
  q.clock.jump_to(r.clock.now_ns());
  REQUIRE(restore(q.rtc, before));
  advance(q.clock, kSecond);
  advance(r.clock, kSecond);
  CHECK(q.time() == r.time());
  CHECK(saved(q.rtc) == saved(r.rtc));
}
