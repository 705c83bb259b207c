// Registers of the I/O APIC as the monitor and the interrupt view show them.
#include <iterator>

#include "devices/interrupt/ioapic.h"

namespace lapwing {

namespace {

constexpr FieldInfo kIdFields[] = {{"ID", 24, 4}};
constexpr FieldInfo kVersionFields[] = {{"APIC version", 0, 8}, {"maximum redirection entry", 16, 8}};
constexpr FieldInfo kPinFields[] = {
    {"vector", 0, 8},           {"delivery mode", 8, 3}, {"destination mode", 11, 1},
    {"delivery status", 12, 1}, {"polarity", 13, 1},     {"remote IRR", 14, 1},
    {"trigger mode", 15, 1},    {"mask", 16, 1},         {"destination", 56, 8}};

constexpr char kTableSection[] = "82093AA 3.2.4 I/O Redirection Table Registers";
#define LAPWING_PIN(n) {"IOREDTBL" #n, 0x10 + 2 * n, 64, kTableSection, kPinFields, std::size(kPinFields)}
constexpr RegisterInfo kRegisters[] = {
    {"IOREGSEL", 0, 32, "82093AA 3.1.1", nullptr, 0},
    {"IOAPICID", 0x00, 32, "82093AA 3.2.1", kIdFields, 1},
    {"IOAPICVER", 0x01, 32, "82093AA 3.2.2", kVersionFields, std::size(kVersionFields)},
    {"IOAPICARB", 0x02, 32, "82093AA 3.2.3", kIdFields, 1},
    {"pins", 0, 24, "82093AA: INTIN[23:0]", nullptr, 0},
    LAPWING_PIN(0),
    LAPWING_PIN(1),
    LAPWING_PIN(2),
    LAPWING_PIN(3),
    LAPWING_PIN(4),
    LAPWING_PIN(5),
    LAPWING_PIN(6),
    LAPWING_PIN(7),
    LAPWING_PIN(8),
    LAPWING_PIN(9),
    LAPWING_PIN(10),
    LAPWING_PIN(11),
    LAPWING_PIN(12),
    LAPWING_PIN(13),
    LAPWING_PIN(14),
    LAPWING_PIN(15),
    LAPWING_PIN(16),
    LAPWING_PIN(17),
    LAPWING_PIN(18),
    LAPWING_PIN(19),
    LAPWING_PIN(20),
    LAPWING_PIN(21),
    LAPWING_PIN(22),
    LAPWING_PIN(23),
};
#undef LAPWING_PIN

}  // namespace

std::vector<RegisterValue> IoApic::registers() const {
  std::vector<u64> contents = {select_, read_register(0), read_register(1), read_register(2), lines_};
  for (unsigned pin = 0; pin < kPins; ++pin) contents.push_back(visible_entry(pin));
  std::vector<RegisterValue> values;
  for (std::size_t i = 0; i < std::size(kRegisters); ++i) values.push_back({&kRegisters[i], contents[i]});
  return values;
}

}  // namespace lapwing
