#include "devices/pci/piix3.h"

#include "devices/pci/pci_bus.h"

namespace lapwing {

namespace {

// PIRQ route control (2.2.12).
using Route = Field<unsigned, u32, 0, 4>;
using RouteDisabled = Field<bool, u32, 7, 1>;
constexpr u16 kRoutableIrqs = 0xDEF8;  // 3-7, 9-12, 14, 15

// Reset control (2.5.4.1): a rising RCPU resets, SRST chooses hard reset.
constexpr u8 kSrst = 1 << 1;
constexpr u8 kRcpu = 1 << 2;

constexpr FieldInfo kRouteFields[] = {{"IRQ routing", 0, 4}, {"disabled", 7, 1}};
constexpr char kRouteSection[] = "290550, 2.2.12";
constexpr RegisterInfo kRouteInfo[Piix3::kPirqs] = {
    {"PIRQRCA", 0x60, 8, kRouteSection, kRouteFields, 2},
    {"PIRQRCB", 0x61, 8, kRouteSection, kRouteFields, 2},
    {"PIRQRCC", 0x62, 8, kRouteSection, kRouteFields, 2},
    {"PIRQRCD", 0x63, 8, kRouteSection, kRouteFields, 2},
};

}  // namespace

Piix3::Piix3(PciBus& bus, LineSink& isa, std::function<void(ResetRequest)> reset)
    : PciDevice(bus, 1, 0, {.vendor = 0x8086, .device = 0x7000, .revision = 0, .class_code = 0x060100}),
      isa_(isa),
      reset_request_(std::move(reset)) {
  constexpr u32 kFixedCommand = pci::kCommandIo | pci::kCommandMemory | pci::kCommandBusMaster;
  define(pci::kCommand, 2, kFixedCommand, pci::kCommandSerr);
  define(pci::kStatus, 2, pci::kStatusDevselMedium, 0);
  define(pci::kCacheLineSize, 1, 0, 0);
  define(pci::kLatencyTimer, 1, 0, 0);
  define(pci::kHeaderType, 1, pci::kMultifunction, 0);
  define(pci::kInterruptLine, 1, 0, 0);
  define(0x4C, 1, 0x4D, 0xFF);   // IORT
  define(0x4E, 2, 0x03, 0x1FF);  // XBCS
  define(kPirqRouteA, 4, 0x80808080, 0x8F8F8F8F);
  define(0x69, 1, 0x02, 0xFE);              // TOM
  define(0x6A, 2, 0x0000, 0x8011);          // MSTAT
  define(0x70, 2, 0x8080, 0xEFEF);          // MBIRQ0-1
  define(0x76, 2, 0x0C0C, 0x8F8F);          // MBDMA0-1
  define(0x80, 1, 0x00, 0x7F);              // APICBASE
  define(0x82, 1, 0x00, 0x0F);              // DLC
  define(0xA0, 1, 0x08, 0x1F);              // SMICNTL
  define(0xA2, 2, 0x0000, 0xFFFF);          // SMIEN
  define(0xA4, 4, 0x00000000, 0xFFFFFFFF);  // SEE
  define(0xA8, 1, 0x0F, 0xFF);              // FTMR
  define(0xAA, 2, 0x0000, 0x0000);          // SMIREQ: nothing requests
  define(0xAC, 1, 0x00, 0xFF);              // CTLTMR
  define(0xAE, 1, 0x00, 0xFF);              // CTHTMR
}

unsigned Piix3::irq_of(unsigned pirq) const {
  const u32 route = field(static_cast<u8>(kPirqRouteA + pirq), 1);
  const unsigned irq = Route::get(route);
  return RouteDisabled::get(route) || !bit_of(kRoutableIrqs, irq) ? kIrqs : irq;
}

void Piix3::set_line(unsigned line, bool level, CauseId cause) {
  const unsigned slot = line / PciBus::kPins;
  const unsigned pirq = pirq_of(slot, line % PciBus::kPins);
  const unsigned irq = irq_of(pirq);
  pins_[pirq] = with_bit(pins_[pirq], slot, level);
  causes_[pirq][slot] = level ? cause : 0;
  if (level && irq != kIrqs && bit_of(irqs_, irq)) {
    bus().trace().add(IrqEventKind::kLineJoined, DeviceId::kPci,
                      {.cause = cause, .line = irq, .data = irq_causes_[irq]});
  }
  update();
}

CauseId Piix3::holder_of(unsigned irq) const {
  CauseId first = 0;
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) {
    if (irq_of(pirq) != irq) continue;
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      if (!bit_of(pins_[pirq], slot)) continue;
      const CauseId cause = causes_[pirq][slot];
      if (bit_of(irqs_, irq) && cause == irq_causes_[irq]) return cause;
      first = first == 0 ? cause : earlier(first, cause);
    }
  }
  return first;
}

