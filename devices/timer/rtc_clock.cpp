#include "devices/timer/rtc_clock.h"

#include <algorithm>

#include "core/clock.h"
namespace lapwing {

namespace {

namespace a {
using Rate = Field<u8, u8, 0, 4>;
using Divider = Field<u8, u8, 4, 3>;
using UpdateInProgress = Field<bool, u8, 7, 1>;
constexpr u8 kPowerOn = 0x26;        // 32,768 Hz, 1,024 Hz rate
constexpr u8 kDividerReset = 0b110;  // 11x
}  // namespace a

namespace b {
using Hours24 = Field<bool, u8, 1, 1>;
using Binary = Field<bool, u8, 2, 1>;
using SquareWave = Field<bool, u8, 3, 1>;
using UpdateEnable = Field<bool, u8, 4, 1>;
using AlarmEnable = Field<bool, u8, 5, 1>;
using PeriodicEnable = Field<bool, u8, 6, 1>;
using Set = Field<bool, u8, 7, 1>;
constexpr u8 kInterrupts = UpdateEnable::kMask | AlarmEnable::kMask | PeriodicEnable::kMask;
}  // namespace b

namespace c {
using Update = Field<bool, u8, 4, 1>;
using Alarm = Field<bool, u8, 5, 1>;
using Periodic = Field<bool, u8, 6, 1>;
using Request = Field<bool, u8, 7, 1>;
}  // namespace c

constexpr u8 kValidRam = 0x80;  // D
constexpr u8 kPm = 0x80;
constexpr u8 kDontCare = 0xC0;  // an alarm byte with both top bits set matches anything
constexpr u64 kUpdateNs = 244'000 + 1'984'000;
constexpr i64 kHalfSecondNs = 500'000'000;
constexpr u64 kSecondsPerDay = 86'400;

// Days from 1970-01-01 of a Gregorian date, counting years from March so that leap days come last.
i64 days_from_date(unsigned year, unsigned month, unsigned day) {
  const i64 shifted = static_cast<i64>(year) - (month <= 2 ? 1 : 0);
  const i64 month_from_march = (month + 9) % 12;
  const i64 day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year - 719'468;
}

void date_from_days(i64 days, unsigned& year, unsigned& month, unsigned& day) {
  const i64 since_march_0 = days + 719'468;
  const i64 era = since_march_0 / 146'097;  // 400 years
  const i64 day_of_era = since_march_0 % 146'097;
  const i64 year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const i64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const i64 month_from_march = (5 * day_of_year + 2) / 153;
  day = static_cast<unsigned>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  month = static_cast<unsigned>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  year = static_cast<unsigned>(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
}

unsigned days_in_month(unsigned year, unsigned month) {
  const unsigned next_month = month == 12 ? 1 : month + 1;
  return static_cast<unsigned>(days_from_date(month == 12 ? year + 1 : year, next_month, 1) -
                               days_from_date(year, month, 1));
}

}  // namespace

RtcClock::RtcClock(u64 now_ns, u64 unix_seconds) {
  reg(kA) = a::kPowerOn;
  reg(kB) = b::Hours24::kMask;
  reg(kD) = kValidRam;
  origin_ns_ = static_cast<i64>(now_ns);
  const u64 days = unix_seconds / kSecondsPerDay;
  Date date{};
  date_from_days(static_cast<i64>(days), date.year, date.month, date.day);
  const u64 of_day = unix_seconds % kSecondsPerDay;
  date.hour = static_cast<unsigned>(of_day / 3600);
  date.minute = static_cast<unsigned>(of_day / 60 % 60);
  date.second = static_cast<unsigned>(of_day % 60);
  write_date(date);
  reg(kDayOfWeek) = static_cast<u8>((days + 4) % 7 + 1);  // 1970-01-01 was a Thursday; Sunday is 1
}

void RtcClock::reset_pin() {
  reg(kB) = static_cast<u8>(reg(kB) & ~(b::kInterrupts | b::SquareWave::kMask));
  reg(kC) = 0;
}

unsigned RtcClock::decode(u8 value) const {
  if (b::Binary::get(bytes_[kB])) return value;
  const unsigned low = value & 15u;
  const unsigned high = value >> 4;
  return low > 9 || high > 9 ? ~0u : high * 10 + low;
}

u8 RtcClock::encode(unsigned value) const {
  return static_cast<u8>(b::Binary::get(bytes_[kB]) ? value : value / 10 << 4 | value % 10);
}

unsigned RtcClock::decode_hour(u8 value) const {
  if (b::Hours24::get(bytes_[kB])) return decode(value);
  const unsigned hour = decode(static_cast<u8>(value & ~kPm));
  if (hour < 1 || hour > 12) return ~0u;
  return hour % 12 + ((value & kPm) != 0 ? 12 : 0);
}

u8 RtcClock::encode_hour(unsigned hour) const {
  if (b::Hours24::get(bytes_[kB])) return encode(hour);
  const unsigned twelve = hour % 12 == 0 ? 12 : hour % 12;
  return static_cast<u8>(encode(twelve) | (hour >= 12 ? kPm : 0));
}

bool RtcClock::read_date(Date& date) const {
  const unsigned century = decode(bytes_[kCentury]);
  const unsigned year = decode(bytes_[kYear]);
  date.second = decode(bytes_[kSeconds]);
  date.minute = decode(bytes_[kMinutes]);
  date.hour = decode_hour(bytes_[kHours]);
  date.day = decode(bytes_[kDayOfMonth]);
  date.month = decode(bytes_[kMonth]);
  date.year = (century >= 19 && century <= 99 ? century : 20) * 100 + year;
  return date.second < 60 && date.minute < 60 && date.hour < 24 && year < 100 && date.month >= 1 &&
         date.month <= 12 && date.day >= 1 && date.day <= days_in_month(date.year, date.month);
}

void RtcClock::write_date(const Date& date) {
  reg(kSeconds) = encode(date.second);
  reg(kMinutes) = encode(date.minute);
  reg(kHours) = encode_hour(date.hour);
  reg(kDayOfMonth) = encode(date.day);
  reg(kMonth) = encode(date.month);
  reg(kYear) = encode(date.year % 100);
  reg(kCentury) = encode(date.year / 100 % 100);
}

void RtcClock::advance_seconds(u64 seconds) {
  Date date{};
  if (!read_date(date)) return;
  const u64 before = (date.hour * 60ull + date.minute) * 60 + date.second;
  const u64 after = before + seconds;
  const u64 days = after / kSecondsPerDay;
  if (days != 0) {
    const i64 today = days_from_date(date.year, date.month, date.day);
    date_from_days(today + static_cast<i64>(days), date.year, date.month, date.day);
    const unsigned weekday = reg(kDayOfWeek);
    if (weekday >= 1 && weekday <= 7) reg(kDayOfWeek) = static_cast<u8>((weekday - 1 + days) % 7 + 1);
  }
  date.hour = static_cast<unsigned>(after % kSecondsPerDay / 3600);
  date.minute = static_cast<unsigned>(after / 60 % 60);
  date.second = static_cast<unsigned>(after % 60);
  write_date(date);
}

u64 RtcClock::seconds_to_alarm() const {
  Date date{};
  if (!read_date(date)) return 0;
  const u64 now = (date.hour * 60ull + date.minute) * 60 + date.second;
  const auto matches = [](u8 alarm, u8 value) { return alarm >= kDontCare || alarm == value; };
  u64 ahead = 1;
  while (ahead <= kSecondsPerDay) {
    const u64 then = (now + ahead) % kSecondsPerDay;
    if (!matches(bytes_[kHoursAlarm], encode_hour(static_cast<unsigned>(then / 3600)))) {
      ahead += 3600 - then % 3600;
    } else if (!matches(bytes_[kMinutesAlarm], encode(static_cast<unsigned>(then / 60 % 60)))) {
      ahead += 60 - then % 60;
    } else if (!matches(bytes_[kSecondsAlarm], encode(static_cast<unsigned>(then % 60)))) {
      ++ahead;
    } else {
      return ahead;
    }
  }
  return 0;
}

bool RtcClock::divider_held() const {
  return (a::Divider::get(bytes_[kA]) & a::kDividerReset) == a::kDividerReset;
}

bool RtcClock::set_mode() const {
  return b::Set::get(bytes_[kB]);
}

u64 RtcClock::periodic_ticks() const {
  const unsigned rate = a::Rate::get(bytes_[kA]);
  if (rate == 0 || divider_held()) return 0;
  // Rates 1 and 2 are those of 8 and 9 (256 and 128 Hz) at this time base.
  return 1ull << ((rate <= 2 ? rate + 7 : rate) - 1);
}

u64 RtcClock::ticks(u64 ns) const {
  return RtcRate::ticks_at(static_cast<u64>(static_cast<i64>(ns) - origin_ns_));
}

u64 RtcClock::next_update_ns() const {
  return static_cast<u64>(origin_ns_ + static_cast<i64>((updates_done_ + 1) * kNsPerSecond));
}

bool RtcClock::update_in_progress(u64 now) const {
  if (divider_held() || set_mode()) return false;
  const u64 next = next_update_ns();
  return now < next && now + kUpdateNs >= next;
}

void RtcClock::settle(u64 now) {
  if (divider_held()) return;
  if (now >= next_update_ns()) {
    const u64 updates = (now - next_update_ns()) / kNsPerSecond + 1;
    updates_done_ += updates;
    if (!set_mode()) {
      const u64 alarm = seconds_to_alarm();
      if (alarm != 0 && alarm <= updates) reg(kC) |= c::Alarm::kMask;
      reg(kC) |= c::Update::kMask;
      advance_seconds(updates);
    }
  }
  const u64 tick = ticks(now);
  const u64 period = periodic_ticks();
  if (period != 0 && tick / period != periodic_seen_ / period) reg(kC) |= c::Periodic::kMask;
  periodic_seen_ = tick;
}

u64 RtcClock::next_interrupt_ns() const {
  const u8 enabled = bytes_[kB];
  if (request() || (enabled & b::kInterrupts) == 0) return kNever;
  u64 next = kNever;
  if (divider_held()) return next;
  if (const u64 period = periodic_ticks(); b::PeriodicEnable::get(enabled) && period != 0) {
    const u64 tick = (periodic_seen_ / period + 1) * period;
    next = static_cast<u64>(origin_ns_ + static_cast<i64>(RtcRate::ns_of(tick)));
  }
  if (set_mode()) return next;
  if (b::UpdateEnable::get(enabled)) next = std::min(next, next_update_ns());
  if (const u64 seconds = seconds_to_alarm(); b::AlarmEnable::get(enabled) && seconds != 0) {
    next = std::min(next, next_update_ns() + (seconds - 1) * kNsPerSecond);
  }
  return next;
}

bool RtcClock::request() const {
  return (bytes_[kB] & bytes_[kC] & b::kInterrupts) != 0;
}

void RtcClock::write_a(u8 value, u64 now) {
  const bool was_held = divider_held();
  reg(kA) = a::UpdateInProgress::set(value, false);
  if (was_held && !divider_held()) {
    // The first update comes half a second after the divider is released.
    origin_ns_ = static_cast<i64>(now) - kHalfSecondNs;
    updates_done_ = 0;
    periodic_seen_ = ticks(now);
  }
}

void RtcClock::write_b(u8 value) {
  // SET going high clears UIE.
  if (b::Set::get(value) && !set_mode()) value = b::UpdateEnable::set(value, false);
  reg(kB) = value;
}

void RtcClock::save(StateWriter& out) const {
  out.put_bytes(bytes_.data(), bytes_.size());
  out.put_u64(static_cast<u64>(origin_ns_));
  out.put_u64(updates_done_);
  out.put_u64(periodic_seen_);
}

void RtcClock::load(StateReader& in) {
  in.get_bytes(bytes_.data(), bytes_.size());
  origin_ns_ = static_cast<i64>(in.get_u64());
  updates_done_ = in.get_u64();
  periodic_seen_ = in.get_u64();
}

}  // namespace lapwing
