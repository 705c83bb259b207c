// PS/2 mouse behind the i8042: IBM PS/2 Hardware Interface Technical Reference, "Mouse", with the
// IntelliMouse wheel (ID 3) and five-button (ID 4) protocols. Stream, remote and wrap modes. The sample rate
// is stored and reported; packets leave whenever the previous one has been taken.
#pragma once

#include <deque>

#include "core/snapshot.h"
#include "core/types.h"

namespace lapwing {

class Ps2Mouse final : public Saveable {
 public:
  void reset();
  // Relative motion (right and up are positive for dx, dy as the guest counts them), wheel steps (towards the
  // user is positive), and the buttons held: bit 0 left, 1 right, 2 middle, 3 and 4 side.
  void move(int dx, int dy, int wheel, u8 buttons);
  void write(u8 value);

  bool has_byte() const { return !queue_.empty(); }
  u8 take_byte();

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  void set_defaults();
  void answer(u8 value) { queue_.push_back(value); }
  void write_argument(u8 value);
  void write_wrapped(u8 value);
  void note_rate(u8 rate);
  void send_status();
  void send_packet();
  void report_if_changed();
  int scaled(int value) const;

  std::deque<u8> queue_;
  int dx_ = 0;
  int dy_ = 0;
  int wheel_ = 0;
  u8 buttons_ = 0;
  u8 reported_buttons_ = 0;
  u8 id_ = 0;
  u8 rate_ = 100;
  u8 resolution_ = 2;
  u8 pending_command_ = 0;
  u8 last_sent_ = 0;
  u8 last_rates_[2] = {};  // the two before the newest: the wheel knock
  bool double_scaling_ = false;
  bool reporting_ = false;
  bool remote_ = false;
  bool wrap_ = false;
};

}  // namespace lapwing
