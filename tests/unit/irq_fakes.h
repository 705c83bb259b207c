// Recording stand-ins for the other end of a wire, for tests of interrupt controllers and timers.
#pragma once

#include <array>
#include <vector>

#include "core/clock.h"
#include "core/cpu/pins.h"
#include "core/irq_trace.h"
#include "core/snapshot.h"
#include "devices/device.h"
#include "devices/interrupt/apic_bus.h"
#include "devices/irq.h"

namespace lapwing::testing {

class FakePins final : public CpuPins {
 public:
  void set_intr(bool level) override {
    intr = level;
    ++changes;
  }
  void nmi(CauseId) override { ++nmis; }
  void smi(CauseId) override { ++smis; }
  void init(CauseId) override { ++inits; }
  void sipi(u8 vector, CauseId) override { sipis.push_back(vector); }

  bool intr = false;
  int changes = 0;
  int nmis = 0;
  int smis = 0;
  int inits = 0;
  std::vector<u8> sipis;
};

class FakeLines final : public LineSink {
 public:
  void set_line(unsigned line, bool level, CauseId cause) override {
    if (level && !levels[line]) ++rises[line];
    levels[line] = level;
    causes[line] = cause;
  }
  std::array<bool, 64> levels{};
  std::array<int, 64> rises{};
  std::array<CauseId, 64> causes{};
};

class FakeMessages final : public MessageSink {
 public:
  bool send(const InterruptMessage& message) override {
    sent.push_back(message);
    return accept;
  }
  u8 vector() const { return static_cast<u8>(sent.back().data); }
  std::vector<InterruptMessage> sent;
  bool accept = true;
};

class FakeApicBus final : public ApicBus {
 public:
  bool send_ipi(const InterprocessorInterrupt& ipi) override {
    ipis.push_back(ipi);
    return true;
  }
  void broadcast_eoi(u8 vector) override { eois.push_back(vector); }
  std::vector<InterprocessorInterrupt> ipis;
  std::vector<u8> eois;
};

class FakePic final : public InterruptAcknowledge {
 public:
  Acknowledged acknowledge() override {
    ++acknowledged;
    return {vector, 77};
  }
  u8 vector = 0x20;
  int acknowledged = 0;
};

class ByteSink final : public StateSink {
 public:
  void bytes(const void* data, std::size_t size) override {
    const auto* begin = static_cast<const u8*>(data);
    out.insert(out.end(), begin, begin + size);
  }
  std::vector<u8> out;
};

inline std::vector<u8> saved(const Saveable& device) {
  ByteSink sink;
  StateWriter writer(sink);
  device.save(writer);
  return sink.out;
}

inline bool restore(Saveable& device, const std::vector<u8>& bytes) {
  StateReader reader(bytes.data(), bytes.size());
  return device.load(reader) && reader.remaining() == 0;
}

// Lets virtual time pass as an idle machine does: to each deadline in turn.
inline void advance_to(Clock& clock, u64 ns) {
  while (clock.next_deadline() <= ns) {
    clock.jump_to(clock.next_deadline());
    clock.run_due_timers();
  }
  clock.jump_to(ns);
}

inline void advance(Clock& clock, u64 ns) {
  advance_to(clock, clock.now_ns() + ns);
}

inline u64 register_value(const Device& device, std::string_view name) {
  for (const RegisterValue& value : device.registers()) {
    if (name == value.info->name) return value.value;
  }
  return ~0ull;
}

}  // namespace lapwing::testing
