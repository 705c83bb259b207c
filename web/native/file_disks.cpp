#include "web/native/file_disks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lapwing {

namespace {

constexpr char kMagic[] = "LWDISKS1";
constexpr std::size_t kMagicSize = 8;
constexpr std::size_t kFooter = 24;

template <class T>
void put(std::vector<u8>& out, T value) {
  const auto* bytes = reinterpret_cast<const u8*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

template <class T>
T get(const u8* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

// The hash of web/src/io/disk.ts (hashWords).
u32 hash_words(const u8* data, std::size_t size) {
  u32 hash = 0x811C9DC5;
  for (std::size_t at = 0; at < size; at += 4) {
    u32 word = 0;
    std::memcpy(&word, data + at, std::min<std::size_t>(4, size - at));
    hash = (hash ^ word) * 0x01000193;
    hash ^= hash >> 15;
  }
  return hash;
}

}  // namespace

FileDisks::~FileDisks() {
  for (const Drive& drive : drives_) {
    if (drive.file >= 0) close(drive.file);
  }
}

Result<u64> FileDisks::open(const std::string& path, bool direct) {
  Drive& drive = drives_.emplace_back();
  drive.direct = direct;
  if (path.empty()) return u64{0};
  drive.file = ::open(path.c_str(), direct ? O_RDWR : O_RDONLY);
  if (drive.file < 0) return Error{"cannot open the disk image '" + path + "': " + std::strerror(errno)};
  struct stat info{};
  if (fstat(drive.file, &info) != 0 || !S_ISREG(info.st_mode))
    return Error{"the disk image '" + path + "' is not a file"};
  if (info.st_size == 0) return Error{"the disk image '" + path + "' is empty"};
  return static_cast<u64>(info.st_size);
}

bool FileDisks::any_direct() const {
  return std::any_of(drives_.begin(), drives_.end(), [](const Drive& drive) { return drive.direct; });
}

bool FileDisks::read(unsigned drive, u64 offset, u8* out, u32 size) {
  const Drive& d = drives_[drive];
  for (u32 done = 0; done < size;) {
    const ssize_t count = pread(d.file, out + done, size - done, static_cast<off_t>(offset + done));
    if (count <= 0) return false;
    done += static_cast<u32>(count);
  }
  for (u32 at = 0; at < size && !d.overlay.empty(); at += kSector) {
    const auto cluster = d.overlay.find(static_cast<u32>((offset + at) / kCluster));
    const u32 place = static_cast<u32>((offset + at) % kCluster);
    if (cluster == d.overlay.end() || !is_written(cluster->second, place / kSector)) continue;
    std::copy_n(cluster->second.bytes.begin() + place, kSector, out + at);
  }
  return true;
}

bool FileDisks::write(unsigned drive, u64 offset, const u8* data, u32 size) {
  Drive& d = drives_[drive];
  for (u32 done = 0; d.direct && done < size;) {
    const ssize_t count = pwrite(d.file, data + done, size - done, static_cast<off_t>(offset + done));
    if (count <= 0) return false;
    done += static_cast<u32>(count);
  }
  for (u32 at = 0; at < size && !d.direct; at += kSector) {
    Cluster& cluster = d.overlay[static_cast<u32>((offset + at) / kCluster)];
    const u32 place = static_cast<u32>((offset + at) % kCluster);
    std::copy_n(data + at, kSector, cluster.bytes.begin() + place);
    u8& map = cluster.map[place / kSector / 8];
    map = static_cast<u8>(map | 1u << (place / kSector % 8));
  }
  return true;
}

bool FileDisks::flush(unsigned drive) {
  return !drives_[drive].direct || fsync(drives_[drive].file) == 0;
}

void FileDisks::append_overlays(std::vector<u8>& snapshot) const {
  if (drives_.empty()) return;
  const std::size_t begin = snapshot.size();
  for (const Drive& drive : drives_) {
    const std::size_t size_at = snapshot.size();
    put(snapshot, u32{0});
    for (const auto& [index, cluster] : drive.overlay) {
      put(snapshot, index);
      snapshot.insert(snapshot.end(), cluster.map.begin(), cluster.map.end());
      for (u32 sector = 0; sector < kCluster / kSector; ++sector) {
        if (!is_written(cluster, sector)) continue;
        const auto from = cluster.bytes.begin() + sector * kSector;
        snapshot.insert(snapshot.end(), from, from + kSector);
      }
    }
    const auto size = static_cast<u32>(snapshot.size() - size_at - 4);
    std::memcpy(snapshot.data() + size_at, &size, sizeof size);
  }
  put(snapshot, static_cast<u32>(drives_.size()));
  put(snapshot, hash_words(snapshot.data() + begin, snapshot.size() - begin));
  put(snapshot, static_cast<double>(begin));
  snapshot.insert(snapshot.end(), kMagic, kMagic + kMagicSize);
}

bool FileDisks::parse(const u8* data, std::size_t size, Overlay& out) {
  for (std::size_t at = 0; at < size;) {
    if (size - at < 4 + kMapBytes) return false;
    Cluster& cluster = out[get<u32>(data + at)];
    std::copy_n(data + at + 4, kMapBytes, cluster.map.begin());
    at += 4 + kMapBytes;
    for (u32 sector = 0; sector < kCluster / kSector; ++sector) {
      if (!is_written(cluster, sector)) continue;
      if (size - at < kSector) return false;
      std::copy_n(data + at, kSector, cluster.bytes.begin() + sector * kSector);
      at += kSector;
    }
  }
  return true;
}

Result<void> FileDisks::take_overlays(std::vector<u8>& snapshot) {
  const Error damaged{"the snapshot is damaged in its disks; save it again"};
  const bool has_disks = snapshot.size() >= kFooter &&
                         std::memcmp(snapshot.data() + snapshot.size() - kMagicSize, kMagic, kMagicSize) == 0;
  if (!has_disks && drives_.empty()) return {};
  if (!has_disks) return Error{"the snapshot holds no disks, this machine has some"};
  const std::size_t footer = snapshot.size() - kFooter;
  const double begins = get<double>(snapshot.data() + footer + 8);
  if (!(begins >= 0 && begins <= static_cast<double>(footer))) return damaged;
  const auto begin = static_cast<std::size_t>(begins);
  const u8* data = snapshot.data();
  if (hash_words(data + begin, footer + 4 - begin) != get<u32>(data + footer + 4)) return damaged;
  if (get<u32>(data + footer) != drives_.size()) return Error{"the snapshot holds another number of disks"};
  std::size_t at = begin;
  for (Drive& drive : drives_) {
    if (footer - at < 4) return damaged;
    const u32 size = get<u32>(data + at);
    Overlay overlay;
    if (size > footer - at - 4 || !parse(data + at + 4, size, overlay)) return damaged;
    drive.overlay = std::move(overlay);
    at += 4 + size;
  }
  snapshot.resize(begin);
  return {};
}

}  // namespace lapwing
