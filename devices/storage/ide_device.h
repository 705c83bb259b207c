// What the two kinds of devices on an IDE cable share: the task file, the status register, INTRQ, the data
// port with its DRQ blocks, and the DMA side of a transfer. ATA/ATAPI-6 (T13/1410D), sections 6, 7 and 9.
//
// A device is always in one phase. It leaves kBusy when its timer fires or its medium answers, the data
// phases when the last byte of the block has passed. Registers written while the device is busy are lost, as
// is a command (except DEVICE RESET); a command written while data is expected abandons the one before. Data
// port accesses outside of a data phase read all ones and write nothing. Unsupported: overlap and queuing,
// the interrupt for the packet request, 8-bit PIO mode.
#pragma once

#include <vector>

#include "core/clock.h"
#include "core/snapshot.h"
#include "devices/storage/ata_registers.h"

namespace lapwing {

class IdeDevice : public Saveable {
 public:
  // The wires from a device to its channel.
  class Cable {
   public:
    virtual ~Cable() = default;
    virtual void interrupt_changed() = 0;
    // DMA as far as the host allows now; returns how many bytes moved.
    virtual std::size_t dma(u8* data, std::size_t size, bool to_memory) = 0;
  };

  IdeDevice(Clock& clock, Cable& cable);

  u8 read(unsigned reg, bool high_order) const;
  // A write to a register both devices take: all except command and data.
  void write(unsigned reg, u8 value);
  void command(u8 code);
  u8 status() const { return status_; }
  bool interrupt_pending() const { return interrupt_; }
  void acknowledge_interrupt();
  u32 read_data(unsigned size);
  void write_data(u32 value, unsigned size);
  // True while a packet is being written: those writes are worth recording, data is not.
  virtual bool expects_packet() const { return false; }
  // The host became able to take or give data by DMA.
  void dma_ready();

  void power_on();
  void software_reset(bool asserted);
  // EXECUTE DEVICE DIAGNOSTIC goes to both devices; the selected one interrupts.
  void diagnose(bool interrupts);

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 protected:
  enum class Phase : u8 { kIdle, kBusy, kDataIn, kDataOut, kDmaIn, kDmaOut };

  struct TaskFile {
    u8 features = 0;
    u8 error = 0;
    u8 sector_count = 0;
    u8 lba_low = 0;
    u8 lba_mid = 0;
    u8 lba_high = 0;
  };

  // Executes a command; it has cleared ERR and INTRQ, and set the phase to idle.
  virtual void execute(u8 code) = 0;
  // What the device waited for in kBusy has happened; `ok` is the medium's answer.
  virtual void resume(bool ok) = 0;
  // The block or DMA transfer in `buffer_` is through.
  virtual void data_moved() = 0;
  // Back to power-on state (all), or what a reset does to a command under way.
  virtual void reset_state(bool power_on) = 0;
  // Forgets what is under way in the medium.
  virtual void abandon() = 0;
  virtual bool is_packet_device() const = 0;
  // Registers and status as after a reset.
  virtual void put_signature() = 0;
  // Whether the status register shows DRDY.
  virtual u8 idle_status() const { return ata::kDrdy | ata::kDsc; }

  void be_busy();
  // Calls resume() after a time.
  void wait(u64 ns);
  // Opens the data port for bytes [position_, end) of buffer_.
  void begin_block(bool to_host, std::size_t end, bool interrupts);
  void begin_dma(bool to_host);
  void finish(bool interrupts);
  void fail(u8 error);
  void raise_interrupt();

  Clock& clock_;
  TaskFile now_;
  TaskFile before_;  // what a 48-bit command takes as the high-order bytes
  u8 device_ = 0;
  u8 status_ = 0;
  Phase phase_ = Phase::kIdle;
  std::vector<u8> buffer_;
  std::size_t position_ = 0;
  std::size_t block_end_ = 0;

 private:
  enum class Waiting : u8 { kNothing, kCommand, kReset, kDiagnostic, kQuietDiagnostic };
  void start_reset();
  void timer_fired();
  void move_dma();

  Cable& cable_;
  Timer timer_;
  Waiting waiting_ = Waiting::kNothing;
  bool interrupt_ = false;
  bool in_reset_ = false;
};

}  // namespace lapwing
