#include "devices/storage/ide_device.h"

#include "devices/storage/ide_timing.h"

namespace lapwing {

namespace {

// The largest block, in bytes, that a command keeps in the buffer.
constexpr std::size_t kMaxBuffer = 256 * 1024;

}  // namespace

IdeDevice::IdeDevice(Clock& clock, Cable& cable)
    : clock_(clock), cable_(cable), timer_(clock, [this](u64) { timer_fired(); }) {}

u8 IdeDevice::read(unsigned reg, bool high_order) const {
  const TaskFile& file = high_order ? before_ : now_;
  switch (reg) {
    case ata::kError: return now_.error;
    case ata::kSectorCount: return file.sector_count;
    case ata::kLbaLow: return file.lba_low;
    case ata::kLbaMid: return file.lba_mid;
    case ata::kLbaHigh: return file.lba_high;
    case ata::kDevice: return device_;
    default: return status_;
  }
}

void IdeDevice::write(unsigned reg, u8 value) {
  if ((status_ & ata::kBsy) != 0) return;
  const auto shift_in = [this, value](u8 TaskFile::* member) {
    before_.*member = now_.*member;
    now_.*member = value;
  };
  switch (reg) {
    case ata::kFeatures: return shift_in(&TaskFile::features);
    case ata::kSectorCount: return shift_in(&TaskFile::sector_count);
    case ata::kLbaLow: return shift_in(&TaskFile::lba_low);
    case ata::kLbaMid: return shift_in(&TaskFile::lba_mid);
    case ata::kLbaHigh: return shift_in(&TaskFile::lba_high);
    case ata::kDevice: device_ = value; return;
    default: return;
  }
}

void IdeDevice::command(u8 code) {
  if (in_reset_) return;
  if ((status_ & ata::kBsy) != 0 && !(code == ata::kDeviceReset && is_packet_device())) return;
  acknowledge_interrupt();
  timer_.cancel();
  waiting_ = Waiting::kNothing;
  abandon();
  phase_ = Phase::kIdle;
  status_ = idle_status();
  now_.error = 0;
  execute(code);
}

void IdeDevice::acknowledge_interrupt() {
  if (!interrupt_) return;
  interrupt_ = false;
  cable_.interrupt_changed();
}

void IdeDevice::raise_interrupt() {
  if (interrupt_) return;
  interrupt_ = true;
  cable_.interrupt_changed();
}

u32 IdeDevice::read_data(unsigned size) {
  if (phase_ != Phase::kDataIn) return ~0u;
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) {
    const u8 byte = position_ < block_end_ ? buffer_[position_++] : u8{0};
    value |= u32{byte} << (i * 8);
  }
  if (position_ == block_end_) {
    phase_ = Phase::kIdle;
    status_ = idle_status();
    data_moved();
  }
  return value;
}

void IdeDevice::write_data(u32 value, unsigned size) {
  if (phase_ != Phase::kDataOut) return;
  for (unsigned i = 0; i < size && position_ < block_end_; ++i)
    buffer_[position_++] = static_cast<u8>(value >> (i * 8));
  if (position_ == block_end_) {
    phase_ = Phase::kIdle;
    status_ = idle_status();
    data_moved();
  }
}

void IdeDevice::be_busy() {
  phase_ = Phase::kBusy;
  status_ = static_cast<u8>(ata::kBsy | idle_status());
}

void IdeDevice::wait(u64 ns) {
  be_busy();
  waiting_ = Waiting::kCommand;
  timer_.arm(clock_.now_ns() + ns);
}

void IdeDevice::timer_fired() {
  const Waiting was = waiting_;
  waiting_ = Waiting::kNothing;
  switch (was) {
    case Waiting::kNothing: return;
    case Waiting::kCommand: return resume(true);
    case Waiting::kReset:
    case Waiting::kQuietDiagnostic:
    case Waiting::kDiagnostic: break;
  }
  phase_ = Phase::kIdle;
  now_.error = ata::kDiagnosticPassed;
  put_signature();
  if (was == Waiting::kDiagnostic) raise_interrupt();
}

void IdeDevice::begin_block(bool to_host, std::size_t end, bool interrupts) {
  phase_ = to_host ? Phase::kDataIn : Phase::kDataOut;
  block_end_ = end;
  status_ = static_cast<u8>(idle_status() | ata::kDrq);
  if (interrupts) raise_interrupt();
}

