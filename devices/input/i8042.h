// i8042 keyboard controller with a PS/2 keyboard and mouse: IBM PS/2 Hardware Interface Technical Reference,
// "Keyboard and Auxiliary Device Controller". Ports 0x60 (data) and 0x64 (status, command); IRQ1 and IRQ12.
// The interrupt lines follow the output buffer: a byte raises the line of its source, reading port 0x60
// lowers it, and the next byte raises it again kByteDelayNs later. Unsupported: the password commands
// 0xA4-0xA6.
#pragma once

#include <array>
#include <deque>

#include "core/clock.h"
#include "devices/device.h"
#include "devices/input/ps2_keyboard.h"
#include "devices/input/ps2_mouse.h"
#include "devices/irq.h"

namespace lapwing {

// What the controller's output port drives besides the interrupts.
class SystemControl {
 public:
  virtual ~SystemControl() = default;
  virtual void set_a20_gate(bool enabled) = 0;
  virtual bool a20_gate() const = 0;
  // Pulses INIT# of all CPUs (RCIN#); takes effect after the current instruction. No other chip is reset.
  virtual void request_cpu_reset() = 0;
};

class I8042 final : public Device, public PortDevice {
 public:
  static constexpr u16 kDataPort = 0x60;
  static constexpr u16 kCommandPort = 0x64;
  static constexpr u64 kByteDelayNs = 50'000;

  I8042(Clock& clock, const IrqPin& keyboard_irq, const IrqPin& mouse_irq, SystemControl& system);

  // Host input; key codes as Ps2Keyboard::press.
  void press_key(u32 code, bool down);
  void move_mouse(int dx, int dy, int wheel, u8 buttons);
  u8 leds() const { return keyboard_.leds(); }
  // The state in which a BIOS hands over: self-test passed, keyboard enabled and translated, IRQ1 on, mouse
  // off.
  void enter_firmware_state();

  std::string_view name() const override { return "i8042"; }
  void reset() override;
  std::vector<RegisterValue> registers() const override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  enum class Source : u8 { kController, kKeyboard, kMouse };

  u8 status() const;
  u8 output_port() const;
  void write_output_port(u8 value);
  void write_command(u8 command);
  void write_data(u8 value);
  void reply(u8 value, Source source = Source::kController);
  u8 read_data();
  void deliver_next();
  void deliver(u8 value, Source source);
  u8 translate(u8 value, bool& swallowed);
  void bytes_waiting();
  void update_irqs();

  Clock& clock_;
  IrqPin keyboard_irq_;
  IrqPin mouse_irq_;
  SystemControl& system_;
  Timer delay_;
  Ps2Keyboard keyboard_;
  Ps2Mouse mouse_;

  struct Reply {
    u8 value;
    Source source;
  };
  std::deque<Reply> replies_;    // of the controller itself, ahead of the devices'
  std::array<u8, 32> memory_{};  // internal RAM; byte 0 is the command byte
  u8 output_ = 0;                // output buffer
  Source output_source_ = Source::kController;
  bool output_full_ = false;
  bool self_tested_ = false;       // status bit 2
  bool last_was_command_ = false;  // status bit 3
  bool break_prefix_ = false;      // translation saw 0xF0
  u8 pending_command_ = 0;         // the next data byte is its argument
};

}  // namespace lapwing
