// The packet commands (MMC-4, section 6; SPC-3 for INQUIRY, REQUEST SENSE, TEST UNIT READY; SFF-8020i where
// readers of its time differ).
#include "devices/storage/atapi_commands.h"

#include <algorithm>
#include <string>
#include <utility>

#include "devices/storage/atapi_cdrom.h"

namespace lapwing {

using namespace atapi;

namespace {

constexpr u32 kFramesPerSecond = 75;
constexpr u32 kFramesPerMinute = 60 * kFramesPerSecond;
constexpr u32 kPregapFrames = 150;
// More than 90 minutes is not a CD.
constexpr u32 kMostCdBlocks = 90 * kFramesPerMinute;
constexpr u8 kDataTrack = 0x14;  // ADR 1, data, copy prohibited
constexpr u8 kFirstTrack = 1;
constexpr u8 kLeadOut = 0xAA;
constexpr u16 kProfileCd = 0x0008;
constexpr u16 kProfileDvd = 0x0010;
constexpr u32 kMaxLba = 0xFFFFFFFF;

}  // namespace

struct AtapiCdrom::Operation {
  u8 code;
  bool needs_medium;
  bool passes_attention;  // is executed, and leaves it, when UNIT ATTENTION is pending
  void (AtapiCdrom::*run)();
};

const AtapiCdrom::Operation AtapiCdrom::kOperations[] = {
    {kTestUnitReady, true, false, &AtapiCdrom::test_unit_ready},
    {kRequestSense, false, true, &AtapiCdrom::request_sense},
    {kInquiry, false, true, &AtapiCdrom::inquiry},
    {kStartStop, false, false, &AtapiCdrom::start_stop},
    {kPreventAllow, false, false, &AtapiCdrom::prevent_allow},
    {kReadCapacity, true, false, &AtapiCdrom::read_capacity},
    {kRead10, true, false, &AtapiCdrom::read_10},
    {kSeek10, true, false, &AtapiCdrom::seek},
    {kReadToc, true, false, &AtapiCdrom::read_toc},
    {kGetConfiguration, false, true, &AtapiCdrom::get_configuration},
    {kGetEventStatus, false, true, &AtapiCdrom::get_event_status},
    {kReadDiscInformation, true, false, &AtapiCdrom::read_disc_information},
    {kModeSense10, false, false, &AtapiCdrom::mode_sense},
    {kRead12, true, false, &AtapiCdrom::read_12},
    {kSetSpeed, false, false, &AtapiCdrom::set_speed},
    {kMechanismStatus, false, false, &AtapiCdrom::mechanism_status},
    {kReadCd, true, false, &AtapiCdrom::read_cd},
};

const AtapiCdrom::Operation* AtapiCdrom::find_operation(u8 code) {
  const auto found = std::find_if(std::begin(kOperations), std::end(kOperations),
                                  [code](const Operation& operation) { return operation.code == code; });
  return found == std::end(kOperations) ? nullptr : found;
}

void AtapiCdrom::execute_packet() {
  const Operation* operation = find_operation(packet_[0]);
  if (operation == nullptr) return check({kIllegalRequest, kAscInvalidOpcode, 0});
  if (attention_.key != 0 && !operation->passes_attention) return check(std::exchange(attention_, {}));
  if (operation->code != kRequestSense) {
    sense_ = {};
    sense_has_lba_ = false;
  }
  if (operation->needs_medium && !ready())
    return check({kNotReady, kAscNoMedium, tray_open_ ? kAscqTrayOpen : kAscqTrayClosed});
  (this->*operation->run)();
}

u32 AtapiCdrom::field(unsigned offset, unsigned size) const {
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value = value << 8 | packet_[offset + i];
  return value;
}

void AtapiCdrom::put_big(u64 value, unsigned size) {
  for (unsigned i = size; i-- > 0;) put8(value >> (i * 8));
}

// A block's address, as a number or as minute, second and frame.
void AtapiCdrom::put_address(bool msf, u32 lba) {
  if (!msf) return put_big(lba, 4);
  const u32 frame = lba + kPregapFrames;
  put8(0);
  put8(std::min<u32>(frame / kFramesPerMinute, 0xFF));
  put8(frame / kFramesPerSecond % 60);
  put8(frame % kFramesPerSecond);
}

void AtapiCdrom::set_length_prefix(u64 length, unsigned size) {
  for (unsigned i = 0; i < size; ++i) buffer_[i] = static_cast<u8>(length >> ((size - 1 - i) * 8));
}

u32 AtapiCdrom::blocks() const {
  return static_cast<u32>(std::min<u64>(disc().sectors() / kSectorsPerBlock, kMaxLba));
}

bool AtapiCdrom::is_dvd() const {
  return blocks() > kMostCdBlocks;
}

void AtapiCdrom::test_unit_ready() {
  succeed();
}

// Fixed format, 18 bytes. A pending UNIT ATTENTION is reported when there is nothing else.
void AtapiCdrom::request_sense() {
  constexpr u8 kCurrent = 0x70;
  constexpr u8 kInformationValid = 0x80;
  if (sense_.key == 0 && attention_.key != 0) sense_ = std::exchange(attention_, {});
  put8(kCurrent | (sense_has_lba_ ? kInformationValid : 0));
  put8(0);
  put8(sense_.key);
  put_big(sense_has_lba_ ? sense_lba_ : 0, 4);
  put8(10);
  put_zeros(4);
  put8(sense_.asc);
  put8(sense_.ascq);
  put_zeros(4);
  sense_ = {};
  sense_has_lba_ = false;
  reply(packet_[4]);
}

void AtapiCdrom::inquiry() {
  constexpr u8 kVitalPages = 0x01;
  if ((packet_[1] & kVitalPages) != 0 || packet_[2] != 0)
    return check({kIllegalRequest, kAscInvalidField, 0});
  const auto put_text = [this](std::string text, std::size_t size) {
    text.resize(size, ' ');
    buffer_.insert(buffer_.end(), text.begin(), text.end());
  };
  const std::size_t blank = std::min(identity_.model.find(' '), identity_.model.size());
  const std::string product = identity_.model.substr(std::min(blank + 1, identity_.model.size()));
  put8(0x05);  // CD-ROM
  put8(0x80);  // removable
  put8(0x00);
  put8(0x21);  // ATAPI version 2, response format 1
  put8(31);
  put_zeros(3);
  put_text(identity_.model.substr(0, blank), 8);
  put_text(product, 16);
  put_text(identity_.firmware, 4);
  reply(field(3, 2));
}

void AtapiCdrom::start_stop() {
  constexpr u8 kLoadEject = 1 << 1;
  constexpr u8 kStart = 1 << 0;
  if ((packet_[4] & kLoadEject) == 0) return succeed();
  if ((packet_[4] & kStart) != 0) {
    if (tray_open_ && disc().present()) {
      attention_ = {kUnitAttention, kAscMediumChanged, 0};
      event_ = MediaEvent::kNewMedium;
    }
    tray_open_ = false;
    return succeed();
  }
  if (locked_) return check({kIllegalRequest, kAscRemovalPrevented, kAscqPrevented});
  if (ready()) event_ = MediaEvent::kRemoval;
  tray_open_ = true;
  succeed();
}

void AtapiCdrom::prevent_allow() {
  locked_ = (packet_[4] & 1) != 0;
  succeed();
}

void AtapiCdrom::read_capacity() {
  put_big(blocks() == 0 ? 0 : blocks() - 1, 4);
  put_big(kBlockSize, 4);
  reply(buffer_.size());
}

void AtapiCdrom::read_10() {
  read_blocks(field(2, 4), field(7, 2));
}

void AtapiCdrom::read_12() {
  read_blocks(field(2, 4), field(6, 4));
}

// Only the user data of mode 1 sectors.
void AtapiCdrom::read_cd() {
  constexpr u8 kAnyType = 0;
  constexpr u8 kModeOne = 2;
  constexpr u8 kUserData = 0x10;
  const u8 type = (packet_[1] >> 2) & 7;
  if (type != kAnyType && type != kModeOne) return check({kIllegalRequest, kAscIllegalMode, 0});
  const u8 parts = packet_[9];
  if (parts == 0) return succeed();
  if (parts != kUserData || packet_[10] != 0) return check({kIllegalRequest, kAscInvalidField, 0});
  read_blocks(field(2, 4), field(6, 3));
}

void AtapiCdrom::seek() {
  if (field(2, 4) >= blocks()) return check({kIllegalRequest, kAscLbaOutOfRange, 0});
  succeed();
}

// The format is in byte 2, or in byte 9 for hosts that follow SFF-8020i.
void AtapiCdrom::read_toc() {
  const bool msf = (packet_[1] & 2) != 0;
  const u8 format = (packet_[2] & 0x0F) != 0 ? packet_[2] & 0x0F : packet_[9] >> 6;
  const u8 track = packet_[6];
  switch (format) {
    case 0:
      if (track > kFirstTrack && track != kLeadOut) return check({kIllegalRequest, kAscInvalidField, 0});
      put_toc(msf, track);
      break;
    case 1: put_sessions(msf); break;
    case 2: put_raw_toc(); break;
    default: return check({kIllegalRequest, kAscInvalidField, 0});
  }
  set_length_prefix(buffer_.size() - 2, 2);
  reply(field(7, 2));
}

void AtapiCdrom::put_toc(bool msf, u8 first_track) {
  put_zeros(2);
  put8(kFirstTrack);
  put8(kFirstTrack);
  for (const auto& [track, lba] : {std::pair<u8, u32>{kFirstTrack, 0}, {kLeadOut, blocks()}}) {
    if (track < first_track) continue;
    put8(0);
    put8(kDataTrack);
    put8(track);
    put8(0);
    put_address(msf, lba);
  }
}

void AtapiCdrom::put_sessions(bool msf) {
  put_zeros(2);
  put8(1);  // first and last complete session
  put8(1);
  put8(0);
  put8(kDataTrack);
  put8(kFirstTrack);
  put8(0);
  put_address(msf, 0);
}

// Points A0 and A1 (first and last track), A2 (lead-out) and the track; all addresses as MSF.
void AtapiCdrom::put_raw_toc() {
  const auto put_point = [this](u8 point, u8 value, u32 lba, bool is_address) {
    put8(1);  // session
    put8(kDataTrack);
    put8(0);
    put8(point);
    put_zeros(3);
    if (is_address) return put_address(true, lba);
    put8(0);
    put8(value);
    put_zeros(2);
  };
  put_zeros(2);
  put8(1);
  put8(1);
  put_point(0xA0, kFirstTrack, 0, false);
  put_point(0xA1, kFirstTrack, 0, false);
  put_point(0xA2, 0, blocks(), true);
  put_point(kFirstTrack, 0, 0, true);
}

void AtapiCdrom::get_configuration() {
  constexpr u8 kCurrent = 1;
  constexpr u8 kPersistent = 2;
  const bool dvd = ready() && is_dvd();
  const bool cd = ready() && !is_dvd();
  struct Feature {
    u16 code;
    u8 flags;
    std::vector<u8> data;
  };
  const Feature features[] = {
      {0x0000, kPersistent | kCurrent, {0x00, 0x10, dvd, 0, 0x00, 0x08, cd, 0}},
      {0x0001, kPersistent | kCurrent, {0, 0, 0, 2, 1, 0, 0, 0}},    // core: ATAPI
      {0x0002, kPersistent | kCurrent, {2, 0, 0, 0}},                // morphing: events by polling
      {0x0003, kPersistent | kCurrent, {0x29, 0, 0, 0}},             // tray, eject, lock
      {0x0010, static_cast<u8>(ready()), {0, 0, 8, 0, 0, 1, 1, 0}},  // random readable, blocks of 2048 bytes
      {0x001E, cd, {0, 0, 0, 0}},                                    // CD read
      {0x001F, dvd, {}},                                             // DVD read
  };
  const u8 wanted = packet_[1] & 3;  // 0 all, 1 current ones, 2 one
  const u32 start = field(2, 2);
  put_zeros(6);
  put_big(dvd ? kProfileDvd : cd ? kProfileCd : 0u, 2);
  for (const Feature& feature : features) {
    if (feature.code < start || (wanted == 2 && feature.code != start)) continue;
    if (wanted == 1 && (feature.flags & kCurrent) == 0) continue;
    put_big(feature.code, 2);
    put8(feature.flags);
    put8(feature.data.size());
    buffer_.insert(buffer_.end(), feature.data.begin(), feature.data.end());
  }
  set_length_prefix(buffer_.size() - 4, 4);
  reply(field(7, 2));
}

// Media events only, by polling.
void AtapiCdrom::get_event_status() {
  constexpr u8 kMediaClass = 4;
  constexpr u8 kNoEvents = 0x80;
  if ((packet_[1] & 1) == 0) return check({kIllegalRequest, kAscInvalidField, 0});
  const bool asked = (packet_[4] & (1 << kMediaClass)) != 0;
  put_big(asked ? 6 : 2, 2);
  put8(asked ? kMediaClass : kNoEvents);
  put8(1 << kMediaClass);
  if (asked) {
    put8(static_cast<u8>(std::exchange(event_, MediaEvent::kNone)));
    put8((tray_open_ ? 1 : 0) | (ready() ? 2 : 0));
    put_zeros(2);
  }
  reply(field(7, 2));
}

void AtapiCdrom::read_disc_information() {
  constexpr u8 kComplete = 0x0E;  // disc and last session
  constexpr u8 kUnrestricted = 0x20;
  put_big(32, 2);
  put8(kComplete);
  put8(kFirstTrack);
  put8(1);            // sessions
  put8(kFirstTrack);  // first and last track of the last session
  put8(kFirstTrack);
  put8(kUnrestricted);
  put_zeros(26);
  reply(field(7, 2));
}

void AtapiCdrom::mode_sense() {
  constexpr u8 kAllPages = 0x3F;
  constexpr u8 kSavedValues = 3;
  constexpr u8 kPages[] = {0x01, 0x0D, 0x2A};
  const u8 page = packet_[2] & 0x3F;
  if (packet_[2] >> 6 == kSavedValues) return check({kIllegalRequest, kAscNotSaving, 0});
  const bool known = std::find(std::begin(kPages), std::end(kPages), page) != std::end(kPages);
  if (page != kAllPages && !known) return check({kIllegalRequest, kAscInvalidField, 0});
  put_zeros(2);
  put8(tray_open_ ? 0x71 : ready() ? 0x01 : 0x70);  // medium type of SFF-8020i
  put_zeros(5);
  // No field can be changed: the changeable values are zero.
  for (const u8 code : kPages) {
    if (page != kAllPages && code != page) continue;
    const std::size_t at = buffer_.size();
    put_mode_page(code);
    if (packet_[2] >> 6 == 1)
      std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(at) + 2, buffer_.end(), u8{0});
  }
  set_length_prefix(buffer_.size() - 2, 2);
  reply(field(7, 2));
}

