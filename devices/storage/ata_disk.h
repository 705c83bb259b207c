// A hard disk on an IDE cable. ATA/ATAPI-6 (T13/1410D): general feature set, 48-bit addresses, power
// management, write cache, PIO up to mode 4, multiword DMA 2, Ultra DMA 5. CHS addresses with the default or
// the host's translation (INITIALIZE DEVICE PARAMETERS).
//
// A transfer goes in chunks through a buffer; a chunk that the medium cannot read or keep is tried again
// sector by sector, so that the error names the first bad one. With the write cache off, a write command ends
// only after a flush. SLEEP is left by a reset only. Unsupported (aborted): SMART, security, host protected
// area other than READ NATIVE MAX, queued commands, READ/WRITE BUFFER, READ/WRITE LONG, FORMAT TRACK, CFA.
#pragma once

#include "devices/storage/ata_identify.h"
#include "devices/storage/block_device.h"
#include "devices/storage/ide_device.h"

namespace lapwing {

class AtaDisk final : public IdeDevice {
 public:
  // `number` is 0 for the master.
  AtaDisk(Clock& clock, Cable& cable, unsigned number, BlockDevice& medium, DriveIdentity identity);

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  // What the device is busy with.
  enum class Step : u8 { kNone, kFinish, kIdentify, kFetch, kStore, kFlush };
  enum class Mode : u8 { kRead, kWrite, kVerify };
  enum class Power : u8 { kStandby, kIdle, kActive, kSleep };

  struct Transfer {
    Mode mode = Mode::kRead;
    bool dma = false;
    bool extended = false;  // a 48-bit command
    u64 lba = 0;            // of the chunk
    u32 remaining = 0;      // sectors, the chunk's included
    u32 block = 1;          // sectors per DRQ block
    u32 chunk = 0;
    u32 chunk_limit = 0;
  };
  struct Geometry {
    u32 cylinders;
    u32 heads;
    u32 sectors;
  };

  void execute(u8 code) override;
  bool execute_transfer(u8 code);
  bool execute_power(u8 code);
  void resume(bool ok) override;
  void data_moved() override;
  void reset_state(bool power_on) override;
  void put_signature() override;
  void abandon() override { medium_.cancel_all(); }
  bool is_packet_device() const override { return false; }

  void quick(u64 ns) { step_ = Step::kFinish, wait(ns); }
  void abort() { fail(ata::kAbrt); }
  void start(Mode mode, bool dma, bool extended, bool multiple);
  bool locate(bool extended, u64& lba) const;
  void fetch();
  void gather(bool interrupts);
  void store();
  void flush();
  void next_block(bool interrupts);
  void chunk_done();
  void end_transfer();
  void transfer_failed(BlockStatus status);
  void put_address(u64 lba, u32 count);
  void native_max(bool extended);
  void set_features();
  bool set_transfer_mode(u8 mode);
  void set_multiple();
  void initialize_parameters();
  void identify();
  Geometry default_geometry() const;
  void medium_answered(const BlockCompletion& completion);

  BlockDevice& medium_;
  const DriveIdentity identity_;
  const unsigned number_;
  Step step_ = Step::kNone;
  Transfer transfer_;
  Power power_ = Power::kIdle;
  u8 multiple_ = 0;
  u8 transfer_mode_ = 0;
  bool write_cache_ = true;
  bool look_ahead_ = true;
  u32 heads_ = 0;  // current translation
  u32 sectors_ = 0;
};

}  // namespace lapwing
