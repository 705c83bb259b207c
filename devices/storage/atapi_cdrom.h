// A CD/DVD-ROM drive on an IDE cable: the PACKET interface of ATA/ATAPI-6 (T13/1410D) 8.23 and SFF-8020i,
// with the commands of MMC-4 that readers need. One data track in mode 1, 2048 bytes a block; a disc larger
// than a CD shows as DVD-ROM.
//
// The user puts in one of the discs that the machine was built with, or takes it out. Sense data is kept
// until the next command. Power-on and a changed disc are reported once as UNIT ATTENTION (6/29h, 6/28h); an
// empty or open drive is NOT READY, medium not present (2/3Ah). A guest's eject opens the tray with the disc
// in it. Unsupported: audio, raw READ CD, sub-channels, writing, overlap, changers, the interrupt for the
// packet request.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "devices/storage/ata_identify.h"
#include "devices/storage/block_device.h"
#include "devices/storage/ide_device.h"

namespace lapwing {

class AtapiCdrom final : public IdeDevice {
 public:
  static constexpr u32 kBlockSize = 2048;
  static constexpr u32 kSectorsPerBlock = kBlockSize / BlockDevice::kSectorSize;

  AtapiCdrom(Clock& clock, Cable& cable, unsigned number, BlockDevice& medium, DriveIdentity identity);

  // Another disc that the user may put in; returns its number (the first one is 0, and in the drive).
  u32 add_disc(BlockDevice& disc);
  std::optional<u32> find_disc(const BlockDevice& disc) const;
  // The one in the drive, in an open tray too.
  const BlockDevice& disc() const { return *discs_[disc_]; }
  // The user opens the tray, or exchanges the disc and closes it; false when the guest has locked the tray,
  // which is then told of the wish.
  bool press_eject();
  bool insert(u32 disc);
  bool tray_open() const { return tray_open_; }

  bool expects_packet() const override { return step_ == Step::kPacket && phase_ == Phase::kDataOut; }
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  enum class Step : u8 {
    kNone,
    kFinish,
    kIdentify,
    kRequestPacket,
    kPacket,
    kExecute,
    kReply,
    kFetch,
    kRead
  };
  enum class MediaEvent : u8 { kNone = 0, kEjectRequest = 1, kNewMedium = 2, kRemoval = 3 };
  // Sense key, additional sense code and qualifier.
  struct Sense {
    u8 key = 0;
    u8 asc = 0;
    u8 ascq = 0;
  };
  struct Operation;
  static const Operation kOperations[];
  static const Operation* find_operation(u8 code);

  void execute(u8 code) override;
  void resume(bool ok) override;
  void data_moved() override;
  void reset_state(bool power_on) override;
  void put_signature() override;
  void abandon() override { medium().cancel_all(); }
  bool is_packet_device() const override { return true; }

  void quick() { step_ = Step::kFinish, wait_for_command(); }
  void wait_for_command();
  void abort_with_signature();
  void start_packet();
  void request_packet();
  void identify();
  void set_features();

  void execute_packet();
  void succeed();
  void check(Sense sense);
  void clear_buffer();
  // Sends the first `size` bytes of buffer_.
  void reply(std::size_t size);
  void begin_data();
  void next_block();
  void read_blocks(u64 lba, u32 count);
  void fetch();
  void medium_answered(const BlockCompletion& completion);

  BlockDevice& medium() { return *discs_[disc_]; }
  void take(u32 disc);
  bool ready() const { return disc().present() && !tray_open_; }
  bool is_locked();
  void stop_reading(Sense sense);
  bool is_dvd() const;
  u32 blocks() const;
  u32 field(unsigned offset, unsigned size) const;  // of the packet, big-endian

  void test_unit_ready();
  void request_sense();
  void inquiry();
  void start_stop();
  void prevent_allow();
  void read_capacity();
  void read_10();
  void read_12();
  void read_cd();
  void seek();
  void read_toc();
  void put_toc(bool msf, u8 first_track);
  void put_sessions(bool msf);
  void put_raw_toc();
  void get_configuration();
  void get_event_status();
  void read_disc_information();
  void mode_sense();
  void put_mode_page(u8 page);
  void mechanism_status();
  void set_speed();

  void put8(u64 value) { buffer_.push_back(static_cast<u8>(value)); }
  void put_big(u64 value, unsigned size);
  void put_address(bool msf, u32 lba);
  void put_zeros(std::size_t count) { buffer_.insert(buffer_.end(), count, u8{0}); }
  void set_length_prefix(u64 length, unsigned size);

  std::vector<BlockDevice*> discs_;
  u32 disc_ = 0;
  const DriveIdentity identity_;
  const unsigned number_;
  Step step_ = Step::kNone;
  std::array<u8, 12> packet_{};
  bool dma_ = false;
  u32 byte_limit_ = 0;
  u64 lba_ = 0;        // READ: first block not yet in the buffer's past
  u32 remaining_ = 0;  // blocks, the chunk's included
  u32 chunk_ = 0;
  u32 chunk_limit_ = 0;
  Sense sense_;
  u32 sense_lba_ = 0;
  bool sense_has_lba_ = false;
  Sense attention_;
  MediaEvent event_ = MediaEvent::kNone;
  bool tray_open_ = false;
  bool locked_ = false;
  u8 transfer_mode_ = 0;
};

}  // namespace lapwing
