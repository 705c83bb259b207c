#include "devices/timer/acpi_pm.h"

#include <algorithm>
#include <iterator>

namespace lapwing {

namespace {

namespace pm1 {
using Timer = Field<bool, u16, 0, 1>;
using Global = Field<bool, u16, 5, 1>;
using PowerButton = Field<bool, u16, 8, 1>;
using SleepButton = Field<bool, u16, 9, 1>;
using Rtc = Field<bool, u16, 10, 1>;
using Wake = Field<bool, u16, 15, 1>;
constexpr u16 kBusMaster = 1u << 4;
constexpr u16 kEvents = Timer::kMask | Global::kMask | PowerButton::kMask | SleepButton::kMask | Rtc::kMask;
constexpr u16 kStatus = kEvents | kBusMaster | Wake::kMask;
}  // namespace pm1

namespace control {
using SciEnable = Field<bool, u16, 0, 1>;
using SleepType = Field<u8, u16, 10, 3>;
using SleepEnable = Field<bool, u16, 13, 1>;
constexpr u16 kReadable = SciEnable::kMask | 1u << 1 | SleepType::kMask;
}  // namespace control

constexpr unsigned kHighestBit24 = 23;
constexpr unsigned kHighestBit32 = 31;

constexpr FieldInfo kStatusFields[] = {{"TMR_STS", 0, 1},    {"BM_STS", 4, 1},     {"GBL_STS", 5, 1},
                                       {"PWRBTN_STS", 8, 1}, {"SLPBTN_STS", 9, 1}, {"RTC_STS", 10, 1},
                                       {"WAK_STS", 15, 1}};
constexpr FieldInfo kEnableFields[] = {
    {"TMR_EN", 0, 1}, {"GBL_EN", 5, 1}, {"PWRBTN_EN", 8, 1}, {"SLPBTN_EN", 9, 1}, {"RTC_EN", 10, 1}};
constexpr FieldInfo kControlFields[] = {{"SCI_EN", 0, 1}, {"BM_RLD", 1, 1}, {"SLP_TYP", 10, 3}};
constexpr RegisterInfo kRegisters[] = {
    {"PM1a_STS", 0x00, 16, "ACPI 4.8.3.1", kStatusFields, std::size(kStatusFields)},
    {"PM1a_EN", 0x02, 16, "ACPI 4.8.3.1", kEnableFields, std::size(kEnableFields)},
    {"PM1a_CNT", 0x04, 16, "ACPI 4.8.3.2", kControlFields, std::size(kControlFields)},
    {"PM_TMR", 0x08, 32, "ACPI 4.8.3.3", nullptr, 0},
    {"GPE0_STS", 0x0C, 32, "ACPI 4.8.4.1", nullptr, 0},
    {"GPE0_EN", 0x0E, 32, "ACPI 4.8.4.1", nullptr, 0},
    {"PMBASE", 0x40, 16, "PIIX4: PMBA", nullptr, 0}};

u8 byte_of(u32 value, unsigned index) {
  return static_cast<u8>(value >> (index * 8));
}

u32 pack(const std::array<u8, 4>& bytes) {
  return bytes[0] | static_cast<u32>(bytes[1]) << 8 | static_cast<u32>(bytes[2]) << 16 |
         static_cast<u32>(bytes[3]) << 24;
}

}  // namespace

AcpiPm::AcpiPm(Clock& clock, IrqPin sci, const AcpiPmConfig& config)
    : clock_(clock), sci_(sci), config_(config), carry_(clock, [this](u64) { update_sci(); }) {
  config_.gpe0_bytes = static_cast<u8>(std::min<unsigned>(config_.gpe0_bytes, 8) & ~1u);
  reset();
}

void AcpiPm::reset() {
  status_ = 0;
  enable_ = 0;
  control_ = 0;
  gpe_status_ = {};
  gpe_enable_ = {};
  halves_seen_ = halves();
  update_sci();
}

Result<void> AcpiPm::map(PortBus& bus, u16 base) {
  if (base_ != 0) bus.release(base_, kBlockSize);
  base_ = 0;
  if (base == 0) return {};
  Result<void> claimed = bus.claim(base, kBlockSize, *this, "ACPI power management", 4, DeviceId::kAcpiPm);
  if (claimed.ok()) base_ = base;
  return claimed;
}

void AcpiPm::set_acpi_mode(bool enabled) {
  control_ = control::SciEnable::set(control_, enabled);
  update_sci();
}

u32 AcpiPm::timer_value() const {
  const auto value = static_cast<u32>(ticks());
  return config_.timer_32bit ? value : value & 0xFFFFFF;
}

u64 AcpiPm::halves() const {
  return ticks() >> (config_.timer_32bit ? kHighestBit32 : kHighestBit24);
}

u16 AcpiPm::settled_status() const {
  return halves() == halves_seen_ ? status_ : pm1::Timer::set(status_, true);
}

void AcpiPm::settle() {
  status_ = settled_status();
  halves_seen_ = halves();
}

void AcpiPm::update_sci() {
  settle();
  bool pending = (status_ & enable_ & pm1::kEvents) != 0;
  for (std::size_t i = 0; i < gpe_status_.size(); ++i) pending |= (gpe_status_[i] & gpe_enable_[i]) != 0;
  sci_.set(pending && control::SciEnable::get(control_));
  const bool visible =
      pm1::Timer::get(enable_) && control::SciEnable::get(control_) && !pm1::Timer::get(status_);
  const unsigned bit = config_.timer_32bit ? kHighestBit32 : kHighestBit24;
  const u64 deadline = visible ? PmTimerRate::ns_of((halves_seen_ + 1) << bit) : kNever;
  if (deadline != carry_.deadline()) carry_.arm(deadline);
}

void AcpiPm::raise_event(u16 status) {
  status_ = static_cast<u16>(status_ | status);
  update_sci();
}

void AcpiPm::press_power_button() {
  raise_event(pm1::PowerButton::kMask);
}
void AcpiPm::press_sleep_button() {
  raise_event(pm1::SleepButton::kMask);
}
void AcpiPm::enter_sleep() {
  control_ = 0;
  gpe_status_ = {};
  gpe_enable_ = {};
  status_ = static_cast<u16>(status_ & ~pm1::Wake::kMask);
  update_sci();
}

bool AcpiPm::wake_event_pending() const {
  constexpr u16 kWakes = pm1::PowerButton::kMask | pm1::SleepButton::kMask | pm1::Rtc::kMask;
  return (status_ & (enable_ | pm1::PowerButton::kMask) & kWakes) != 0;
}

void AcpiPm::wake() {
  raise_event(pm1::Wake::kMask);
}
void AcpiPm::rtc_alarm() {
  raise_event(pm1::Rtc::kMask);
}

void AcpiPm::set_gpe(unsigned bit, bool level) {
  if (bit >= config_.gpe0_bytes * 4u) return;
  u8& lines = gpe_level_[bit / 8];
  lines = with_bit(lines, bit % 8, level);
  if (level) gpe_status_[bit / 8] = with_bit(gpe_status_[bit / 8], bit % 8, true);
  update_sci();
}

u8 AcpiPm::read_byte(unsigned offset) {
  const unsigned half = config_.gpe0_bytes / 2u;
  switch (offset) {
    case 0x00:
    case 0x01: return byte_of(status_, offset);
    case 0x02:
    case 0x03: return byte_of(enable_, offset - 2);
    case 0x04:
    case 0x05: return byte_of(control_, offset - kPm1ControlOffset);
    case 0x08:
    case 0x09:
    case 0x0A:
    case 0x0B: return byte_of(timer_value(), offset - kTimerOffset);
    default: break;
  }
  if (offset < kGpe0Offset || offset >= kGpe0Offset + 2 * half) return 0;
  const unsigned index = offset - kGpe0Offset;
  return index < half ? gpe_status_[index] : gpe_enable_[index - half];
}

void AcpiPm::write_byte(unsigned offset, u8 value) {
  const unsigned half = config_.gpe0_bytes / 2u;
  const auto word = static_cast<u16>((offset & 1) != 0 ? value << 8 : value);
  const auto other = static_cast<u16>((offset & 1) != 0 ? 0x00FF : 0xFF00);
  switch (offset) {
    case 0x00:
    case 0x01: status_ = static_cast<u16>(status_ & ~(word & pm1::kStatus)); return;
    case 0x02:
    case 0x03: enable_ = static_cast<u16>(((enable_ & other) | word) & pm1::kEvents); return;
    case 0x04:
    case 0x05: write_control(static_cast<u16>((control_ & other) | word)); return;
    default: break;
  }
  if (offset < kGpe0Offset || offset >= kGpe0Offset + 2 * half) return;
  const unsigned index = offset - kGpe0Offset;
  if (index < half) {
    // A line that is still asserted sets its bit again.
    gpe_status_[index] = static_cast<u8>((gpe_status_[index] & ~value) | gpe_level_[index]);
  } else {
    gpe_enable_[index - half] = value;
  }
}

void AcpiPm::write_control(u16 value) {
  control_ = value & control::kReadable;
  if (control::SleepEnable::get(value) && sleep_) sleep_(control::SleepType::get(value));
}

u32 AcpiPm::port_read(u16 port, unsigned size) {
  const unsigned offset = static_cast<u16>(port - base_);
  if (offset == kTimerOffset && size == 4) return timer_value();
  update_sci();
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= static_cast<u32>(read_byte(offset + i)) << (i * 8);
  return value;
}

void AcpiPm::port_write(u16 port, u32 value, unsigned size) {
  settle();
  const unsigned offset = static_cast<u16>(port - base_);
  if (offset == kPm1ControlOffset && size >= 2) {
    write_control(static_cast<u16>(value));  // one write, one SLP_EN
  } else {
    for (unsigned i = 0; i < size; ++i) write_byte(offset + i, byte_of(value, i));
  }
  update_sci();
}

void AcpiPm::save(StateWriter& out) const {
  for (const u16 value : {status_, enable_, control_}) out.put_u16(value);
  out.put_u64(halves_seen_);
  for (const auto* bytes : {&gpe_status_, &gpe_enable_, &gpe_level_})
    out.put_bytes(bytes->data(), bytes->size());
  sci_.save(out);
  carry_.save(out);
}

bool AcpiPm::load(StateReader& in) {
  for (u16* value : {&status_, &enable_, &control_}) *value = in.get_u16();
  halves_seen_ = in.get_u64();
  for (auto* bytes : {&gpe_status_, &gpe_enable_, &gpe_level_}) in.get_bytes(bytes->data(), bytes->size());
  sci_.load(in);
  carry_.load(in);
  return in.ok();
}

std::vector<RegisterValue> AcpiPm::registers() const {
  const u64 contents[] = {settled_status(),  enable_,           control_, timer_value(),
                          pack(gpe_status_), pack(gpe_enable_), base_};
  std::vector<RegisterValue> values;
  for (std::size_t i = 0; i < std::size(kRegisters); ++i) values.push_back({&kRegisters[i], contents[i]});
  return values;
}

}  // namespace lapwing
