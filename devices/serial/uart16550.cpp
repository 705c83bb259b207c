#include "devices/serial/uart16550.h"

#include <algorithm>

namespace lapwing {

namespace {

enum Offset : u16 {
  kData,
  kInterruptEnable,
  kInterruptId,
  kLineControl,
  kModemControl,
  kLineStatus,
  kModemStatus,
  kScratch
};

namespace ier {
constexpr u8 kReceived = 1, kTransmitter = 2, kLine = 4, kModem = 8, kWritable = 0x0F;
}
namespace iir {
constexpr u8 kModem = 0x00, kNone = 0x01, kTransmitter = 0x02, kReceived = 0x04, kLine = 0x06,
             kTimeout = 0x0C, kFifosEnabled = 0xC0;
}
namespace fcr {
constexpr u8 kEnable = 1, kClearReceiver = 2, kKept = 0xC9;
}
namespace lcr {
constexpr u8 kDivisorAccess = 0x80;
}
namespace mcr {
constexpr u8 kDtr = 1, kRts = 2, kOut1 = 4, kOut2 = 8, kLoop = 16, kWritable = 0x1F;
}
namespace lsr {
constexpr u8 kDataReady = 1, kOverrun = 2, kErrors = 0x1E, kTransmitterEmpty = 0x60;
}
namespace msr {
constexpr u8 kDeltaCts = 1, kDeltaDsr = 2, kTrailingRing = 4, kDeltaDcd = 8, kDeltas = 0x0F, kCts = 0x10,
             kDsr = 0x20, kRing = 0x40, kDcd = 0x80;
}

constexpr FieldInfo kIerFields[] = {{"ERBFI", 0, 1}, {"ETBEI", 1, 1}, {"ELSI", 2, 1}, {"EDSSI", 3, 1}};
constexpr FieldInfo kIirFields[] = {
    {"no interrupt pending", 0, 1}, {"interrupt ID", 1, 3}, {"FIFOs enabled", 6, 2}};
constexpr FieldInfo kLcrFields[] = {{"word length", 0, 2}, {"stop bits", 2, 1},    {"parity enable", 3, 1},
                                    {"even parity", 4, 1}, {"stick parity", 5, 1}, {"set break", 6, 1},
                                    {"DLAB", 7, 1}};
constexpr FieldInfo kMcrFields[] = {
    {"DTR", 0, 1}, {"RTS", 1, 1}, {"OUT1", 2, 1}, {"OUT2", 3, 1}, {"LOOP", 4, 1}};
constexpr FieldInfo kLsrFields[] = {{"DR", 0, 1}, {"OE", 1, 1},   {"PE", 2, 1},   {"FE", 3, 1},
                                    {"BI", 4, 1}, {"THRE", 5, 1}, {"TEMT", 6, 1}, {"FIFO error", 7, 1}};
constexpr FieldInfo kMsrFields[] = {{"DCTS", 0, 1}, {"DDSR", 1, 1}, {"TERI", 2, 1}, {"DDCD", 3, 1},
                                    {"CTS", 4, 1},  {"DSR", 5, 1},  {"RI", 6, 1},   {"DCD", 7, 1}};
constexpr RegisterInfo kRegisters[] = {
    {"IER", 1, 8, "PC16550D, Interrupt Enable Register", kIerFields, 4},
    {"IIR", 2, 8, "PC16550D, Interrupt Identification Register", kIirFields, 3},
    {"LCR", 3, 8, "PC16550D, Line Control Register", kLcrFields, 7},
    {"MCR", 4, 8, "PC16550D, MODEM Control Register", kMcrFields, 5},
    {"LSR", 5, 8, "PC16550D, Line Status Register", kLsrFields, 8},
    {"MSR", 6, 8, "PC16550D, MODEM Status Register", kMsrFields, 8},
};

}  // namespace

Uart16550::Uart16550(Clock& clock, unsigned index, u16 base, const IrqPin& irq,
                     std::function<void(u8)> transmit)
    : clock_(clock),
      base_(base),
      name_("uart16550." + std::to_string(index)),
      irq_(irq),
      transmit_(std::move(transmit)),
      feed_timer_(clock, [this](u64) { feed(); }),
      timeout_timer_(clock, [this](u64) {
        character_timeout_ = fifo_count_ > 0;
        update_irq();
      }) {
  reset();
}

void Uart16550::reset() {
  interrupt_enable_ = 0;
  fifo_control_ = 0;
  line_control_ = 0;
  modem_control_ = 0;
  line_status_ = 0;
  modem_status_ = 0;
  transmitter_interrupt_ = false;
  clear_receiver();
  update_irq();
}

void Uart16550::receive(const u8* data, std::size_t size) {
  queue_.insert(queue_.end(), data, data + size);
  if (!feed_timer_.armed()) feed();
}

unsigned Uart16550::capacity() const {
  return (fifo_control_ & fcr::kEnable) != 0 ? kFifoDepth : 1;
}

bool Uart16550::polled() const {
  return (interrupt_enable_ & ier::kReceived) == 0;
}

unsigned Uart16550::trigger_level() const {
  constexpr u8 kLevels[] = {1, 4, 8, 14};
  return capacity() == 1 ? 1 : kLevels[fifo_control_ >> 6];
}

bool Uart16550::loopback() const {
  return (modem_control_ & mcr::kLoop) != 0;
}

// CTS, DSR, RI and DCD: a connected, ready peer; in loopback the four MCR outputs.
u8 Uart16550::modem_inputs() const {
  if (!loopback()) return msr::kCts | msr::kDsr | msr::kDcd;
  const bool rts = (modem_control_ & mcr::kRts) != 0, dtr = (modem_control_ & mcr::kDtr) != 0;
  const bool out1 = (modem_control_ & mcr::kOut1) != 0, out2 = (modem_control_ & mcr::kOut2) != 0;
  return static_cast<u8>((rts ? msr::kCts : 0) | (dtr ? msr::kDsr : 0) | (out1 ? msr::kRing : 0) |
                         (out2 ? msr::kDcd : 0));
}

// The highest-priority enabled source (data sheet, table "Interrupt control functions").
u8 Uart16550::interrupt_id() const {
  const u8 enabled = interrupt_enable_;
  if ((enabled & ier::kLine) != 0 && (line_status_ & lsr::kErrors) != 0) return iir::kLine;
  if ((enabled & ier::kReceived) != 0 && fifo_count_ >= trigger_level()) return iir::kReceived;
  if ((enabled & ier::kReceived) != 0 && character_timeout_) return iir::kTimeout;
  if ((enabled & ier::kTransmitter) != 0 && transmitter_interrupt_) return iir::kTransmitter;
  if ((enabled & ier::kModem) != 0 && (modem_status_ & msr::kDeltas) != 0) return iir::kModem;
  return iir::kNone;
}

void Uart16550::update_irq() {
  irq_.set(interrupt_id() != iir::kNone);
}

u32 Uart16550::port_read(u16 port, unsigned) {
  const auto offset = static_cast<Offset>(port - base_);
  const bool divisor = (line_control_ & lcr::kDivisorAccess) != 0;
  switch (offset) {
    case kData: return divisor ? divisor_ & 0xFF : read_receiver();
    case kInterruptEnable: return divisor ? divisor_ >> 8 : interrupt_enable_;
    case kInterruptId: return read_interrupt_id();
    case kLineControl: return line_control_;
    case kModemControl: return modem_control_;
    case kLineStatus: return read_line_status();
    case kModemStatus: return read_modem_status();
    case kScratch: return scratch_;
  }
  return 0xFF;
}

void Uart16550::port_write(u16 port, u32 wide_value, unsigned) {
  const auto offset = static_cast<Offset>(port - base_);
  const auto value = static_cast<u8>(wide_value);
  const bool divisor = (line_control_ & lcr::kDivisorAccess) != 0;
  switch (offset) {
    case kData:
      if (divisor)
        divisor_ = static_cast<u16>((divisor_ & 0xFF00) | value);
      else
        write_transmitter(value);
      break;
    case kInterruptEnable:
      if (divisor)
        divisor_ = static_cast<u16>((divisor_ & 0x00FF) | (value << 8));
      else
        write_interrupt_enable(value);
      break;
    case kInterruptId: write_fifo_control(value); break;
    case kLineControl: line_control_ = value; break;
    case kModemControl: write_modem_control(value); break;
    case kLineStatus:
    case kModemStatus: break;  // factory test registers
    case kScratch: scratch_ = value; break;
  }
}

u8 Uart16550::read_receiver() {
  if (fifo_count_ == 0) return 0;
  const u8 value = fifo_[fifo_head_];
  fifo_head_ = static_cast<u8>((fifo_head_ + 1) % kFifoDepth);
  --fifo_count_;
  if (fifo_count_ == 0) line_status_ = static_cast<u8>(line_status_ & ~lsr::kDataReady);
  restart_character_timeout();
  update_irq();
  feed_later();
  return value;
}

u8 Uart16550::read_line_status() {
  const u8 value = line_status_ | lsr::kTransmitterEmpty;
  line_status_ = static_cast<u8>(line_status_ & ~lsr::kErrors);
  update_irq();
  return value;
}

u8 Uart16550::read_modem_status() {
  const u8 value = modem_status_ | modem_inputs();
  modem_status_ = 0;
  update_irq();
  return value;
}

// Reading IIR resets the transmitter interrupt, but only when it is the source shown.
u8 Uart16550::read_interrupt_id() {
  const u8 id = interrupt_id();
  if (id == iir::kTransmitter) {
    transmitter_interrupt_ = false;
    update_irq();
  }
  return id | (capacity() > 1 ? iir::kFifosEnabled : 0);
}

void Uart16550::write_transmitter(u8 value) {
  transmitter_interrupt_ = false;
  update_irq();
  if (loopback())
    accept(value);
  else
    transmit_(value);
  transmitter_interrupt_ = true;
  update_irq();
}

// Enabling the transmitter interrupt while the holding register is empty requests one at once.
void Uart16550::write_interrupt_enable(u8 value) {
  const u8 risen = static_cast<u8>(value & ~interrupt_enable_);
  interrupt_enable_ = value & ier::kWritable;
  if ((risen & ier::kTransmitter) != 0) transmitter_interrupt_ = true;
  update_irq();
  feed_later();
}

// Bits other than the enable are programmed only together with it; changing it empties the FIFOs.
void Uart16550::write_fifo_control(u8 value) {
  const bool toggled = ((value ^ fifo_control_) & fcr::kEnable) != 0;
  const bool enabled = (value & fcr::kEnable) != 0;
  if (toggled || (enabled && (value & fcr::kClearReceiver) != 0)) clear_receiver();
  fifo_control_ = enabled ? value & fcr::kKept : 0;
  update_irq();
  feed_later();
}

void Uart16550::write_modem_control(u8 value) {
  const u8 before = modem_inputs();
  modem_control_ = value & mcr::kWritable;
  const u8 after = modem_inputs();
  const u8 changed = before ^ after;
  if ((changed & msr::kCts) != 0) modem_status_ |= msr::kDeltaCts;
  if ((changed & msr::kDsr) != 0) modem_status_ |= msr::kDeltaDsr;
  if ((before & ~after & msr::kRing) != 0) modem_status_ |= msr::kTrailingRing;
  if ((changed & msr::kDcd) != 0) modem_status_ |= msr::kDeltaDcd;
  update_irq();
  if (!loopback() && !queue_.empty() && !feed_timer_.armed()) feed();
}

// A character enters the receiver. Without room it is lost: the last one of the FIFO stays, the register is
// overwritten.
void Uart16550::accept(u8 value) {
  if (fifo_count_ == capacity()) {
    line_status_ |= lsr::kOverrun;
    if (capacity() == 1) fifo_[fifo_head_] = value;
  } else {
    fifo_[(fifo_head_ + fifo_count_) % kFifoDepth] = value;
    ++fifo_count_;
  }
  line_status_ |= lsr::kDataReady;
  restart_character_timeout();
  update_irq();
}

// Moves one character of the host's queue; the next follows after a character time, or when the guest makes
// room.
void Uart16550::feed() {
  if (queue_.empty() || loopback() ||
      fifo_count_ >= (polled() ? std::min(capacity(), kPolledDepth) : capacity()))
    return;
  const u8 value = queue_.front();
  queue_.pop_front();
  accept(value);
  feed_later();
}

void Uart16550::feed_later() {
  if (!queue_.empty() && !feed_timer_.armed()) feed_timer_.arm(clock_.now_ns() + interval());
}

void Uart16550::clear_receiver() {
  fifo_head_ = 0;
  fifo_count_ = 0;
  line_status_ = static_cast<u8>(line_status_ & ~lsr::kDataReady);
  restart_character_timeout();
}

// Four character times without a character going in or out, with at least one waiting.
void Uart16550::restart_character_timeout() {
  character_timeout_ = false;
  if (capacity() > 1 && fifo_count_ > 0)
    timeout_timer_.arm(clock_.now_ns() + 4 * kReceiveIntervalNs);
  else
    timeout_timer_.cancel();
}

std::vector<RegisterValue> Uart16550::registers() const {
  const u8 id = interrupt_id() | (capacity() > 1 ? iir::kFifosEnabled : 0);
  const u8 values[] = {interrupt_enable_,
                       id,
                       line_control_,
                       modem_control_,
                       static_cast<u8>(line_status_ | lsr::kTransmitterEmpty),
                       static_cast<u8>(modem_status_ | modem_inputs())};
  std::vector<RegisterValue> result;
  for (std::size_t i = 0; i < std::size(kRegisters); ++i) result.push_back({&kRegisters[i], values[i]});
  return result;
}

void Uart16550::save(StateWriter& out) const {
  irq_.save(out);
  feed_timer_.save(out);
  timeout_timer_.save(out);
  for (const u8 value : {interrupt_enable_, fifo_control_, line_control_, modem_control_, line_status_,
                         modem_status_, scratch_}) {
    out.put_u8(value);
  }
  out.put_u16(divisor_);
  out.put_bool(transmitter_interrupt_);
  out.put_bool(character_timeout_);
  out.put_bytes(fifo_.data(), fifo_.size());
  out.put_u8(fifo_head_);
  out.put_u8(fifo_count_);
  out.put_u32(static_cast<u32>(queue_.size()));
  for (const u8 value : queue_) out.put_u8(value);
}

bool Uart16550::load(StateReader& in) {
  irq_.load(in);
  feed_timer_.load(in);
  timeout_timer_.load(in);
  for (u8* value : {&interrupt_enable_, &fifo_control_, &line_control_, &modem_control_, &line_status_,
                    &modem_status_, &scratch_}) {
    *value = in.get_u8();
  }
  divisor_ = in.get_u16();
  transmitter_interrupt_ = in.get_bool();
  character_timeout_ = in.get_bool();
  in.get_bytes(fifo_.data(), fifo_.size());
  fifo_head_ = in.get_u8();
  fifo_count_ = in.get_u8();
  if (fifo_head_ >= kFifoDepth || fifo_count_ > kFifoDepth) in.fail();
  const u32 queued = in.get_u32();
  if (queued > in.remaining()) in.fail();
  queue_.clear();
  for (u32 i = 0; in.ok() && i < queued; ++i) queue_.push_back(in.get_u8());
  return in.ok();
}

}  // namespace lapwing
