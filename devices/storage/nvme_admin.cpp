// Admin commands of the NVMe controller (NVM Express 1.4, chapter 5).
#include <algorithm>

#include "devices/storage/nvme.h"

namespace lapwing {

using namespace nvme;

namespace {

constexpr u8 kSqEntrySize = 6;  // log2
constexpr u8 kCqEntrySize = 4;
constexpr u32 kPhysicallyContiguous = 1;
constexpr u32 kInterruptsEnabled = 2;
constexpr u32 kRetainEvent = 1u << 15;
constexpr u32 kSave = 1u << 31;

u16 queue_id(const Command& command) {
  return static_cast<u16>(command.cdw10);
}
u32 queue_size(const Command& command) {
  return (command.cdw10 >> 16) + 1;
}

}  // namespace

NvmeController::Outcome NvmeController::execute_admin(const Command& command) {
  switch (command.opcode) {
    case kDeleteSq: return {delete_sq(command)};
    case kCreateSq: return {create_sq(command)};
    case kGetLogPage: return {get_log_page(command)};
    case kDeleteCq: return {delete_cq(command)};
    case kCreateCq: return {create_cq(command)};
    case kIdentify: return {identify(command)};
    case kAbort: return abort(command);
    case kSetFeatures: return set_features(command);
    case kGetFeatures: return get_features(command);
    case kAsyncEventRequest: return request_event(command);
    default: return {kInvalidOpcode};
  }
}

u16 NvmeController::create_cq(const Command& command) {
  const u16 id = queue_id(command);
  const u32 vector = command.cdw11 >> 16;
  if (id == 0 || id > kIoQueues || cqs_[id].size > 0) return kInvalidQueueId;
  if (queue_size(command) < 2 || queue_size(command) > kMostEntries) return kInvalidQueueSize;
  if ((command.cdw11 & kPhysicallyContiguous) == 0 || cc::Iocqes::get(cc_) != kCqEntrySize)
    return kInvalidField;
  if (command.prp1 % page_size() != 0) return kInvalidPrpOffset;
  if (vector >= kVectors || (vector > 0 && !msix_.enabled())) return kInvalidVector;
  cqs_[id] = {};
  cqs_[id].base = command.prp1;
  cqs_[id].size = queue_size(command);
  cqs_[id].interrupts = (command.cdw11 & kInterruptsEnabled) != 0;
  cqs_[id].vector = static_cast<u16>(vector);
  return kSuccess;
}

u16 NvmeController::create_sq(const Command& command) {
  const u16 id = queue_id(command);
  const u32 cq = command.cdw11 >> 16;
  if (id == 0 || id > kIoQueues || sqs_[id].size > 0) return kInvalidQueueId;
  if (cq == 0 || cq > kIoQueues || cqs_[cq].size == 0) return kCqInvalid;
  if (queue_size(command) < 2 || queue_size(command) > kMostEntries) return kInvalidQueueSize;
  if ((command.cdw11 & kPhysicallyContiguous) == 0 || cc::Iosqes::get(cc_) != kSqEntrySize)
    return kInvalidField;
  if (command.prp1 % page_size() != 0) return kInvalidPrpOffset;
  sqs_[id] = {.base = command.prp1, .size = queue_size(command), .cq = static_cast<u16>(cq)};
  return kSuccess;
}

u16 NvmeController::delete_sq(const Command& command) {
  const u16 id = queue_id(command);
  if (id == 0 || id > kIoQueues || sqs_[id].size == 0) return kInvalidQueueId;
  drop_commands_of(id);
  sqs_[id] = {};
  return kSuccess;
}

u16 NvmeController::delete_cq(const Command& command) {
  const u16 id = queue_id(command);
  if (id == 0 || id > kIoQueues || cqs_[id].size == 0) return kInvalidQueueId;
  const bool used = std::any_of(sqs_.begin(), sqs_.end(), [id](const SubmissionQueue& queue) {
    return queue.size > 0 && queue.cq == id;
  });
  if (used) return kInvalidQueueDeletion;
  cqs_[id] = {};
  update_intx();
  return kSuccess;
}

// Abort (5.1): bit 0 of the result says that the command was not aborted.
NvmeController::Outcome NvmeController::abort(const Command& command) {
  const auto sq = static_cast<u16>(command.cdw10);
  const auto id = static_cast<u16>(command.cdw10 >> 16);
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(), [sq, id](const auto& entry) {
    return entry.second.sq == sq && entry.second.command == id;
  });
  if (found == in_flight_.end()) return {kSuccess, 1};
  for (const Namespace& space : setup_.namespaces) space.drive->cancel(found->first);
  post(sq, id, {kAbortRequested}, found->second.nsid);
  in_flight_.erase(found);
  return {kSuccess, 0};
}

