#include "devices/storage/block_device.h"

#include <algorithm>

namespace lapwing {

BlockDevice::BlockDevice(Clock& clock, DiskHost& host, unsigned drive, const Medium& medium)
    : clock_(clock), host_(host), drive_(drive), medium_(medium), timer_(clock, [this](u64 deadline) {
        complete_due(deadline);
      }) {}

void BlockDevice::attach(const BlockLatency& latency, std::function<void(const BlockCompletion&)> done) {
  latency_ = latency;
  done_ = std::move(done);
}

void BlockDevice::change_medium(const Medium& medium) {
  cancel_all();
  medium_ = medium;
}

BlockStatus BlockDevice::check(u64 sector, u32 count) const {
  if (!present()) return BlockStatus::kNoMedium;
  if (count > kMaxSectors || sector > medium_.sectors || count > medium_.sectors - sector)
    return BlockStatus::kOutOfRange;
  return BlockStatus::kOk;
}

void BlockDevice::submit(Request request) {
  const u64 now = clock_.now_ns();
  if (request.kind == Kind::kFlush) {
    request.deadline = now + latency_.command + latency_.flush;
  } else {
    free_at_ = std::max(free_at_, now) + request.count * latency_.sector;
    request.deadline = free_at_ + latency_.command;
  }
  requests_.push_back(request);
  arm();
}

void BlockDevice::read(u32 tag, u64 sector, u32 count) {
  const BlockStatus status = check(sector, count);
  if (status == BlockStatus::kOk) host_.ready(drive_, sector * kSectorSize, count * kSectorSize);
  submit({Kind::kRead, status, tag, sector, status == BlockStatus::kOk ? count : 0, 0});
}

void BlockDevice::write(u32 tag, u64 sector, const u8* data, u32 count) {
  BlockStatus status = check(sector, count);
  if (status == BlockStatus::kOk && medium_.read_only) status = BlockStatus::kWriteProtected;
  if (status == BlockStatus::kOk) {
    const u32 size = count * kSectorSize;
    if (!host_.write(drive_, sector * kSectorSize, data, size)) status = BlockStatus::kWriteError;
    StateHash history;
    history.add(&write_history_, sizeof write_history_);
    history.add(&sector, sizeof sector);
    history.add(data, size);
    write_history_ = history.value();
    written_sectors_ += count;
  }
  submit({Kind::kWrite, status, tag, sector, status == BlockStatus::kOk ? count : 0, 0});
}

void BlockDevice::flush(u32 tag) {
  const BlockStatus status = present() ? BlockStatus::kOk : BlockStatus::kNoMedium;
  submit({Kind::kFlush, status, tag, 0, 0, 0});
}

void BlockDevice::cancel(u32 tag) {
  std::erase_if(requests_, [tag](const Request& request) { return request.tag == tag; });
  arm();
}

void BlockDevice::cancel_all() {
  requests_.clear();
  arm();
}

void BlockDevice::arm() {
  u64 next = kNever;
  for (const Request& request : requests_) next = std::min(next, request.deadline);
  if (next != timer_.deadline()) timer_.arm(next);
}

bool BlockDevice::missing() {
  const u64 now = clock_.now_ns();
  if (timer_.deadline() > now) return false;
  bool result = false;
  for (const Request& request : requests_) {
    if (request.kind != Kind::kRead || request.status != BlockStatus::kOk || request.deadline > now) continue;
    if (!host_.ready(drive_, request.sector * kSectorSize, request.count * kSectorSize)) result = true;
  }
  return result;
}

// Completes what has this deadline, in the order of submission. A listener may submit and cancel.
void BlockDevice::complete_due(u64 deadline) {
  const auto is_due = [deadline](const Request& request) { return request.deadline <= deadline; };
  for (;;) {
    const auto next = std::find_if(requests_.begin(), requests_.end(), is_due);
    if (next == requests_.end()) break;
    const Request request = *next;
    requests_.erase(next);
    complete(request);
  }
  arm();
}

void BlockDevice::complete(Request request) {
  BlockCompletion completion{request.tag, request.status, {}};
  if (request.status == BlockStatus::kOk && request.kind == Kind::kRead) {
    const u32 size = request.count * kSectorSize;
    buffer_.resize(std::max<std::size_t>(buffer_.size(), size));
    if (host_.read(drive_, request.sector * kSectorSize, buffer_.data(), size)) {
      completion.data = {buffer_.data(), size};
    } else {
      completion.status = BlockStatus::kMediumError;
    }
  }
  if (request.status == BlockStatus::kOk && request.kind == Kind::kFlush && !host_.flush(drive_))
    completion.status = BlockStatus::kWriteError;
  if (done_) done_(completion);
}

void BlockDevice::save(StateWriter& out) const {
  out.put_u64(medium_.sectors);
  out.put_bool(medium_.read_only);
  out.put_u64(free_at_);
  out.put_u64(written_sectors_);
  out.put_u64(write_history_);
  out.put_u32(static_cast<u32>(requests_.size()));
  for (const Request& request : requests_) {
    out.put_u8(static_cast<u8>(request.kind));
    out.put_u8(static_cast<u8>(request.status));
    out.put_u32(request.tag);
    out.put_u64(request.sector);
    out.put_u32(request.count);
    out.put_u64(request.deadline);
  }
}

bool BlockDevice::load(StateReader& in) {
  medium_.sectors = in.get_u64();
  medium_.read_only = in.get_bool();
  free_at_ = in.get_u64();
  written_sectors_ = in.get_u64();
  write_history_ = in.get_u64();
  const u32 count = in.get_u32();
  if (count > kMostSavedRequests || medium_.sectors > kMostSectors) in.fail();
  requests_.clear();
  for (u32 i = 0; i < count && in.ok(); ++i) {
    Request request{};
    request.kind = static_cast<Kind>(in.get_u8());
    request.status = static_cast<BlockStatus>(in.get_u8());
    request.tag = in.get_u32();
    request.sector = in.get_u64();
    request.count = in.get_u32();
    request.deadline = in.get_u64();
    const bool good = request.kind <= Kind::kFlush && request.status <= BlockStatus::kNoMedium &&
                      (request.count == 0 || check(request.sector, request.count) == BlockStatus::kOk);
    if (!good) in.fail();
    if (in.ok()) requests_.push_back(request);
  }
  arm();
  return in.ok();
}

}  // namespace lapwing
