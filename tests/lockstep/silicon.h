// Sequences whose outcome on the host CPU is on record (tests/differential --record), as generated code.
#pragma once

#include <memory>
#include <string>

#include "tests/differential/records.h"
#include "wasm_jit/runtime/jit.h"

namespace lapwing::lockstep {

class Silicon {
 public:
  // `bytes` must outlive this.
  Silicon(ModuleHost& host, std::span<const u8> bytes);
  // All records. Empty when each ended as on the host CPU.
  std::string run();
  std::string counts() const;

 private:
  ModuleHost& host_;
  differential::RecordReader reader_;
  differential::RecordHeader header_;
  bool valid_;
  u64 done_ = 0;
  u64 instructions_ = 0;
  u64 generated_ = 0;
};

}  // namespace lapwing::lockstep
