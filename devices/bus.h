// The I/O port space: 65,536 ports owned by chips. Overlap at construction is an error naming both owners.
// Reads of unowned ports give all ones, writes are ignored. Every write to a port whose owner has a DeviceId
// is logged to the interrupt trace with CPU and RIP when recording (that is "last writer"). Each access costs
// kIoChargeNs of virtual time, added after the device has seen it, so that no timer is overdue while a device
// handles an access.
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

  // Gives [first, first + count) to `device`. `widest` = widest access in bytes the device takes whole; wider
  // ones are split into consecutive accesses of that width. `id` names the device in register-write records;
  // kNone keeps its writes out of the trace (data ports of disks).
  Result<void> claim(u16 first, unsigned count, PortDevice& device, const std::string& name,
                     unsigned widest = 1, DeviceId id = DeviceId::kNone);
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
    DeviceId id;
  };
  // The range that takes the whole access, nullptr when it must be split.
  const Range* whole(u16 port, unsigned size) const;
  u32 read_some(u16 port, unsigned size);
  void write_some(u16 port, u32 value, unsigned size);

  Clock& clock_;
  IrqTrace& trace_;
  std::vector<Range> ranges_;
  std::vector<u8> owner_;  // per port: index into ranges_ + 1, 0 = none
};

}  // namespace lapwing
