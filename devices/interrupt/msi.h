// The MSI and MSI-X capabilities of a PCI function: registers, masks, pending bits and the sending of
// messages. PCI Local Bus Specification 3.0, sections 6.8.1 (MSI) and 6.8.2 (MSI-X).
//
// The function puts the capability into its configuration space and passes accesses on; offsets are relative
// to the capability (MSI) or to the table and PBA in a BAR (MSI-X). It calls notify() for each interrupt
// event. MSI here always has a 64-bit address and per-vector masking.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "core/bitfield.h"
#include "core/snapshot.h"
#include "devices/device.h"
#include "devices/irq.h"

namespace lapwing {

// Who sends: for the trace, and where messages go.
struct MsiPort {
  IrqTrace& trace;
  MessageSink& messages;
  DeviceId device = DeviceId::kPci;
  u8 instance = 0;
};

// Where the registers lie in the event stream's records of register writes (above all port numbers).
namespace msi_trace {
enum : u32 { kMsi = 0x10000, kMsix = 0x20000, kMsixTable = 0x40000, kMsixPba = 0x80000 };
}

class MsiCapability final : public Saveable {
 public:
  static constexpr u8 kId = 0x05;
  static constexpr u8 kSize = 0x18;
  static constexpr unsigned kMaxVectors = 32;

  // `vectors` is a power of two up to 32.
  MsiCapability(const MsiPort& port, unsigned vectors);

  // Registers from offset 2 (message control) to the end; 0 and 1 (ID, next pointer) belong to the function.
  u32 read(unsigned offset, unsigned size) const;
  void write(unsigned offset, u32 value, unsigned size);

  bool enabled() const;
  // Vectors the system granted (1 to 32).
  unsigned granted() const;
  // An interrupt event on `vector`: sent, or held in its pending bit while masked. Ignored unless enabled.
  void notify(unsigned vector);
  // The cause was served while its vector was masked.
  void clear_pending(unsigned vector);
  void reset();
  // As the monitor and the interrupt view show it.
  std::vector<RegisterValue> registers() const;

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  void describe_registers();
  u32 read_dword(unsigned index) const;
  void write_dword(unsigned index, u32 value);
  void send(unsigned vector);
  void send_unmasked();

  MsiPort port_;
  u8 log2_vectors_ = 0;
  u16 control_ = 0;  // writable fields only
  u64 address_ = 0;
  u16 data_ = 0;
  u32 mask_ = 0;
  u32 pending_ = 0;
  std::vector<CauseId> causes_;
  std::vector<RegisterInfo> infos_;
};

class MsixCapability final : public Saveable {
 public:
  static constexpr u8 kId = 0x11;
  static constexpr u8 kSize = 12;
  static constexpr unsigned kEntrySize = 16;
  static constexpr unsigned kMaxVectors = 2048;

  // Where table and PBA lie in the function's BARs; offsets are multiples of 8.
  struct Layout {
    u8 table_bar = 0;
    u32 table_offset = 0;
    u8 pba_bar = 0;
    u32 pba_offset = 0;
  };

  MsixCapability(const MsiPort& port, unsigned vectors, const Layout& layout);

  unsigned vectors() const { return static_cast<unsigned>(entries_.size()); }
  // Configuration space, from offset 2.
  u32 read(unsigned offset, unsigned size) const;
  void write(unsigned offset, u32 value, unsigned size);
  // The table and the pending bit array; size 4 or 8, aligned. Other accesses read 0 and write nothing.
  u64 table_read(u64 offset, unsigned size) const;
  void table_write(u64 offset, u64 value, unsigned size);
  u64 pba_read(u64 offset, unsigned size) const;

  bool enabled() const;
  void notify(unsigned vector);
  void clear_pending(unsigned vector);
  bool pending(unsigned vector) const { return entries_[vector].pending; }
  bool masked(unsigned vector) const;
  void reset();
  // Likewise; table entries that were never programmed are left out.
  std::vector<RegisterValue> registers() const;

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  struct Entry {
    u64 address = 0;
    u32 data = 0;
    u32 control = 1;  // masked
    bool pending = false;
    CauseId cause = 0;
  };

  void describe_registers();
  u32 read_dword(unsigned index) const;
  u32 table_dword(u64 offset) const;
  void write_table_dword(u64 offset, u32 value);
  void send(unsigned vector);
  void send_unmasked(unsigned vector);

  MsiPort port_;
  Layout layout_;
  u16 control_ = 0;
  std::vector<Entry> entries_;
  std::vector<RegisterInfo> infos_;
  std::deque<std::string> names_;
  std::deque<std::vector<FieldInfo>> fields_;
};

}  // namespace lapwing
