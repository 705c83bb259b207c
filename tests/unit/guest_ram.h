// Guest RAM for unit tests: page-aligned, zeroed, committed only where touched.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "core/memory/physical.h"

namespace lapwing {

struct GuestRam {
  explicit GuestRam(u64 size)
      : bytes(static_cast<u8*>(std::calloc(static_cast<std::size_t>(size / kPageSize) + 1, kPageSize))) {
    const auto at = reinterpret_cast<std::uintptr_t>(bytes);
    page = bytes + ((kPageSize - (at & kPageMask)) & kPageMask);
  }
  ~GuestRam() { std::free(bytes); }
  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;
  u8* bytes;
  u8* page;
};

}  // namespace lapwing
