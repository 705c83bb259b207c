#include "devices/storage/atapi_cdrom.h"

#include <algorithm>
#include <utility>

#include "devices/storage/atapi_commands.h"
#include "devices/storage/ide_timing.h"

namespace lapwing {

namespace {

constexpr u32 kChunkBlocks = 64;
constexpr u32 kTag = 0;
constexpr u8 kDefaultMode = 0x22;  // multiword DMA 2
constexpr u32 kLargestByteLimit = 0xFFFE;
constexpr u8 kPowerActive = 0xFF;

}  // namespace

using namespace atapi;

AtapiCdrom::AtapiCdrom(Clock& clock, Cable& cable, unsigned number, BlockDevice& medium,
                       DriveIdentity identity)
    : IdeDevice(clock, cable), identity_(std::move(identity)), number_(number) {
  take(add_disc(medium));
  power_on();
}

u32 AtapiCdrom::add_disc(BlockDevice& disc) {
  discs_.push_back(&disc);
  return static_cast<u32>(discs_.size() - 1);
}

std::optional<u32> AtapiCdrom::find_disc(const BlockDevice& disc) const {
  const auto found = std::find(discs_.begin(), discs_.end(), &disc);
  if (found == discs_.end()) return std::nullopt;
  return static_cast<u32>(found - discs_.begin());
}

void AtapiCdrom::take(u32 disc_number) {
  disc_ = disc_number;
  medium().attach(kCdromLatency, [this](const BlockCompletion& done) { medium_answered(done); });
}

void AtapiCdrom::clear_buffer() {
  buffer_.clear();
  position_ = block_end_ = 0;
}

void AtapiCdrom::reset_state(bool power_on) {
  step_ = Step::kNone;
  clear_buffer();
  remaining_ = chunk_ = 0;
  sense_ = {};
  sense_has_lba_ = false;
  locked_ = false;
  if (!power_on) return;
  attention_ = {kUnitAttention, kAscReset, 0};
  event_ = MediaEvent::kNone;
  tray_open_ = false;
  transfer_mode_ = kDefaultMode;
}

void AtapiCdrom::put_signature() {
  now_.sector_count = 1;
  now_.lba_low = 1;
  now_.lba_mid = 0x14;
  now_.lba_high = 0xEB;
  device_ = 0;
  status_ = 0;
}

void AtapiCdrom::wait_for_command() {
  wait(ide_timing::kCommandNs);
}

void AtapiCdrom::abort_with_signature() {
  const u8 device = device_;
  put_signature();
  device_ = device;
  fail(ata::kAbrt);
}

void AtapiCdrom::execute(u8 code) {
  clear_buffer();
  switch (code) {
    case ata::kDeviceReset:
      reset_state(false);
      now_.error = ata::kDiagnosticPassed;
      put_signature();
      return;
    case ata::kPacket: return start_packet();
    case ata::kIdentifyPacket: step_ = Step::kIdentify; return wait_for_command();
    case ata::kIdentify:
    case ata::kReadSectors: return abort_with_signature();
    case ata::kSetFeatures: return set_features();
    case ata::kCheckPower: now_.sector_count = kPowerActive; return quick();
    case ata::kStandbyImmediate:
    case ata::kIdleImmediate:
    case ata::kSleep: return quick();
    default: return fail(ata::kAbrt);
  }
}

void AtapiCdrom::start_packet() {
  if ((now_.features & ata::kPacketOverlap) != 0) return fail(ata::kAbrt);
  dma_ = (now_.features & ata::kPacketDma) != 0;
  byte_limit_ = now_.lba_mid | u32{now_.lba_high} << 8;
  byte_limit_ = std::min(byte_limit_, kLargestByteLimit);
  step_ = Step::kRequestPacket;
  wait(ide_timing::kPacketRequestNs);
}

void AtapiCdrom::request_packet() {
  step_ = Step::kPacket;
  buffer_.assign(packet_.size(), 0);
  position_ = 0;
  now_.sector_count = ata::kReasonCommand;
  begin_block(false, packet_.size(), false);
}

void AtapiCdrom::resume(bool) {
  switch (step_) {
    case Step::kFinish: return finish(true);
    case Step::kIdentify:
      identify();
      position_ = 0;
      return begin_block(true, buffer_.size(), true);
    case Step::kRequestPacket: return request_packet();
    case Step::kExecute: return execute_packet();
    case Step::kNone:
    case Step::kPacket:
    case Step::kReply:
    case Step::kFetch:
    case Step::kRead: return;
  }
}

void AtapiCdrom::data_moved() {
  switch (step_) {
    case Step::kPacket:
      std::copy_n(buffer_.begin(), packet_.size(), packet_.begin());
      clear_buffer();
      step_ = Step::kExecute;
      return wait(ide_timing::kPacketNs);
    case Step::kReply:
      if (position_ < buffer_.size()) return next_block();
      return succeed();
    case Step::kRead:
      if (position_ < buffer_.size()) return next_block();
      lba_ += chunk_;
      remaining_ -= std::exchange(chunk_, 0);
      if (remaining_ == 0) return succeed();
      return fetch();
    default: clear_buffer(); return finish(false);
  }
}

void AtapiCdrom::succeed() {
  clear_buffer();
  step_ = Step::kNone;
  now_.sector_count = ata::kReasonCommand | ata::kReasonToHost;
  finish(true);
}

void AtapiCdrom::check(Sense sense) {
  clear_buffer();
  step_ = Step::kNone;
  sense_ = sense;
  now_.sector_count = ata::kReasonCommand | ata::kReasonToHost;
  const bool refused = sense.key == kIllegalRequest;
  fail(static_cast<u8>(sense.key << 4 | (refused ? ata::kAbrt : 0)));
}

void AtapiCdrom::reply(std::size_t size) {
  buffer_.resize(std::min(size, buffer_.size()));
  if (buffer_.empty()) return succeed();
  step_ = Step::kReply;
  begin_data();
}

void AtapiCdrom::begin_data() {
  position_ = 0;
  if (dma_) {
    now_.sector_count = ata::kReasonToHost;
    return begin_dma(true);
  }
  // Without a limit the device could send nothing.
  if (byte_limit_ == 0) {
    clear_buffer();
    return fail(ata::kAbrt);
  }
  next_block();
}

// Blocks are even, except that the last one ends with the data.
void AtapiCdrom::next_block() {
  std::size_t size = buffer_.size() - position_;
  if (size > byte_limit_) size = byte_limit_ == 1 ? 1 : byte_limit_ & ~1u;
  now_.sector_count = ata::kReasonToHost;
  now_.lba_mid = static_cast<u8>(size);
  now_.lba_high = static_cast<u8>(size >> 8);
  begin_block(true, position_ + size, true);
}

void AtapiCdrom::read_blocks(u64 lba, u32 count) {
  if (lba > blocks() || count > blocks() - lba) return check({kIllegalRequest, kAscLbaOutOfRange, 0});
  if (count == 0) return succeed();
  lba_ = lba;
  remaining_ = count;
  chunk_limit_ = kChunkBlocks;
  fetch();
}

void AtapiCdrom::fetch() {
  chunk_ = std::min(remaining_, chunk_limit_);
  step_ = Step::kFetch;
  be_busy();
  medium().read(kTag, lba_ * kSectorsPerBlock, chunk_ * kSectorsPerBlock);
}

void AtapiCdrom::medium_answered(const BlockCompletion& completion) {
  if (step_ != Step::kFetch) return;
  switch (completion.status) {
    case BlockStatus::kOk:
      buffer_.assign(completion.data.begin(), completion.data.end());
      step_ = Step::kRead;
      return begin_data();
    case BlockStatus::kOutOfRange: return check({kIllegalRequest, kAscLbaOutOfRange, 0});
    case BlockStatus::kNoMedium: return check({kNotReady, kAscNoMedium, kAscqTrayClosed});
    default: break;
  }
  // Find the first bad block.
  if (chunk_ > 1) {
    chunk_limit_ = 1;
    return fetch();
  }
  sense_lba_ = static_cast<u32>(lba_);
  check({kMediumError, kAscUnrecoveredRead, 0});
  sense_has_lba_ = true;
}

bool AtapiCdrom::is_locked() {
  if (locked_) event_ = MediaEvent::kEjectRequest;
  return locked_;
}

bool AtapiCdrom::press_eject() {
  if (is_locked()) return false;
  if (ready()) event_ = MediaEvent::kRemoval;
  tray_open_ = true;
  stop_reading({kNotReady, kAscNoMedium, kAscqTrayOpen});
  return true;
}

bool AtapiCdrom::insert(u32 disc_number) {
  if (is_locked()) return false;
  medium().cancel_all();
  take(disc_number);
  tray_open_ = false;
  if (disc().present()) {
    attention_ = {kUnitAttention, kAscMediumChanged, 0};
    event_ = MediaEvent::kNewMedium;
  } else {
    event_ = MediaEvent::kRemoval;
  }
  stop_reading(disc().present() ? attention_ : Sense{kNotReady, kAscNoMedium, kAscqTrayClosed});
  return true;
}

// The disc is gone in the middle of a read.
void AtapiCdrom::stop_reading(Sense sense) {
  if (step_ != Step::kFetch) return;
  medium().cancel_all();
  if (sense.key == kUnitAttention) attention_ = {};
  check(sense);
}

void AtapiCdrom::set_features() {
  if (now_.features != ata::kSetTransferMode) return fail(ata::kAbrt);
  const u8 mode = now_.sector_count;
  const u8 number = mode & 7;
  const u8 kind = mode & 0xF8;
  const bool is_pio = mode <= 1 || (kind == 0x08 && number <= ata::kMaxPioMode);
  const bool is_dma =
      (kind == 0x20 && number <= ata::kMaxMultiwordMode) || (kind == 0x40 && number <= ata::kMaxUltraMode);
  if (!is_pio && !is_dma) return fail(ata::kAbrt);
  if (is_dma) transfer_mode_ = mode;
  quick();
}

void AtapiCdrom::identify() {
  constexpr u16 kFeatures82 = 0x4218;  // NOP, DEVICE RESET, PACKET, power management
  constexpr u16 kValid = 0x4000;
  IdentifyData data;
  data.put(0, 0x85C0);  // CD-ROM, removable, packet of 12 bytes taken within 50 us without an interrupt
  data.put_names(identity_);
  data.put_modes(transfer_mode_);
  data.put(80, 0x0078);  // ATA-3 to ATA/ATAPI-6
  data.put(82, kFeatures82);
  data.put(83, kValid);
  data.put(84, kValid);
  data.put(85, kFeatures82);
  data.put(87, kValid);
  data.put(93, number_ == 0 ? 0x600B : 0x6B00);
  buffer_ = data.finish();
}

void AtapiCdrom::save(StateWriter& out) const {
  IdeDevice::save(out);
  out.put_u8(static_cast<u8>(step_));
  out.put_bytes(packet_.data(), packet_.size());
  out.put_u32(disc_);
  for (const bool value : {dma_, sense_has_lba_, tray_open_, locked_}) out.put_bool(value);
  for (const u32 value : {byte_limit_, remaining_, chunk_, chunk_limit_, sense_lba_}) out.put_u32(value);
  out.put_u64(lba_);
  for (const Sense* sense : {&sense_, &attention_}) {
    for (const u8 value : {sense->key, sense->asc, sense->ascq}) out.put_u8(value);
  }
  out.put_u8(static_cast<u8>(event_));
  out.put_u8(transfer_mode_);
}

bool AtapiCdrom::load(StateReader& in) {
  if (!IdeDevice::load(in)) return false;
  const u8 step = in.get_u8();
  in.get_bytes(packet_.data(), packet_.size());
  const u32 disc_number = in.get_u32();
  for (bool* value : {&dma_, &sense_has_lba_, &tray_open_, &locked_}) *value = in.get_bool();
  for (u32* value : {&byte_limit_, &remaining_, &chunk_, &chunk_limit_, &sense_lba_}) *value = in.get_u32();
  lba_ = in.get_u64();
  for (Sense* sense : {&sense_, &attention_}) {
    for (u8* value : {&sense->key, &sense->asc, &sense->ascq}) *value = in.get_u8();
  }
  const u8 event = in.get_u8();
  transfer_mode_ = in.get_u8();
  const bool good = step <= static_cast<u8>(Step::kRead) && event <= static_cast<u8>(MediaEvent::kRemoval) &&
                    byte_limit_ <= kLargestByteLimit && chunk_ <= kChunkBlocks && chunk_ <= remaining_ &&
                    chunk_limit_ <= kChunkBlocks && disc_number < discs_.size();
  if (!good) {
    in.fail();
    return false;
  }
  take(disc_number);
  step_ = static_cast<Step>(step);
  event_ = static_cast<MediaEvent>(event);
  return in.ok();
}

}  // namespace lapwing
