// What travels between local APICs, I/O APICs and the PIC, and the interfaces they see each other through.
// Intel SDM vol. 3, "Message Signalled Interrupts" and "Issuing Interprocessor Interrupts".
#pragma once

#include "core/bitfield.h"
#include "core/cpu/pins.h"
#include "devices/irq.h"

namespace lapwing {

// Encoding shared by LVT, ICR, redirection entries and message data.
enum class DeliveryMode : u8 {
  kFixed = 0,
  kLowestPriority = 1,
  kSmi = 2,
  kReserved = 3,
  kNmi = 4,
  kInit = 5,
  kStartUp = 6,
  kExtInt = 7,
};

// "Message Address Register Format"; bits 63:40 extend the destination to 32 bits when x2APIC IDs are used.
namespace message_address {
constexpr u64 kBase = 0xFEE00000;
using Window = Field<u32, u64, 20, 20>;
using ExtendedDestination = Field<u32, u64, 40, 24>;
using Destination = Field<u32, u64, 12, 8>;
using RedirectionHint = Field<bool, u64, 3, 1>;
using LogicalMode = Field<bool, u64, 2, 1>;
constexpr u32 kWindow = 0xFEE;
}  // namespace message_address

// "Message Data Register Format".
namespace message_data {
using Vector = Field<u8, u32, 0, 8>;
using Mode = Field<DeliveryMode, u32, 8, 3>;
using Assert = Field<bool, u32, 14, 1>;
using LevelTriggered = Field<bool, u32, 15, 1>;
}  // namespace message_data

// Who an interrupt is for. `wide` = the sender uses 32-bit (x2APIC) destinations, so broadcast is 0xFFFFFFFF.
struct ApicDestination {
  u32 id = 0;
  bool logical = false;
  bool wide = false;
};

enum class Shorthand : u8 { kNone = 0, kSelf = 1, kAllIncludingSelf = 2, kAllExcludingSelf = 3 };

// An interrupt as a local APIC receives it.
struct ApicDelivery {
  DeliveryMode mode = DeliveryMode::kFixed;
  u8 vector = 0;
  bool level = false;  // trigger mode; sets TMR
  CauseId cause = 0;
};

// One write of the ICR on its way to other local APICs.
struct InterprocessorInterrupt {
  u8 source_cpu = 0;
  Shorthand shorthand = Shorthand::kNone;
  ApicDestination destination;
  ApicDelivery delivery;
};

// What a local APIC can send to: the message router.
class ApicBus {
 public:
  virtual ~ApicBus() = default;
  // False when nobody accepted.
  virtual bool send_ipi(const InterprocessorInterrupt& ipi) = 0;
  // EOI of a level-triggered vector, to all I/O APICs.
  virtual void broadcast_eoi(u8 vector) = 0;
};

// The 8259A pair as a local APIC sees it: two INTA cycles that yield a vector.
class InterruptAcknowledge {
 public:
  virtual ~InterruptAcknowledge() = default;
  virtual Acknowledged acknowledge() = 0;
};

}  // namespace lapwing
