// One counter of the 8254: the six modes as functions of the input clocks since the count was loaded.
#include <algorithm>

#include "devices/timer/pit8254.h"

namespace lapwing {

namespace {

enum : u8 {
  kInterruptOnTerminalCount = 0,
  kHardwareOneShot = 1,
  kRateGenerator = 2,
  kSquareWave = 3,
  kSoftwareStrobe = 4,
  kHardwareStrobe = 5,
};

enum : u8 { kLsbOnly = 1, kMsbOnly = 2, kLsbThenMsb = 3 };

namespace status_byte {
using Bcd = Field<bool, u8, 0, 1>;
using Mode = Field<u8, u8, 1, 3>;
using Access = Field<u8, u8, 4, 2>;
using NullCount = Field<bool, u8, 6, 1>;
using Out = Field<bool, u8, 7, 1>;
}  // namespace status_byte

u32 from_bcd(u32 value) {
  return (value & 15) + ((value >> 4) & 15) * 10 + ((value >> 8) & 15) * 100 + ((value >> 12) & 15) * 1000;
}

u16 to_bcd(u32 value) {
  return static_cast<u16>(value % 10 | (value / 10 % 10) << 4 | (value / 100 % 10) << 8 |
                          (value / 1000 % 10) << 12);
}

// Clocks for which OUT is high in one cycle of the square wave.
constexpr u64 high_part(u64 length) {
  return (length + 1) / 2;
}

bool is_rate_mode(u8 mode) {
  return mode == kRateGenerator || mode == kSquareWave;
}
bool is_triggered_mode(u8 mode) {
  return mode == kHardwareOneShot || mode == kHardwareStrobe;
}

}  // namespace

i64 PitCounter::elapsed(u64 tick) const {
  if (tick < start_ || state_ == State::kRunning) return static_cast<i64>(tick) - static_cast<i64>(start_);
  return static_cast<i64>(frozen_);
}

bool PitCounter::out(u64 tick) const {
  if (state_ == State::kIdle) return mode_ != kInterruptOnTerminalCount;
  const i64 e = elapsed(tick);
  if (e < 0) return out_before_;
  const auto clocks = static_cast<u64>(e);
  switch (mode_) {
    case kInterruptOnTerminalCount:
    case kHardwareOneShot: return clocks >= length_;
    case kRateGenerator: return clocks % length_ != length_ - 1;
    case kSquareWave: return clocks % length_ < high_part(length_);
    default: return clocks != length_;
  }
}

u32 PitCounter::raw_count(u64 tick) const {
  if (state_ == State::kIdle) return held_;
  const i64 e = elapsed(tick);
  if (e < 0) return held_;
  const auto clocks = static_cast<u64>(e);
  const u32 m = modulus();
  if (mode_ == kRateGenerator) return (length_ - static_cast<u32>(clocks % length_)) % m;
  if (mode_ != kSquareWave) return static_cast<u32>((length_ + m - clocks % m) % m);
  // Counts by two, from the even part of the count, once per half cycle.
  const u64 phase = clocks % length_;
  const u64 high = high_part(length_);
  const u64 in_half = phase < high ? phase : phase - high;
  return static_cast<u32>((length_ & ~1u) - 2 * in_half) % m;
}

u16 PitCounter::count(u64 tick) const {
  const u32 value = raw_count(tick);
  return bcd_ ? to_bcd(value) : static_cast<u16>(value);
}

u64 PitCounter::next_edge(u64 tick) const {
  if (state_ != State::kRunning) return kNeverTick;
  const i64 e = elapsed(tick);
  const u64 clocks = e < 0 ? 0 : static_cast<u64>(e);
  const u64 cycle = start_ + clocks / length_ * length_;
  switch (mode_) {
    case kInterruptOnTerminalCount: return clocks < length_ ? start_ + length_ : kNeverTick;
    case kHardwareOneShot:
      if (e < 0 && out_before_) return start_;
      return clocks < length_ ? start_ + length_ : kNeverTick;
    case kRateGenerator:
      if (length_ == 1) return kNeverTick;
      return clocks % length_ < length_ - 1 ? cycle + length_ - 1 : cycle + length_;
    case kSquareWave:
      if (length_ == 1) return kNeverTick;
      return clocks % length_ < high_part(length_) ? cycle + high_part(length_) : cycle + length_;
    default:
      if (clocks < length_) return start_ + length_;
      return clocks == length_ ? start_ + length_ + 1 : kNeverTick;
  }
}

u64 PitCounter::next_reload(u64 tick) const {
  if (state_ != State::kRunning || length_ == 1) return kNeverTick;
  if (tick < start_) return start_ + length_;
  return start_ + ((tick - start_) / length_ + 1) * length_;
}

void PitCounter::settle(u64 tick) {
  if (!reload_pending_ || tick < null_until_) return;
  reload_pending_ = false;
  // The half cycle that ended decides whether the new count begins with OUT high or low.
  const bool low_next =
      mode_ == kSquareWave && (null_until_ - start_) % length_ == high_part(length_) && length_ > 1;
  length_ = reload_;
  const u64 skipped = low_next ? high_part(length_) : 0;
  start_ = null_until_ - std::min(skipped, null_until_);
}

void PitCounter::control(u8 mode, u8 access, bool bcd, u64 tick) {
  held_ = raw_count(tick);
  mode_ = mode > 5 ? mode & 3 : mode;  // mode bits are X10 and X11 for modes 2 and 3
  access_ = access;
  bcd_ = bcd;
  held_ %= modulus();
  state_ = State::kIdle;
  have_count_ = false;
  reload_pending_ = false;
  null_until_ = kNeverTick;
  write_msb_next_ = false;
  read_msb_next_ = false;
  count_latched_ = false;
  status_latched_ = false;
}

void PitCounter::write(u8 value, u64 tick) {
  settle(tick);
  if (access_ == kLsbOnly) return load_count(value, tick);
  if (access_ == kMsbOnly) return load_count(static_cast<u32>(value) << 8, tick);
  if (!write_msb_next_) {
    write_msb_next_ = true;
    lsb_ = value;
    if (mode_ == kInterruptOnTerminalCount) {
      // The first byte stops the counting and sets OUT low.
      held_ = raw_count(tick);
      state_ = State::kIdle;
    }
    return;
  }
  write_msb_next_ = false;
  load_count(lsb_ | static_cast<u32>(value) << 8, tick);
}

void PitCounter::load_count(u32 count, u64 tick) {
  if (bcd_) count = from_bcd(count) % 10000;
  reload_ = count == 0 ? modulus() : count;
  have_count_ = true;
  if (is_triggered_mode(mode_)) {
    null_until_ = kNeverTick;  // CE is loaded by the next trigger
    return;
  }
  if (!is_rate_mode(mode_)) return start(tick);
  if (state_ == State::kIdle) {
    if (gate_) start(tick);
    return;
  }
  if (tick < start_) {
    length_ = reload_;
    return;
  }
  // The cycle under way (in mode 3: the half cycle) is completed with the old count.
  reload_pending_ = true;
  null_until_ = mode_ == kSquareWave && length_ > 1 ? next_edge(tick) : next_reload(tick);
  if (null_until_ == kNeverTick) null_until_ = tick + 1;
}

// Loads CE with CR at the next input clock.
void PitCounter::start(u64 tick) {
  held_ = raw_count(tick);
  out_before_ = mode_ == kHardwareOneShot ? out(tick) : mode_ != kInterruptOnTerminalCount;
  length_ = reload_;
  start_ = tick + 1;
  frozen_ = 0;
  null_until_ = start_;
  reload_pending_ = false;
  state_ = gate_ || is_triggered_mode(mode_) ? State::kRunning : State::kPaused;
}

void PitCounter::set_gate(bool level, u64 tick) {
  if (level == gate_) return;
  settle(tick);
  gate_ = level;
  if (is_triggered_mode(mode_)) {
    if (level && have_count_) start(tick);
  } else if (is_rate_mode(mode_)) {
    if (level && have_count_) {
      start(tick);
    } else if (!level && state_ == State::kRunning) {
      held_ = raw_count(tick);
      state_ = State::kIdle;
      reload_pending_ = false;
    }
  } else if (!level && state_ == State::kRunning) {
    frozen_ = static_cast<u64>(std::max<i64>(elapsed(tick), 0));
    state_ = State::kPaused;
  } else if (level && state_ == State::kPaused) {
    if (tick >= start_) start_ = tick - std::min(frozen_, tick);
    state_ = State::kRunning;
  }
}

void PitCounter::latch_count(u64 tick) {
  settle(tick);
  if (count_latched_) return;
  count_latched_ = true;
  latched_count_ = count(tick);
}

u8 PitCounter::status(u64 tick) const {
  u8 value = status_byte::Bcd::set(0, bcd_);
  value = status_byte::Mode::set(value, mode_);
  value = status_byte::Access::set(value, access_);
  value = status_byte::NullCount::set(value, tick < null_until_);
  return status_byte::Out::set(value, out(tick));
}

void PitCounter::latch_status(u64 tick) {
  settle(tick);
  if (status_latched_) return;
  status_latched_ = true;
  latched_status_ = status(tick);
}

u8 PitCounter::read(u64 tick) {
  settle(tick);
  if (status_latched_) {
    status_latched_ = false;
    return latched_status_;
  }
  const u16 value = count_latched_ ? latched_count_ : count(tick);
  const bool msb = access_ == kMsbOnly || (access_ == kLsbThenMsb && read_msb_next_);
  if (access_ == kLsbThenMsb) read_msb_next_ = !read_msb_next_;
  if (access_ != kLsbThenMsb || msb) count_latched_ = false;
  return static_cast<u8>(msb ? value >> 8 : value);
}

void PitCounter::save(StateWriter& out) const {
  for (const u8 value : {mode_, access_, static_cast<u8>(state_), lsb_, latched_status_}) out.put_u8(value);
  for (const bool flag : {bcd_, gate_, have_count_, reload_pending_, out_before_, write_msb_next_,
                          read_msb_next_, count_latched_, status_latched_}) {
    out.put_bool(flag);
  }
  for (const u32 value : {reload_, length_, held_, static_cast<u32>(latched_count_)}) out.put_u32(value);
  for (const u64 value : {start_, frozen_, null_until_}) out.put_u64(value);
}

void PitCounter::load(StateReader& in) {
  u8 state = 0;
  for (u8* value : {&mode_, &access_, &state, &lsb_, &latched_status_}) *value = in.get_u8();
  for (bool* flag : {&bcd_, &gate_, &have_count_, &reload_pending_, &out_before_, &write_msb_next_,
                     &read_msb_next_, &count_latched_, &status_latched_}) {
    *flag = in.get_bool();
  }
  u32 latched = 0;
  for (u32* value : {&reload_, &length_, &held_, &latched}) *value = in.get_u32();
  for (u64* value : {&start_, &frozen_, &null_until_}) *value = in.get_u64();
  latched_count_ = static_cast<u16>(latched);
  state_ = static_cast<State>(state);
  const bool legal = mode_ <= kHardwareStrobe && access_ >= kLsbOnly && access_ <= kLsbThenMsb &&
                     state <= 2 && length_ >= 1 && length_ <= 0x10000 && reload_ >= 1 && reload_ <= 0x10000;
  if (legal) return;
  *this = PitCounter{};
  in.fail();
}

}  // namespace lapwing
