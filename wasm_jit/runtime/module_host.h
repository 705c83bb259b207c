// What the runtime needs of whoever hosts the engine: WebAssembly modules made at run time, their functions
// in the engine's own table.
#pragma once

#include <span>

#include "core/cpu/state.h"
#include "core/types.h"

namespace lapwing {

class ModuleHost {
 public:
  virtual ~ModuleHost() = default;
  // Compiles and instantiates `bytes` and puts the export "n" into table slot slots[n]. False: the host does
  // not allow it, or has no memory.
  virtual bool install(std::span<const u8> bytes, std::span<const u32> slots) = 0;
  // Empties table slots.
  virtual void release(std::span<const u32> slots) = 0;
  // Makes the table longer; the first of `count` new slots, 0 when it cannot.
  virtual u32 grow_table(u32 count) = 0;
  // Host time in milliseconds: for statistics alone.
  virtual double milliseconds() = 0;
  // Calls the function in a slot. In the engine itself this is one indirect call.
  virtual u32 call(u32 slot, CpuState& state) = 0;
};

}  // namespace lapwing
