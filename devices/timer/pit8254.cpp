#include "devices/timer/pit8254.h"

#include <iterator>

namespace lapwing {

namespace {

namespace control_word {
using Bcd = Field<bool, u8, 0, 1>;
using Mode = Field<u8, u8, 1, 3>;
using Access = Field<u8, u8, 4, 2>;
using Select = Field<u8, u8, 6, 2>;
constexpr u8 kLatchCommand = 0;  // of Access
constexpr u8 kReadBack = 3;      // of Select
}  // namespace control_word

namespace read_back_command {
using Counters = Field<u8, u8, 1, 3>;
using NoStatus = Field<bool, u8, 4, 1>;
using NoCount = Field<bool, u8, 5, 1>;
}  // namespace read_back_command

namespace port61 {
using Gate2 = Field<bool, u8, 0, 1>;
using Speaker = Field<bool, u8, 1, 1>;
using Refresh = Field<bool, u8, 4, 1>;
using Out2 = Field<bool, u8, 5, 1>;
constexpr u8 kWritable = 0x0F;
}  // namespace port61

constexpr unsigned kSpeakerCounter = 2;
constexpr u8 kRateGenerator = 2;
constexpr u64 kRefreshTicks = 18;  // 15.086 us

constexpr FieldInfo kStatusFields[] = {
    {"BCD", 0, 1}, {"mode", 1, 3}, {"access (RW)", 4, 2}, {"null count", 6, 1}, {"OUT", 7, 1}};
constexpr FieldInfo kPort61Fields[] = {{"counter 2 gate", 0, 1},    {"speaker data enable", 1, 1},
                                       {"SERR# NMI disable", 2, 1}, {"IOCHK# NMI disable", 3, 1},
                                       {"refresh toggle", 4, 1},    {"counter 2 OUT", 5, 1}};
#define LAPWING_COUNTER(n)                                                             \
  {                                                                                    \
      "counter " #n " status",    0x40 + n,      8,                                    \
      "82C54: Read-Back Command", kStatusFields, std::size(kStatusFields)},            \
      {"counter " #n " CE", 0x40 + n, 16, "82C54: Counter Latch Command", nullptr, 0}, \
      {"counter " #n " CR", 0x40 + n, 17, "82C54: Write Operations", nullptr, 0}
constexpr RegisterInfo kRegisters[] = {
    LAPWING_COUNTER(0),
    LAPWING_COUNTER(1),
    LAPWING_COUNTER(2),
    {"NMI_SC", 0x61, 8, "PIIX: NMI Status and Control", kPort61Fields, std::size(kPort61Fields)}};
#undef LAPWING_COUNTER

}  // namespace

Pit8254::Pit8254(Clock& clock, IrqPin irq)
    : clock_(clock), irq_(irq), timer_(clock, [this](u64 deadline) { output_edge(deadline); }) {
  reset();
}

void Pit8254::reset() {
  counters_ = {};
  port61_ = 0;
  counters_[kSpeakerCounter].set_gate(false, tick());
  follow_output(tick());
}

void Pit8254::follow_output(u64 tick) {
  PitCounter& counter = counters_[0];
  counter.settle(tick);
  irq_.set(counter.out(tick));
  const u64 edge = counter.mode() == kRateGenerator ? counter.next_reload(tick) : counter.next_edge(tick);
  const u64 deadline = edge == PitCounter::kNeverTick ? kNever : PitRate::ns_of(edge);
  if (deadline != timer_.deadline()) timer_.arm(deadline);
}

void Pit8254::output_edge(u64 deadline_ns) {
  PitCounter& counter = counters_[0];
  const u64 edge = PitRate::ticks_at(deadline_ns);
  const u64 now = tick();
  counter.settle(edge);
  if (counter.mode() == kRateGenerator) {
    irq_.lower();
    irq_.raise();
  } else {
    // A pulse that began and ended since the last instruction still makes its edge.
    irq_.set(counter.out(edge));
    if (now > edge && counter.next_edge(edge) <= now) irq_.set(!irq_.level());
  }
  follow_output(now);
}

void Pit8254::write_control(u8 value, u64 tick) {
  const u8 select = control_word::Select::get(value);
  if (select == control_word::kReadBack) return read_back(value, tick);
  PitCounter& counter = counters_[select];
  const u8 access = control_word::Access::get(value);
  if (access == control_word::kLatchCommand) {
    counter.latch_count(tick);
  } else {
    counter.settle(tick);
    counter.control(control_word::Mode::get(value), access, control_word::Bcd::get(value), tick);
  }
}

void Pit8254::read_back(u8 value, u64 tick) {
  for (unsigned i = 0; i < counters_.size(); ++i) {
    if (!bit_of(read_back_command::Counters::get(value), i)) continue;
    if (!read_back_command::NoCount::get(value)) counters_[i].latch_count(tick);
    if (!read_back_command::NoStatus::get(value)) counters_[i].latch_status(tick);
  }
}

u8 Pit8254::read_port61(u64 tick) const {
  PitCounter speaker = counters_[kSpeakerCounter];
  speaker.settle(tick);
  const u8 value = port61::Refresh::set(port61_, (tick / kRefreshTicks) % 2 != 0);
  return port61::Out2::set(value, speaker.out(tick));
}

void Pit8254::write_port61(u8 value, u64 tick) {
  port61_ = value & port61::kWritable;
  counters_[kSpeakerCounter].set_gate(port61::Gate2::get(value), tick);
}

bool Pit8254::speaker_enabled() const {
  return port61::Speaker::get(port61_);
}

u32 Pit8254::port_read(u16 port, unsigned) {
  const u64 now = tick();
  if (port == kControlPort) return read_port61(now);
  const unsigned index = port & 3u;
  return index == 3 ? 0xFF : counters_[index].read(now);  // the control word cannot be read
}

void Pit8254::port_write(u16 port, u32 value, unsigned) {
  if (timer_.deadline() <= clock_.now_ns()) output_edge(timer_.deadline());
  const u64 now = tick();
  const auto byte = static_cast<u8>(value);
  const unsigned index = port & 3u;
  if (port == kControlPort) {
    write_port61(byte, now);
  } else if (index == 3) {
    write_control(byte, now);
  } else {
    counters_[index].write(byte, now);
  }
  follow_output(now);
}

void Pit8254::save(StateWriter& out) const {
  for (const PitCounter& counter : counters_) counter.save(out);
  out.put_u8(port61_);
  irq_.save(out);
  timer_.save(out);
}

bool Pit8254::load(StateReader& in) {
  for (PitCounter& counter : counters_) counter.load(in);
  port61_ = in.get_u8();
  irq_.load(in);
  timer_.load(in);
  return in.ok();
}

std::vector<RegisterValue> Pit8254::registers() const {
  const u64 now = tick();
  std::vector<RegisterValue> values;
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    PitCounter counter = counters_[i];
    counter.settle(now);
    values.push_back({&kRegisters[i * 3], counter.status(now)});
    values.push_back({&kRegisters[i * 3 + 1], counter.count(now)});
    values.push_back({&kRegisters[i * 3 + 2], counter.reload()});
  }
  values.push_back({&kRegisters[counters_.size() * 3], read_port61(now)});
  return values;
}

}  // namespace lapwing
