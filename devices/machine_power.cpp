// Resets that leave the chips alone, suspend to RAM and wake-up.
//
// What resets what: port 0xCF9 with SRST and the host's reset button reset everything but RAM, the RTC and
// CMOS RAM. Port 0xCF9 without SRST, port 0x92, the i8042 and the shutdown cycle of a triple fault pulse
// INIT# of the CPUs: they start at the reset vector, where firmware looks at CMOS byte 0x0F for what to do
// (Intel 82371AB, section 8.6.1, "INIT"; SDM vol. 3, "Processor States Following Power-up, Reset, or INIT").
//
// A machine that was started without firmware has nobody at the reset vector: the machine does there what
// firmware would.
#include "devices/machine.h"

namespace lapwing {

namespace {

constexpr u8 kShutdownCode = 0x0F;  // CMOS
constexpr u8 kJumpWithEoi = 0x05;
constexpr u8 kJump = 0x0A;
constexpr u64 kWarmVector = 0x467;     // 40:67, offset and segment
constexpr u64 kFacsWakingVector = 12;  // ACPI 5.2.10, Firmware_Waking_Vector

}  // namespace

std::optional<Stop> Machine::reset_cpus(Stop reason) {
  cpu_reset_requested_ = false;
  if (config_.no_reboot) return ended_ = reason;
  for (unsigned index = 0; index < cpu_count(); ++index) {
    cpus_[index]->unit().init_reset();
    cpus_[index]->init_reset();
    trace_.add(IrqEventKind::kInit, DeviceId::kCpu, {.cpu = static_cast<u8>(index)});
  }
  turns_.reset();
  if (bios_.present() || enter_warm_vector()) return std::nullopt;
  return reboot(reason);
}

void Machine::enter_real_mode(u16 segment, u16 offset) {
  CpuState& s = cpus_[0]->state;
  s.seg[kCs].selector = segment;
  s.seg[kCs].base = u64{segment} << 4;
  s.rip = offset;
  cpus_[0]->update_mode();
}

// The shutdown codes with which a 286-style switch to real mode returns through 40:67.
bool Machine::enter_warm_vector() {
  const u8 code = board_->rtc().byte(kShutdownCode);
  if (code != kJump && code != kJumpWithEoi) return false;
  board_->rtc().set_byte(kShutdownCode, 0);
  if (code == kJumpWithEoi) {
    constexpr u8 kEoi = 0x20;
    board_->ports().port_out(0xA0, kEoi, 1);
    board_->ports().port_out(0x20, kEoi, 1);
  }
  enter_real_mode(static_cast<u16>(memory_.read(kWarmVector + 2, 2)),
                  static_cast<u16>(memory_.read(kWarmVector, 2)));
  return true;
}

void Machine::suspend() {
  suspend_requested_ = wake_requested_ = false;
  asleep_ = true;
  board_->suspend();
  for (const auto& cpu : cpus_) cpu->reset();
  turns_.reset();
}

// Ends the sleep when something asks for it. The CPUs were reset when the power went.
std::optional<Stop> Machine::wake() {
  if (!wake_requested_ && !board_->wake_event_pending()) return std::nullopt;
  wake_requested_ = asleep_ = false;
  board_->resume();
  if (bios_.present()) return std::nullopt;
  const MemoryMap map = make_memory_map(config_.memory);
  const u64 vector = memory_.read(map.acpi_base + kFacsWakingVector, 4);
  if (vector == 0 || vector >= kHighMemory) return reboot(Stop::kReset);
  board_->resume_firmware_state();
  for (const auto& cpu : cpus_) set_boot_msrs(cpu->state);
  enter_real_mode(static_cast<u16>(vector >> 4), static_cast<u16>(vector & 15));
  return std::nullopt;
}

}  // namespace lapwing
