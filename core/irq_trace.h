// The interrupt event stream: every hop of every interrupt appends one fixed-size record to a ring. The ring
// and the counters are not machine state; cause ids are (they are assigned whether or not anybody listens,
// and saved).
#pragma once

#include <array>
#include <vector>

#include "core/clock.h"
#include "core/snapshot.h"
#include "core/types.h"

namespace lapwing {

// Ties the hops of one journey together; 0 = no known cause.
using CauseId = u32;

// What happened at a hop. The numbers are part of the trace file format: append only.
enum class IrqEventKind : u8 {
  kLineRaised = 0,       // a device raised its output; line = GSI
  kLineLowered = 1,      // line = GSI
  kPicLatched = 2,       // IRR bit set; line = PIC input 0-15
  kPicMasked = 3,        // arrived while IMR is set; stays in IRR
  kPicAcknowledged = 4,  // INTA: IRR to ISR; vector
  kPicSpurious = 5,      // INTA found nothing: IRQ7 / IRQ15; vector
  kPicEoi = 6,           // line = PIC input whose ISR bit was cleared
  kIoapicLatched = 7,    // line = pin; data = IOAPIC index
  kIoapicMasked = 8,     // edge arrived on a masked pin (lost) or level held back
  kIoapicRemoteIrr = 9,  // level pin not re-sent: remote IRR still set
  kIoapicEoi = 10,       // EOI broadcast or EOI register matched; remote IRR cleared
  kMessageSent = 11,     // address/data in `data` (address high 32, data low 32); vector
  kMessageDropped = 12,  // nobody accepts it; data as above
  kMsiMasked = 13,       // MSI(-X) vector masked: pending bit set
  kLapicIrrSet = 14,     // vector
  kLapicCoalesced = 15,  // IRR bit was already set; vector
  kLapicIsr = 16,        // acknowledged: IRR to ISR; vector
  kLapicEoi = 17,        // highest ISR cleared; vector
  kLapicEoiBroadcast = 18,
  kLapicSpurious = 19,  // the spurious vector was delivered
  kLapicMasked = 20,    // LVT entry masked; line = LVT offset
  kLapicDisabled = 21,  // message refused: software- or hardware-disabled
  kLvtFired = 22,       // line = LVT register offset; vector
  kIpiSent = 23,        // data = ICR
  kInit = 24,           // INIT accepted by the CPU
  kSipi = 25,           // vector = start page
  kNmi = 26,            // NMI pending at the CPU
  kExtInt = 27,         // INTR of the PIC reaches the CPU through LINT0 or directly
  kCpuVector = 28,      // handler entered; rip = interrupted, data = handler, 0 if it faulted
  kCpuException = 29,   // vector; data = error code
  kCpuHalt = 30,
  kCpuWake = 31,
  kRegisterWrite = 32,  // device-register write: device, line = register offset, data = value
  kDeviceRaise = 33,    // a device-internal cause, before its mask; line = GSI, kIntxLine or kMessageLine
  kSmi = 34,
  kDeviceLower = 35,  // a function let go of its INTx pin; line as it was raised
  kLineJoined = 36,   // a raiser found its line high already; line = GSI, data = cause that holds it
  kLineKept = 37,     // the holder let go, the line stays high for `cause`; data = cause of the holder before
};
constexpr unsigned kIrqEventKinds = 38;

// kDeviceRaise of a PCI function: a message vector, or an INTx pin as slot * 4 + pin.
constexpr u32 kMessageLine = 1u << 31;
constexpr u32 kIntxLine = 1u << 30;

// As statistics and the monitor name it: "line_raised".
const char* irq_event_name(IrqEventKind kind);

// Who appended a record. Values are part of the trace file format: append only.
enum class DeviceId : u8 {
  kNone = 0,
  kCpu,
  kPic,
  kIoapic,
  kLapic,
  kPit,
  kRtc,
  kHpet,
  kAcpiPm,
  kUart,
  kI8042,
  kIde,
  kNvme,
  kPci,
  kVirtio,
  kRouter,
  kVga,
  kFwCfg,
  kTestDevice,
  kDma,
};

// One record, 48 bytes, little-endian; the host reads the ring in place.
struct IrqEvent {
  u64 instructions;
  u64 ns;
  u64 rip;  // of the CPU that was executing
  u64 data;
  u32 cause;
  u32 line;
  u16 vector;   // 0xFFFF = none
  u8 kind;      // IrqEventKind
  u8 cpu;       // the CPU concerned; 0xFF = none
  u8 device;    // DeviceId
  u8 instance;  // IOAPIC or UART number...
  u16 reserved;
};
static_assert(sizeof(IrqEvent) == 48);

constexpr u16 kNoVector = 0xFFFF;
constexpr u8 kNoCpu = 0xFF;

class IrqTrace final : public Saveable {
 public:
  explicit IrqTrace(const Clock& clock) : clock_(clock) {}

  // A fresh cause id for a new journey (a line that rises, an LVT that fires, an IPI that is sent).
  CauseId new_cause() { return ++last_cause_ == 0 ? ++last_cause_ : last_cause_; }

  struct Fields {
    CauseId cause = 0;
    u32 line = 0;
    u16 vector = kNoVector;
    u8 cpu = kNoCpu;
    u8 instance = 0;
    u64 data = 0;
  };
  // Counts the hop and, when recording, appends a record stamped with position and the executing CPU's RIP.
  void add(IrqEventKind kind, DeviceId device, const Fields& fields);

  // The executing CPU keeps this current so that records carry "who did it".
  void set_executing(u8 cpu, u64 rip) {
    executing_cpu_ = cpu;
    executing_rip_ = rip;
  }
  u8 executing_cpu() const { return executing_cpu_; }
  u64 executing_rip() const { return executing_rip_; }

  // Recording: capacity in records, 0 = off. Overwriting mode drops the oldest and counts them in lost().
  void start(std::size_t capacity, bool overwrite);
  void stop();
  bool recording() const { return !ring_.empty(); }
  // True when a lossless ring is three quarters full: the host must drain before the machine runs on.
  bool wants_drain() const;
  // Moves up to `max` oldest records to `out`; returns how many.
  std::size_t drain(IrqEvent* out, std::size_t max);
  u64 lost() const { return lost_; }
  // Counted since power-on, whether recorded or not: hops by kind, raises by GSI, handlers entered by CPU and
  // vector.
  u64 count(IrqEventKind kind) const { return counts_[static_cast<std::size_t>(kind)]; }
  u64 raised(unsigned gsi) const { return gsi < kCountedGsis ? raised_[gsi] : 0; }
  u64 entered(unsigned cpu, u8 vector) const { return cpu < kCountedCpus ? entered_[cpu][vector] : 0; }

  void save(StateWriter& out) const override { out.put_u32(last_cause_); }
  bool load(StateReader& in) override {
    last_cause_ = in.get_u32();
    return in.ok();
  }

 private:
  const Clock& clock_;
  CauseId last_cause_ = 0;
  u8 executing_cpu_ = kNoCpu;
  u64 executing_rip_ = 0;
  std::vector<IrqEvent> ring_;
  std::size_t head_ = 0;  // oldest record
  std::size_t size_ = 0;
  bool overwrite_ = false;
  u64 lost_ = 0;
  static constexpr unsigned kCountedGsis = 64;
  static constexpr unsigned kCountedCpus = 8;
  std::array<u64, kIrqEventKinds> counts_{};
  std::array<u64, kCountedGsis> raised_{};
  std::array<std::array<u64, 256>, kCountedCpus> entered_{};
};

}  // namespace lapwing