void IdeDevice::begin_dma(bool to_host) {
  phase_ = to_host ? Phase::kDmaIn : Phase::kDmaOut;
  block_end_ = buffer_.size();
  status_ = static_cast<u8>(idle_status() | ata::kDrq);
  move_dma();
}

void IdeDevice::dma_ready() {
  if (phase_ == Phase::kDmaIn || phase_ == Phase::kDmaOut) move_dma();
}

void IdeDevice::move_dma() {
  position_ += cable_.dma(buffer_.data() + position_, block_end_ - position_, phase_ == Phase::kDmaIn);
  if (position_ < block_end_) return;
  phase_ = Phase::kIdle;
  status_ = idle_status();
  data_moved();
}

void IdeDevice::finish(bool interrupts) {
  phase_ = Phase::kIdle;
  status_ = idle_status();
  if (interrupts) raise_interrupt();
}

void IdeDevice::fail(u8 error) {
  now_.error = error;
  phase_ = Phase::kIdle;
  status_ = static_cast<u8>(idle_status() | ata::kErr);
  raise_interrupt();
}

void IdeDevice::power_on() {
  timer_.cancel();
  waiting_ = Waiting::kNothing;
  in_reset_ = false;
  abandon();
  reset_state(true);
  before_ = {};
  now_ = {};
  phase_ = Phase::kIdle;
  buffer_.clear();
  position_ = block_end_ = 0;
  acknowledge_interrupt();
  now_.error = ata::kDiagnosticPassed;
  put_signature();
}

void IdeDevice::start_reset() {
  timer_.cancel();
  waiting_ = Waiting::kNothing;
  abandon();
  reset_state(false);
  acknowledge_interrupt();
  be_busy();
}

void IdeDevice::software_reset(bool asserted) {
  if (asserted) {
    in_reset_ = true;
    start_reset();
  } else if (in_reset_) {
    in_reset_ = false;
    waiting_ = Waiting::kReset;
    timer_.arm(clock_.now_ns() + ide_timing::kResetNs);
  }
}

void IdeDevice::diagnose(bool interrupts) {
  if (in_reset_ || (status_ & ata::kBsy) != 0) return;
  start_reset();
  waiting_ = interrupts ? Waiting::kDiagnostic : Waiting::kQuietDiagnostic;
  timer_.arm(clock_.now_ns() + ide_timing::kResetNs);
}

void IdeDevice::save(StateWriter& out) const {
  for (const TaskFile* file : {&now_, &before_}) {
    for (const u8 value :
         {file->features, file->error, file->sector_count, file->lba_low, file->lba_mid, file->lba_high})
      out.put_u8(value);
  }
  for (const u8 value : {device_, status_, static_cast<u8>(phase_), static_cast<u8>(waiting_)})
    out.put_u8(value);
  out.put_bool(interrupt_);
  out.put_bool(in_reset_);
  out.put_u32(static_cast<u32>(buffer_.size()));
  out.put_bytes(buffer_.data(), buffer_.size());
  out.put_u32(static_cast<u32>(position_));
  out.put_u32(static_cast<u32>(block_end_));
  timer_.save(out);
}

bool IdeDevice::load(StateReader& in) {
  for (TaskFile* file : {&now_, &before_}) {
    for (u8* value : {&file->features, &file->error, &file->sector_count, &file->lba_low, &file->lba_mid,
                      &file->lba_high})
      *value = in.get_u8();
  }
  device_ = in.get_u8();
  status_ = in.get_u8();
  const u8 phase = in.get_u8();
  const u8 waiting = in.get_u8();
  interrupt_ = in.get_bool();
  in_reset_ = in.get_bool();
  const u32 size = in.get_u32();
  if (size > kMaxBuffer || phase > static_cast<u8>(Phase::kDmaOut) ||
      waiting > static_cast<u8>(Waiting::kQuietDiagnostic)) {
    in.fail();
    return false;
  }
  phase_ = static_cast<Phase>(phase);
  waiting_ = static_cast<Waiting>(waiting);
  buffer_.resize(size);
  in.get_bytes(buffer_.data(), size);
  position_ = in.get_u32();
  block_end_ = in.get_u32();
  if (position_ > block_end_ || block_end_ > size) in.fail();
  timer_.load(in);
  return in.ok();
}

}  // namespace lapwing
