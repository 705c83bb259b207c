// NVM commands of the NVMe controller (NVM Express 1.4, chapter 6).
#include <algorithm>
#include <cstring>

#include "devices/storage/nvme.h"

namespace lapwing {

using namespace nvme;

namespace {

constexpr u32 kForceUnitAccess = 1u << 30;
constexpr u32 kDeallocate = 1u << 2;

u64 start_lba(const Command& command) {
  return command.cdw10 | u64{command.cdw11} << 32;
}
u32 block_count(const Command& command) {
  return (command.cdw12 & 0xFFFF) + 1;
}
bool in_range(const BlockDevice& drive, u64 lba, u64 count) {
  return lba <= drive.sectors() && count <= drive.sectors() - lba;
}

u16 status_of(BlockStatus status) {
  switch (status) {
    case BlockStatus::kOk: return kSuccess;
    case BlockStatus::kMediumError: return kUnrecoveredRead;
    case BlockStatus::kWriteError: return kWriteFault;
    case BlockStatus::kWriteProtected: return kWriteProtected;
    case BlockStatus::kOutOfRange: return kLbaOutOfRange;
    case BlockStatus::kNoMedium: return kInternalError;
  }
  return kInternalError;
}

}  // namespace

BlockDevice* NvmeController::drive_of(u32 nsid) const {
  for (const Namespace& space : setup_.namespaces) {
    if (space.id == nsid) return space.drive;
  }
  return nullptr;
}

NvmeController::Outcome NvmeController::execute_io(u16 sq, const Command& command) {
  if (command.opcode == kFlush) return flush(sq, command);
  BlockDevice* drive = drive_of(command.nsid);
  switch (command.opcode) {
    case kRead:
    case kWrite:
    case kCompare: return drive == nullptr ? Outcome{kInvalidNamespace} : transfer(sq, command, *drive);
    case kWriteZeroes:
      return drive == nullptr ? Outcome{kInvalidNamespace} : write_zeroes(sq, command, *drive);
    case kDatasetManagement:
      return {drive == nullptr ? u16{kInvalidNamespace} : dataset_management(command, *drive)};
    default: return {kInvalidOpcode};
  }
}

// Enters a command that waits for so many requests; returns its tag.
u32 NvmeController::start(u16 sq, const Command& command, u32 requests, std::vector<Segment> segments) {
  do {
    ++last_tag_;
  } while (last_tag_ == kShutdownTag || in_flight_.count(last_tag_) > 0);
  in_flight_[last_tag_] = {sq,       command.id, command.opcode,     command.nsid,
                           requests, kSuccess,   std::move(segments)};
  return last_tag_;
}

NvmeController::Outcome NvmeController::transfer(u16 sq, const Command& command, BlockDevice& drive) {
  const u32 count = block_count(command);
  const u32 size = count * BlockDevice::kSectorSize;
  if (size > kSmallestPage << kMdts) return {kInvalidField};
  if (!in_range(drive, start_lba(command), count)) return {kLbaOutOfRange};
  std::vector<Segment> segments;
  if (const u16 status = resolve_prps(command, size, segments); status != kSuccess) return {status};
  if (command.opcode != kWrite) {
    ++counters_.reads;
    counters_.sectors_read += count;
    drive.read(start(sq, command, 1, std::move(segments)), start_lba(command), count);
    return {kSuccess, 0, true};
  }
  buffer_.resize(std::max<std::size_t>(buffer_.size(), size));
  if (const u16 status = gather(segments, buffer_.data()); status != kSuccess) return {status};
  ++counters_.writes;
  counters_.sectors_written += count;
  const bool cached = features_[kVolatileWriteCache] != 0 && (command.cdw12 & kForceUnitAccess) == 0;
  const u32 tag = start(sq, command, cached ? 1 : 2, {});
  drive.write(tag, start_lba(command), buffer_.data(), count);
  if (!cached) drive.flush(tag);
  return {kSuccess, 0, true};
}

NvmeController::Outcome NvmeController::flush(u16 sq, const Command& command) {
  std::vector<BlockDevice*> drives;
  for (const Namespace& space : setup_.namespaces) {
    if (command.nsid == space.id || command.nsid == kAllNamespaces) drives.push_back(space.drive);
  }
  if (drives.empty()) return {kInvalidNamespace};
  const u32 tag = start(sq, command, static_cast<u32>(drives.size()), {});
  for (BlockDevice* drive : drives) drive->flush(tag);
  return {kSuccess, 0, true};
}

NvmeController::Outcome NvmeController::write_zeroes(u16 sq, const Command& command, BlockDevice& drive) {
  const u32 count = block_count(command);
  if (!in_range(drive, start_lba(command), count)) return {kLbaOutOfRange};
  const u32 requests = (count + BlockDevice::kMaxSectors - 1) / BlockDevice::kMaxSectors;
  const u32 tag = start(sq, command, requests, {});
  const std::vector<u8> zeros(std::size_t{BlockDevice::kMaxSectors} * BlockDevice::kSectorSize);
  for (u32 done = 0; done < count; done += BlockDevice::kMaxSectors) {
    const u32 part = std::min(count - done, BlockDevice::kMaxSectors);
    drive.write(tag, start_lba(command) + done, zeros.data(), part);
  }
  return {kSuccess, 0, true};
}

// Ranges are {context attributes, length, starting LBA}. Deallocating is advice, which is not taken.
u16 NvmeController::dataset_management(const Command& command, const BlockDevice& drive) {
  constexpr std::size_t kRangeSize = 16;
  std::vector<u8> ranges(((command.cdw10 & 0xFF) + 1) * kRangeSize);
  std::vector<Segment> segments;
  u16 status = resolve_prps(command, static_cast<u32>(ranges.size()), segments);
  if (status == kSuccess) status = gather(segments, ranges.data());
  if (status != kSuccess || (command.cdw11 & kDeallocate) == 0) return status;
  for (std::size_t at = 0; at < ranges.size(); at += kRangeSize) {
    u32 length = 0;
    u64 lba = 0;
    std::memcpy(&length, &ranges[at + 4], sizeof length);
    std::memcpy(&lba, &ranges[at + 8], sizeof lba);
    if (!in_range(drive, lba, length)) return kLbaOutOfRange;
  }
  return kSuccess;
}

// A drive has finished one request of a command.
void NvmeController::completed(const BlockCompletion& completion) {
  if (completion.tag == kShutdownTag) {
    if (shutdown_flushes_ > 0 && --shutdown_flushes_ == 0)
      csts_ = csts::Shst::set(csts_, csts::kShutdownComplete);
    return;
  }
  const auto found = in_flight_.find(completion.tag);
  if (found == in_flight_.end()) return;
  InFlight& command = found->second;
  const u16 status = take_data(command, completion);
  if (command.status == kSuccess) command.status = status;
  if (--command.left > 0) return;
  const InFlight done = std::move(command);
  in_flight_.erase(found);
  post(done.sq, done.command, {done.status}, done.nsid);
  fetch_all();
}

u16 NvmeController::take_data(const InFlight& command, const BlockCompletion& completion) {
  if (completion.status != BlockStatus::kOk) return status_of(completion.status);
  if (command.opcode == kRead)
    return scatter(command.segments, completion.data.data(), completion.data.size());
  if (command.opcode != kCompare) return kSuccess;
  buffer_.resize(std::max(buffer_.size(), completion.data.size()));
  const u16 status = gather(command.segments, buffer_.data());
  if (status != kSuccess) return status;
  const bool equal = std::equal(completion.data.begin(), completion.data.end(), buffer_.begin());
  return equal ? u16{kSuccess} : u16{kCompareFailure};
}

}  // namespace lapwing
