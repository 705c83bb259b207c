#include "devices/input/ps2_mouse.h"

#include <algorithm>
#include <cstdlib>

namespace lapwing {

namespace {

enum Command : u8 {
  kScaling1 = 0xE6,
  kScaling2 = 0xE7,
  kResolution = 0xE8,
  kStatus = 0xE9,
  kStream = 0xEA,
  kReadData = 0xEB,
  kUnwrap = 0xEC,
  kWrap = 0xEE,
  kRemote = 0xF0,
  kIdentify = 0xF2,
  kSampleRate = 0xF3,
  kEnable = 0xF4,
  kDisable = 0xF5,
  kDefaults = 0xF6,
  kResend = 0xFE,
  kReset = 0xFF,
};

constexpr u8 kAcknowledge = 0xFA;
constexpr u8 kSelfTestPassed = 0xAA;
constexpr int kMotionLimit = 255;
constexpr int kAccumulatorLimit = 1 << 16;
constexpr u8 kStandardButtons = 7;

// One byte of a nine-bit two's complement movement.
int clamp_motion(int value) {
  return std::clamp(value, -kMotionLimit, kMotionLimit);
}

}  // namespace

void Ps2Mouse::reset() {
  queue_.clear();
  dx_ = dy_ = wheel_ = 0;
  buttons_ = reported_buttons_ = 0;
  id_ = 0;
  pending_command_ = 0;
  last_sent_ = 0;
  last_rates_[0] = last_rates_[1] = 0;
  set_defaults();
}

void Ps2Mouse::set_defaults() {
  rate_ = 100;
  resolution_ = 2;
  double_scaling_ = false;
  reporting_ = false;
  remote_ = false;
  wrap_ = false;
}

u8 Ps2Mouse::take_byte() {
  last_sent_ = queue_.front();
  queue_.pop_front();
  if (queue_.empty()) report_if_changed();
  return last_sent_;
}

void Ps2Mouse::move(int dx, int dy, int wheel, u8 buttons) {
  dx_ = std::clamp(dx_ + dx, -kAccumulatorLimit, kAccumulatorLimit);
  dy_ = std::clamp(dy_ + dy, -kAccumulatorLimit, kAccumulatorLimit);
  wheel_ = std::clamp(wheel_ + wheel, -kAccumulatorLimit, kAccumulatorLimit);
  buttons_ = buttons;
  if (queue_.empty()) report_if_changed();
}

void Ps2Mouse::report_if_changed() {
  if (!reporting_ || remote_ || wrap_) {
    if (!remote_) dx_ = dy_ = wheel_ = 0;  // a disabled mouse does not remember motion
    return;
  }
  const u8 visible = id_ == 4 ? 0x1F : kStandardButtons;
  const bool turned = id_ != 0 && wheel_ != 0;
  if (dx_ != 0 || dy_ != 0 || turned || ((buttons_ ^ reported_buttons_) & visible) != 0) send_packet();
}

// 2:1 scaling of streamed motion (the table of the reference: 1, 1, 3, 6, 9, then doubled).
int Ps2Mouse::scaled(int value) const {
  if (!double_scaling_ || remote_) return value;
  constexpr int kSmall[] = {0, 1, 1, 3, 6, 9};
  const int size = std::abs(value);
  const int result = size < 6 ? kSmall[size] : 2 * size;
  return value < 0 ? -result : result;
}

void Ps2Mouse::send_packet() {
  const int dx = clamp_motion(dx_), dy = clamp_motion(dy_);
  dx_ -= dx;
  dy_ -= dy;
  const int x = clamp_motion(scaled(dx)), y = clamp_motion(scaled(dy));
  const int flags = (buttons_ & kStandardButtons) | 0x08 | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0);
  answer(static_cast<u8>(flags));
  answer(static_cast<u8>(x));
  answer(static_cast<u8>(y));
  const int wheel = std::clamp(wheel_, -8, 7);
  wheel_ = id_ == 0 ? 0 : wheel_ - wheel;
  if (id_ == 3) answer(static_cast<u8>(wheel));
  if (id_ == 4) answer(static_cast<u8>((wheel & 0x0F) | ((buttons_ & 0x18) << 1)));
  reported_buttons_ = buttons_;
}

