#include "devices/storage/ata_disk.h"

#include <algorithm>
#include <utility>

#include "devices/storage/ide_timing.h"

namespace lapwing {

namespace {

constexpr u32 kSector = BlockDevice::kSectorSize;
constexpr u32 kChunkSectors = 256;
constexpr u32 kTag = 0;
constexpr u8 kMaxMultiple = 16;
constexpr u64 kMostLba28 = 0x0FFFFFFF;
constexpr u8 kPowerStandby = 0x00;
constexpr u8 kPowerIdle = 0x80;
constexpr u8 kPowerActive = 0xFF;
// Transfer modes of SET FEATURES (8.46.11): kind in bits 7:3.
constexpr u8 kModePio = 0x08;
constexpr u8 kModeMultiword = 0x20;
constexpr u8 kModeUltra = 0x40;

constexpr u8 byte_at(u64 value, unsigned index) {
  return static_cast<u8>(value >> (index * 8));
}

}  // namespace

AtaDisk::AtaDisk(Clock& clock, Cable& cable, unsigned number, BlockDevice& medium, DriveIdentity identity)
    : IdeDevice(clock, cable), medium_(medium), identity_(std::move(identity)), number_(number) {
  medium_.attach(kIdeDiskLatency, [this](const BlockCompletion& done) { medium_answered(done); });
  power_on();
}

void AtaDisk::reset_state(bool power_on) {
  step_ = Step::kNone;
  transfer_ = {};
  buffer_.clear();
  position_ = block_end_ = 0;
  power_ = Power::kIdle;
  if (!power_on) return;
  const Geometry geometry = default_geometry();
  heads_ = geometry.heads;
  sectors_ = geometry.sectors;
  multiple_ = kMaxMultiple;
  transfer_mode_ = kModeMultiword | ata::kMaxMultiwordMode;
  write_cache_ = true;
  look_ahead_ = true;
}

void AtaDisk::put_signature() {
  now_.sector_count = 1;
  now_.lba_low = 1;
  now_.lba_mid = 0;
  now_.lba_high = 0;
  device_ = 0;
  status_ = idle_status();
}

void AtaDisk::execute(u8 code) {
  if (power_ == Power::kSleep) {
    status_ = 0;
    return;
  }
  step_ = Step::kNone;
  buffer_.clear();
  position_ = block_end_ = 0;
  if (execute_transfer(code) || execute_power(code)) return;
  if ((code & 0xF0) == ata::kRecalibrate) return quick(ide_timing::kSeekNs);
  switch (code) {
    case ata::kSeek: {
      u64 lba = 0;
      if (!locate(false, lba) || lba >= medium_.sectors()) return fail(ata::kIdnf);
      return quick(ide_timing::kSeekNs);
    }
    case ata::kFlushCache:
    case ata::kFlushCacheExt: return flush();
    case ata::kIdentify: step_ = Step::kIdentify; return wait(ide_timing::kCommandNs);
    case ata::kInitializeParameters: return initialize_parameters();
    case ata::kReadNativeMax: return native_max(false);
    case ata::kReadNativeMaxExt: return native_max(true);
    case ata::kSetFeatures: return set_features();
    case ata::kSetMultiple: return set_multiple();
    case ata::kIdentifyPacket:
    default: return abort();
  }
}

bool AtaDisk::execute_transfer(u8 code) {
  switch (code) {
    case ata::kReadSectors:
    case ata::kReadSectorsNoRetry: start(Mode::kRead, false, false, false); return true;
    case ata::kReadSectorsExt: start(Mode::kRead, false, true, false); return true;
    case ata::kReadMultiple: start(Mode::kRead, false, false, true); return true;
    case ata::kReadMultipleExt: start(Mode::kRead, false, true, true); return true;
    case ata::kReadDma:
    case ata::kReadDmaNoRetry: start(Mode::kRead, true, false, false); return true;
    case ata::kReadDmaExt: start(Mode::kRead, true, true, false); return true;
    case ata::kWriteSectors:
    case ata::kWriteSectorsNoRetry: start(Mode::kWrite, false, false, false); return true;
    case ata::kWriteSectorsExt: start(Mode::kWrite, false, true, false); return true;
    case ata::kWriteMultiple: start(Mode::kWrite, false, false, true); return true;
    case ata::kWriteMultipleExt: start(Mode::kWrite, false, true, true); return true;
    case ata::kWriteDma:
    case ata::kWriteDmaNoRetry: start(Mode::kWrite, true, false, false); return true;
    case ata::kWriteDmaExt: start(Mode::kWrite, true, true, false); return true;
    case ata::kVerify:
    case ata::kVerifyNoRetry: start(Mode::kVerify, false, false, false); return true;
    case ata::kVerifyExt: start(Mode::kVerify, false, true, false); return true;
    default: return false;
  }
}

bool AtaDisk::execute_power(u8 code) {
  switch (code) {
    case ata::kStandby:
    case ata::kStandbyOld:
    case ata::kStandbyImmediate:
    case ata::kStandbyImmediateOld: power_ = Power::kStandby; break;
    case ata::kIdle:
    case ata::kIdleOld:
    case ata::kIdleImmediate:
    case ata::kIdleImmediateOld: power_ = Power::kIdle; break;
    case ata::kSleep:
    case ata::kSleepOld: power_ = Power::kSleep; break;
    case ata::kCheckPower:
    case ata::kCheckPowerOld:
      now_.sector_count = power_ == Power::kStandby ? kPowerStandby
                          : power_ == Power::kIdle  ? kPowerIdle
                                                    : kPowerActive;
      break;
    default: return false;
  }
  quick(ide_timing::kCommandNs);
  return true;
}

// The first sector that the registers name; false for a CHS address that does not exist.
bool AtaDisk::locate(bool extended, u64& lba) const {
  const u32 low = now_.lba_low | u32{now_.lba_mid} << 8 | u32{now_.lba_high} << 16;
  if (extended) {
    const u32 high = before_.lba_low | u32{before_.lba_mid} << 8 | u32{before_.lba_high} << 16;
    lba = low | u64{high} << 24;
    return true;
  }
  const u32 head = device_ & ata::kHeadMask;
  if ((device_ & ata::kLba) != 0) {
    lba = low | u64{head} << 24;
    return true;
  }
  const u32 cylinder = now_.lba_mid | u32{now_.lba_high} << 8;
  if (now_.lba_low == 0 || now_.lba_low > sectors_ || head >= heads_) return false;
  lba = (u64{cylinder} * heads_ + head) * sectors_ + now_.lba_low - 1;
  return true;
}

void AtaDisk::start(Mode mode, bool dma, bool extended, bool multiple) {
  if (multiple && multiple_ == 0) return abort();
  if (mode == Mode::kWrite && medium_.read_only()) return abort();
  Transfer& t = transfer_;
  t = {.mode = mode, .dma = dma, .extended = extended, .chunk_limit = kChunkSectors};
  if (multiple) t.block = multiple_;
  if (extended) {
    t.remaining = now_.sector_count | u32{before_.sector_count} << 8;
    if (t.remaining == 0) t.remaining = 0x10000;
  } else {
    t.remaining = now_.sector_count == 0 ? 0x100 : now_.sector_count;
  }
  if (!locate(extended, t.lba)) return fail(ata::kIdnf);
  const u64 end = medium_.sectors();
  if (t.lba >= end || t.remaining > end - t.lba) {
    put_address(std::max(t.lba, end), t.remaining);
    return fail(ata::kIdnf);
  }
  power_ = Power::kActive;
  if (mode == Mode::kWrite) {
    gather(false);
  } else {
    fetch();
  }
}

// Has the medium read the next chunk.
void AtaDisk::fetch() {
  Transfer& t = transfer_;
  t.chunk = std::min(t.remaining, t.chunk_limit);
  step_ = Step::kFetch;
  be_busy();
  medium_.read(kTag, t.lba, t.chunk);
}

// Takes the next chunk from the host.
void AtaDisk::gather(bool interrupts) {
  Transfer& t = transfer_;
  t.chunk = std::min(t.remaining, t.chunk_limit);
  buffer_.assign(std::size_t{t.chunk} * kSector, 0);
  position_ = 0;
  if (t.dma) {
    begin_dma(false);
  } else {
    next_block(interrupts);
  }
}

void AtaDisk::next_block(bool interrupts) {
  const std::size_t size = std::size_t{transfer_.block} * kSector;
  begin_block(transfer_.mode == Mode::kRead, std::min(position_ + size, buffer_.size()), interrupts);
}

void AtaDisk::store() {
  step_ = Step::kStore;
  be_busy();
  medium_.write(kTag, transfer_.lba, buffer_.data(), transfer_.chunk);
}

void AtaDisk::flush() {
  step_ = Step::kFlush;
  be_busy();
  medium_.flush(kTag);
}

void AtaDisk::data_moved() {
  if (step_ == Step::kIdentify) {
    buffer_.clear();
    position_ = block_end_ = 0;
    return finish(false);
  }
  if (position_ < buffer_.size()) return next_block(true);
  if (transfer_.mode == Mode::kWrite) return store();
  chunk_done();
}

void AtaDisk::chunk_done() {
  Transfer& t = transfer_;
  t.lba += t.chunk;
  t.remaining -= std::exchange(t.chunk, 0);
  if (t.remaining == 0) return end_transfer();
  if (t.mode == Mode::kWrite) return gather(true);
  fetch();
}

// The last block of a PIO read has had its interrupt already.
void AtaDisk::end_transfer() {
  buffer_.clear();
  position_ = block_end_ = 0;
  if (transfer_.mode == Mode::kWrite && !write_cache_) return flush();
  finish(transfer_.dma || transfer_.mode != Mode::kRead);
}

void AtaDisk::medium_answered(const BlockCompletion& completion) {
  const bool ok = completion.status == BlockStatus::kOk;
  switch (step_) {
    case Step::kFetch:
      if (!ok) return transfer_failed(completion.status);
      if (transfer_.mode == Mode::kVerify) return chunk_done();
      buffer_.assign(completion.data.begin(), completion.data.end());
      position_ = 0;
      if (transfer_.dma) return begin_dma(true);
      return next_block(true);
    case Step::kStore:
      if (!ok) return transfer_failed(completion.status);
      return chunk_done();
    case Step::kFlush: return ok ? finish(true) : abort();
    case Step::kNone:
    case Step::kFinish:
    case Step::kIdentify: return;
  }
}

void AtaDisk::transfer_failed(BlockStatus status) {
  Transfer& t = transfer_;
  if (t.mode != Mode::kWrite && t.chunk > 1 && status == BlockStatus::kMediumError) {
    t.chunk_limit = 1;
    return fetch();
  }
  buffer_.clear();
  position_ = block_end_ = 0;
  put_address(t.lba, t.remaining);
  switch (status) {
    case BlockStatus::kMediumError: return fail(ata::kUnc);
    case BlockStatus::kOutOfRange: return fail(ata::kIdnf);
    case BlockStatus::kWriteError:
      fail(ata::kAbrt);
      status_ |= ata::kDf;
      return;
    case BlockStatus::kOk:
    case BlockStatus::kWriteProtected:
    case BlockStatus::kNoMedium: return abort();
  }
}

// Leaves the address of the first bad sector, and how many were not moved, in the form of the command.
void AtaDisk::put_address(u64 lba, u32 count) {
  if (!transfer_.extended && (device_ & ata::kLba) == 0) {
    const u64 track = lba / sectors_;
    const u64 cylinder = track / heads_;
    now_.lba_low = static_cast<u8>(lba % sectors_ + 1);
    now_.lba_mid = byte_at(cylinder, 0);
    now_.lba_high = byte_at(cylinder, 1);
    device_ = static_cast<u8>((device_ & ~ata::kHeadMask) | (track % heads_ & ata::kHeadMask));
    now_.sector_count = byte_at(count, 0);
    return;
  }
  now_.sector_count = byte_at(count, 0);
  now_.lba_low = byte_at(lba, 0);
  now_.lba_mid = byte_at(lba, 1);
  now_.lba_high = byte_at(lba, 2);
  if (transfer_.extended) {
    before_.sector_count = byte_at(count, 1);
    before_.lba_low = byte_at(lba, 3);
    before_.lba_mid = byte_at(lba, 4);
    before_.lba_high = byte_at(lba, 5);
  } else {
    device_ = static_cast<u8>((device_ & ~ata::kHeadMask) | (byte_at(lba, 3) & ata::kHeadMask));
  }
}

void AtaDisk::resume(bool) {
  switch (step_) {
    case Step::kFinish: return finish(true);
    case Step::kIdentify:
      identify();
      position_ = 0;
      return begin_block(true, buffer_.size(), true);
    case Step::kNone:
    case Step::kFetch:
    case Step::kStore:
    case Step::kFlush: return;
  }
}

void AtaDisk::native_max(bool extended) {
  transfer_.extended = extended;
  const u8 count = now_.sector_count;
  const u64 last = medium_.sectors() == 0 ? 0 : medium_.sectors() - 1;
  device_ |= ata::kLba;
  put_address(extended ? last : std::min(last, kMostLba28 - 1), count);
  quick(ide_timing::kCommandNs);
}

void AtaDisk::initialize_parameters() {
  if (now_.sector_count == 0) return abort();
  sectors_ = now_.sector_count;
  heads_ = (device_ & ata::kHeadMask) + 1u;
  quick(ide_timing::kCommandNs);
}

void AtaDisk::set_multiple() {
  const u8 count = now_.sector_count;
  if (count > kMaxMultiple || (count & (count - 1)) != 0) {
    multiple_ = 0;
    return abort();
  }
  multiple_ = count;
  quick(ide_timing::kCommandNs);
}

bool AtaDisk::set_transfer_mode(u8 mode) {
  const u8 number = mode & 7;
  switch (mode & 0xF8) {
    case 0x00: return number <= 1;  // default PIO mode
    case kModePio: return number <= ata::kMaxPioMode;
    case kModeMultiword:
      if (number > ata::kMaxMultiwordMode) return false;
      transfer_mode_ = mode;
      return true;
    case kModeUltra:
      if (number > ata::kMaxUltraMode) return false;
      transfer_mode_ = mode;
      return true;
    default: return false;
  }
}

void AtaDisk::set_features() {
  switch (now_.features) {
    case ata::kEnableWriteCache: write_cache_ = true; break;
    case ata::kDisableWriteCache: write_cache_ = false; return flush();
    case ata::kSetTransferMode:
      if (!set_transfer_mode(now_.sector_count)) return abort();
      break;
    case ata::kEnableLookAhead: look_ahead_ = true; break;
    case ata::kDisableLookAhead: look_ahead_ = false; break;
    case ata::kKeepSettings:
    case ata::kRevertSettings: break;
    default: return abort();
  }
  quick(ide_timing::kCommandNs);
}

void AtaDisk::save(StateWriter& out) const {
  IdeDevice::save(out);
  const Transfer& t = transfer_;
  for (const u8 value :
       {static_cast<u8>(step_), static_cast<u8>(t.mode), static_cast<u8>(power_), multiple_, transfer_mode_})
    out.put_u8(value);
  for (const bool value : {t.dma, t.extended, write_cache_, look_ahead_}) out.put_bool(value);
  out.put_u64(t.lba);
  for (const u32 value : {t.remaining, t.block, t.chunk, t.chunk_limit, heads_, sectors_}) out.put_u32(value);
}

bool AtaDisk::load(StateReader& in) {
  if (!IdeDevice::load(in)) return false;
  Transfer& t = transfer_;
  const u8 step = in.get_u8();
  const u8 mode = in.get_u8();
  const u8 power = in.get_u8();
  multiple_ = in.get_u8();
  transfer_mode_ = in.get_u8();
  for (bool* value : {&t.dma, &t.extended, &write_cache_, &look_ahead_}) *value = in.get_bool();
  t.lba = in.get_u64();
  for (u32* value : {&t.remaining, &t.block, &t.chunk, &t.chunk_limit, &heads_, &sectors_})
    *value = in.get_u32();
  const bool good = step <= static_cast<u8>(Step::kFlush) && mode <= static_cast<u8>(Mode::kVerify) &&
                    power <= static_cast<u8>(Power::kSleep) && t.chunk <= kChunkSectors &&
                    t.chunk_limit <= kChunkSectors && t.chunk <= t.remaining && t.block >= 1 &&
                    t.block <= kMaxMultiple && heads_ >= 1 && heads_ <= 16 && sectors_ >= 1 &&
                    sectors_ <= 255;
  if (!good) in.fail();
  step_ = static_cast<Step>(step);
  t.mode = static_cast<Mode>(mode);
  power_ = static_cast<Power>(power);
  return in.ok();
}

}  // namespace lapwing
