// Wires and messages between devices and interrupt controllers. Lines are levels; edges are derived inside
// the controllers. No device calls a controller or a CPU: it drives an IrqPin, or sends an InterruptMessage
// to a sink.
#pragma once

#include "core/irq_trace.h"
#include "core/types.h"

namespace lapwing {

// Receives the level of numbered inputs (the GSI router, a PIC, an IOAPIC, a PCI INTx router).
class LineSink {
 public:
  virtual ~LineSink() = default;
  // Called on level changes. `cause` names the journey that a rising level starts. High again: the line has
  // passed to another of those that share it, whose journey is `cause`.
  virtual void set_line(unsigned line, bool level, CauseId cause) = 0;
};

// The older of two journeys.
inline CauseId earlier(CauseId a, CauseId b) {
  return static_cast<i32>(a - b) < 0 ? a : b;
}

// The interrupt output of a device: one wire into a sink. Assigns a fresh cause each time it rises.
class IrqPin {
 public:
  IrqPin() = default;
  IrqPin(LineSink& sink, unsigned line, IrqTrace& trace, DeviceId device)
      : sink_(&sink), trace_(&trace), line_(line), device_(device) {}

  void set(bool level) {
    if (level == level_) return;
    level_ = level;
    if (level && trace_ != nullptr) cause_ = trace_->new_cause();
    if (trace_ != nullptr) {
      trace_->add(level ? IrqEventKind::kLineRaised : IrqEventKind::kLineLowered, device_,
                  {.cause = cause_, .line = line_});
    }
    if (sink_ != nullptr) sink_->set_line(line_, level, cause_);
  }
  void raise() { set(true); }
  void lower() { set(false); }
  void pulse() {
    raise();
    lower();
  }
  bool level() const { return level_; }
  CauseId cause() const { return cause_; }
  unsigned line() const { return line_; }

  // The wire's own state; the sink saves what it derived from it, so load() does not call the sink.
  void save(StateWriter& out) const {
    out.put_bool(level_);
    out.put_u32(cause_);
  }
  void load(StateReader& in) {
    level_ = in.get_bool();
    cause_ = in.get_u32();
  }

 private:
  LineSink* sink_ = nullptr;
  IrqTrace* trace_ = nullptr;
  unsigned line_ = 0;
  DeviceId device_ = DeviceId::kNone;
  bool level_ = false;
  CauseId cause_ = 0;
};

// An interrupt on its way to local APICs, in MSI format (SDM vol. 3, "Message Address/Data Register Format").
// Address: 0xFEE in bits 31:20, destination ID 19:12 (bits 63:40 carry ID bits 31:8 when x2APIC is used),
// redirection hint 3, destination mode 2. Data: vector 7:0, delivery mode 10:8, level 14, trigger mode 15.
struct InterruptMessage {
  u64 address = 0;
  u32 data = 0;
  CauseId cause = 0;
};

// The router: finds the addressed local APICs. Returns false when nobody accepted.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual bool send(const InterruptMessage& message) = 0;
};

// Told of an EOI broadcast for a level-triggered vector (the IOAPICs).
class EoiSink {
 public:
  virtual ~EoiSink() = default;
  virtual void eoi_broadcast(u8 vector) = 0;
};

}  // namespace lapwing