void AtapiCdrom::put_mode_page(u8 page) {
  constexpr u16 kSpeed = 50 * 176;  // kB/s
  put8(page);
  switch (page) {
    case 0x01:  // read error recovery
      put8(6);
      put8(0);
      put8(5);  // retries
      put_zeros(4);
      return;
    case 0x0D:  // CD device parameters
      put8(6);
      put_zeros(2);
      put_big(60, 2);
      put_big(kFramesPerSecond, 2);
      return;
    default:  // capabilities
      put8(20);
      put8(0x1B);  // reads CD-R, CD-RW, DVD-ROM, DVD-R
      put8(0);
      put8(0x70);  // mode 2 forms, multisession
      put8(0);
      put8(0x29 | (locked_ ? 2u : 0u));  // tray, eject, lock
      put8(0);
      put_big(kSpeed, 2);
      put_big(2, 2);
      put_big(512, 2);  // buffer, KiB
      put_big(kSpeed, 2);
      put_zeros(6);
      return;
  }
}

void AtapiCdrom::mechanism_status() {
  constexpr u8 kDoorOpen = 0x10;
  put8(0);
  put8(tray_open_ ? kDoorOpen : 0);
  put_zeros(3);
  put8(1);  // slots
  put_zeros(2);
  reply(field(8, 2));
}

void AtapiCdrom::set_speed() {
  succeed();
}

}  // namespace lapwing
