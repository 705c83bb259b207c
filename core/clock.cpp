#include "core/clock.h"

#include <algorithm>

namespace lapwing {

u64 Clock::now_ns() const {
  const u128 elapsed = static_cast<u128>(instructions_ - anchor_instructions_) * rate_;
  return anchor_ns_ + static_cast<u64>(elapsed >> kRateShift);
}

void Clock::jump_to(u64 ns) {
  const u64 now = now_ns();
  if (ns > now) charge(ns - now);
}

void Clock::set_rate(u64 rate) {
  anchor_ns_ = now_ns();
  anchor_instructions_ = instructions_;
  rate_ = std::max<u64>(rate, 1);
  ++epoch_;
}

u64 Clock::instructions_until(u64 deadline_ns) const {
  if (deadline_ns == kNever) return kNever;
  if (deadline_ns <= now_ns()) return 0;
  const u128 needed = static_cast<u128>(deadline_ns - anchor_ns_) << kRateShift;
  const u128 total = (needed + rate_ - 1) / rate_;
  const u128 remaining = total - (instructions_ - anchor_instructions_);
  return remaining >= kNever ? kNever - 1 : static_cast<u64>(remaining);
}

void Clock::run_due_timers() {
  const u64 now = now_ns();
  while (next_deadline_ <= now) {
    Timer* due = nullptr;
    for (Timer* timer : timers_) {
      if (timer->deadline_ <= now && (due == nullptr || timer->deadline_ < due->deadline_)) due = timer;
    }
    if (due == nullptr) break;
    const u64 deadline = due->deadline_;
    due->cancel();
    next_sequence();
    due->fire_(deadline);
  }
}

void Clock::add(Timer* timer) {
  timers_.push_back(timer);
}

void Clock::remove(Timer* timer) {
  std::erase(timers_, timer);
  recompute();
}

void Clock::recompute() {
  ++epoch_;
  next_deadline_ = kNever;
  for (const Timer* timer : timers_) next_deadline_ = std::min(next_deadline_, timer->deadline_);
}

void Clock::save(StateWriter& out) const {
  out.put_u64(instructions_);
  out.put_u64(anchor_instructions_);
  out.put_u64(anchor_ns_);
  out.put_u64(rate_);
  out.put_u64(sequence_);
}

bool Clock::load(StateReader& in) {
  instructions_ = in.get_u64();
  anchor_instructions_ = in.get_u64();
  anchor_ns_ = in.get_u64();
  rate_ = in.get_u64();
  sequence_ = in.get_u64();
  if (anchor_instructions_ > instructions_ || rate_ == 0) in.fail();
  return in.ok();
}

Timer::Timer(Clock& clock, std::function<void(u64)> fire) : clock_(clock), fire_(std::move(fire)) {
  clock_.add(this);
}

Timer::~Timer() {
  clock_.remove(this);
}

void Timer::arm(u64 deadline_ns) {
  deadline_ = deadline_ns;
  clock_.recompute();
}

}  // namespace lapwing
