#include "core/irq_trace.h"

#include <iterator>

namespace lapwing {

namespace {

// By IrqEventKind.
constexpr const char* kEventNames[] = {"line_raised",
                                       "line_lowered",
                                       "pic_latched",
                                       "pic_masked",
                                       "pic_acknowledged",
                                       "pic_spurious",
                                       "pic_eoi",
                                       "ioapic_latched",
                                       "ioapic_masked",
                                       "ioapic_remote_irr",
                                       "ioapic_eoi",
                                       "message_sent",
                                       "message_dropped",
                                       "msi_masked",
                                       "lapic_irr_set",
                                       "lapic_coalesced",
                                       "lapic_isr",
                                       "lapic_eoi",
                                       "lapic_eoi_broadcast",
                                       "lapic_spurious",
                                       "lapic_masked",
                                       "lapic_disabled",
                                       "lvt_fired",
                                       "ipi_sent",
                                       "init",
                                       "sipi",
                                       "nmi",
                                       "ext_int",
                                       "cpu_vector",
                                       "cpu_exception",
                                       "cpu_halt",
                                       "cpu_wake",
                                       "register_write",
                                       "device_raise",
                                       "smi",
                                       "device_lower",
                                       "line_joined",
                                       "line_kept"};
static_assert(std::size(kEventNames) == kIrqEventKinds);

}  // namespace

const char* irq_event_name(IrqEventKind kind) {
  return kEventNames[static_cast<unsigned>(kind)];
}

void IrqTrace::add(IrqEventKind kind, DeviceId device, const Fields& fields) {
  ++counts_[static_cast<std::size_t>(kind)];
  if (kind == IrqEventKind::kLineRaised && fields.line < kCountedGsis) ++raised_[fields.line];
  if (kind == IrqEventKind::kCpuVector && fields.cpu < kCountedCpus) {
    ++entered_[fields.cpu][fields.vector & 0xFF];
  }
  if (ring_.empty()) return;
  if (size_ == ring_.size()) {
    ++lost_;
    if (!overwrite_) return;
    head_ = (head_ + 1) % ring_.size();
    --size_;
  }
  IrqEvent& event = ring_[(head_ + size_) % ring_.size()];
  event = IrqEvent{.instructions = clock_.instructions(),
                   .ns = clock_.now_ns(),
                   .rip = executing_rip_,
                   .data = fields.data,
                   .cause = fields.cause,
                   .line = fields.line,
                   .vector = fields.vector,
                   .kind = static_cast<u8>(kind),
                   .cpu = fields.cpu,
                   .device = static_cast<u8>(device),
                   .instance = fields.instance,
                   .reserved = 0};
  ++size_;
}

void IrqTrace::start(std::size_t capacity, bool overwrite) {
  ring_.assign(capacity, IrqEvent{});
  head_ = 0;
  size_ = 0;
  lost_ = 0;
  overwrite_ = overwrite;
}

void IrqTrace::stop() {
  start(0, false);
}

bool IrqTrace::wants_drain() const {
  return !overwrite_ && !ring_.empty() && size_ * 4 >= ring_.size() * 3;
}

std::size_t IrqTrace::drain(IrqEvent* out, std::size_t max) {
  std::size_t moved = 0;
  while (moved < max && size_ > 0) {
    out[moved++] = ring_[head_];
    head_ = (head_ + 1) % ring_.size();
    --size_;
  }
  return moved;
}

}  // namespace lapwing