void Ps2Mouse::send_status() {
  const int left = buttons_ & 1, right = (buttons_ >> 1) & 1, middle = (buttons_ >> 2) & 1;
  answer(static_cast<u8>(right | (middle << 1) | (left << 2) | (double_scaling_ ? 0x10 : 0) |
                         (reporting_ ? 0x20 : 0) | (remote_ ? 0x40 : 0)));
  answer(resolution_);
  answer(rate_);
}

void Ps2Mouse::write(u8 value) {
  if (wrap_ && value != kReset && value != kUnwrap) return answer(value);
  if (pending_command_ != 0) return write_argument(value);
  if (value == kResend) return answer(last_sent_);
  queue_.clear();
  if (value == kReset) reset();
  if (value < kScaling1) return answer(kResend);
  answer(kAcknowledge);
  switch (value) {
    case kScaling1: double_scaling_ = false; break;
    case kScaling2: double_scaling_ = true; break;
    case kResolution:
    case kSampleRate: pending_command_ = value; break;
    case kStatus: send_status(); break;
    case kStream: remote_ = false; break;
    case kReadData: send_packet(); break;
    case kUnwrap: wrap_ = false; break;
    case kWrap: wrap_ = true; break;
    case kRemote: remote_ = true; break;
    case kIdentify: answer(id_); break;
    case kEnable: reporting_ = true; break;
    case kDisable: reporting_ = false; break;
    case kDefaults: set_defaults(); break;
    case kReset:
      answer(kSelfTestPassed);
      answer(id_);
      break;
    default:  // a code without meaning is refused
      queue_.back() = kResend;
  }
}

void Ps2Mouse::write_argument(u8 value) {
  if (pending_command_ == kResolution) {
    resolution_ = value & 3;
  } else {
    note_rate(value);
  }
  pending_command_ = 0;
  answer(kAcknowledge);
}

// The knocks: rates 200, 100, 80 turn on the wheel; 200, 200, 80 then also the side buttons.
void Ps2Mouse::note_rate(u8 rate) {
  if (last_rates_[0] == 200 && last_rates_[1] == 100 && rate == 80) id_ = 3;
  if (last_rates_[0] == 200 && last_rates_[1] == 200 && rate == 80 && id_ == 3) id_ = 4;
  last_rates_[0] = last_rates_[1];
  last_rates_[1] = rate;
  rate_ = rate;
}

void Ps2Mouse::save(StateWriter& out) const {
  out.put_u32(static_cast<u32>(queue_.size()));
  for (const u8 value : queue_) out.put_u8(value);
  for (const int value : {dx_, dy_, wheel_}) out.put_u32(static_cast<u32>(value));
  for (const u8 value : {buttons_, reported_buttons_, id_, rate_, resolution_, pending_command_, last_sent_,
                         last_rates_[0], last_rates_[1]}) {
    out.put_u8(value);
  }
  for (const bool value : {double_scaling_, reporting_, remote_, wrap_}) out.put_bool(value);
}

bool Ps2Mouse::load(StateReader& in) {
  const u32 size = in.get_u32();
  if (size > in.remaining()) in.fail();
  queue_.clear();
  for (u32 i = 0; in.ok() && i < size; ++i) queue_.push_back(in.get_u8());
  for (int* value : {&dx_, &dy_, &wheel_}) {
    *value = static_cast<int>(in.get_u32());
    if (*value < -kAccumulatorLimit || *value > kAccumulatorLimit) in.fail();
  }
  for (u8* value : {&buttons_, &reported_buttons_, &id_, &rate_, &resolution_, &pending_command_, &last_sent_,
                    &last_rates_[0], &last_rates_[1]}) {
    *value = in.get_u8();
  }
  for (bool* value : {&double_scaling_, &reporting_, &remote_, &wrap_}) *value = in.get_bool();
  return in.ok();
}

}  // namespace lapwing
