#include "devices/test/pci_testdev.h"

#include <cstring>

namespace lapwing {

namespace {

constexpr unsigned kMemoryBar = 0;
constexpr unsigned kIoBar = 1;
// Size of each BAR, of which the tests' targets are the second half.
constexpr u64 kBarSize[] = {4096, 256};
constexpr const char* kBarNames[] = {"mmio", "portio"};
constexpr const char* kTestNames[] = {"no-eventfd", "wildcard-eventfd", "datamatch-eventfd"};
constexpr u8 kWildcard = 1;
constexpr u32 kMatchingData = 0xFA;
constexpr u32 kAnyData = 0xCE;
constexpr u8 kWidth = 1;
constexpr std::size_t kNameOffset = 16;

}  // namespace

PciTestDevice::PciTestDevice(PciBus& bus, u8 slot)
    : PciDevice(bus, slot, 0,
                {.vendor = 0x1B36,
                 .device = 0x0005,
                 .revision = 0,
                 .class_code = 0xFF0000,
                 .subsystem_vendor = 0x1AF4,
                 .subsystem = 0x1100,
                 .trace_id = DeviceId::kTestDevice}) {
  define_bar(kMemoryBar, BarKind::kMemory32, kBarSize[kMemoryBar]);
  define_bar(kIoBar, BarKind::kIo, kBarSize[kIoBar]);
}

void PciTestDevice::reset() {
  PciDevice::reset();
  bar_ = 0;
  test_ = kNone;
  count_ = 0;
}

u32 PciTestDevice::test_offset(unsigned bar, u8 test) const {
  return static_cast<u32>(kBarSize[bar] / 2) + bar * kTests + test;
}

std::string PciTestDevice::header(unsigned bar, u8 test) const {
  std::string bytes(kNameOffset, '\0');
  const auto put = [&](std::size_t at, u32 value) { std::memcpy(&bytes[at], &value, sizeof value); };
  bytes[0] = static_cast<char>(bar * kTests + test);
  bytes[1] = static_cast<char>(kWidth);
  put(4, test_offset(bar, test));
  put(8, test == kWildcard ? kAnyData : kMatchingData);
  put(12, count_);
  return bytes + kBarNames[bar] + "-" + kTestNames[test] + '\0';
}

// Both BARs show the header of the running test.
u64 PciTestDevice::bar_read(unsigned bar, u64 offset, unsigned size) {
  if (bar > kIoBar || test_ == kNone) return 0;
  const std::string bytes = header(bar_, test_);
  u64 value = 0;
  if (offset + size <= bytes.size()) std::memcpy(&value, &bytes[static_cast<std::size_t>(offset)], size);
  return value;
}

void PciTestDevice::bar_write(unsigned bar, u64 offset, u64 value, unsigned size) {
  if (bar > kIoBar) return;
  if (offset == 0) {
    test_ = value < kTests ? static_cast<u8>(value) : kNone;
    bar_ = bar;
    count_ = 0;
    return;
  }
  if (test_ == kNone || bar != bar_) return;
  const u64 target = test_offset(bar, test_);
  if (target < offset || target >= offset + size) return;
  const bool matches = test_ == kWildcard || value == kMatchingData;
  if (matches) ++count_;
}

void PciTestDevice::save(StateWriter& out) const {
  PciDevice::save(out);
  out.put_u8(static_cast<u8>(bar_));
  out.put_u8(test_);
  out.put_u32(count_);
}

bool PciTestDevice::load(StateReader& in) {
  if (!PciDevice::load(in)) return false;
  bar_ = in.get_u8() & 1;
  test_ = in.get_u8();
  if (test_ >= kTests) test_ = kNone;
  count_ = in.get_u32();
  return in.ok();
}

}  // namespace lapwing
