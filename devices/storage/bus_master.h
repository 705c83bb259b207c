// One channel of a bus master IDE controller: command, status and descriptor table pointer, and the walk
// along the table. "Programming Interface for Bus Master IDE Controller", revision 1.0; Intel 82371SB
// (290550), section 2.6 "PCI bus master IDE registers".
//
// A descriptor (PRD) is 8 bytes: a word-aligned physical address, a byte count (0 = 64 KiB), bit 63 = last.
// The direction is the device's, whatever the command register says. A table or region that is not RAM sets
// the error bit and ends the transfer; a table that ends early leaves the device waiting, as the standard
// says. Regions may cross 64 KiB boundaries. Unsupported: transfers to or from device windows.
#pragma once

#include <vector>

#include "core/memory/physical.h"
#include "core/snapshot.h"
#include "core/types.h"

namespace lapwing {

class BusMaster final : public Saveable {
 public:
  enum Reg : u8 { kCommand = 0, kStatus = 2, kTable = 4 };
  static constexpr unsigned kPorts = 8;

  // Command.
  static constexpr u8 kStart = 1 << 0;
  static constexpr u8 kToMemory = 1 << 3;
  // Status.
  static constexpr u8 kActive = 1 << 0;
  static constexpr u8 kError = 1 << 1;
  static constexpr u8 kInterrupt = 1 << 2;
  static constexpr u8 kDrive0Dma = 1 << 5;
  static constexpr u8 kDrive1Dma = 1 << 6;

  explicit BusMaster(PhysicalMemory& memory) : memory_(memory) {}

  u8 read(unsigned offset) const;
  void write(unsigned offset, u8 value);

  // Moves bytes between `data` and the regions of the table; returns how many. Fewer than `size` when the
  // channel is not started, the table ends or an access fails.
  std::size_t transfer(u8* data, std::size_t size, bool to_memory);
  bool active() const { return (status_ & kActive) != 0; }
  // The device's INTRQ rose.
  void interrupt() { status_ |= kInterrupt; }

  u8 command() const { return command_; }
  u8 status() const { return status_; }
  u32 table() const { return table_; }

  void reset();
  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  bool next_region();
  void stop(u8 also) { status_ = static_cast<u8>((status_ & ~kActive) | also); }

  PhysicalMemory& memory_;
  u8 command_ = 0;
  u8 status_ = 0;
  u32 table_ = 0;
  // Place in the table while active.
  u32 next_ = 0;
  u64 address_ = 0;
  u32 left_ = 0;
  bool last_ = false;
};

}  // namespace lapwing
