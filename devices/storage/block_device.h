// A drive's medium as its controller sees it: numbered 512-byte sectors that are read, written and flushed by
// requests. A request completes at a fixed virtual time after it was submitted (tables below), on every host
// alike. Reads take their bytes from the host at completion, writes are handed over when submitted.
//
// While the host does not have the bytes of a due read, missing() is true: the machine then leaves its clock
// and all timers as they are and returns to the host; the guest cannot tell.
//
// State: the requests under way and the history of writes (a running hash), so that machines whose disks
// differ have different state hashes. The bytes themselves are the host's to save (overlay).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "devices/storage/disk_host.h"

namespace lapwing {

// Virtual time that requests take, in ns. The drive moves one sector after another (`sector`); apart from
// that requests overlap.
struct BlockLatency {
  u64 command;
  u64 sector;
  u64 flush;
};
constexpr BlockLatency kIdeDiskLatency{100'000, 4'000, 500'000};
constexpr BlockLatency kCdromLatency{1'000'000, 20'000, 0};
constexpr BlockLatency kNvmeLatency{10'000, 200, 50'000};
constexpr BlockLatency kVirtioLatency{15'000, 250, 50'000};

enum class BlockStatus : u8 {
  kOk = 0,
  kMediumError,     // the host cannot read these sectors
  kWriteError,      // the host cannot keep these sectors, or a flush failed
  kWriteProtected,  // written though read-only
  kOutOfRange,      // beyond the last sector, or too many sectors
  kNoMedium,
};

struct BlockCompletion {
  u32 tag;
  BlockStatus status;
  std::span<const u8> data;  // of a read that succeeded; valid during the call
};

class BlockDevice final : public Saveable {
 public:
  static constexpr u32 kSectorSize = 512;
  // Most sectors of one request (1 MiB); devices split longer transfers.
  static constexpr u32 kMaxSectors = 2048;
  // Largest medium (16 TiB; offsets stay exact as f64).
  static constexpr u64 kMostSectors = (1ull << 44) / kSectorSize;

  struct Medium {
    u64 sectors = 0;  // 0: no medium (an empty CD drive)
    bool read_only = false;
  };

  // `drive` is the drive's number with the host.
  BlockDevice(Clock& clock, DiskHost& host, unsigned drive, const Medium& medium);

  // The controller that uses the drive: `done` gets each completion, at its virtual time.
  void attach(const BlockLatency& latency, std::function<void(const BlockCompletion&)> done);

  u64 sectors() const { return medium_.sectors; }
  bool present() const { return medium_.sectors > 0; }
  bool read_only() const { return medium_.read_only; }
  // Another medium (or none); requests under way are dropped.
  void change_medium(const Medium& medium);

  // The tag is the controller's; it may be used again after its completion. Also refused requests complete,
  // with their status, after the latency.
  void read(u32 tag, u64 sector, u32 count);
  void write(u32 tag, u64 sector, const u8* data, u32 count);
  void flush(u32 tag);
  bool busy() const { return !requests_.empty(); }
  // Drops requests under way; what was written stays written.
  void cancel(u32 tag);
  void cancel_all();

  // Whether a request is due (at now_ns()) whose bytes the host does not have yet.
  bool missing();

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

 private:
  enum class Kind : u8 { kRead, kWrite, kFlush };
  struct Request {
    Kind kind;
    BlockStatus status;
    u32 tag;
    u64 sector;
    u32 count;
    u64 deadline;
  };
  static constexpr std::size_t kMostSavedRequests = 1 << 20;

  BlockStatus check(u64 sector, u32 count) const;
  void submit(Request request);
  void arm();
  void complete_due(u64 deadline);
  void complete(Request request);

  Clock& clock_;
  DiskHost& host_;
  const unsigned drive_;
  Medium medium_;
  BlockLatency latency_ = kIdeDiskLatency;
  std::function<void(const BlockCompletion&)> done_;
  std::vector<Request> requests_;  // as submitted
  u64 free_at_ = 0;                // when the drive has moved all sectors asked for so far
  u64 written_sectors_ = 0;
  u64 write_history_ = 0;
  std::vector<u8> buffer_;
  Timer timer_;
};

}  // namespace lapwing
