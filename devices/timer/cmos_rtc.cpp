#include "devices/timer/cmos_rtc.h"

#include <iterator>

namespace lapwing {

namespace {

using Update = Field<bool, u8, 7, 1>;   // UIP in A
using Request = Field<bool, u8, 7, 1>;  // IRQF in C
constexpr u8 kAlarm = 1 << 5;           // AIE in B, AF in C
constexpr u8 kIndexMask = 0x7F;
constexpr u8 kUpperBank = 0x80;

constexpr FieldInfo kAFields[] = {{"RS rate", 0, 4}, {"DV divider", 4, 3}, {"UIP", 7, 1}};
constexpr FieldInfo kBFields[] = {{"DSE", 0, 1}, {"24/12", 1, 1}, {"DM binary", 2, 1}, {"SQWE", 3, 1},
                                  {"UIE", 4, 1}, {"AIE", 5, 1},   {"PIE", 6, 1},       {"SET", 7, 1}};
constexpr FieldInfo kCFields[] = {{"UF", 4, 1}, {"AF", 5, 1}, {"PF", 6, 1}, {"IRQF", 7, 1}};
constexpr FieldInfo kDFields[] = {{"VRT", 7, 1}};
constexpr char kTimeSection[] = "MC146818: Time, Calendar and Alarm Locations";
constexpr RegisterInfo kRegisters[] = {
    {"seconds", RtcClock::kSeconds, 8, kTimeSection, nullptr, 0},
    {"seconds alarm", RtcClock::kSecondsAlarm, 8, kTimeSection, nullptr, 0},
    {"minutes", RtcClock::kMinutes, 8, kTimeSection, nullptr, 0},
    {"minutes alarm", RtcClock::kMinutesAlarm, 8, kTimeSection, nullptr, 0},
    {"hours", RtcClock::kHours, 8, kTimeSection, nullptr, 0},
    {"hours alarm", RtcClock::kHoursAlarm, 8, kTimeSection, nullptr, 0},
    {"day of week", RtcClock::kDayOfWeek, 8, kTimeSection, nullptr, 0},
    {"day of month", RtcClock::kDayOfMonth, 8, kTimeSection, nullptr, 0},
    {"month", RtcClock::kMonth, 8, kTimeSection, nullptr, 0},
    {"year", RtcClock::kYear, 8, kTimeSection, nullptr, 0},
    {"A", RtcClock::kA, 8, "MC146818: Register A", kAFields, std::size(kAFields)},
    {"B", RtcClock::kB, 8, "MC146818: Register B", kBFields, std::size(kBFields)},
    {"C", RtcClock::kC, 8, "MC146818: Register C", kCFields, std::size(kCFields)},
    {"D", RtcClock::kD, 8, "MC146818: Register D", kDFields, std::size(kDFields)},
};

// The chip's own registers; other bytes are memory.
bool is_clock_register(u8 index) {
  return index <= RtcClock::kD || index == RtcClock::kCentury;
}

}  // namespace

CmosRtc::CmosRtc(Clock& clock, IrqPin irq, u64 unix_seconds)
    : clock_(clock),
      irq_(irq),
      timer_(clock,
             [this](u64) {
               rtc_.settle(now());
               update_irq();
             }),
      rtc_(clock.now_ns(), unix_seconds) {}

void CmosRtc::reset() {
  rtc_.settle(now());
  index_ = 0;
  upper_index_ = 0;
  nmi_masked_ = false;
  rtc_.reset_pin();
  update_irq();
}

void CmosRtc::update_irq() {
  const bool alarm = (rtc_.byte(RtcClock::kB) & rtc_.byte(RtcClock::kC) & kAlarm) != 0;
  const bool rises = alarm && !alarm_seen_;
  alarm_seen_ = alarm;
  if (rises && alarm_) alarm_();
  irq_.set(rtc_.request());
  // While IRQ8 is asserted nothing further can be seen before register C is read.
  const u64 deadline = rtc_.next_interrupt_ns();
  if (deadline != timer_.deadline()) timer_.arm(deadline);
}

u8 CmosRtc::visible(const RtcClock& rtc, u8 index) const {
  const u8 value = rtc.byte(index);
  if (index == RtcClock::kA) return Update::set(value, rtc.update_in_progress(now()));
  if (index == RtcClock::kC) return Request::set(value, rtc.request());
  return value;
}

u8 CmosRtc::read_register(u8 index) {
  if (!is_clock_register(index)) return rtc_.byte(index);
  rtc_.settle(now());
  update_irq();
  const u8 value = visible(rtc_, index);
  if (index == RtcClock::kC) {
    rtc_.set_byte(index, 0);
    update_irq();
  }
  return value;
}

void CmosRtc::write_register(u8 index, u8 value) {
  if (!is_clock_register(index)) {
    rtc_.set_byte(index, value);
    return;
  }
  rtc_.settle(now());
  switch (index) {
    case RtcClock::kA: rtc_.write_a(value, now()); break;
    case RtcClock::kB: rtc_.write_b(value); break;
    case RtcClock::kC:
    case RtcClock::kD: break;
    default: rtc_.set_byte(index, value); break;
  }
  update_irq();
}

u32 CmosRtc::port_read(u16 port, unsigned) {
  switch (port - kPort) {
    case 1: return read_register(index_);
    case 2: return upper_index_;
    case 3: return rtc_.byte(upper_index_ | kUpperBank);
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
    default: rtc_.set_byte(upper_index_ | kUpperBank, byte); break;
  }
}

void CmosRtc::save(StateWriter& out) const {
  rtc_.save(out);
  out.put_u8(index_);
  out.put_u8(upper_index_);
  out.put_bool(nmi_masked_);
  out.put_bool(alarm_seen_);
  irq_.save(out);
  timer_.save(out);
}

bool CmosRtc::load(StateReader& in) {
  rtc_.load(in);
  index_ = in.get_u8() & kIndexMask;
  upper_index_ = in.get_u8() & kIndexMask;
  nmi_masked_ = in.get_bool();
  alarm_seen_ = in.get_bool();
  irq_.load(in);
  timer_.load(in);
  return in.ok();
}

std::vector<RegisterValue> CmosRtc::registers() const {
  RtcClock rtc = rtc_;
  rtc.settle(now());
  std::vector<RegisterValue> values;
  for (const RegisterInfo& info : kRegisters)
    values.push_back({&info, visible(rtc, static_cast<u8>(info.offset))});
  return values;
}

}  // namespace lapwing
