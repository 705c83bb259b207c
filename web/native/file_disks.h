// Disk images in files, for the native runner: read with pread; what the guest writes stays in memory, or
// goes into the file where the user said so.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "devices/storage/disk_host.h"

namespace lapwing {

class FileDisks final : public DiskHost {
 public:
  FileDisks() = default;
  ~FileDisks() override;
  FileDisks(const FileDisks&) = delete;
  FileDisks& operator=(const FileDisks&) = delete;

  // Opens the next drive; an empty path is a drive without a medium. Returns the image's size.
  Result<u64> open(const std::string& path, bool direct);
  bool any() const { return !drives_.empty(); }
  bool any_direct() const;

  bool ready(unsigned, u64, u32) override { return true; }
  bool read(unsigned drive, u64 offset, u8* out, u32 size) override;
  bool write(unsigned drive, u64 offset, const u8* data, u32 size) override;
  bool flush(unsigned drive) override;

  // The overlays behind the engine's snapshot, in the format of web/src/io/disk.ts.
  void append_overlays(std::vector<u8>& snapshot) const;
  // Takes them off again.
  Result<void> take_overlays(std::vector<u8>& snapshot);

 private:
  static constexpr u32 kSector = 512;
  static constexpr u32 kCluster = 64 * 1024;
  static constexpr u32 kMapBytes = kCluster / kSector / 8;
  struct Cluster {
    std::array<u8, kMapBytes> map{};  // one bit per sector that was written
    std::vector<u8> bytes = std::vector<u8>(kCluster);
  };
  using Overlay = std::map<u32, Cluster>;
  struct Drive {
    int file = -1;
    bool direct = false;
    Overlay overlay;
  };
  static bool is_written(const Cluster& cluster, u32 sector) {
    return (cluster.map[sector / 8] >> (sector % 8) & 1) != 0;
  }
  static bool parse(const u8* data, std::size_t size, Overlay& out);

  std::vector<Drive> drives_;
};

}  // namespace lapwing
