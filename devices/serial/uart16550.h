// UART 16550A: National Semiconductor PC16550D data sheet, "Registers" and "FIFO interrupt mode operation".
// MCR.OUT2 does not gate the interrupt output, as in QEMU: kernels written for its PC clear it. Characters
// leave at once; characters from the host wait in a queue and arrive one per interval() while there is room,
// so that none is ever lost here. A guest that polls gets them at 115,200 baud and two less than a full FIFO:
// a BIOS that serves the port once per tick puts what it finds into a keyboard buffer of 15. Unsupported:
// line speed and framing (the divisor and LCR format bits are only stored), break generation, DMA pins.
#pragma once

#include <array>
#include <deque>
#include <functional>

#include "core/clock.h"
#include "devices/device.h"
#include "devices/irq.h"

namespace lapwing {

class Uart16550 final : public Device, public PortDevice {
 public:
  static constexpr unsigned kPorts = 8;
  static constexpr u64 kReceiveIntervalNs = 20'000;
  static constexpr u64 kPolledIntervalNs = 86'806;

  Uart16550(Clock& clock, unsigned index, u16 base, const IrqPin& irq, std::function<void(u8)> transmit);

  // Bytes from the host; they reach the guest as it makes room.
  void receive(const u8* data, std::size_t size);

  std::string_view name() const override { return name_; }
  void reset() override;
  std::vector<RegisterValue> registers() const override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  static constexpr unsigned kFifoDepth = 16;
  static constexpr unsigned kPolledDepth = 14;

  unsigned capacity() const;
  bool polled() const;
  u64 interval() const { return polled() ? kPolledIntervalNs : kReceiveIntervalNs; }
  void feed_later();
  unsigned trigger_level() const;
  bool loopback() const;
  u8 modem_inputs() const;
  u8 interrupt_id() const;
  u8 read_receiver();
  u8 read_line_status();
  u8 read_modem_status();
  u8 read_interrupt_id();
  void write_transmitter(u8 value);
  void write_interrupt_enable(u8 value);
  void write_fifo_control(u8 value);
  void write_modem_control(u8 value);
  void accept(u8 value);
  void feed();
  void clear_receiver();
  void restart_character_timeout();
  void update_irq();

  Clock& clock_;
  const u16 base_;
  std::string name_;
  IrqPin irq_;
  std::function<void(u8)> transmit_;
  Timer feed_timer_;
  Timer timeout_timer_;

  u8 interrupt_enable_ = 0;
  u8 fifo_control_ = 0;
  u8 line_control_ = 0;
  u8 modem_control_ = 0;
  u8 line_status_ = 0;   // error bits and DR; THRE and TEMT are always 1
  u8 modem_status_ = 0;  // delta bits; the inputs are computed
  u8 scratch_ = 0;
  u16 divisor_ = 12;
  bool transmitter_interrupt_ = false;
  bool character_timeout_ = false;
  std::array<u8, kFifoDepth> fifo_{};
  u8 fifo_head_ = 0;
  u8 fifo_count_ = 0;
  std::deque<u8> queue_;
};

}  // namespace lapwing
