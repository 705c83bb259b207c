// Registers, enabling, reset and state of the NVMe controller.
#include "devices/storage/nvme.h"

#include <algorithm>

#include "devices/pci/pci_bus.h"

namespace lapwing {

using namespace nvme;

namespace {

constexpr PciIdentity kIdentity{.vendor = 0x1B36,
                                .device = 0x0010,
                                .revision = 2,
                                .class_code = 0x010802,
                                .subsystem_vendor = 0x1AF4,
                                .subsystem = 0x1100,
                                .trace_id = DeviceId::kNvme};
constexpr u64 kBarSize = 0x4000;
constexpr MsixCapability::Layout kMsixLayout{
    .table_bar = 0, .table_offset = 0x2000, .pba_bar = 0, .pba_offset = 0x3000};
constexpr u8 kMaxMps = 4;
constexpr u32 kMostWaiting = 65536;

}  // namespace

NvmeController::NvmeController(PciBus& bus, MessageSink& messages, Setup setup)
    : PciDevice(bus, setup.slot, 0, kIdentity),
      name_("nvme" + std::to_string(setup.instance)),
      setup_(std::move(setup)),
      msix_layout_(kMsixLayout),
      msi_({bus.trace(), messages, DeviceId::kNvme, setup_.instance}, 1),
      msix_({bus.trace(), messages, DeviceId::kNvme, setup_.instance}, kVectors, msix_layout_) {
  define_bar(0, BarKind::kMemory64, kBarSize);
  define_interrupt_pin(0);
  set_trace_instance(setup_.instance);
  define_msi(msi_);
  define_msix(msix_, msix_layout_);
  for (const Namespace& space : setup_.namespaces)
    space.drive->attach(kNvmeLatency, [this](const BlockCompletion& completion) { completed(completion); });
  reset_controller();
}

void NvmeController::reset() {
  reset_controller();
  cc_ = 0;
  aqa_ = 0;
  asq_ = 0;
  acq_ = 0;
  error_count_ = 0;
  errors_ = {};
  counters_ = {};
  PciDevice::reset();
}

// Controller reset (7.3.2): everything but the admin queue's registers.
void NvmeController::reset_controller() {
  for (const Namespace& space : setup_.namespaces) space.drive->cancel_all();
  sqs_ = {};
  cqs_ = {};
  in_flight_.clear();
  shutdown_flushes_ = 0;
  csts_ = 0;
  interrupt_mask_ = 0;
  event_requests_.clear();
  events_.clear();
  event_masked_ = false;
  features_ = {};
  features_[kVolatileWriteCache] = 1;
  features_[kTemperatureThreshold] = 0x157;  // 343 K
  features_[kInterruptVector] = 0;
  update_intx();
}

u64 NvmeController::capabilities() const {
  u64 value = 0;
  value = cap::Mqes::set(value, kMostEntries - 1);
  value = cap::Cqr::set(value, true);
  value = cap::To::set(value, 15);  // 7.5 s
  value = cap::CssNvm::set(value, true);
  return cap::Mpsmax::set(value, kMaxMps);
}

bool NvmeController::running() const {
  return csts::Rdy::get(csts_) && !csts::Cfs::get(csts_);
}

void NvmeController::fatal() {
  csts_ = csts::Cfs::set(csts_, true);
}

u32 NvmeController::read_register(u32 offset) const {
  switch (offset) {
    case kCap: return static_cast<u32>(capabilities());
    case kCap + 4: return static_cast<u32>(capabilities() >> 32);
    case kVs: return kVersion;
    case kIntms:
    case kIntmc: return interrupt_mask_;
    case kCc: return cc_;
    case kCsts: return csts_;
    case kAqa: return aqa_;
    case kAsq: return static_cast<u32>(asq_);
    case kAsq + 4: return static_cast<u32>(asq_ >> 32);
    case kAcq: return static_cast<u32>(acq_);
    case kAcq + 4: return static_cast<u32>(acq_ >> 32);
    default: return 0;
  }
}

void NvmeController::write_register(u32 offset, u32 value) {
  const auto set_half = [value](u64& reg, bool high) {
    const u64 half = u64{value} << (high ? 32 : 0);
    reg = ((reg & (high ? 0xFFFFFFFFull : ~0xFFFFFFFFull)) | half) & ~u64{nvme::kSmallestPage - 1};
  };
  switch (offset) {
    case kIntms: interrupt_mask_ |= value; break;
    case kIntmc: {
      const bool was_masked = bit_of(interrupt_mask_, 0);
      interrupt_mask_ &= ~value;
      if (was_masked && !bit_of(interrupt_mask_, 0) && msi_.enabled() && completions_pending())
        msi_.notify(0);
      break;
    }
    case kCc: write_cc(value & cc::kWritable); break;
    case kAqa: aqa_ = value & aqa::kWritable; break;
    case kAsq:
    case kAsq + 4: set_half(asq_, offset != kAsq); break;
    case kAcq:
    case kAcq + 4: set_half(acq_, offset != kAcq); break;
    default:
      if (offset >= kDoorbells) doorbell((offset - kDoorbells) / 4, value);
      return;
  }
  update_intx();
}

void NvmeController::write_cc(u32 value) {
  const u32 before = cc_;
  // These may only change while the controller is disabled (3.1.5).
  constexpr u32 kFixed = cc::Css::kMask | cc::Mps::kMask | cc::Ams::kMask;
  cc_ = cc::En::get(before) && cc::En::get(value) ? (value & ~kFixed) | (before & kFixed) : value;
  if (cc::En::get(value) && !cc::En::get(before)) enable();
  if (!cc::En::get(value) && cc::En::get(before)) reset_controller();
  const u8 shutdown = cc::Shn::get(value);
  if (shutdown != 0 && cc::Shn::get(before) == 0) begin_shutdown();
  if (shutdown == 0 && cc::Shn::get(before) != 0) {
    csts_ = csts::Shst::set(csts_, 0);
    shutdown_flushes_ = 0;  // those under way no longer count
  }
}

void NvmeController::enable() {
  const bool good = cc::Css::get(cc_) == 0 && cc::Ams::get(cc_) == 0 && cc::Mps::get(cc_) <= kMaxMps &&
                    aqa::Asqs::get(aqa_) > 0 && aqa::Acqs::get(aqa_) > 0 && asq_ % page_size() == 0 &&
                    acq_ % page_size() == 0;
  if (!good) return fatal();
  sqs_[0] = {.base = asq_, .size = aqa::Asqs::get(aqa_) + 1u};
  cqs_[0] = {};
  cqs_[0].base = acq_;
  cqs_[0].size = aqa::Acqs::get(aqa_) + 1u;
  cqs_[0].interrupts = true;
  csts_ = csts::Rdy::set(csts_, true);
}

// Shutdown (7.6.2): complete once all that was written is safe.
void NvmeController::begin_shutdown() {
  csts_ = csts::Shst::set(csts_, csts::kShutdownRunning);
  shutdown_flushes_ = static_cast<u32>(setup_.namespaces.size());
  for (const Namespace& space : setup_.namespaces) space.drive->flush(kShutdownTag);
  if (shutdown_flushes_ == 0) csts_ = csts::Shst::set(csts_, csts::kShutdownComplete);
}

u64 NvmeController::bar_read(unsigned, u64 offset, unsigned size) {
  const auto reg = static_cast<u32>(offset & ~3ull);
  const u64 low = read_register(reg);
  if (size == 8) return low | u64{read_register(reg + 4)} << 32;
  return low >> (offset % 4 * 8);
}

// Registers are written in doublewords or quadwords (3.1).
void NvmeController::bar_write(unsigned, u64 offset, u64 value, unsigned size) {
  if (size < 4 || offset % 4 != 0) return;
  write_register(static_cast<u32>(offset), static_cast<u32>(value));
  if (size == 8) write_register(static_cast<u32>(offset + 4), static_cast<u32>(value >> 32));
}

// Message interrupts may have been switched on or off.
void NvmeController::config_changed(u8, unsigned) {
  if (!loading_) update_intx();
}

void NvmeController::save_queues(StateWriter& out) const {
  for (const SubmissionQueue& queue : sqs_) {
    out.put_u64(queue.base);
    for (const u32 value : {queue.size, queue.head, queue.tail}) out.put_u32(value);
    out.put_u16(queue.cq);
  }
  for (const CompletionQueue& queue : cqs_) {
    out.put_u64(queue.base);
    for (const u32 value : {queue.size, queue.head, queue.tail}) out.put_u32(value);
    out.put_bool(queue.phase);
    out.put_bool(queue.interrupts);
    out.put_u16(queue.vector);
    out.put_u32(static_cast<u32>(queue.waiting.size()));
    for (const CompletionEntry& entry : queue.waiting) {
      out.put_u32(entry.result);
      for (const u16 value : {entry.sq, entry.command, entry.status}) out.put_u16(value);
    }
  }
  out.put_u32(static_cast<u32>(in_flight_.size()));
  for (const auto& [tag, command] : in_flight_) {
    out.put_u32(tag);
    for (const u16 value : {command.sq, command.command, command.status}) out.put_u16(value);
    out.put_u8(command.opcode);
    out.put_u32(command.nsid);
    out.put_u32(command.left);
    out.put_u32(static_cast<u32>(command.segments.size()));
    for (const Segment& segment : command.segments) {
      out.put_u64(segment.address);
      out.put_u32(segment.size);
    }
  }
}

void NvmeController::save(StateWriter& out) const {
  PciDevice::save(out);
  for (const u32 value : {cc_, csts_, aqa_, interrupt_mask_, last_tag_, shutdown_flushes_})
    out.put_u32(value);
  out.put_u64(asq_);
  out.put_u64(acq_);
  save_queues(out);
  for (const u32 feature : features_) out.put_u32(feature);
  out.put_u32(static_cast<u32>(event_requests_.size()));
  for (const u16 request : event_requests_) out.put_u16(request);
  out.put_u32(static_cast<u32>(events_.size()));
  for (const u8 event : events_) out.put_u8(event);
  out.put_bool(event_masked_);
  out.put_u64(error_count_);
  for (const ErrorEntry& entry : errors_) {
    out.put_u64(entry.count);
    for (const u16 value : {entry.sq, entry.command, entry.status}) out.put_u16(value);
    out.put_u32(entry.nsid);
  }
  for (const u64 value :
       {counters_.sectors_read, counters_.sectors_written, counters_.reads, counters_.writes})
    out.put_u64(value);
}

bool NvmeController::load_queues(StateReader& in) {
  for (SubmissionQueue& queue : sqs_) {
    queue.base = in.get_u64();
    for (u32* value : {&queue.size, &queue.head, &queue.tail}) *value = in.get_u32();
    queue.cq = in.get_u16();
    const u32 limit = std::max(queue.size, 1u);
    if (queue.size > 4096 || queue.head >= limit || queue.tail >= limit || queue.cq > kIoQueues) in.fail();
  }
  for (CompletionQueue& queue : cqs_) {
    queue.base = in.get_u64();
    for (u32* value : {&queue.size, &queue.head, &queue.tail}) *value = in.get_u32();
    queue.phase = in.get_bool();
    queue.interrupts = in.get_bool();
    queue.vector = in.get_u16();
    const u32 limit = std::max(queue.size, 1u);
    const u32 waiting = in.get_u32();
    if (queue.size > 4096 || queue.head >= limit || queue.tail >= limit || waiting > kMostWaiting) in.fail();
    queue.waiting.clear();
    for (u32 i = 0; i < waiting && in.ok(); ++i) {
      CompletionEntry& entry = queue.waiting.emplace_back();
      entry.result = in.get_u32();
      for (u16* value : {&entry.sq, &entry.command, &entry.status}) *value = in.get_u16();
      if (entry.sq > kIoQueues) in.fail();
    }
  }
  for (const SubmissionQueue& queue : sqs_) {
    if (queue.size > 0 && cqs_[queue.cq % cqs_.size()].size == 0) in.fail();
  }
  const u32 commands = in.get_u32();
  if (commands > kMostInFlight) in.fail();
  in_flight_.clear();
  for (u32 i = 0; i < commands && in.ok(); ++i) {
    InFlight& command = in_flight_[in.get_u32()];
    for (u16* value : {&command.sq, &command.command, &command.status}) *value = in.get_u16();
    command.opcode = in.get_u8();
    command.nsid = in.get_u32();
    command.left = in.get_u32();
    const u32 segments = in.get_u32();
    if (command.sq > kIoQueues || sqs_[command.sq].size == 0 || segments > (2u << kMdts)) in.fail();
    for (u32 n = 0; n < segments && in.ok(); ++n) {
      const u64 address = in.get_u64();
      command.segments.push_back({address, in.get_u32()});
    }
  }
  return in.ok();
}

bool NvmeController::load(StateReader& in) {
  loading_ = true;
  const bool good = PciDevice::load(in);
  loading_ = false;
  if (!good) return false;
  for (u32* value : {&cc_, &csts_, &aqa_, &interrupt_mask_, &last_tag_, &shutdown_flushes_})
    *value = in.get_u32();
  asq_ = in.get_u64();
  acq_ = in.get_u64();
  if (cc::Mps::get(cc_) > kMaxMps || !load_queues(in)) return false;
  for (u32& feature : features_) feature = in.get_u32();
  const u32 requests = in.get_u32();
  if (requests > kMostEvents) in.fail();
  event_requests_.clear();
  for (u32 i = 0; i < requests && in.ok(); ++i) event_requests_.push_back(in.get_u16());
  const u32 events = in.get_u32();
  if (events > kMostEvents) in.fail();
  events_.clear();
  for (u32 i = 0; i < events && in.ok(); ++i) events_.push_back(in.get_u8());
  event_masked_ = in.get_bool();
  error_count_ = in.get_u64();
  for (ErrorEntry& entry : errors_) {
    entry.count = in.get_u64();
    for (u16* value : {&entry.sq, &entry.command, &entry.status}) *value = in.get_u16();
    entry.nsid = in.get_u32();
  }
  for (u64* value :
       {&counters_.sectors_read, &counters_.sectors_written, &counters_.reads, &counters_.writes})
    *value = in.get_u64();
  return in.ok();
}

}  // namespace lapwing
