// Queues, doorbells, interrupts and data pointers of the NVMe controller.
#include <algorithm>
#include <cstring>

#include "devices/pci/pci_bus.h"
#include "devices/storage/nvme.h"

namespace lapwing {

using namespace nvme;

namespace {

template <class T>
T field(const u8* entry, unsigned offset) {
  T value;
  std::memcpy(&value, entry + offset, sizeof value);
  return value;
}

Command parse_command(const u8* entry) {
  Command command;
  command.opcode = entry[0];
  command.flags = entry[1];
  command.id = field<u16>(entry, 2);
  command.nsid = field<u32>(entry, 4);
  command.prp1 = field<u64>(entry, 24);
  command.prp2 = field<u64>(entry, 32);
  command.cdw10 = field<u32>(entry, 40);
  command.cdw11 = field<u32>(entry, 44);
  command.cdw12 = field<u32>(entry, 48);
  command.cdw13 = field<u32>(entry, 52);
  return command;
}

}  // namespace

bool NvmeController::dma_read(u64 address, void* out, u64 size) {
  return bus_master() && bus().memory().read_ram(address, out, size);
}

bool NvmeController::dma_write(u64 address, const void* data, u64 size) {
  return bus_master() && bus().memory().write_ram(address, data, size);
}

// Doorbells (3.1.24, 3.1.25): even ones are tails of submission queues, odd ones heads of completion queues.
void NvmeController::doorbell(u32 index, u32 value) {
  if (!running()) return;
  const u32 id = index / 2;
  const bool is_tail = index % 2 == 0;
  if (id > kIoQueues || (is_tail ? sqs_[id].size : cqs_[id].size) == 0) return add_event(kInvalidDoorbell);
  if (value >= (is_tail ? sqs_[id].size : cqs_[id].size)) return add_event(kInvalidDoorbellValue);
  if (is_tail) {
    sqs_[id].tail = value;
    fetch_commands(static_cast<u16>(id));
    return;
  }
  CompletionQueue& queue = cqs_[id];
  // The head can only reach what has been posted.
  if ((value + queue.size - queue.head) % queue.size > (queue.tail + queue.size - queue.head) % queue.size)
    return add_event(kInvalidDoorbellValue);
  queue.head = value;
  drain(queue);
  fetch_all();
  update_intx();
}

void NvmeController::fetch_all() {
  for (u16 id = 0; id <= kIoQueues; ++id) fetch_commands(id);
}

void NvmeController::fetch_commands(u16 id) {
  SubmissionQueue& queue = sqs_[id];
  while (queue.size > 0 && queue.head != queue.tail && running()) {
    const CompletionQueue& completions = cqs_[queue.cq];
    if (completions.full() || !completions.waiting.empty() || in_flight_.size() >= kMostInFlight) return;
    u8 entry[kCommandSize];
    if (!dma_read(queue.base + u64{queue.head} * kCommandSize, entry, sizeof entry)) return fatal();
    queue.head = (queue.head + 1) % queue.size;
    execute(id, parse_command(entry));
  }
}

void NvmeController::execute(u16 sq, const Command& command) {
  Outcome outcome;
  if (command.flags != 0) {
    outcome.status = kInvalidField;  // fused operations and SGLs
  } else if (sq == 0) {
    outcome = execute_admin(command);
  } else {
    outcome = execute_io(sq, command);
  }
  if (!outcome.later) post(sq, command.id, outcome, command.nsid);
}

void NvmeController::post(u16 sq, u16 command, const Outcome& outcome, u32 nsid) {
  CompletionQueue& queue = cqs_[sqs_[sq].cq];
  if (queue.size == 0 || !running()) return;
  if (outcome.status != kSuccess) {
    std::rotate(errors_.begin(), errors_.end() - 1, errors_.end());
    errors_[0] = {++error_count_, sq, command, outcome.status, nsid};
  }
  const CompletionEntry entry{outcome.result, sq, command, outcome.status};
  if (queue.full() || !queue.waiting.empty()) {
    queue.waiting.push_back(entry);
  } else {
    put_entry(queue, entry);
  }
}

void NvmeController::drain(CompletionQueue& queue) {
  while (!queue.waiting.empty() && !queue.full() && running()) {
    const CompletionEntry entry = queue.waiting.front();
    queue.waiting.erase(queue.waiting.begin());
    put_entry(queue, entry);
  }
}

// Completion queue entry (4.6): the phase tag tells the host that it is new.
void NvmeController::put_entry(CompletionQueue& queue, const CompletionEntry& entry) {
  const u32 words[4] = {entry.result, 0, sqs_[entry.sq].head | u32{entry.sq} << 16,
                        entry.command | (queue.phase ? 1u << 16 : 0u) | u32{entry.status} << 17};
  static_assert(sizeof words == kCompletionSize);
  if (!dma_write(queue.base + u64{queue.tail} * kCompletionSize, words, sizeof words)) return fatal();
  queue.tail = (queue.tail + 1) % queue.size;
  if (queue.tail == 0) queue.phase = !queue.phase;
  signal(queue);
}

void NvmeController::signal(const CompletionQueue& queue) {
  if (!queue.interrupts) return;
  if (msix_.enabled()) return msix_.notify(queue.vector);
  if (msi_.enabled()) {
    if (!bit_of(interrupt_mask_, 0)) msi_.notify(0);
    return;
  }
  update_intx();
}

bool NvmeController::completions_pending() const {
  return std::any_of(cqs_.begin(), cqs_.end(), [](const CompletionQueue& queue) {
    return queue.size > 0 && queue.interrupts && queue.head != queue.tail;
  });
}

// Pin-based interrupt (7.5.1.1): a level while completions wait to be consumed.
void NvmeController::update_intx() {
  const bool by_pin = !msix_.enabled() && !msi_.enabled();
  set_intx(by_pin && !bit_of(interrupt_mask_, 0) && completions_pending());
}

// Asynchronous events of type "error" (5.2).
void NvmeController::add_event(u8 info) {
  if (events_.size() < kMostEvents) events_.push_back(info);
  send_events();
}

void NvmeController::send_events() {
  if (event_masked_ || events_.empty() || event_requests_.empty()) return;
  Outcome outcome;
  outcome.result = u32{events_.front()} << 8 | u32{kErrorLog} << 16;
  const u16 command = event_requests_.front();
  events_.erase(events_.begin());
  event_requests_.erase(event_requests_.begin());
  event_masked_ = true;
  post(0, command, outcome, 0);
}

// Physical region pages (4.3): the first entry may have an offset, the others start at pages; more than two
// pages are in a list, whose last entry leads to the next list.
u16 NvmeController::resolve_prps(const Command& command, u32 size, std::vector<Segment>& out) {
  const u32 page = page_size();
  const auto offset_in_page = [page](u64 address) { return static_cast<u32>(address & (page - 1)); };
  if (command.prp1 % 4 != 0) return kInvalidPrpOffset;
  const u32 first = std::min(size, page - offset_in_page(command.prp1));
  out.push_back({command.prp1, first});
  u32 left = size - first;
  if (left == 0) return kSuccess;
  if (left <= page) {
    if (offset_in_page(command.prp2) != 0) return kInvalidPrpOffset;
    out.push_back({command.prp2, left});
    return kSuccess;
  }
  if (command.prp2 % 8 != 0) return kInvalidPrpOffset;
  u64 list = command.prp2;
  // Each list but the first leads at least to one page; more fetches are a loop of lists without pages.
  for (u32 fetches = size / page + 3; fetches > 0; --fetches) {
    std::vector<u64> entries((page - offset_in_page(list)) / 8);
    const std::size_t pages = (left + page - 1) / page;
    entries.resize(std::min(entries.size(), pages));
    const bool continues = entries.size() < pages;
    if (!dma_read(list, entries.data(), entries.size() * 8)) return kDataTransferError;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (continues && i + 1 == entries.size()) break;
      if (offset_in_page(entries[i]) != 0) return kInvalidPrpOffset;
      const u32 part = std::min(left, page);
      out.push_back({entries[i], part});
      left -= part;
    }
    if (!continues) return kSuccess;
    list = entries.back();
    if (offset_in_page(list) != 0) return kInvalidPrpOffset;
  }
  return kInvalidPrpOffset;
}

u16 NvmeController::gather(const std::vector<Segment>& segments, u8* out) {
  for (const Segment& segment : segments) {
    if (!dma_read(segment.address, out, segment.size)) return kDataTransferError;
    out += segment.size;
  }
  return kSuccess;
}

u16 NvmeController::scatter(const std::vector<Segment>& segments, const u8* data, std::size_t size) {
  for (const Segment& segment : segments) {
    const u64 part = std::min<std::size_t>(segment.size, size);
    if (!dma_write(segment.address, data, part)) return kDataTransferError;
    data += part;
    size -= static_cast<std::size_t>(part);
  }
  return kSuccess;
}

// The commands of a queue that is deleted complete as aborted.
void NvmeController::drop_commands_of(u16 sq) {
  for (auto it = in_flight_.begin(); it != in_flight_.end();) {
    if (it->second.sq != sq) {
      ++it;
      continue;
    }
    for (const Namespace& space : setup_.namespaces) space.drive->cancel(it->first);
    post(sq, it->second.command, {kAbortedSqDeletion}, it->second.nsid);
    it = in_flight_.erase(it);
  }
}

}  // namespace lapwing
