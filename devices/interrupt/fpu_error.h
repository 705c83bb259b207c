// How a PC reports x87 errors without #MF: FERR# of the bootstrap processor sets a latch on IRQ13; a write to
// port 0xF0 clears it and asserts IGNNE# until the error is gone. (Intel 82371AB data sheet, "Coprocessor
// Error Function"; port 0xF1, the reset of an 80287, is not there.)
#pragma once

#include "core/cpu/pins.h"
#include "devices/device.h"
#include "devices/irq.h"

namespace lapwing {

class FpuError final : public Device, public PortDevice, public FpuErrorPins {
 public:
  static constexpr u16 kPort = 0xF0;
  static constexpr unsigned kIrq = 13;

  explicit FpuError(IrqPin irq) : irq_(irq) {}

  std::string_view name() const override { return "fpu_error"; }
  void reset() override {
    ignored_ = false;
    irq_.lower();
  }
  u32 port_read(u16, unsigned) override { return 0xFF; }
  void port_write(u16, u32, unsigned) override {
    ignored_ = true;
    irq_.lower();
  }
  // FERR# was low until now, which has taken IGNNE# back.
  void error_recorded() override { ignored_ = false; }
  bool report_error() override {
    if (!ignored_) irq_.raise();
    return ignored_;
  }
  void save(StateWriter& out) const override {
    irq_.save(out);
    out.put_bool(ignored_);
  }
  bool load(StateReader& in) override {
    irq_.load(in);
    ignored_ = in.get_bool();
    return in.ok();
  }

 private:
  IrqPin irq_;
  bool ignored_ = false;
};

}  // namespace lapwing
