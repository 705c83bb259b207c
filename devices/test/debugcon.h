// Debug console: one port whose written bytes go to the host; reading gives 0xE9, by which guests detect it.
// (A convention of virtual machines; no manual.)
#pragma once

#include <functional>

#include "devices/device.h"

namespace lapwing {

class DebugConsole final : public PortDevice {
 public:
  static constexpr u8 kReadback = 0xE9;
  explicit DebugConsole(std::function<void(u8)> output) : output_(std::move(output)) {}
  u32 port_read(u16, unsigned) override { return kReadback; }
  void port_write(u16, u32 value, unsigned) override { output_(static_cast<u8>(value)); }

 private:
  std::function<void(u8)> output_;
};

}  // namespace lapwing
