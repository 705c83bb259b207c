// What every chip is: it can be reset, saved and loaded, it may own ports, and it can describe its registers.
#pragma once

#include <span>
#include <string_view>

#include "core/bitfield.h"
#include "core/memory/physical.h"
#include "core/snapshot.h"
#include "core/types.h"

namespace lapwing {

// A live register as the monitor and the interrupt view show it; reading it has no side effect.
struct RegisterValue {
  const RegisterInfo* info;
  u64 value;
};

class Device : public Saveable {
 public:
  // Section name in snapshots and name in messages, e.g. "pic8259".
  virtual std::string_view name() const = 0;
  // Power-on reset.
  virtual void reset() = 0;
  // Appends nothing for chips without an interrupt-view page.
  virtual std::vector<RegisterValue> registers() const { return {}; }
};

// A chip with I/O ports. `port` is absolute; size 1, 2 or 4 as the CPU issued it. The bus splits an access
// that spans several owners into bytes.
class PortDevice {
 public:
  virtual ~PortDevice() = default;
  virtual u32 port_read(u16 port, unsigned size) = 0;
  virtual void port_write(u16 port, u32 value, unsigned size) = 0;
};

}  // namespace lapwing
