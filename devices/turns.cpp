#include "devices/turns.h"

#include <algorithm>

namespace lapwing {

void Turns::reset() {
  current_ = owner_ = 0;
  called_ = 0;
  turn_left_ = kQuantum;
  visit_left_ = 0;
  on_credit_ = false;
  credit_.fill(kCredit);
}

void Turns::take(unsigned cpu) {
  current_ = cpu;
  called_ &= ~bit(cpu);
}

// The next called one in the round that can run and has credit. One that slept takes the turn over, one that
// is at work only visits. The owner of a turn that goes on needs neither.
bool Turns::follow_call(u32 runnable, u32 halted) {
  if (turn_left_ > 0 && (runnable & bit(owner_)) != 0) called_ &= ~bit(owner_);
  for (unsigned step = 1; step <= cpus_; ++step) {
    const unsigned cpu = (owner_ + step) % cpus_;
    if ((called_ & runnable & bit(cpu)) == 0 || credit_[cpu] == 0) continue;
    take(cpu);
    if ((halted & bit(cpu)) != 0) {
      owner_ = cpu;
      turn_left_ = std::min(kQuantum, credit_[cpu]);
      on_credit_ = true;
    } else {
      visit_left_ = std::min(kVisit, credit_[cpu]);
    }
    return true;
  }
  return false;
}

bool Turns::choose(u32 runnable, u32 halted) {
  if (runnable == 0) return false;
  if (visit_left_ > 0 && (runnable & bit(current_)) != 0) return true;
  visit_left_ = 0;
  if (cpus_ > 1 && follow_call(runnable, halted)) return true;
  if (turn_left_ > 0 && (runnable & bit(owner_)) != 0) {
    take(owner_);
    return true;
  }
  do {
    owner_ = (owner_ + 1) % cpus_;
  } while ((runnable & bit(owner_)) == 0);
  take(owner_);
  turn_left_ = kQuantum;
  on_credit_ = false;
  credit_[owner_] = kCredit;
  return true;
}

void Turns::ran(u64 instructions, bool gave_up) {
  if (cpus_ == 1) return;
  u64& left = visit_left_ > 0 ? visit_left_ : turn_left_;
  if (visit_left_ > 0 || on_credit_) credit_[current_] -= std::min(instructions, credit_[current_]);
  left = gave_up ? 0 : left - std::min(instructions, left);
}

void Turns::save(StateWriter& out) const {
  for (const u32 value : {current_, owner_, called_}) out.put_u32(value);
  for (const u64 value : {turn_left_, visit_left_}) out.put_u64(value);
  out.put_bool(on_credit_);
  for (unsigned cpu = 0; cpu < cpus_; ++cpu) out.put_u64(credit_[cpu]);
}

bool Turns::load(StateReader& in) {
  for (u32* value : {&current_, &owner_, &called_}) *value = in.get_u32();
  for (u64* value : {&turn_left_, &visit_left_}) *value = in.get_u64();
  on_credit_ = in.get_bool();
  bool good = current_ < cpus_ && owner_ < cpus_ && called_ >> cpus_ == 0 && turn_left_ <= kQuantum &&
              visit_left_ <= kVisit;
  for (unsigned cpu = 0; cpu < cpus_; ++cpu) {
    credit_[cpu] = in.get_u64();
    good = good && credit_[cpu] <= kCredit;
  }
  if (!good) in.fail();
  return in.ok();
}

}  // namespace lapwing
