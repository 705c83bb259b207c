#include "devices/input/i8042.h"

#include "devices/input/scancodes.h"

namespace lapwing {

namespace {

enum Command : u8 {
  kReadMemory = 0x20,
  kWriteMemory = 0x60,
  kDisableMouse = 0xA7,
  kEnableMouse = 0xA8,
  kTestMouse = 0xA9,
  kSelfTest = 0xAA,
  kTestKeyboard = 0xAB,
  kDisableKeyboard = 0xAD,
  kEnableKeyboard = 0xAE,
  kReadInputPort = 0xC0,
  kReadOutputPort = 0xD0,
  kWriteOutputPort = 0xD1,
  kFakeKeyboard = 0xD2,
  kFakeMouse = 0xD3,
  kWriteMouse = 0xD4,
  kA20Off = 0xDD,
  kA20On = 0xDF,
  kReadTestInputs = 0xE0,
  kPulseOutput = 0xF0,
};

namespace command_byte {
constexpr u8 kKeyboardIrq = 1, kMouseIrq = 2, kSystem = 4, kKeyboardOff = 16, kMouseOff = 32, kTranslate = 64;
}
namespace status_bit {
constexpr u8 kOutputFull = 1, kSystem = 4, kCommand = 8, kUnlocked = 16, kMouseOutput = 32;
}
namespace output_bit {
constexpr u8 kNoReset = 1, kA20 = 2, kKeyboardIrq = 16, kMouseIrq = 32, kLines = 0xC0;
}

constexpr u8 kSelfTestPassed = 0x55;
constexpr u8 kInterfaceWorks = 0;
constexpr u8 kInputPort = 0xA0;  // not locked, manufacturing jumper absent
constexpr u8 kBreakPrefix = 0xF0;
// Commands 0x20-0x3F and 0x60-0x7F address the internal RAM by their low bits.
constexpr u8 kMemoryIndex = 0x1F;

constexpr FieldInfo kStatusFields[] = {{"OBF", 0, 1},     {"IBF", 1, 1},      {"system flag", 2, 1},
                                       {"command", 3, 1}, {"unlocked", 4, 1}, {"AUX OBF", 5, 1},
                                       {"timeout", 6, 1}, {"parity", 7, 1}};
constexpr FieldInfo kCommandFields[] = {{"keyboard interrupt", 0, 1}, {"mouse interrupt", 1, 1},
                                        {"system flag", 2, 1},        {"keyboard off", 4, 1},
                                        {"mouse off", 5, 1},          {"translate", 6, 1}};
constexpr RegisterInfo kRegisters[] = {
    {"status", 0x64, 8, "PS/2 HITR, Controller Status Register", kStatusFields, 8},
    {"command byte", 0, 8, "PS/2 HITR, Controller Command Byte", kCommandFields, 6},
    {"output buffer", 0x60, 8, "PS/2 HITR, Output Buffer", nullptr, 0},
};

}  // namespace

I8042::I8042(Clock& clock, const IrqPin& keyboard_irq, const IrqPin& mouse_irq, SystemControl& system)
    : clock_(clock),
      keyboard_irq_(keyboard_irq),
      mouse_irq_(mouse_irq),
      system_(system),
      delay_(clock, [this](u64) { deliver_next(); }) {
  reset();
}

void I8042::reset() {
  keyboard_.reset();
  mouse_.reset();
  delay_.cancel();
  replies_.clear();
  memory_ = {};
  memory_[0] = command_byte::kKeyboardIrq | command_byte::kMouseIrq;
  output_full_ = false;
  output_ = 0;
  self_tested_ = false;
  last_was_command_ = true;
  break_prefix_ = false;
  pending_command_ = 0;
  update_irqs();
}

void I8042::enter_firmware_state() {
  self_tested_ = true;
  memory_[0] =
      command_byte::kKeyboardIrq | command_byte::kSystem | command_byte::kMouseOff | command_byte::kTranslate;
  update_irqs();
}

void I8042::press_key(u32 code, bool down) {
  keyboard_.press(code, down);
  bytes_waiting();
}

void I8042::move_mouse(int dx, int dy, int wheel, u8 buttons) {
  mouse_.move(dx, dy, wheel, buttons);
  bytes_waiting();
}

u8 I8042::status() const {
  const bool mouse = output_full_ && output_source_ == Source::kMouse;
  return static_cast<u8>((output_full_ ? status_bit::kOutputFull : 0) |
                         (self_tested_ ? status_bit::kSystem : 0) |
                         (last_was_command_ ? status_bit::kCommand : 0) | status_bit::kUnlocked |
                         (mouse ? status_bit::kMouseOutput : 0));
}

u8 I8042::output_port() const {
  const bool mouse = output_source_ == Source::kMouse;
  return static_cast<u8>(output_bit::kNoReset | (system_.a20_gate() ? output_bit::kA20 : 0) |
                         (output_full_ && !mouse ? output_bit::kKeyboardIrq : 0) |
                         (output_full_ && mouse ? output_bit::kMouseIrq : 0) | output_bit::kLines);
}

void I8042::write_output_port(u8 value) {
  system_.set_a20_gate((value & output_bit::kA20) != 0);
  if ((value & output_bit::kNoReset) == 0) system_.request_cpu_reset();
}

u32 I8042::port_read(u16 port, unsigned) {
  return port == kDataPort ? read_data() : status();
}

void I8042::port_write(u16 port, u32 value, unsigned) {
  last_was_command_ = port == kCommandPort;
  if (port == kCommandPort)
    write_command(static_cast<u8>(value));
  else
    write_data(static_cast<u8>(value));
}

void I8042::write_command(u8 command) {
  u8& mode = memory_[0];
  pending_command_ = 0;
  if (command >= kReadMemory && command < kReadMemory + 0x20) return reply(memory_[command & kMemoryIndex]);
  if (command >= kWriteMemory && command < kWriteMemory + 0x20) {
    pending_command_ = command;
    return;
  }
  if (command >= kPulseOutput) {  // bits 3:0 say which lines stay high; line 0 is reset
    if ((command & output_bit::kNoReset) == 0) system_.request_cpu_reset();
    return;
  }
  switch (command) {
    case kDisableMouse: mode |= command_byte::kMouseOff; break;
    case kEnableMouse: mode = static_cast<u8>(mode & ~command_byte::kMouseOff); break;
    case kSelfTest:
      self_tested_ = true;
      mode |= command_byte::kSystem;
      reply(kSelfTestPassed);
      break;
    case kTestMouse:
    case kTestKeyboard: reply(kInterfaceWorks); break;
    case kDisableKeyboard: mode |= command_byte::kKeyboardOff; break;
    case kEnableKeyboard: mode = static_cast<u8>(mode & ~command_byte::kKeyboardOff); break;
    case kReadInputPort: reply(kInputPort); break;
    case kReadOutputPort: reply(output_port()); break;
    case kReadTestInputs: reply(0); break;
    case kA20Off: system_.set_a20_gate(false); break;
    case kA20On: system_.set_a20_gate(true); break;
    case kWriteOutputPort:
    case kFakeKeyboard:
    case kFakeMouse:
    case kWriteMouse: pending_command_ = command; break;
    default: break;
  }
  bytes_waiting();
}

void I8042::write_data(u8 value) {
  const u8 command = pending_command_;
  pending_command_ = 0;
  switch (command) {
    case 0:  // to the keyboard; that also enables its interface
      memory_[0] = static_cast<u8>(memory_[0] & ~command_byte::kKeyboardOff);
      keyboard_.write(value);
      break;
    case kWriteMouse:
      memory_[0] = static_cast<u8>(memory_[0] & ~command_byte::kMouseOff);
      mouse_.write(value);
      break;
    case kWriteOutputPort: write_output_port(value); break;
    case kFakeKeyboard: return reply(value, Source::kKeyboard);
    case kFakeMouse: return reply(value, Source::kMouse);
    default:
      memory_[command & kMemoryIndex] = value;
      if (command == kWriteMemory) self_tested_ = (value & command_byte::kSystem) != 0;
      update_irqs();
  }
  bytes_waiting();
}

// The controller's own answers need no trip over the wire: they appear at once when the buffer is free.
void I8042::reply(u8 value, Source source) {
  if (output_full_ || !replies_.empty()) {
    replies_.push_back({value, source});
  } else {
    deliver(value, source);
  }
}

u8 I8042::read_data() {
  const bool was_full = output_full_;
  output_full_ = false;
  update_irqs();
  if (was_full) bytes_waiting();
  return output_;
}

// Starts the transfer of the next byte, if there is one and none is under way.
void I8042::bytes_waiting() {
  const u8 mode = memory_[0];
  const bool keyboard = keyboard_.has_byte() && (mode & command_byte::kKeyboardOff) == 0;
  const bool mouse = mouse_.has_byte() && (mode & command_byte::kMouseOff) == 0;
  if (output_full_ || delay_.armed() || (replies_.empty() && !keyboard && !mouse)) return;
  delay_.arm(clock_.now_ns() + kByteDelayNs);
}

void I8042::deliver_next() {
  if (output_full_) return;
  const u8 mode = memory_[0];
  if (!replies_.empty()) {
    const Reply next = replies_.front();
    replies_.pop_front();
    return deliver(next.value, next.source);
  }
  while (keyboard_.has_byte() && (mode & command_byte::kKeyboardOff) == 0) {
    bool swallowed = false;
    const u8 value = translate(keyboard_.take_byte(), swallowed);
    if (!swallowed) return deliver(value, Source::kKeyboard);
  }
  if (mouse_.has_byte() && (mode & command_byte::kMouseOff) == 0) deliver(mouse_.take_byte(), Source::kMouse);
}

// Set 2 to set 1: the break prefix becomes bit 7 of the code that follows.
u8 I8042::translate(u8 value, bool& swallowed) {
  if ((memory_[0] & command_byte::kTranslate) == 0) return value;
  if (value == kBreakPrefix) {
    break_prefix_ = swallowed = true;
    return 0;
  }
  const u8 code = static_cast<u8>(translate_scancode(value) | (break_prefix_ ? 0x80 : 0));
  break_prefix_ = false;
  return code;
}

void I8042::deliver(u8 value, Source source) {
  output_ = value;
  output_source_ = source;
  output_full_ = true;
  update_irqs();
}

void I8042::update_irqs() {
  const bool mouse = output_source_ == Source::kMouse;
  keyboard_irq_.set(output_full_ && !mouse && (memory_[0] & command_byte::kKeyboardIrq) != 0);
  mouse_irq_.set(output_full_ && mouse && (memory_[0] & command_byte::kMouseIrq) != 0);
}

std::vector<RegisterValue> I8042::registers() const {
  return {{&kRegisters[0], status()}, {&kRegisters[1], memory_[0]}, {&kRegisters[2], output_}};
}

void I8042::save(StateWriter& out) const {
  keyboard_irq_.save(out);
  mouse_irq_.save(out);
  delay_.save(out);
  keyboard_.save(out);
  mouse_.save(out);
  out.put_u32(static_cast<u32>(replies_.size()));
  for (const Reply& next : replies_) {
    out.put_u8(next.value);
    out.put_u8(static_cast<u8>(next.source));
  }
  out.put_bytes(memory_.data(), memory_.size());
  out.put_u8(output_);
  out.put_u8(static_cast<u8>(output_source_));
  for (const bool flag : {output_full_, self_tested_, last_was_command_, break_prefix_}) out.put_bool(flag);
  out.put_u8(pending_command_);
}

bool I8042::load(StateReader& in) {
  const auto get_source = [&in] {
    const u8 source = in.get_u8();
    if (source > static_cast<u8>(Source::kMouse)) in.fail();
    return static_cast<Source>(source);
  };
  keyboard_irq_.load(in);
  mouse_irq_.load(in);
  delay_.load(in);
  if (!keyboard_.load(in) || !mouse_.load(in)) return false;
  const u32 count = in.get_u32();
  if (count > in.remaining()) in.fail();
  replies_.clear();
  for (u32 i = 0; in.ok() && i < count; ++i) {
    const u8 value = in.get_u8();
    replies_.push_back({value, get_source()});
  }
  in.get_bytes(memory_.data(), memory_.size());
  output_ = in.get_u8();
  output_source_ = get_source();
  for (bool* flag : {&output_full_, &self_tested_, &last_was_command_, &break_prefix_}) *flag = in.get_bool();
  pending_command_ = in.get_u8();
  return in.ok();
}

}  // namespace lapwing
