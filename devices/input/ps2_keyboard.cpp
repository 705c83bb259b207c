#include "devices/input/ps2_keyboard.h"

#include "devices/input/scancodes.h"

namespace lapwing {

namespace {

enum Command : u8 {
  kSetLeds = 0xED,
  kEcho = 0xEE,
  kScancodeSet = 0xF0,
  kIdentify = 0xF2,
  kTypematic = 0xF3,
  kEnable = 0xF4,
  kDisable = 0xF5,
  kDefaults = 0xF6,
  kAllTypematic = 0xF7,
  kAllBoth = 0xFA,
  kKeyTypematic = 0xFB,
  kKeyMake = 0xFD,
  kResend = 0xFE,
  kReset = 0xFF,
};

constexpr u8 kAcknowledge = 0xFA;
constexpr u8 kSelfTestPassed = 0xAA;
constexpr u8 kDefaultTypematic = 0x2B;
constexpr u8 kPrintScreen = 0x37;

u8 set3_code(u32 code) {
  const u32 set1 = code & 0x7F;
  if ((code & Ps2Keyboard::kPrefixE1) != 0) return 0x62;  // Pause
  if ((code & Ps2Keyboard::kPrefixE0) == 0) return set1 < kSet1ToSet3.size() ? kSet1ToSet3[set1] : 0;
  for (const ExtendedKey& key : kExtendedSet3) {
    if (key.set1 == set1) return key.set3;
  }
  return 0;
}

}  // namespace

void Ps2Keyboard::reset() {
  queue_.clear();
  set_defaults();
  leds_ = 0;
  pending_command_ = 0;
  last_sent_ = 0;
}

void Ps2Keyboard::set_defaults() {
  scancode_set_ = 2;
  typematic_ = kDefaultTypematic;
  scanning_ = true;
}

u8 Ps2Keyboard::take_byte() {
  last_sent_ = queue_.front();
  queue_.pop_front();
  return last_sent_;
}

void Ps2Keyboard::write(u8 value) {
  if (pending_command_ != 0 && value < kSetLeds) return write_argument(value);
  pending_command_ = 0;
  switch (value) {
    case kEcho: return answer(kEcho);
    case kResend: return answer(last_sent_);
    case kReset:
      reset();
      answer(kAcknowledge);
      return answer(kSelfTestPassed);
    case kIdentify:
      answer(kAcknowledge);
      answer(0xAB);
      return answer(0x83);
    case kSetLeds:
    case kScancodeSet:
    case kTypematic:
    case kKeyTypematic:
    case kKeyTypematic + 1:
    case kKeyMake: pending_command_ = value; break;
    case kEnable:
      queue_.clear();
      scanning_ = true;
      break;
    case kDisable:
      queue_.clear();
      set_defaults();
      scanning_ = false;
      break;
    case kDefaults:
      queue_.clear();
      set_defaults();
      break;
    default:
      if (value < kAllTypematic || value > kAllBoth) return answer(kResend);
  }
  answer(kAcknowledge);
}

void Ps2Keyboard::write_argument(u8 value) {
  switch (pending_command_) {
    case kSetLeds: leds_ = value & 7; break;
    case kTypematic: typematic_ = value & 0x7F; break;
    case kScancodeSet: return select_set(value);
    default: return answer(kAcknowledge);  // a list of keys follows until the next command
  }
  pending_command_ = 0;
  answer(kAcknowledge);
}

void Ps2Keyboard::select_set(u8 value) {
  pending_command_ = 0;
  if (value > 3) return answer(kResend);
  answer(kAcknowledge);
  if (value == 0)
    answer(scancode_set_);
  else
    scancode_set_ = value;
}

// A key's bytes enter the buffer whole or not at all; then one overrun code tells of the loss.
void Ps2Keyboard::send_key(const u8* bytes, std::size_t size) {
  if (queue_.size() + size <= kBufferSize) {
    queue_.insert(queue_.end(), bytes, bytes + size);
  } else if (queue_.size() <= kBufferSize) {
    while (queue_.size() < kBufferSize) queue_.push_back(0);
    queue_.push_back(scancode_set_ == 1 ? 0xFF : 0x00);
  }
}

void Ps2Keyboard::press(u32 code, bool down) {
  if (!scanning_) return;
  if (scancode_set_ == 1)
    press_set1(code, down);
  else if (scancode_set_ == 2)
    press_set2(code, down);
  else
    press_set3(code, down);
}

void Ps2Keyboard::press_set1(u32 code, bool down) {
  const auto key = static_cast<u8>((code & 0x7F) | (down ? 0 : 0x80));
  if ((code & kPrefixE1) != 0) {  // Pause has no break code of its own
    const u8 bytes[] = {0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5};
    if (down) send_key(bytes, sizeof bytes);
  } else if (code == (kPrefixE0 | kPrintScreen)) {
    const u8 make[] = {0xE0, 0x2A, 0xE0, 0x37}, release[] = {0xE0, 0xB7, 0xE0, 0xAA};
    send_key(down ? make : release, sizeof make);
  } else if ((code & kPrefixE0) != 0) {
    const u8 bytes[] = {0xE0, key};
    send_key(bytes, sizeof bytes);
  } else {
    send_key(&key, 1);
  }
}

void Ps2Keyboard::press_set2(u32 code, bool down) {
  const u8 key = kSet1ToSet2[code & 0x7F];
  if (key == 0) return;
  if ((code & kPrefixE1) != 0) {
    const u8 bytes[] = {0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77};
    if (down) send_key(bytes, sizeof bytes);
  } else if (code == (kPrefixE0 | kPrintScreen)) {
    const u8 make[] = {0xE0, 0x12, 0xE0, 0x7C}, release[] = {0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12};
    if (down)
      send_key(make, sizeof make);
    else
      send_key(release, sizeof release);
  } else {
    u8 bytes[3];
    std::size_t size = 0;
    if ((code & kPrefixE0) != 0) bytes[size++] = 0xE0;
    if (!down) bytes[size++] = 0xF0;
    bytes[size++] = key;
    send_key(bytes, size);
  }
}

void Ps2Keyboard::press_set3(u32 code, bool down) {
  const u8 key = set3_code(code);
  if (key == 0) return;
  const u8 bytes[] = {0xF0, key};
  if (down)
    send_key(&key, 1);
  else
    send_key(bytes, sizeof bytes);
}

void Ps2Keyboard::save(StateWriter& out) const {
  out.put_u32(static_cast<u32>(queue_.size()));
  for (const u8 value : queue_) out.put_u8(value);
  for (const u8 value : {scancode_set_, leds_, typematic_, pending_command_, last_sent_}) out.put_u8(value);
  out.put_bool(scanning_);
}

bool Ps2Keyboard::load(StateReader& in) {
  const u32 size = in.get_u32();
  if (size > in.remaining()) in.fail();
  queue_.clear();
  for (u32 i = 0; in.ok() && i < size; ++i) queue_.push_back(in.get_u8());
  for (u8* value : {&scancode_set_, &leds_, &typematic_, &pending_command_, &last_sent_})
    *value = in.get_u8();
  scanning_ = in.get_bool();
  if (scancode_set_ < 1 || scancode_set_ > 3) in.fail();
  return in.ok();
}

}  // namespace lapwing
