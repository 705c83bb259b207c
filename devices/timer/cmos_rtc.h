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

#include <array>

#include "core/clock.h"
#include "devices/device.h"
#include "devices/irq.h"
#include "devices/timer/tick_rate.h"

namespace lapwing {

// 2026-01-01T00:00:00Z, where virtual mode starts.
constexpr u64 kDefaultRtcStart = 1'767'225'600;

using RtcRate = TickRate<32'768>;

class CmosRtc final : public Device, public PortDevice {
 public:
  static constexpr u16 kPort = 0x70;
  static constexpr unsigned kPorts = 4;
  static constexpr unsigned kBytes = 256;
  static constexpr u8 kCenturyByte = 0x32;

  CmosRtc(Clock& clock, IrqPin irq, u64 unix_seconds = kDefaultRtcStart);

  // CMOS bytes as firmware and the machine see them; registers 0x00-0x0D and the century are the clock's own.
  u8 byte(u8 index) const { return bytes_[index]; }
  void set_byte(u8 index, u8 value) { bytes_[index] = value; }
  // Bit 7 of port 0x70.
  bool nmi_masked() const { return nmi_masked_; }

  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, u32 value, unsigned size) override;

  std::string_view name() const override { return "cmos_rtc"; }
  // The RESET# pin: time, CMOS and modes stay, interrupt enables and flags are cleared.
  void reset() override;
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;
  std::vector<RegisterValue> registers() const override;

 private:
  // Date and time as the bytes hold them, in plain numbers.
  struct Date {
    unsigned second, minute, hour, day, month, year;
  };

  u8& reg(u8 index) { return bytes_[index]; }
  unsigned decode(u8 value) const;
  u8 encode(unsigned value) const;
  unsigned decode_hour(u8 value) const;
  u8 encode_hour(unsigned hour) const;
  // False when the bytes are no date.
  bool read_date(Date& date) const;
  void write_date(const Date& date);
  void advance_seconds(u64 seconds);
  // Seconds from the present time to the next alarm, at least 1; 0 if it never comes.
  u64 seconds_to_alarm() const;

  bool divider_held() const;
  bool set_mode() const;
  u64 periodic_ticks() const;  // 0 = off
  u64 ticks(u64 ns) const;
  u64 next_update_ns() const;
  bool update_in_progress() const;
  // Flags and time up to now.
  void settle();
  u64 next_interrupt_ns() const;
  void update_irq();

  u8 read_register(u8 index);
  void write_register(u8 index, u8 value);
  void write_a(u8 value);
  void write_b(u8 value);

  Clock& clock_;
  IrqPin irq_;
  Timer timer_;
  std::array<u8, kBytes> bytes_{};
  u8 index_ = 0;
  u8 upper_index_ = 0;
  bool nmi_masked_ = false;
  i64 origin_ns_ = 0;      // phase of the divider chain: updates at whole seconds from here
  u64 updates_done_ = 0;   // since the origin
  u64 periodic_seen_ = 0;  // divider ticks already considered for PF
};

}  // namespace lapwing
