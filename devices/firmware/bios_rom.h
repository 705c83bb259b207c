// The BIOS ROM: a raw image that ends at 4 GiB. Its last 128 KiB appear below 1 MiB too, and 1 MiB below
// their place at the top, where the reset vector's fetch lands while A20 is masked (Intel 82371SB, section
// 3.1.2, "BIOS memory space"). The image is part of the machine's state: a snapshot brings its own.
#pragma once

#include <vector>

#include "core/memory/physical.h"
#include "core/result.h"
#include "core/snapshot.h"

namespace lapwing {

class BiosRom final : public Saveable {
 public:
  static constexpr std::size_t kGranule = 64u << 10;
  static constexpr std::size_t kMaxSize = 1u << 20;

  explicit BiosRom(PhysicalMemory& memory) : memory_(memory) {}

  bool present() const { return !image_.empty(); }
  // Puts an image into the address space; one sentence when its size is impossible.
  Result<void> set(std::vector<u8> image);

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  Result<void> map();

  PhysicalMemory& memory_;
  std::vector<u8> image_;
};

}  // namespace lapwing
