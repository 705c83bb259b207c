// PS/2 keyboard behind the i8042: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and
// 102-Key)". Scan code sets 1, 2 (native) and 3. Unsupported: typematic repeat (the rate is stored; hosts
// repeat keys themselves) and the per-key modes of set 3 (every key sends make and break).
#pragma once

#include <deque>

#include "core/snapshot.h"
#include "core/types.h"

namespace lapwing {

class Ps2Keyboard final : public Saveable {
 public:
  // Key codes of press(): the set 1 code, with the prefix in bits 8 and up.
  static constexpr u32 kPrefixE0 = 0x100;
  static constexpr u32 kPrefixE1 = 0x200;

  void reset();
  // A key goes down or up; dropped while scanning is disabled.
  void press(u32 code, bool down);
  // A command or argument byte from the controller.
  void write(u8 value);

  bool has_byte() const { return !queue_.empty(); }
  u8 take_byte();
  // Bit 0 scroll lock, 1 num lock, 2 caps lock.
  u8 leds() const { return leds_; }

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  static constexpr std::size_t kBufferSize = 16;

  void set_defaults();
  void answer(u8 value) { queue_.push_back(value); }
  void write_argument(u8 value);
  void select_set(u8 value);
  void send_key(const u8* bytes, std::size_t size);
  void press_set1(u32 code, bool down);
  void press_set2(u32 code, bool down);
  void press_set3(u32 code, bool down);

  std::deque<u8> queue_;
  u8 scancode_set_ = 2;
  u8 leds_ = 0;
  u8 typematic_ = 0x2B;
  u8 pending_command_ = 0;  // waits for its argument
  u8 last_sent_ = 0;
  bool scanning_ = true;
};

}  // namespace lapwing
