// isa-debug-exit: a write of value v ends the machine with status (v << 1) | 1. Reads give 0. (A convention
// of virtual machines for test kernels; no manual.)
#pragma once

#include <functional>

#include "devices/device.h"

namespace lapwing {

class IsaDebugExit final : public PortDevice {
 public:
  explicit IsaDebugExit(std::function<void(u32 status)> exit) : exit_(std::move(exit)) {}
  u32 port_read(u16, unsigned) override { return 0; }
  void port_write(u16, u32 value, unsigned) override { exit_((value << 1) | 1); }

 private:
  std::function<void(u32)> exit_;
};

}  // namespace lapwing
