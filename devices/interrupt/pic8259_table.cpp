// Registers of the 8259A pair as the monitor and the interrupt view show them.
#include <iterator>

#include "devices/interrupt/pic8259.h"

namespace lapwing {

namespace {

constexpr FieldInfo kMasterInputs[] = {{"IR0 timer", 0, 1},  {"IR1 keyboard", 1, 1}, {"IR2 cascade", 2, 1},
                                       {"IR3 COM2", 3, 1},   {"IR4 COM1", 4, 1},     {"IR5", 5, 1},
                                       {"IR6 floppy", 6, 1}, {"IR7 LPT1", 7, 1}};
constexpr FieldInfo kSlaveInputs[] = {{"IR0 RTC", 0, 1},
                                      {"IR1 ACPI", 1, 1},
                                      {"IR2", 2, 1},
                                      {"IR3", 3, 1},
                                      {"IR4 mouse", 4, 1},
                                      {"IR5 FPU", 5, 1},
                                      {"IR6 primary ATA", 6, 1},
                                      {"IR7 secondary ATA", 7, 1}};
constexpr FieldInfo kIcw2Fields[] = {{"T7-T3 vector base", 3, 5}};
constexpr FieldInfo kIcw3Fields[] = {{"slaves / ID", 0, 8}};
constexpr FieldInfo kModeFields[] = {
    {"AEOI", 0, 1},     {"SFNM", 1, 1}, {"SMM", 2, 1}, {"rotate in AEOI", 3, 1},
    {"read ISR", 4, 1}, {"poll", 5, 1}, {"INT", 6, 1}};
constexpr FieldInfo kPriorityFields[] = {{"lowest-priority IR", 0, 3}};

constexpr u32 kTables = 9;

#define LAPWING_CHIP(prefix, base, elcr, inputs)                                                 \
  {prefix " IRR", base, 8, "8259A: Interrupt Request Register", inputs, 8},                      \
      {prefix " ISR", base, 8, "8259A: In-Service Register", inputs, 8},                         \
      {prefix " IMR", base + 1, 8, "8259A: OCW1", inputs, 8},                                    \
      {prefix " lines", base, 8, "8259A: IR0-IR7 pins", inputs, 8},                              \
      {prefix " ELCR", elcr, 8, "PIIX: ELCR - Edge/Level Control Register", inputs, 8},          \
      {prefix " ICW2", base + 1, 8, "8259A: ICW2", kIcw2Fields, 1},                              \
      {prefix " ICW3", base + 1, 8, "8259A: ICW3", kIcw3Fields, 1},                              \
      {prefix " mode", base, 8, "8259A: ICW4, OCW2, OCW3", kModeFields, std::size(kModeFields)}, \
      {prefix " priority", base, 8, "8259A: Automatic/Specific Rotation", kPriorityFields, 1}

constexpr RegisterInfo kRegisters[] = {LAPWING_CHIP("master", 0x20, 0x4D0, kMasterInputs),
                                       LAPWING_CHIP("slave", 0xA0, 0x4D1, kSlaveInputs)};

#undef LAPWING_CHIP

}  // namespace

std::vector<RegisterValue> Pic8259Pair::registers() const {
  std::vector<RegisterValue> values;
  for (unsigned index = 0; index < 2; ++index) {
    const Chip& chip = chips_[index];
    const bool flags[] = {chip.auto_eoi,     chip.special_fully_nested,
                          chip.special_mask, chip.rotate_in_auto_eoi,
                          chip.read_isr,     chip.poll,
                          chip.int_output};
    u8 mode = 0;
    for (unsigned i = 0; i < std::size(flags); ++i) mode = with_bit(mode, i, flags[i]);
    const u8 contents[kTables] = {chip.irr(),       chip.isr,  chip.imr, chip.lines, chip.elcr,
                                  chip.vector_base, chip.icw3, mode,     chip.lowest};
    for (unsigned i = 0; i < kTables; ++i) values.push_back({&kRegisters[index * kTables + i], contents[i]});
  }
  return values;
}

}  // namespace lapwing
