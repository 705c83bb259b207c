// System control port A, 0x92 (IBM PS/2; Intel 82371AB, section 4.2.6, "Port 92 register"): the fast A20 gate
// and FAST_INIT, whose rising edge pulses INIT# of the CPUs. The bit must go back to 0 before the next pulse.
#pragma once

#include "devices/device.h"
#include "devices/input/i8042.h"

namespace lapwing {

class SystemControlPort final : public Device, public PortDevice {
 public:
  static constexpr u16 kPort = 0x92;

  explicit SystemControlPort(SystemControl& system) : system_(system) {}

  u32 port_read(u16, unsigned) override {
    return (system_.a20_gate() ? kFastA20 : 0u) | (fast_init_ ? kFastInit : 0u);
  }
  void port_write(u16, u32 value, unsigned) override {
    system_.set_a20_gate((value & kFastA20) != 0);
    const bool rises = (value & kFastInit) != 0 && !fast_init_;
    fast_init_ = (value & kFastInit) != 0;
    if (rises) system_.request_cpu_reset();
  }

  std::string_view name() const override { return "port92"; }
  void reset() override { fast_init_ = false; }
  void save(StateWriter& out) const override { out.put_bool(fast_init_); }
  bool load(StateReader& in) override {
    fast_init_ = in.get_bool();
    return in.ok();
  }

 private:
  static constexpr u32 kFastInit = 1 << 0;
  static constexpr u32 kFastA20 = 1 << 1;

  SystemControl& system_;
  bool fast_init_ = false;
};

}  // namespace lapwing
