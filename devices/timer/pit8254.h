// Intel 8254 programmable interval timer (82C54 data sheet) with the PC's port 0x61 ("NMI Status and
// Control", PIIX and ICH data sheets): counter 0 drives ISA IRQ0, counter 1 was the DRAM refresh, counter 2
// the speaker. Ports 0x40-0x43 and 0x61. Input clock 1.193182 MHz, counts computed from virtual time.
//
// Nothing ticks: only counter 0's next output edge is a timer. In mode 2 its one-clock low pulse is presented
// at its rising edge. Refresh (port 0x61 bit 4) toggles every 18 input clocks whatever counter 1 is
// programmed to. Not modelled: NMI sources of port 0x61 (SERR#, IOCHK#: always inactive), sound.
#pragma once

#include <array>

#include "core/clock.h"
#include "devices/device.h"
#include "devices/irq.h"
#include "devices/timer/tick_rate.h"

namespace lapwing {

using PitRate = TickRate<1'193'182>;

// One of the three counters. Times are input clocks since power-on.
class PitCounter {
 public:
  static constexpr u64 kNeverTick = ~0ull;

  void control(u8 mode, u8 access, bool bcd, u64 tick);
  void write(u8 value, u64 tick);
  u8 read(u64 tick);
  void latch_count(u64 tick);
  void latch_status(u64 tick);
  void set_gate(bool level, u64 tick);
  // Loads a pending count whose cycle has begun by `tick`.
  void settle(u64 tick);

  bool out(u64 tick) const;
  u16 count(u64 tick) const;  // as read: binary or BCD
  u8 status(u64 tick) const;
  u8 mode() const { return mode_; }
  bool gate() const { return gate_; }
  u32 reload() const { return reload_; }
  // First tick after `tick` at which OUT changes; kNeverTick if none is in sight.
  u64 next_edge(u64 tick) const;
  // The same for low-to-high changes in mode 2.
  u64 next_reload(u64 tick) const;

  void save(StateWriter& out) const;
  void load(StateReader& in);

 private:
  // Idle: no count yet, waiting for a trigger, or stopped by the gate in modes 2 and 3: OUT is at its initial
  // level. Paused: the gate holds the count of modes 0 and 4.
  enum class State : u8 { kIdle, kPaused, kRunning };

  u32 modulus() const { return bcd_ ? 10000 : 0x10000; }
  i64 elapsed(u64 tick) const;
  u32 raw_count(u64 tick) const;
  void load_count(u32 count, u64 tick);
  void start(u64 tick);

  u8 mode_ = 0;
  u8 access_ = 3;  // RW field: 1 LSB, 2 MSB, 3 LSB then MSB
  bool bcd_ = false;
  bool gate_ = true;
  State state_ = State::kIdle;
  bool have_count_ = false;
  bool reload_pending_ = false;  // modes 2 and 3: reload_ takes over at null_until_
  bool out_before_ = false;      // OUT until the count is loaded
  u32 reload_ = 0x10000;         // CR, 1..modulus
  u32 length_ = 0x10000;         // the count that was loaded at start_
  u64 start_ = 0;                // tick of the load
  u64 frozen_ = 0;               // elapsed while paused
  u64 null_until_ = kNeverTick;  // CR is not yet in CE before this tick
  u32 held_ = 0;                 // count while idle
  bool write_msb_next_ = false;
  bool read_msb_next_ = false;
  u8 lsb_ = 0;
  bool count_latched_ = false;
  u16 latched_count_ = 0;
  bool status_latched_ = false;
  u8 latched_status_ = 0;
};

class Pit8254 final : public Device, public PortDevice {
 public:
  static constexpr u16 kPort = 0x40;
  static constexpr unsigned kPorts = 4;
  static constexpr u16 kControlPort = 0x61;

  // `irq` is counter 0's OUT (ISA IRQ0).
  Pit8254(Clock& clock, IrqPin irq);

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;
  // Counter 2's OUT reaches the speaker.
  bool speaker_enabled() const;

  std::string_view name() const override { return "pit8254"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

 private:
  u64 tick() const { return PitRate::ticks_at(clock_.now_ns()); }
  void write_control(u8 value, u64 tick);
  void read_back(u8 value, u64 tick);
  u8 read_port61(u64 tick) const;
  void write_port61(u8 value, u64 tick);
  // Brings the IRQ line to counter 0's OUT and arms the timer for the next edge.
  void follow_output(u64 tick);
  void output_edge(u64 deadline_ns);

  Clock& clock_;
  IrqPin irq_;
  Timer timer_;
  std::array<PitCounter, 3> counters_;
  u8 port61_ = 0;
};

}  // namespace lapwing
