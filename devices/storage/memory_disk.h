// Disk images in memory, as a host for tests: every drive is a byte vector. `available` can be switched off
// to play a host that still has to fetch.
#pragma once

#include <algorithm>
#include <vector>

#include "devices/storage/disk_host.h"

namespace lapwing {

class MemoryDisks final : public DiskHost {
 public:
  // Returns the new drive's number.
  unsigned add(std::vector<u8> image) {
    drives_.push_back(std::move(image));
    return static_cast<unsigned>(drives_.size() - 1);
  }
  std::vector<u8>& image(unsigned drive) { return drives_[drive]; }

  bool available = true;
  bool readable = true;
  bool writable = true;
  unsigned flushes = 0;

  bool ready(unsigned, u64, u32) override { return available; }
  bool read(unsigned drive, u64 offset, u8* out, u32 size) override {
    if (!readable || !inside(drive, offset, size)) return false;
    std::copy_n(drives_[drive].begin() + static_cast<std::ptrdiff_t>(offset), size, out);
    return true;
  }
  bool write(unsigned drive, u64 offset, const u8* data, u32 size) override {
    if (!writable || !inside(drive, offset, size)) return false;
    std::copy_n(data, size, drives_[drive].begin() + static_cast<std::ptrdiff_t>(offset));
    return true;
  }
  bool flush(unsigned) override {
    ++flushes;
    return writable;
  }

 private:
  bool inside(unsigned drive, u64 offset, u32 size) const {
    return drive < drives_.size() && offset <= drives_[drive].size() &&
           size <= drives_[drive].size() - offset;
  }
  std::vector<std::vector<u8>> drives_;
};

}  // namespace lapwing