NvmeController::Outcome NvmeController::set_features(const Command& command) {
  const u8 id = static_cast<u8>(command.cdw10);
  if ((command.cdw10 & kSave) != 0) return {kNotSaveable};
  switch (id) {
    case kNumberOfQueues:
      // What is asked for is not changed: there are always as many.
      if ((command.cdw11 & 0xFFFF) == 0xFFFF || command.cdw11 >> 16 == 0xFFFF) return {kInvalidField};
      return get_features(command);
    case kPowerManagement:
      if ((command.cdw11 & 0x1F) != 0) return {kInvalidField};  // power state 0 is the only one
      return {};
    case kInterruptVector:
      if ((command.cdw11 & 0xFFFF) >= kVectors) return {kInvalidField};
      return {};
    case kVolatileWriteCache: features_[id] = command.cdw11 & 1; return {};
    case kArbitration:
    case kTemperatureThreshold:
    case kErrorRecovery:
    case kInterruptCoalescing:
    case kWriteAtomicity:
    case kAsyncEventConfiguration: features_[id] = command.cdw11; return {};
    default: return {kInvalidField};
  }
}

NvmeController::Outcome NvmeController::get_features(const Command& command) {
  const u8 id = static_cast<u8>(command.cdw10);
  switch (id) {
    case kNumberOfQueues: return {kSuccess, (kIoQueues - 1) | (kIoQueues - 1) << 16};
    case kInterruptVector:
      if ((command.cdw11 & 0xFFFF) >= kVectors) return {kInvalidField};
      return {kSuccess, command.cdw11 & 0xFFFF};
    case kArbitration:
    case kPowerManagement:
    case kTemperatureThreshold:
    case kErrorRecovery:
    case kVolatileWriteCache:
    case kInterruptCoalescing:
    case kWriteAtomicity:
    case kAsyncEventConfiguration: return {kSuccess, features_[id]};
    default: return {kInvalidField};
  }
}

u16 NvmeController::get_log_page(const Command& command) {
  std::vector<u8> data;
  switch (static_cast<u8>(command.cdw10)) {
    case kErrorLog: data = error_log(); break;
    case kSmartLog: data = smart_log(); break;
    case kFirmwareLog: data = firmware_log(); break;
    default: return kInvalidLogPage;
  }
  const u64 dwords = ((command.cdw10 >> 16) | u64{command.cdw11 & 0xFFFF} << 16) + 1;
  const u64 offset = command.cdw12 | u64{command.cdw13} << 32;
  const u64 size = dwords * 4;
  if (offset % 4 != 0 || offset > data.size() || size > u64{kSmallestPage} << kMdts) return kInvalidField;
  data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(offset));
  data.resize(static_cast<std::size_t>(size));
  const u16 status = send_data(command, data);
  const bool reports = status == kSuccess && (command.cdw10 & kRetainEvent) == 0;
  if (reports && static_cast<u8>(command.cdw10) == kErrorLog) {
    event_masked_ = false;
    send_events();
  }
  return status;
}

NvmeController::Outcome NvmeController::request_event(const Command& command) {
  if (event_requests_.size() >= kMostEvents) return {kAerLimitExceeded};
  event_requests_.push_back(command.id);
  send_events();
  return {kSuccess, 0, true};
}

u16 NvmeController::send_data(const Command& command, const std::vector<u8>& data) {
  std::vector<Segment> segments;
  const u16 status = resolve_prps(command, static_cast<u32>(data.size()), segments);
  return status == kSuccess ? scatter(segments, data.data(), data.size()) : status;
}

}  // namespace lapwing
