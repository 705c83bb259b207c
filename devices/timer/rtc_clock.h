// The time-keeping part of the MC146818: the date in CMOS bytes, alarm, divider chain and flags, as functions
// of virtual time. A plain copyable value, so that looking at it does not change it. See cmos_rtc.h for what
// is not modelled.
#pragma once

#include <array>

#include "core/bitfield.h"
#include "core/snapshot.h"
#include "core/types.h"
#include "devices/timer/tick_rate.h"

namespace lapwing {

using RtcRate = TickRate<32'768>;

class RtcClock {
 public:
  static constexpr unsigned kBytes = 256;
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
    kCentury = 0x32,
  };

  RtcClock(u64 now_ns, u64 unix_seconds);

  u8 byte(u8 index) const { return bytes_[index]; }
  void set_byte(u8 index, u8 value) { bytes_[index] = value; }
  const std::array<u8, kBytes>& bytes() const { return bytes_; }

  // Time and flags up to `now`.
  void settle(u64 now);
  bool update_in_progress(u64 now) const;
  // After settle(): when an enabled flag will next be set; kNever if none.
  u64 next_interrupt_ns() const;
  // UF, AF or PF is set and enabled.
  bool request() const;

  void write_a(u8 value, u64 now);
  void write_b(u8 value);
  // The RESET# pin.
  void reset_pin();

  void save(StateWriter& out) const;
  void load(StateReader& in);

 private:
  // Date and time as the bytes hold them, in plain numbers.
  struct Date {
    unsigned second, minute, hour, day, month, year;
  };

  u8& reg(u8 index) { return bytes_[index]; }
  unsigned decode(u8 value) const;
  u8 encode(unsigned value) const;
  unsigned decode_hour(u8 value) const;
  u8 encode_hour(unsigned hour) const;
  // False when the bytes are no date.
  bool read_date(Date& date) const;
  void write_date(const Date& date);
  void advance_seconds(u64 seconds);
  // Seconds from the present time to the next alarm, at least 1; 0 if it never comes.
  u64 seconds_to_alarm() const;
  bool divider_held() const;
  bool set_mode() const;
  u64 periodic_ticks() const;  // 0 = off
  u64 ticks(u64 ns) const;
  u64 next_update_ns() const;

  std::array<u8, kBytes> bytes_{};
  i64 origin_ns_ = 0;      // phase of the divider chain: updates at whole seconds from here
  u64 updates_done_ = 0;   // since the origin
  u64 periodic_seen_ = 0;  // divider ticks already considered for PF
};

}  // namespace lapwing
