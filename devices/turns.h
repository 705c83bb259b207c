// Whose turn it is. CPUs take turns of kQuantum instructions in a round; PAUSE and HLT end a turn early. A
// CPU that is told of an interrupt (IPI, timer, device, INIT, SIPI) is called and runs next: one that slept
// takes the turn over, one that is at work visits for at most kVisit instructions, after which the
// interrupted turn goes on. Both are paid from a credit that only a turn in the round renews, so that CPUs
// which keep calling each other do not starve the others.
//
// All of it is machine state, and nothing changes between two decisions, so where the host cuts the run does
// not matter.
#pragma once

#include <array>

#include "core/snapshot.h"
#include "core/types.h"
#include "devices/machine_config.h"

namespace lapwing {

class Turns final : public Saveable {
 public:
  static constexpr u64 kQuantum = 10'000;
  static constexpr u64 kVisit = 1'000;
  static constexpr u64 kCredit = 4 * kQuantum;
  static constexpr u64 kUnlimited = ~u64{0};  // a CPU that is alone

  explicit Turns(unsigned cpus) : cpus_(cpus) { reset(); }

  // CPU 0 begins.
  void reset();
  // Whose instructions run, and how many more of them before the next decision.
  unsigned current() const { return current_; }
  u64 left() const {
    if (cpus_ == 1) return kUnlimited;
    return visit_left_ > 0 ? visit_left_ : turn_left_;
  }
  // That CPU has an interrupt to take.
  void call(unsigned cpu) { called_ |= bit(cpu); }
  // Decides who runs next; `runnable` has a bit for each CPU that can, `halted` for each that sleeps or has
  // just been woken. False when none can.
  bool choose(u32 runnable, u32 halted);
  // The current CPU ran, and perhaps gave up its turn (HLT, PAUSE).
  void ran(u64 instructions, bool gave_up);

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  static u32 bit(unsigned cpu) { return 1u << cpu; }
  bool follow_call(u32 runnable, u32 halted);
  void take(unsigned cpu);

  unsigned cpus_;
  u32 current_ = 0;
  u32 owner_ = 0;  // of the turn
  u32 called_ = 0;
  u64 turn_left_ = 0;
  u64 visit_left_ = 0;      // not 0: the current CPU visits
  bool on_credit_ = false;  // the turn was taken over
  std::array<u64, kMaxCpus> credit_{};
};

}  // namespace lapwing
