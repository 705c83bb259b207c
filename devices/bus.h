// The I/O port space: 65,536 ports owned by chips. Overlap at construction is an error naming both owners. Reads of
// unowned ports give all ones, writes are ignored. Every device-register write is logged to the interrupt trace with
// CPU and RIP when recording (that is "last writer").
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/irq_trace.h"
#include "core/result.h"
#include "devices/device.h"

namespace lapwing {

class PortBus final : public PortSpace {
 public:
  PortBus(Clock& clock, IrqTrace& trace);

  // Gives [first, first + count) to `device`. `widest` = widest access in bytes the device takes whole; wider ones are
  // split into consecutive accesses of that width.
  Result<void> claim(u16 first, unsigned count, PortDevice& device, const std::string& name, unsigned widest = 1);
  // Gives the ports back (a BAR that moves).
  void release(u16 first, unsigned count);
  // Name of the owner of a port, empty if none.
  std::string owner(u16 port) const;

  u32 port_in(u16 port, unsigned size) override;
  void port_out(u16 port, u32 value, unsigned size) override;

 private:
  struct Range {
    u16 first;
    unsigned count;
    PortDevice* device;
    std::string name;
    unsigned widest;
  };
  u32 read_some(u16 port, unsigned size);
  void write_some(u16 port, u32 value, unsigned size);

  Clock& clock_;
  IrqTrace& trace_;
  std::vector<Range> ranges_;
  std::vector<u8> owner_;  // per port: index into ranges_ + 1, 0 = none
};

}  // namespace lapwing
