// ACPI fixed hardware of the PIIX4 power management function. ACPI 6.x, "ACPI Hardware Specification" (PM1
// event and control blocks, PM timer, GPE0 block); Intel 82371AB (PIIX4) data sheet, "Power Management
// Registers" and APM ports. I/O block at PMBASE (movable): PM1a_STS +0, PM1a_EN +2, PM1a_CNT +4, PM_TMR +8,
// GPE0 +0x0C; the rest of the 64 bytes reads 0. Ports 0xB2 (SMI command) and 0xB3 (its status byte).
//
// The PM timer counts at 3.579545 MHz, computed from virtual time; TMR_STS is a timer only while it may raise
// SCI. There is no system management mode: writing kAcpiEnable / kAcpiDisable to 0xB2 sets or clears SCI_EN
// at once. The reset control register is here so that whoever owns port 0xCF9 can pass it on.
#pragma once

#include <array>
#include <functional>

#include "core/clock.h"
#include "devices/bus.h"
#include "devices/device.h"
#include "devices/irq.h"
#include "devices/timer/tick_rate.h"

namespace lapwing {

using PmTimerRate = TickRate<3'579'545>;

struct AcpiPmConfig {
  bool timer_32bit = false;  // FADT flag TMR_VAL_EXT
  u8 gpe0_bytes = 4;         // status and enable halves together, at most 8, even
};

class AcpiPm final : public Device, public PortDevice {
 public:
  static constexpr unsigned kBlockSize = 64;
  static constexpr unsigned kPm1EventOffset = 0x00;
  static constexpr unsigned kPm1ControlOffset = 0x04;
  static constexpr unsigned kTimerOffset = 0x08;
  static constexpr unsigned kGpe0Offset = 0x0C;

  // `sci` is the level-triggered system control interrupt (GSI 9).
  AcpiPm(Clock& clock, IrqPin sci, const AcpiPmConfig& config = {});

  // SLP_EN was written with this SLP_TYP.
  void on_sleep(std::function<void(u8 sleep_type)> listener) { sleep_ = std::move(listener); }

  // Claims the block at `base` on the bus, giving back the old one; base 0 = not decoded. The owner of PMBASE
  // saves it and maps again after a restore.
  Result<void> map(PortBus& bus, u16 base);
  // SCI_EN, as the SMI command ACPI_ENABLE / ACPI_DISABLE sets it.
  void set_acpi_mode(bool enabled);

  void press_power_button();
  void press_sleep_button();
  void rtc_alarm();  // sets RTC_STS
  // SLP_EN has taken effect: what lies outside the resume well is lost (PM1_CNT, general-purpose events).
  void enter_sleep();
  // An enabled event, or the power button, asks for the end of the sleep.
  bool wake_event_pending() const;
  void wake();  // sets WAK_STS
  void set_gpe(unsigned bit, bool level);

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  std::string_view name() const override { return "acpi_pm"; }
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

 private:
  u8 read_byte(unsigned offset);
  void write_byte(unsigned offset, u8 value);
  void write_control(u16 value);
  u32 timer_value() const;
  u64 ticks() const { return PmTimerRate::ticks_at(clock_.now_ns()); }
  // Half periods of the timer since power-on. TMR_STS is set whenever its highest bit has changed.
  u64 halves() const;
  u16 settled_status() const;
  void settle();
  void update_sci();
  void raise_event(u16 status);

  Clock& clock_;
  IrqPin sci_;
  AcpiPmConfig config_;
  Timer carry_;
  std::function<void(u8)> sleep_;
  u16 base_ = 0;
  u16 status_ = 0;
  u16 enable_ = 0;
  u16 control_ = 0;
  u64 halves_seen_ = 0;  // half periods of the timer already turned into TMR_STS
  std::array<u8, 4> gpe_status_{};
  std::array<u8, 4> gpe_enable_{};
  std::array<u8, 4> gpe_level_{};
};

}  // namespace lapwing
