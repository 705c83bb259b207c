// Generated modules, made by the engine's JavaScript host. The functions that generated code calls are
// exported here.
#pragma once

#include "wasm_jit/runtime/module_host.h"

namespace lapwing {

class WasmModuleHost final : public ModuleHost {
 public:
  bool install(std::span<const u8> bytes, std::span<const u32> slots) override;
  void release(std::span<const u32> slots) override;
  u32 grow_table(u32 count) override;
  double milliseconds() override;
  u32 call(u32 slot, CpuState& state) override;
};

}  // namespace lapwing
