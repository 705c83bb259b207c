// What lies between a CPU and its local APIC. The core knows no device: it sees an InterruptUnit; the local
// APIC sees CpuPins. (Intel SDM vol. 3, "APIC": local APIC structure, INTA cycles, processor reset and INIT.)
#pragma once

#include "core/irq_trace.h"
#include "core/types.h"

namespace lapwing {

// Inputs of one CPU. Levels persist; nmi/init/sipi/smi are edges that the CPU latches.
class CpuPins {
 public:
  virtual ~CpuPins() = default;
  // INTR: a maskable interrupt can be acknowledged right now (local APIC above PPR, or the PIC through
  // ExtINT).
  virtual void set_intr(bool level) = 0;
  virtual void nmi(CauseId cause) = 0;
  virtual void smi(CauseId cause) = 0;
  virtual void init(CauseId cause) = 0;
  virtual void sipi(u8 vector, CauseId cause) = 0;
};

struct Acknowledged {
  u8 vector;
  CauseId cause;
};

// The CPU's view of its interrupt controller.
class InterruptUnit {
 public:
  virtual ~InterruptUnit() = default;
  // INTA: called once per taken maskable interrupt while INTR is high.
  virtual Acknowledged acknowledge() = 0;
  // CR8 = TPR[7:4].
  virtual u8 cr8() const = 0;
  virtual void set_cr8(u8 value) = 0;
  // IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC MSRs 0x800-0x8FF. False = #GP(0).
  virtual bool read_msr(u32 index, u64& value) = 0;
  virtual bool write_msr(u32 index, u64 value) = 0;
  // Register page at IA32_APIC_BASE while enabled in xAPIC mode: kNoApicPage otherwise (physical address).
  virtual u64 mmio_page() const = 0;
  virtual u64 mmio_read(u32 offset, unsigned size) = 0;
  virtual void mmio_write(u32 offset, u64 value, unsigned size) = 0;
  // The CPU's TSC is clock ns + offset (IA32_TSC and IA32_TSC_ADJUST writes); the TSC-deadline timer compares
  // to it.
  virtual void set_tsc_offset(u64 offset) { static_cast<void>(offset); }
  // An interprocessor interrupt with the mode and vector of `command` (laid out as in ICR) to the APIC with
  // this ID, without use of ICR. False when nobody took it.
  virtual bool send_ipi(u32 command, u32 apic_id) {
    static_cast<void>(command), static_cast<void>(apic_id);
    return false;
  }
  // INIT reset of the APIC (registers to power-on state except the ID and IA32_APIC_BASE).
  virtual void init_reset() = 0;
};

// FERR# and IGNNE#: how x87 errors are reported with CR0.NE = 0 (SDM vol. 1, "Guidelines for Writing x87 FPU
// Exception Handlers", DOS compatibility).
class FpuErrorPins {
 public:
  virtual ~FpuErrorPins() = default;
  // An unmasked error has been recorded.
  virtual void error_recorded() = 0;
  // A waiting instruction met it; true: IGNNE# lets it go on.
  virtual bool report_error() = 0;
};

constexpr u64 kNoApicPage = ~0ull;

}  // namespace lapwing
