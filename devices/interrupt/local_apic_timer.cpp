// The APIC timer and the saved state. SDM vol. 3, "APIC Timer", "TSC-Deadline Mode".
//
// The count at any time is start_count_ minus the divided nanoseconds since start_ns_, reloading from the
// initial count in periodic mode. Times are nanoseconds because both the timer input and the TSC run at 1
// GHz.
#include <algorithm>

#include "devices/interrupt/local_apic.h"
#include "devices/interrupt/local_apic_registers.h"

namespace lapwing {

using namespace apic;

// The host looks after faster periods no more often: their requests meet in one IRR bit.
constexpr u64 kShortestPeriodNs = 1000;

static_assert(kApicTimerHz == 1'000'000'000 && kTscHz == 1'000'000'000, "one count per nanosecond");

LocalApic::TimerMode LocalApic::timer_mode() const {
  return static_cast<TimerMode>(lvt::TimerMode::get(lvt(Lvt::kTimer)));
}

unsigned LocalApic::divide_shift() const {
  // Bits 3, 1, 0: 000 = divide by 2 ... 110 = by 128, 111 = by 1.
  const unsigned code = (divide_ & 3) | ((divide_ >> 1) & 4);
  return (code + 1) & 7;
}

u32 LocalApic::current_count() const {
  if (start_count_ == 0) return 0;
  const u64 elapsed = (clock_.now_ns() - start_ns_) >> divide_shift();
  if (elapsed < start_count_) return start_count_ - static_cast<u32>(elapsed);
  if (timer_mode() != TimerMode::kPeriodic || initial_count_ == 0) return 0;
  return initial_count_ - static_cast<u32>((elapsed - start_count_) % initial_count_);
}

u64 LocalApic::visible_tsc_deadline() const {
  if (timer_mode() != TimerMode::kTscDeadline || tsc_deadline_ == 0) return 0;
  return tsc_deadline_ <= clock_.now_ns() + tsc_offset_ ? 0 : tsc_deadline_;
}

u64 LocalApic::timer_deadline_ns() const {
  if (timer_mode() == TimerMode::kTscDeadline) {
    if (tsc_deadline_ == 0) return kNever;
    const u64 now = clock_.now_ns();
    const u64 tsc = now + tsc_offset_;
    const u64 remaining = tsc_deadline_ <= tsc ? 0 : tsc_deadline_ - tsc;
    return remaining >= kNever - now ? kNever : now + remaining;
  }
  return start_count_ == 0 ? kNever : start_ns_ + (static_cast<u64>(start_count_) << divide_shift());
}

void LocalApic::timer_expired(u64 deadline_ns) {
  switch (timer_mode()) {
    case TimerMode::kTscDeadline: tsc_deadline_ = 0; break;
    case TimerMode::kPeriodic: {
      // Periods that passed unseen between two instructions coalesce in IRR: one request stands for them.
      const u64 period = static_cast<u64>(initial_count_) << divide_shift();
      const u64 late = clock_.now_ns() - deadline_ns;
      start_ns_ = period == 0 ? deadline_ns : deadline_ns + late / period * period;
      start_count_ = initial_count_;
      break;
    }
    default: start_count_ = 0; break;
  }
  fire_lvt(Lvt::kTimer, trace_.new_cause());
  rearm_timer();
}

void LocalApic::settle_timer() {
  const u64 deadline = timer_deadline_ns();
  if (deadline > clock_.now_ns()) return;
  if (timer_.armed()) {
    timer_.cancel();
    timer_expired(deadline);
    return;
  }
  // It expired while masked: nobody saw it.
  if (timer_mode() == TimerMode::kTscDeadline) {
    tsc_deadline_ = 0;
  } else if (timer_mode() == TimerMode::kPeriodic && initial_count_ != 0) {
    const u64 period = static_cast<u64>(initial_count_) << divide_shift();
    start_ns_ = deadline + (clock_.now_ns() - deadline) / period * period;
    start_count_ = initial_count_;
  } else {
    start_count_ = 0;
  }
}

void LocalApic::rearm_timer() {
  u64 deadline = lvt::Mask::get(lvt(Lvt::kTimer)) ? kNever : timer_deadline_ns();
  if (timer_mode() == TimerMode::kPeriodic && u64{initial_count_} << divide_shift() < kShortestPeriodNs &&
      deadline != kNever)
    deadline = std::max(deadline, clock_.now_ns() + kShortestPeriodNs);
  if (deadline != timer_.deadline()) timer_.arm(deadline);
}

void LocalApic::write_initial_count(u32 value) {
  settle_timer();
  if (timer_mode() == TimerMode::kTscDeadline) return;
  initial_count_ = value;
  start_count_ = value;
  start_ns_ = clock_.now_ns();
  rearm_timer();
}

void LocalApic::write_divide(u32 value) {
  settle_timer();
  const u32 count = current_count();
  divide_ = value;
  if (start_count_ != 0) {
    start_count_ = count;
    start_ns_ = clock_.now_ns();
  }
  rearm_timer();
}

void LocalApic::write_tsc_deadline(u64 value) {
  settle_timer();
  if (timer_mode() != TimerMode::kTscDeadline) return;
  trace(IrqEventKind::kRegisterWrite, 0, kNoVector, 0x6E0, value);
  tsc_deadline_ = value;
  if (value != 0 && value <= clock_.now_ns() + tsc_offset_) {
    timer_.cancel();
    timer_expired(clock_.now_ns());
  } else {
    rearm_timer();
  }
}

void LocalApic::change_timer_entry(u32 value) {
  settle_timer();
  u32& current = entry(Lvt::kTimer);
  const auto tsc_mode = static_cast<u8>(TimerMode::kTscDeadline);
  const bool was_tsc = lvt::TimerMode::get(current) == tsc_mode;
  const bool is_tsc = lvt::TimerMode::get(value) == tsc_mode;
  current = value;
  if (was_tsc != is_tsc) {
    // Entering or leaving TSC-deadline mode disarms the timer.
    tsc_deadline_ = 0;
    start_count_ = 0;
    initial_count_ = 0;
  }
  rearm_timer();
}

void LocalApic::set_tsc_offset(u64 offset) {
  settle_timer();
  tsc_offset_ = offset;
  rearm_timer();
}

void LocalApic::save(StateWriter& out) const {
  out.put_u64(apic_base_);
  for (const u32 value : {id_, static_cast<u32>(tpr_), ldr_, dfr_, svr_, esr_, errors_, icr_low_, icr_high_,
                          divide_, initial_count_, start_count_}) {
    out.put_u32(value);
  }
  for (const u32 value : lvt_) out.put_u32(value);
  for (const u64 value : {start_ns_, tsc_deadline_, tsc_offset_}) out.put_u64(value);
  for (const VectorSet* set : {&isr_, &tmr_, &irr_}) {
    for (unsigned i = 0; i < 8; ++i) out.put_u32(set->word(i));
  }
  for (unsigned v = 0; v < 256; ++v) {
    if (irr_.test(static_cast<u8>(v))) out.put_u32(irr_cause_[v]);
    if (isr_.test(static_cast<u8>(v))) out.put_u32(isr_cause_[v]);
  }
  for (unsigned pin = 0; pin < 2; ++pin) {
    out.put_bool(lint_level_[pin]);
    out.put_u32(lint_cause_[pin]);
  }
  out.put_bool(extint_message_);
  out.put_u32(extint_cause_);
  out.put_bool(intr_);
  timer_.save(out);
}

bool LocalApic::load(StateReader& in) {
  apic_base_ = in.get_u64();
  u32 tpr = 0;
  for (u32* value : {&id_, &tpr, &ldr_, &dfr_, &svr_, &esr_, &errors_, &icr_low_, &icr_high_, &divide_,
                     &initial_count_, &start_count_}) {
    *value = in.get_u32();
  }
  tpr_ = static_cast<u8>(tpr);
  for (u32& value : lvt_) value = in.get_u32();
  for (u64* value : {&start_ns_, &tsc_deadline_, &tsc_offset_}) *value = in.get_u64();
  for (VectorSet* set : {&isr_, &tmr_, &irr_}) {
    for (unsigned i = 0; i < 8; ++i) set->set_word(i, in.get_u32());
  }
  for (unsigned v = 0; v < 256; ++v) {
    irr_cause_[v] = irr_.test(static_cast<u8>(v)) ? in.get_u32() : 0;
    isr_cause_[v] = isr_.test(static_cast<u8>(v)) ? in.get_u32() : 0;
  }
  for (unsigned pin = 0; pin < 2; ++pin) {
    lint_level_[pin] = in.get_bool();
    lint_cause_[pin] = in.get_u32();
  }
  extint_message_ = in.get_bool();
  extint_cause_ = in.get_u32();
  intr_ = in.get_bool();
  timer_.load(in);
  // The CPU's own section holds the level of its pin; only the trace's memory is rebuilt.
  extint_seen_ = extint_pending();
  const bool legal = (irr_.word(0) & 0xFFFF) == 0 && (isr_.word(0) & 0xFFFF) == 0 && tpr <= 0xFF;
  if (!legal) in.fail();
  return in.ok();
}

}  // namespace lapwing
