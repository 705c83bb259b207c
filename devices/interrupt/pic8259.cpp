#include "devices/interrupt/pic8259.h"

namespace lapwing {

namespace {

constexpr unsigned kMaster = 0;
constexpr unsigned kSlave = 1;

// Inputs whose ELCR bit is hard-wired to edge: the system timer, keyboard, cascade; RTC and coprocessor.
constexpr std::array<u8, 2> kElcrWritable = {0xF8, 0xDE};

namespace icw1 {
using NeedsIcw4 = Field<bool, u8, 0, 1>;
using Single = Field<bool, u8, 1, 1>;
using IsIcw1 = Field<bool, u8, 4, 1>;
}  // namespace icw1

namespace icw2 {
constexpr u8 kBaseMask = 0xF8;
}

namespace icw3 {
using SlaveId = Field<u8, u8, 0, 3>;
}

namespace icw4 {
using AutoEoi = Field<bool, u8, 1, 1>;
using SpecialFullyNested = Field<bool, u8, 4, 1>;
}  // namespace icw4

namespace ocw2 {
using Level = Field<u8, u8, 0, 3>;
using Command = Field<u8, u8, 5, 3>;
enum : u8 {
  kRotateInAutoEoiClear = 0,
  kNonSpecificEoi = 1,
  kNoOperation = 2,
  kSpecificEoi = 3,
  kRotateInAutoEoiSet = 4,
  kRotateOnNonSpecificEoi = 5,
  kSetPriority = 6,
  kRotateOnSpecificEoi = 7,
};
}  // namespace ocw2

namespace ocw3 {
using ReadIsr = Field<bool, u8, 0, 1>;
using ReadRegister = Field<bool, u8, 1, 1>;
using Poll = Field<bool, u8, 2, 1>;
using IsOcw3 = Field<bool, u8, 3, 1>;
using SpecialMask = Field<bool, u8, 5, 1>;
using EnableSpecialMask = Field<bool, u8, 6, 1>;
}  // namespace ocw3

constexpr u8 kPollInterrupt = 0x80;
constexpr u8 kDefaultInput = 7;

constexpr u8 bit(unsigned input) {
  return static_cast<u8>(1u << input);
}

}  // namespace

unsigned Pic8259Pair::Chip::highest(u8 bits) const {
  for (unsigned r = 0; r < 8; ++r) {
    if (bit_of(bits, input_of_rank(r))) return input_of_rank(r);
  }
  return kNoInput;
}

unsigned Pic8259Pair::Chip::deliverable() const {
  const unsigned request = highest(static_cast<u8>(irr() & ~imr));
  if (request == kNoInput) return kNoInput;
  // Special mask mode: an in-service level that is masked inhibits nobody.
  const unsigned serving = highest(static_cast<u8>(special_mask ? isr & ~imr : isr));
  if (serving == kNoInput || rank(request) < rank(serving)) return request;
  // Special fully nested mode: a slave in service is not locked out.
  const bool slave_again = request == serving && special_fully_nested && bit_of(icw3, request);
  return slave_again ? request : kNoInput;
}

Pic8259Pair::Pic8259Pair(IrqTrace& trace, LineSink& intr) : trace_(trace), intr_(intr) {
  reset();
}

void Pic8259Pair::reset() {
  for (unsigned chip = 0; chip < 2; ++chip) {
    const u8 lines = chips_[chip].lines;
    drive_int(chip, false);
    chips_[chip] = Chip{};
    chips_[chip].lines = lines;
  }
  chips_[kMaster].icw3 = bit(kCascadeInput);
  chips_[kSlave].icw3 = kCascadeInput;
  chips_[kMaster].lines = static_cast<u8>(chips_[kMaster].lines & ~bit(kCascadeInput));
}

void Pic8259Pair::trace(IrqEventKind kind, unsigned chip, unsigned input, CauseId cause, u16 vector) {
  trace_.add(kind, DeviceId::kPic,
             {.cause = cause, .line = chip * 8 + input, .vector = vector, .instance = static_cast<u8>(chip)});
}

void Pic8259Pair::set_line(unsigned line, bool level, CauseId cause) {
  if (line >= 16 || line == kCascadeInput) return;
  set_input(line / 8, line % 8, level, cause);
}

void Pic8259Pair::set_input(unsigned index, unsigned input, bool level, CauseId cause) {
  Chip& chip = chips_[index];
  const bool was_high = bit_of(chip.lines, input);
  chip.lines = with_bit(chip.lines, input, level);
  if (level) chip.irr_cause[input] = cause;
  if (level == was_high) return;
  chip.latched = with_bit(chip.latched, input, level);
  if (level) {
    trace(bit_of(chip.imr, input) ? IrqEventKind::kPicMasked : IrqEventKind::kPicLatched, index, input,
          cause);
  }
  update(index, false);
}

void Pic8259Pair::drive_int(unsigned index, bool level) {
  Chip& chip = chips_[index];
  if (chip.int_output == level) return;
  chip.int_output = level;
  const unsigned input = chip.deliverable();
  const CauseId cause = input == kNoInput ? 0 : chip.irr_cause[input];
  if (index == kSlave) {
    set_input(kMaster, kCascadeInput, level, cause);
  } else {
    intr_.set_line(0, level, cause);
  }
}

void Pic8259Pair::update(unsigned index, bool may_lower) {
  const bool wanted = chips_[index].deliverable() != kNoInput;
  if (wanted || may_lower) drive_int(index, wanted);
}

void Pic8259Pair::evaluate(unsigned index) {
  update(index, true);
  if (index == kSlave) update(kMaster, true);
}

unsigned Pic8259Pair::take(unsigned index) {
  Chip& chip = chips_[index];
  const unsigned input = chip.deliverable();
  if (input == kNoInput) return kNoInput;
  chip.isr |= bit(input);
  chip.isr_cause[input] = chip.irr_cause[input];
  chip.latched = static_cast<u8>(chip.latched & ~bit(input));
  return input;
}

void Pic8259Pair::clear_isr(unsigned index, unsigned input) {
  Chip& chip = chips_[index];
  if (input == kNoInput || !bit_of(chip.isr, input)) return;
  chip.isr = static_cast<u8>(chip.isr & ~bit(input));
  trace(IrqEventKind::kPicEoi, index, input, chip.isr_cause[input]);
  chip.isr_cause[input] = 0;
}

void Pic8259Pair::finish_auto_eoi(unsigned index, unsigned input) {
  Chip& chip = chips_[index];
  if (!chip.auto_eoi || input == kNoInput) return;
  clear_isr(index, input);
  if (chip.rotate_in_auto_eoi) chip.lowest = static_cast<u8>(input);
}

Acknowledged Pic8259Pair::spurious(unsigned index, CauseId cause) {
  const u8 vector = chips_[index].vector_base | kDefaultInput;
  trace(IrqEventKind::kPicSpurious, index, kDefaultInput, cause, vector);
  return {vector, cause};
}

Acknowledged Pic8259Pair::acknowledge() {
  Chip& master = chips_[kMaster];
  Chip& slave = chips_[kSlave];
  const unsigned input = take(kMaster);
  Acknowledged result{};
  const bool cascaded = input == kCascadeInput && !master.single && bit_of(master.icw3, kCascadeInput);
  if (input == kNoInput) {
    result = spurious(kMaster, 0);
  } else if (!cascaded) {
    result = {static_cast<u8>(master.vector_base | input), master.isr_cause[input]};
    trace(IrqEventKind::kPicAcknowledged, kMaster, input, result.cause, result.vector);
  } else if (icw3::SlaveId::get(slave.icw3) != kCascadeInput) {
    // No slave answers to the number on the cascade lines: the data bus floats.
    result = {0xFF, master.isr_cause[input]};
    trace(IrqEventKind::kPicSpurious, kMaster, input, result.cause, result.vector);
  } else if (const unsigned inner = take(kSlave); inner == kNoInput) {
    result = spurious(kSlave, master.isr_cause[input]);
    drive_int(kSlave, false);
  } else {
    result = {static_cast<u8>(slave.vector_base | inner), slave.isr_cause[inner]};
    master.isr_cause[input] = result.cause;
    trace(IrqEventKind::kPicAcknowledged, kSlave, inner, result.cause, result.vector);
    // INT falls with every INTA, so that a further request is a new edge for the master.
    drive_int(kSlave, false);
    finish_auto_eoi(kSlave, inner);
  }
  drive_int(kMaster, false);
  finish_auto_eoi(kMaster, input);
  update(kSlave, true);
  update(kMaster, true);
  return result;
}

u8 Pic8259Pair::read_poll(unsigned index) {
  Chip& chip = chips_[index];
  chip.poll = false;
  const unsigned input = take(index);
  drive_int(index, false);
  u8 result = kDefaultInput;
  if (input != kNoInput) {
    trace(IrqEventKind::kPicAcknowledged, index, input, chip.isr_cause[input]);
    finish_auto_eoi(index, input);
    result = static_cast<u8>(kPollInterrupt | input);
  }
  evaluate(index);
  return result;
}

void Pic8259Pair::write_icw1(unsigned index, u8 value) {
  Chip& chip = chips_[index];
  chip.next = Next::kIcw2;
  chip.needs_icw4 = icw1::NeedsIcw4::get(value);
  chip.single = icw1::Single::get(value);
  chip.latched = 0;
  chip.imr = 0;
  chip.isr = 0;
  chip.isr_cause = {};
  chip.lowest = 7;
  chip.special_mask = false;
  chip.read_isr = false;
  chip.poll = false;
  chip.rotate_in_auto_eoi = false;
  if (index == kSlave) chip.icw3 = icw3::SlaveId::kMax;
  if (!chip.needs_icw4) {
    chip.auto_eoi = false;
    chip.special_fully_nested = false;
  }
  // The edge sense latches are clear: an edge input must make a new low-to-high transition.
  drive_int(index, false);
  evaluate(index);
}

void Pic8259Pair::write_ocw2(unsigned index, u8 value) {
  Chip& chip = chips_[index];
  const u8 level = ocw2::Level::get(value);
  // In special mask mode a non-specific EOI passes over masked levels.
  const unsigned serving = chip.highest(static_cast<u8>(chip.special_mask ? chip.isr & ~chip.imr : chip.isr));
  switch (ocw2::Command::get(value)) {
    case ocw2::kRotateInAutoEoiClear: chip.rotate_in_auto_eoi = false; break;
    case ocw2::kRotateInAutoEoiSet: chip.rotate_in_auto_eoi = true; break;
    case ocw2::kNonSpecificEoi: clear_isr(index, serving); break;
    case ocw2::kSpecificEoi: clear_isr(index, level); break;
    case ocw2::kSetPriority: chip.lowest = level; break;
    case ocw2::kRotateOnNonSpecificEoi:
      clear_isr(index, serving);
      if (serving != kNoInput) chip.lowest = static_cast<u8>(serving);
      break;
    case ocw2::kRotateOnSpecificEoi:
      clear_isr(index, level);
      chip.lowest = level;
      break;
    default: break;
  }
  evaluate(index);
}

void Pic8259Pair::write_ocw3(unsigned index, u8 value) {
  Chip& chip = chips_[index];
  if (ocw3::EnableSpecialMask::get(value)) chip.special_mask = ocw3::SpecialMask::get(value);
  if (ocw3::Poll::get(value)) {
    chip.poll = true;  // overrides RR
  } else if (ocw3::ReadRegister::get(value)) {
    chip.read_isr = ocw3::ReadIsr::get(value);
  }
  evaluate(index);
}

void Pic8259Pair::write_data(unsigned index, u8 value) {
  Chip& chip = chips_[index];
  const Next after3 = chip.needs_icw4 ? Next::kIcw4 : Next::kOperation;
  switch (chip.next) {
    case Next::kOperation:
      chip.imr = value;
      evaluate(index);
      break;
    case Next::kIcw2:
      chip.vector_base = value & icw2::kBaseMask;
      chip.next = chip.single ? after3 : Next::kIcw3;
      break;
    case Next::kIcw3:
      chip.icw3 = value;
      chip.next = after3;
      break;
    case Next::kIcw4:
      chip.auto_eoi = icw4::AutoEoi::get(value);
      chip.special_fully_nested = icw4::SpecialFullyNested::get(value);
      chip.next = Next::kOperation;
      break;
  }
}

u32 Pic8259Pair::port_read(u16 port, unsigned) {
  if ((port & ~1u) == kElcrPort) return chips_[port & 1].elcr;
  const unsigned index = (port & ~1u) == kSlavePort ? kSlave : kMaster;
  Chip& chip = chips_[index];
  if (chip.poll) return read_poll(index);
  if ((port & 1) != 0) return chip.imr;
  return chip.read_isr ? chip.isr : chip.irr();
}

void Pic8259Pair::port_write(u16 port, u32 value, unsigned) {
  const auto byte = static_cast<u8>(value);
  if ((port & ~1u) == kElcrPort) {
    chips_[port & 1].elcr = byte & kElcrWritable[port & 1];
    evaluate(port & 1);
    return;
  }
  const unsigned index = (port & ~1u) == kSlavePort ? kSlave : kMaster;
  if ((port & 1) != 0) {
    write_data(index, byte);
  } else if (icw1::IsIcw1::get(byte)) {
    write_icw1(index, byte);
  } else if (ocw3::IsOcw3::get(byte)) {
    write_ocw3(index, byte);
  } else {
    write_ocw2(index, byte);
  }
}

void Pic8259Pair::save(StateWriter& out) const {
  for (const Chip& chip : chips_) {
    for (const u8 value : {chip.lines, chip.latched, chip.imr, chip.isr, chip.elcr, chip.vector_base,
                           chip.icw3, chip.lowest, static_cast<u8>(chip.next)}) {
      out.put_u8(value);
    }
    for (const bool flag :
         {chip.needs_icw4, chip.single, chip.auto_eoi, chip.rotate_in_auto_eoi, chip.special_mask,
          chip.special_fully_nested, chip.read_isr, chip.poll, chip.int_output}) {
      out.put_bool(flag);
    }
    for (const CauseId cause : chip.irr_cause) out.put_u32(cause);
    for (const CauseId cause : chip.isr_cause) out.put_u32(cause);
  }
}

bool Pic8259Pair::load(StateReader& in) {
  for (Chip& chip : chips_) {
    u8 next = 0;
    for (u8* value : {&chip.lines, &chip.latched, &chip.imr, &chip.isr, &chip.elcr, &chip.vector_base,
                      &chip.icw3, &chip.lowest, &next}) {
      *value = in.get_u8();
    }
    if (next > static_cast<u8>(Next::kIcw4) || chip.lowest > 7) in.fail();
    chip.next = static_cast<Next>(next & 3);
    chip.lowest &= 7;
    for (bool* flag :
         {&chip.needs_icw4, &chip.single, &chip.auto_eoi, &chip.rotate_in_auto_eoi, &chip.special_mask,
          &chip.special_fully_nested, &chip.read_isr, &chip.poll, &chip.int_output}) {
      *flag = in.get_bool();
    }
    for (CauseId& cause : chip.irr_cause) cause = in.get_u32();
    for (CauseId& cause : chip.isr_cause) cause = in.get_u32();
  }
  return in.ok();
}

}  // namespace lapwing
