// Registers of the local APIC as the monitor and the interrupt view show them.
#include <iterator>

#include "devices/interrupt/local_apic.h"
#include "devices/interrupt/local_apic_registers.h"

namespace lapwing {

namespace {

constexpr FieldInfo kBaseFields[] = {
    {"BSP", 8, 1}, {"EXTD (x2APIC)", 10, 1}, {"EN", 11, 1}, {"APIC base", 12, kPhysicalAddressBits - 12}};
constexpr FieldInfo kVersionFields[] = {
    {"version", 0, 8}, {"max LVT entry", 16, 8}, {"EOI-broadcast suppression", 24, 1}};
constexpr FieldInfo kPriorityFields[] = {{"sub-class", 0, 4}, {"class", 4, 4}};
constexpr FieldInfo kLdrFields[] = {
    {"logical APIC ID", 24, 8}, {"x2APIC cluster", 16, 16}, {"x2APIC member", 0, 16}};
constexpr FieldInfo kDfrFields[] = {{"model", 28, 4}};
constexpr FieldInfo kSvrFields[] = {{"spurious vector", 0, 8},
                                    {"APIC enable", 8, 1},
                                    {"focus disable", 9, 1},
                                    {"suppress EOI broadcast", 12, 1}};
constexpr FieldInfo kEsrFields[] = {{"redirectable IPI", 4, 1},
                                    {"send illegal vector", 5, 1},
                                    {"receive illegal vector", 6, 1},
                                    {"illegal register address", 7, 1}};
constexpr FieldInfo kIcrFields[] = {
    {"vector", 0, 8},        {"delivery mode", 8, 3}, {"destination mode", 11, 1}, {"level", 14, 1},
    {"trigger mode", 15, 1}, {"shorthand", 18, 2},    {"destination", 32, 32}};
constexpr FieldInfo kTimerFields[] = {{"vector", 0, 8}, {"mask", 16, 1}, {"timer mode", 17, 2}};
constexpr FieldInfo kLocalFields[] = {{"vector", 0, 8}, {"delivery mode", 8, 3}, {"mask", 16, 1}};
constexpr FieldInfo kLintFields[] = {{"vector", 0, 8},    {"delivery mode", 8, 3}, {"delivery status", 12, 1},
                                     {"polarity", 13, 1}, {"remote IRR", 14, 1},   {"trigger mode", 15, 1},
                                     {"mask", 16, 1}};
constexpr FieldInfo kErrorFields[] = {{"vector", 0, 8}, {"mask", 16, 1}};
constexpr FieldInfo kDivideFields[] = {{"divide value bits 1:0", 0, 2}, {"divide value bit 2", 3, 1}};
constexpr FieldInfo kPinFields[] = {
    {"LINT0", 0, 1}, {"LINT1", 1, 1}, {"ExtINT message", 2, 1}, {"INTR", 3, 1}};

#define LAPWING_FIELDS(fields) fields, std::size(fields)
#define LAPWING_WORD(set, base, n) \
  {set " " #n, base + 0x10 * n, 32, "SDM 3A: Interrupt Acceptance for Fixed Interrupts", nullptr, 0}
#define LAPWING_SET(set, base)                                                            \
  LAPWING_WORD(set, base, 0), LAPWING_WORD(set, base, 1), LAPWING_WORD(set, base, 2),     \
      LAPWING_WORD(set, base, 3), LAPWING_WORD(set, base, 4), LAPWING_WORD(set, base, 5), \
      LAPWING_WORD(set, base, 6), LAPWING_WORD(set, base, 7)

constexpr char kLvtSection[] = "SDM 3A: Local Vector Table";
constexpr char kTimerSection[] = "SDM 3A: APIC Timer";
constexpr RegisterInfo kRegisters[] = {
    {"IA32_APIC_BASE", 0x1B, 64, "SDM 3A: Local APIC Status and Location", LAPWING_FIELDS(kBaseFields)},
    {"ID", 0x020, 32, "SDM 3A: Local APIC ID", nullptr, 0},
    {"VERSION", 0x030, 32, "SDM 3A: Local APIC Version Register", LAPWING_FIELDS(kVersionFields)},
    {"TPR", 0x080, 32, "SDM 3A: Task and Processor Priorities", LAPWING_FIELDS(kPriorityFields)},
    {"APR", 0x090, 32, "SDM 3A: Arbitration Priority", LAPWING_FIELDS(kPriorityFields)},
    {"PPR", 0x0A0, 32, "SDM 3A: Task and Processor Priorities", LAPWING_FIELDS(kPriorityFields)},
    {"LDR", 0x0D0, 32, "SDM 3A: Logical Destination Mode", LAPWING_FIELDS(kLdrFields)},
    {"DFR", 0x0E0, 32, "SDM 3A: Logical Destination Mode", LAPWING_FIELDS(kDfrFields)},
    {"SVR", 0x0F0, 32, "SDM 3A: Spurious Interrupt", LAPWING_FIELDS(kSvrFields)},
    {"ESR", 0x280, 32, "SDM 3A: Error Handling", LAPWING_FIELDS(kEsrFields)},
    {"ICR", 0x300, 64, "SDM 3A: Interrupt Command Register", LAPWING_FIELDS(kIcrFields)},
    {"LVT timer", 0x320, 32, kLvtSection, LAPWING_FIELDS(kTimerFields)},
    {"LVT thermal", 0x330, 32, kLvtSection, LAPWING_FIELDS(kLocalFields)},
    {"LVT performance", 0x340, 32, kLvtSection, LAPWING_FIELDS(kLocalFields)},
    {"LVT LINT0", 0x350, 32, kLvtSection, LAPWING_FIELDS(kLintFields)},
    {"LVT LINT1", 0x360, 32, kLvtSection, LAPWING_FIELDS(kLintFields)},
    {"LVT error", 0x370, 32, kLvtSection, LAPWING_FIELDS(kErrorFields)},
    {"LVT CMCI", 0x2F0, 32, kLvtSection, LAPWING_FIELDS(kLocalFields)},
    {"initial count", 0x380, 32, kTimerSection, nullptr, 0},
    {"current count", 0x390, 32, kTimerSection, nullptr, 0},
    {"divide configuration", 0x3E0, 32, kTimerSection, LAPWING_FIELDS(kDivideFields)},
    {"IA32_TSC_DEADLINE", 0x6E0, 64, "SDM 3A: TSC-Deadline Mode", nullptr, 0},
    {"pins", 0, 8, "SDM 3A: Local APIC Structure", LAPWING_FIELDS(kPinFields)},
    LAPWING_SET("ISR", 0x100),
    LAPWING_SET("TMR", 0x180),
    LAPWING_SET("IRR", 0x200),
};
#undef LAPWING_SET
#undef LAPWING_WORD
#undef LAPWING_FIELDS

}  // namespace

std::vector<RegisterValue> LocalApic::registers() const {
  std::vector<u64> contents = {apic_base_};
  for (const Reg reg : {Reg::kId, Reg::kVersion, Reg::kTpr, Reg::kApr, Reg::kPpr, Reg::kLdr, Reg::kDfr,
                        Reg::kSvr, Reg::kEsr}) {
    u32 value = 0;
    read_register(reg, value);
    contents.push_back(value);
  }
  const u32 destination = mode() == Mode::kX2apic ? icr_high_ : apic::icr::XapicDestination::get(icr_high_);
  contents.push_back((static_cast<u64>(destination) << 32) | icr_low_);
  for (std::size_t i = 0; i < kLvtEntries; ++i) contents.push_back(read_lvt(static_cast<Lvt>(i)));
  contents.insert(contents.end(), {initial_count_, current_count(), divide_, visible_tsc_deadline()});
  u8 pins = 0;
  const bool levels[] = {lint_level_[0], lint_level_[1], extint_message_, intr_};
  for (unsigned i = 0; i < std::size(levels); ++i) pins = with_bit(pins, i, levels[i]);
  contents.push_back(pins);
  for (const VectorSet* set : {&isr_, &tmr_, &irr_}) {
    for (unsigned i = 0; i < 8; ++i) contents.push_back(set->word(i));
  }
  std::vector<RegisterValue> values;
  for (std::size_t i = 0; i < std::size(kRegisters); ++i) values.push_back({&kRegisters[i], contents[i]});
  return values;
}

}  // namespace lapwing