// Drives the ISA IRQs that the asserted PIRQs are routed to.
void Piix3::update() {
  u16 wanted = 0;
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) {
    const unsigned irq = irq_of(pirq);
    if (irq != kIrqs && pins_[pirq] != 0) wanted = with_bit(wanted, irq, true);
  }
  std::array<CauseId, kIrqs> holders{};
  for (unsigned irq = 0; irq < kIrqs; ++irq) holders[irq] = bit_of(wanted, irq) ? holder_of(irq) : 0;
  for (unsigned irq = 0; irq < kIrqs; ++irq) drive(irq, bit_of(wanted, irq), holders[irq]);
}

void Piix3::drive(unsigned irq, bool level, CauseId holder) {
  const bool was_high = bit_of(irqs_, irq);
  const CauseId before = irq_causes_[irq];
  if (level == was_high && (!level || holder == before)) return;
  irqs_ = with_bit(irqs_, irq, level);
  if (level) irq_causes_[irq] = holder;
  if (level && was_high) {
    bus().trace().add(IrqEventKind::kLineKept, DeviceId::kPci,
                      {.cause = holder, .line = irq, .data = before});
  } else {
    bus().trace().add(level ? IrqEventKind::kLineRaised : IrqEventKind::kLineLowered, DeviceId::kPci,
                      {.cause = irq_causes_[irq], .line = irq});
  }
  isa_.set_line(irq, level, irq_causes_[irq]);
}

void Piix3::config_changed(u8 offset, unsigned size) {
  if (offset < kPirqRouteA + kPirqs && offset + size > kPirqRouteA) update();
}

u32 Piix3::port_read(u16, unsigned) {
  return reset_control_;
}

void Piix3::port_write(u16, u32 value, unsigned) {
  const bool rises = (value & kRcpu) != 0 && (reset_control_ & kRcpu) == 0;
  reset_control_ = static_cast<u8>(value & (kSrst | kRcpu));
  if (rises) reset_request_((value & kSrst) != 0 ? ResetRequest::kHard : ResetRequest::kSoft);
}

void Piix3::reset() {
  reset_control_ = 0;
  PciDevice::reset();
}

void Piix3::save(StateWriter& out) const {
  PciDevice::save(out);
  for (const u32 pins : pins_) out.put_u32(pins);
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) {
    for (unsigned slot = 0; slot < kSlots; ++slot)
      if (bit_of(pins_[pirq], slot)) out.put_u32(causes_[pirq][slot]);
  }
  for (const CauseId cause : irq_causes_) out.put_u32(cause);
  out.put_u16(irqs_);
  out.put_u8(reset_control_);
}

// No pin is asserted while the registers come back, so that restoring drives no line: the router saved its
// own state.
bool Piix3::load(StateReader& in) {
  pins_ = {};
  irqs_ = 0;
  if (!PciDevice::load(in)) return false;
  for (u32& pins : pins_) pins = in.get_u32();
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) {
    for (unsigned slot = 0; slot < kSlots; ++slot)
      causes_[pirq][slot] = bit_of(pins_[pirq], slot) ? in.get_u32() : 0;
  }
  for (CauseId& cause : irq_causes_) cause = in.get_u32();
  irqs_ = in.get_u16();
  reset_control_ = in.get_u8();
  if ((reset_control_ & ~(kSrst | kRcpu)) != 0) in.fail();
  return in.ok();
}

std::vector<RegisterValue> Piix3::registers() const {
  std::vector<RegisterValue> values;
  for (const RegisterInfo& info : kRouteInfo)
    values.push_back({&info, field(static_cast<u8>(info.offset), 1)});
  return values;
}

}  // namespace lapwing
