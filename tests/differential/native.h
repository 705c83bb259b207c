// Runs a sequence on the host CPU (x86-64 Linux): 64-bit code, or 32-bit code in compatibility mode. The code
// is entered by IRET with all registers loaded and leaves by a jump to a stub that stores them, or by a
// fault, whose signal handler takes the registers from the signal frame.
#pragma once

#include "core/cpu/model.h"
#include "tests/differential/layout.h"

namespace lapwing::differential {

class Native {
 public:
  // False: this host cannot (message on stderr).
  bool set_up();
  // Whether the host process itself has memory at or near an address: a sequence that gets there is not
  // comparable, and must not run.
  bool owns(u64 address) const;
  Outcome run(const Sequence& sequence, const std::vector<u8>& code, Memory& memory);
  // "GenuineIntel" and the like.
  static std::string vendor();
  // Takes away the instruction sets that the host does not have.
  static void limit_features(CpuModel& model);

 private:
  u8* code_alias_ = nullptr;  // the code pages, writable
  u8* constants_alias_ = nullptr;
  struct Range {
    u64 first;
    u64 end;
  };
  std::vector<Range> own_ranges_;
};

}  // namespace lapwing::differential
