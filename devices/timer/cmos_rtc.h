// Real-time clock and CMOS RAM: MC146818 (Motorola data sheet) with the 128 extra bytes of the PIIX/ICH chip
// sets. Ports 0x70 (index; bit 7 masks NMI) and 0x71, 0x72/0x73 for the upper bank. Interrupts on ISA IRQ8.
//
// Time is virtual: it starts at the unix time given and runs with the clock. Periodic, alarm and update flags
// are found when somebody looks; a timer is armed only while an enabled one would raise IRQ8. Update in
// progress reads 1 for the 244 us before an update cycle and its 1984 us; the new time appears at its end.
// Byte 0x32 holds the century and follows the date. Not modelled: daylight saving (DSE), square-wave output,
// the other time bases (all run as 32,768 Hz). Values that are no date stand still, as no update can be
// defined for them.
#pragma once

#include <functional>

#include "core/clock.h"
#include "devices/device.h"
#include "devices/irq.h"
#include "devices/timer/rtc_clock.h"

namespace lapwing {

// 2026-01-01T00:00:00Z, where virtual mode starts.
constexpr u64 kDefaultRtcStart = 1'767'225'600;

class CmosRtc final : public Device, public PortDevice {
 public:
  static constexpr u16 kPort = 0x70;
  static constexpr unsigned kPorts = 4;

  CmosRtc(Clock& clock, IrqPin irq, u64 unix_seconds = kDefaultRtcStart);

  // CMOS bytes as firmware and the machine see them; registers 0x00-0x0D and the century are the clock's own.
  u8 byte(u8 index) const { return rtc_.byte(index); }
  void set_byte(u8 index, u8 value) { rtc_.set_byte(index, value); }
  // Bit 7 of port 0x70.
  bool nmi_masked() const { return nmi_masked_; }

  // An enabled alarm has raised IRQ8 (the PIIX4 sees it as RTC_STS).
  void on_alarm(std::function<void()> listener) { alarm_ = std::move(listener); }

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  std::string_view name() const override { return "cmos_rtc"; }
  // The RESET# pin: time, CMOS and modes stay, interrupt enables and flags are cleared.
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

 private:
  void update_irq();
  u64 now() const { return clock_.now_ns(); }
  // A register with its computed bits (UIP, IRQF).
  u8 visible(const RtcClock& rtc, u8 index) const;
  u8 read_register(u8 index);
  void write_register(u8 index, u8 value);

  Clock& clock_;
  IrqPin irq_;
  Timer timer_;
  std::function<void()> alarm_;
  RtcClock rtc_;
  u8 index_ = 0;
  u8 upper_index_ = 0;
  bool nmi_masked_ = false;
  bool alarm_seen_ = false;
};

}  // namespace lapwing
