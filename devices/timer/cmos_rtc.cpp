#include "devices/timer/cmos_rtc.h"

#include <algorithm>
#include <iterator>

namespace lapwing {

namespace {

enum Index : u8 {
  kSeconds = 0x00,
  kSecondsAlarm = 0x01,
  kMinutes = 0x02,
  kMinutesAlarm = 0x03,
  kHours = 0x04,
  kHoursAlarm = 0x05,
  kDayOfWeek = 0x06,
  kDayOfMonth = 0x07,
  kMonth = 0x08,
  kYear = 0x09,
  kA = 0x0A,
  kB = 0x0B,
  kC = 0x0C,
  kD = 0x0D,
};

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
constexpr u8 kIndexMask = 0x7F;
constexpr u8 kUpperBank = 0x80;
constexpr u64 kUpdateNs = 244'000 + 1'984'000;
constexpr i64 kHalfSecondNs = 500'000'000;
constexpr u64 kSecondsPerDay = 86'400;

constexpr FieldInfo kAFields[] = {{"RS rate", 0, 4}, {"DV divider", 4, 3}, {"UIP", 7, 1}};
constexpr FieldInfo kBFields[] = {{"DSE", 0, 1}, {"24/12", 1, 1}, {"DM binary", 2, 1}, {"SQWE", 3, 1},
                                  {"UIE", 4, 1}, {"AIE", 5, 1},   {"PIE", 6, 1},       {"SET", 7, 1}};
constexpr FieldInfo kCFields[] = {{"UF", 4, 1}, {"AF", 5, 1}, {"PF", 6, 1}, {"IRQF", 7, 1}};
constexpr FieldInfo kDFields[] = {{"VRT", 7, 1}};
constexpr char kTimeSection[] = "MC146818: Time, Calendar and Alarm Locations";
constexpr RegisterInfo kRegisters[] = {
    {"seconds", kSeconds, 8, kTimeSection, nullptr, 0},
    {"seconds alarm", kSecondsAlarm, 8, kTimeSection, nullptr, 0},
    {"minutes", kMinutes, 8, kTimeSection, nullptr, 0},
    {"minutes alarm", kMinutesAlarm, 8, kTimeSection, nullptr, 0},
    {"hours", kHours, 8, kTimeSection, nullptr, 0},
    {"hours alarm", kHoursAlarm, 8, kTimeSection, nullptr, 0},
    {"day of week", kDayOfWeek, 8, kTimeSection, nullptr, 0},
    {"day of month", kDayOfMonth, 8, kTimeSection, nullptr, 0},
    {"month", kMonth, 8, kTimeSection, nullptr, 0},
    {"year", kYear, 8, kTimeSection, nullptr, 0},
    {"A", kA, 8, "MC146818: Register A", kAFields, std::size(kAFields)},
    {"B", kB, 8, "MC146818: Register B", kBFields, std::size(kBFields)},
    {"C", kC, 8, "MC146818: Register C", kCFields, std::size(kCFields)},
    {"D", kD, 8, "MC146818: Register D", kDFields, std::size(kDFields)},
};

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

CmosRtc::CmosRtc(Clock& clock, IrqPin irq, u64 unix_seconds)
    : clock_(clock), irq_(irq), timer_(clock, [this](u64) {
        settle();
        update_irq();
      }) {
  reg(kA) = a::kPowerOn;
  reg(kB) = b::Hours24::kMask;
  reg(kD) = kValidRam;
  origin_ns_ = static_cast<i64>(clock_.now_ns());
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

void CmosRtc::reset() {
  settle();
  index_ = 0;
  upper_index_ = 0;
  nmi_masked_ = false;
  reg(kB) = static_cast<u8>(reg(kB) & ~(b::kInterrupts | b::SquareWave::kMask));
  reg(kC) = 0;
  update_irq();
}

unsigned CmosRtc::decode(u8 value) const {
  if (b::Binary::get(bytes_[kB])) return value;
  const unsigned low = value & 15u;
  const unsigned high = value >> 4;
  return low > 9 || high > 9 ? ~0u : high * 10 + low;
}

u8 CmosRtc::encode(unsigned value) const {
  return static_cast<u8>(b::Binary::get(bytes_[kB]) ? value : value / 10 << 4 | value % 10);
}

unsigned CmosRtc::decode_hour(u8 value) const {
  if (b::Hours24::get(bytes_[kB])) return decode(value);
  const unsigned hour = decode(static_cast<u8>(value & ~kPm));
  if (hour < 1 || hour > 12) return ~0u;
  return hour % 12 + ((value & kPm) != 0 ? 12 : 0);
}

u8 CmosRtc::encode_hour(unsigned hour) const {
  if (b::Hours24::get(bytes_[kB])) return encode(hour);
  const unsigned twelve = hour % 12 == 0 ? 12 : hour % 12;
  return static_cast<u8>(encode(twelve) | (hour >= 12 ? kPm : 0));
}

bool CmosRtc::read_date(Date& date) const {
  const unsigned century = decode(bytes_[kCenturyByte]);
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

void CmosRtc::write_date(const Date& date) {
  reg(kSeconds) = encode(date.second);
  reg(kMinutes) = encode(date.minute);
  reg(kHours) = encode_hour(date.hour);
  reg(kDayOfMonth) = encode(date.day);
  reg(kMonth) = encode(date.month);
  reg(kYear) = encode(date.year % 100);
  reg(kCenturyByte) = encode(date.year / 100 % 100);
}

void CmosRtc::advance_seconds(u64 seconds) {
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

u64 CmosRtc::seconds_to_alarm() const {
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

bool CmosRtc::divider_held() const {
  return (a::Divider::get(bytes_[kA]) & a::kDividerReset) == a::kDividerReset;
}

bool CmosRtc::set_mode() const {
  return b::Set::get(bytes_[kB]);
}

u64 CmosRtc::periodic_ticks() const {
  const unsigned rate = a::Rate::get(bytes_[kA]);
  if (rate == 0 || divider_held()) return 0;
  // Rates 1 and 2 are those of 8 and 9 (256 and 128 Hz) at this time base.
  return 1ull << ((rate <= 2 ? rate + 7 : rate) - 1);
}

u64 CmosRtc::ticks(u64 ns) const {
  return RtcRate::ticks_at(static_cast<u64>(static_cast<i64>(ns) - origin_ns_));
}

u64 CmosRtc::next_update_ns() const {
  return static_cast<u64>(origin_ns_ + static_cast<i64>((updates_done_ + 1) * kNsPerSecond));
}

bool CmosRtc::update_in_progress() const {
  if (divider_held() || set_mode()) return false;
  const u64 now = clock_.now_ns();
  const u64 next = next_update_ns();
  return now < next && now + kUpdateNs >= next;
}

void CmosRtc::settle() {
  if (divider_held()) return;
  const u64 now = clock_.now_ns();
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

u64 CmosRtc::next_interrupt_ns() const {
  const u8 enabled = bytes_[kB];
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

void CmosRtc::update_irq() {
  const bool request = (bytes_[kB] & bytes_[kC] & b::kInterrupts) != 0;
  reg(kC) = c::Request::set(bytes_[kC], request);
  irq_.set(request);
  // While IRQ8 is asserted nothing further can be seen before register C is read.
  const u64 deadline = request || (bytes_[kB] & b::kInterrupts) == 0 ? kNever : next_interrupt_ns();
  if (deadline != timer_.deadline()) timer_.arm(deadline);
}

u8 CmosRtc::read_register(u8 index) {
  if (index > kD && index != kCenturyByte) return bytes_[index];
  settle();
  update_irq();
  if (index == kA) return a::UpdateInProgress::set(bytes_[kA], update_in_progress());
  const u8 value = bytes_[index];
  if (index == kC) {
    reg(kC) = 0;
    update_irq();
  }
  return value;
}

void CmosRtc::write_a(u8 value) {
  const bool was_held = divider_held();
  reg(kA) = a::UpdateInProgress::set(value, false);
  if (was_held && !divider_held()) {
    // The first update comes half a second after the divider is released.
    origin_ns_ = static_cast<i64>(clock_.now_ns()) - kHalfSecondNs;
    updates_done_ = 0;
    periodic_seen_ = ticks(clock_.now_ns());
  }
}

void CmosRtc::write_b(u8 value) {
  // SET going high clears UIE.
  if (b::Set::get(value) && !set_mode()) value = b::UpdateEnable::set(value, false);
  reg(kB) = value;
}

void CmosRtc::write_register(u8 index, u8 value) {
  if (index > kD && index != kCenturyByte) {
    bytes_[index] = value;
    return;
  }
  settle();
  switch (index) {
    case kA: write_a(value); break;
    case kB: write_b(value); break;
    case kC:
    case kD: break;
    default: bytes_[index] = value; break;
  }
  update_irq();
}

u32 CmosRtc::port_read(u16 port, unsigned) {
  switch (port - kPort) {
    case 1: return read_register(index_);
    case 2: return upper_index_;
    case 3: return bytes_[upper_index_ | kUpperBank];
    default: return 0xFF;  // the index of the lower bank is write-only
  }
}

void CmosRtc::port_write(u16 port, u32 value, unsigned) {
  const auto byte = static_cast<u8>(value);
  switch (port - kPort) {
    case 0:
      index_ = byte & kIndexMask;
      nmi_masked_ = (byte & ~kIndexMask) != 0;
      break;
    case 1: write_register(index_, byte); break;
    case 2: upper_index_ = byte & kIndexMask; break;
    default: bytes_[upper_index_ | kUpperBank] = byte; break;
  }
}

void CmosRtc::save(StateWriter& out) const {
  out.put_bytes(bytes_.data(), bytes_.size());
  out.put_u8(index_);
  out.put_u8(upper_index_);
  out.put_bool(nmi_masked_);
  out.put_u64(static_cast<u64>(origin_ns_));
  out.put_u64(updates_done_);
  out.put_u64(periodic_seen_);
  irq_.save(out);
  timer_.save(out);
}

bool CmosRtc::load(StateReader& in) {
  in.get_bytes(bytes_.data(), bytes_.size());
  index_ = in.get_u8() & kIndexMask;
  upper_index_ = in.get_u8() & kIndexMask;
  nmi_masked_ = in.get_bool();
  origin_ns_ = static_cast<i64>(in.get_u64());
  updates_done_ = in.get_u64();
  periodic_seen_ = in.get_u64();
  irq_.load(in);
  timer_.load(in);
  return in.ok();
}

std::vector<RegisterValue> CmosRtc::registers() const {
  std::vector<RegisterValue> values;
  for (const RegisterInfo& info : kRegisters) {
    const u8 value = bytes_[info.offset];
    values.push_back(
        {&info, info.offset == kA ? a::UpdateInProgress::set(value, update_in_progress()) : value});
  }
  return values;
}

}  // namespace lapwing
