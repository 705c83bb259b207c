// Virtual time and the timer queue. Time inside the machine is a function of retired instructions:
//   now = anchor + (instructions since the anchor) * (ns per instruction), plus charges and jumps made while
//   halted.
// Host time never enters here; a host that wants real time changes the rate between slices.
#pragma once

#include <functional>
#include <vector>

#include "core/snapshot.h"
#include "core/types.h"

namespace lapwing {

// Where something happened: total order of all events of a run.
struct Position {
  u64 instructions = 0;  // retired over all CPUs
  u64 ns = 0;            // virtual
  u64 sequence = 0;      // breaks ties
};

// Virtual costs beyond the instruction itself, so that polling loops do not eat a boot. In ns.
constexpr u64 kPauseChargeNs = 100;
constexpr u64 kIoChargeNs = 500;  // a port or MMIO access

// The TSC counts virtual nanoseconds: 1 GHz, the same on all CPUs.
constexpr u64 kTscHz = 1'000'000'000;
// Rate of virtual mode, in 2^-20 ns per instruction: 5 ns.
constexpr u64 kRateShift = 20;
constexpr u64 kVirtualModeRate = 5ull << kRateShift;
constexpr u64 kNever = ~0ull;

class Timer;

class Clock final : public Saveable {
 public:
  // Instructions retired over all CPUs. Exact whenever device code runs.
  u64 instructions() const { return instructions_; }
  u64 now_ns() const;
  Position position() const { return {instructions_, now_ns(), sequence_}; }
  u64 next_sequence() { return ++sequence_; }

  void retire(u64 count) { instructions_ += count; }
  void charge(u64 ns) {
    anchor_ns_ += ns;
    ++epoch_;
  }
  // Moves time forward to `ns` (a deadline reached while all CPUs are halted). Never backwards.
  void jump_to(u64 ns);
  // ns per instruction in 2^-20 ns; takes effect from here on.
  void set_rate(u64 rate);
  u64 rate() const { return rate_; }
  // Instructions to retire until now_ns() >= deadline; 0 if it has passed, kNever for kNever.
  u64 instructions_until(u64 deadline_ns) const;

  // Changes whenever time jumped, was charged, changed its rate, or a deadline was armed: a slice planned
  // before must be planned again.
  u64 epoch() const { return epoch_; }
  // Earliest armed deadline, kNever if none.
  u64 next_deadline() const { return next_deadline_; }
  bool timer_due() const { return next_deadline_ <= now_ns(); }
  // Fires every timer whose deadline has passed, in order of deadline, then of construction.
  void run_due_timers();

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  friend class Timer;
  void add(Timer* timer);
  void remove(Timer* timer);
  void recompute();

  u64 instructions_ = 0;
  u64 anchor_instructions_ = 0;
  u64 anchor_ns_ = 0;
  u64 rate_ = kVirtualModeRate;
  u64 sequence_ = 0;
  u64 epoch_ = 0;  // host-side, not saved
  u64 next_deadline_ = kNever;
  std::vector<Timer*> timers_;
};

// One deadline of a device. The owner saves and restores it with save()/load(); construction order breaks
// ties.
class Timer {
 public:
  // `fire` gets the deadline that was due (a periodic device re-arms relative to it, so it never drifts).
  Timer(Clock& clock, std::function<void(u64 deadline_ns)> fire);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(u64 deadline_ns);
  void cancel() { arm(kNever); }
  bool armed() const { return deadline_ != kNever; }
  u64 deadline() const { return deadline_; }

  void save(StateWriter& out) const { out.put_u64(deadline_); }
  void load(StateReader& in) { arm(in.get_u64()); }

 private:
  friend class Clock;
  Clock& clock_;
  std::function<void(u64)> fire_;
  u64 deadline_ = kNever;
};

}  // namespace lapwing
