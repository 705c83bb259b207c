#include "devices/timer/hpet.h"

#include <algorithm>
#include <iterator>

namespace lapwing {

namespace {

enum Offset : u64 {
  kCapabilities = 0x000,
  kConfiguration = 0x010,
  kInterruptStatus = 0x020,
  kMainCounter = 0x0F0,
  kFirstTimer = 0x100,
  kTimerStride = 0x20,
  kTimerConfig = 0x00,  // within a timer
  kTimerComparator = 0x08,
  kTimerFsbRoute = 0x10,
};

namespace cap {
using Revision = Field<u8, u64, 0, 8>;
using LastTimer = Field<u8, u64, 8, 5>;
using CountSize64 = Field<bool, u64, 13, 1>;
using LegacyRoute = Field<bool, u64, 15, 1>;
using Vendor = Field<u16, u64, 16, 16>;
using Period = Field<u32, u64, 32, 32>;
constexpr u16 kVendor = 0x8086;
}  // namespace cap

namespace conf {
using Enable = Field<bool, u64, 0, 1>;
using LegacyRoute = Field<bool, u64, 1, 1>;
constexpr u64 kWritable = Enable::kMask | LegacyRoute::kMask;
}  // namespace conf

namespace timer_conf {
using Level = Field<bool, u64, 1, 1>;
using InterruptEnable = Field<bool, u64, 2, 1>;
using Periodic = Field<bool, u64, 3, 1>;
using PeriodicCapable = Field<bool, u64, 4, 1>;
using Size64 = Field<bool, u64, 5, 1>;
using ValueSet = Field<bool, u64, 6, 1>;
using Mode32 = Field<bool, u64, 8, 1>;
using Route = Field<u8, u64, 9, 5>;
using FsbEnable = Field<bool, u64, 14, 1>;
using FsbCapable = Field<bool, u64, 15, 1>;
using RouteCapability = Field<u32, u64, 32, 32>;
constexpr u64 kWritable = Level::kMask | InterruptEnable::kMask | Periodic::kMask | ValueSet::kMask |
                          Mode32::kMask | Route::kMask | FsbEnable::kMask;
constexpr u64 kFixed = PeriodicCapable::kMask | Size64::kMask | FsbCapable::kMask;
}  // namespace timer_conf

constexpr unsigned kNoLine = 32;
// As on ICH: I/O APIC pins 20-23, and line 11 for timer 2 on.
constexpr u64 kRoutes = 0x00F00000;
constexpr u64 kRoutesFromTimer2 = 0x00F00800;

constexpr u64 kLow32 = 0xFFFFFFFF;
constexpr u64 kFemtosecondsPerNs = 1'000'000;

u64 merge(u64 old, u64 value, u64 mask) {
  return (old & ~mask) | (value & mask);
}

constexpr FieldInfo kCapFields[] = {{"revision", 0, 8},        {"last timer", 8, 5},
                                    {"64-bit counter", 13, 1}, {"legacy capable", 15, 1},
                                    {"vendor", 16, 16},        {"period fs", 32, 32}};
constexpr FieldInfo kConfFields[] = {{"ENABLE_CNF", 0, 1}, {"LEG_RT_CNF", 1, 1}};
constexpr FieldInfo kTimerFields[] = {
    {"INT_TYPE_CNF level", 1, 1}, {"INT_ENB_CNF", 2, 1},    {"TYPE_CNF periodic", 3, 1},
    {"PER_INT_CAP", 4, 1},        {"SIZE_CAP", 5, 1},       {"VAL_SET_CNF", 6, 1},
    {"32MODE_CNF", 8, 1},         {"INT_ROUTE_CNF", 9, 5},  {"FSB_EN_CNF", 14, 1},
    {"FSB_INT_DEL_CAP", 15, 1},   {"INT_ROUTE_CAP", 32, 32}};
constexpr FieldInfo kFsbFields[] = {{"FSB_INT_VAL", 0, 32}, {"FSB_INT_ADDR", 32, 32}};
constexpr RegisterInfo kGlobal[] = {
    {"GCAP_ID", kCapabilities, 64, "HPET 2.3.4", kCapFields, std::size(kCapFields)},
    {"GEN_CONF", kConfiguration, 64, "HPET 2.3.5", kConfFields, std::size(kConfFields)},
    {"GINTR_STA", kInterruptStatus, 32, "HPET 2.3.6", nullptr, 0},
    {"MAIN_CNT", kMainCounter, 64, "HPET 2.3.7", nullptr, 0}};
#define LAPWING_TIMER(n)                                                                          \
  {"TIM" #n "_CONF", 0x100 + 0x20 * n, 64, "HPET 2.3.8", kTimerFields, std::size(kTimerFields)},  \
      {"TIM" #n "_COMP", 0x108 + 0x20 * n, 64, "HPET 2.3.9", nullptr, 0}, {                       \
    "TIM" #n "_FSB_ROUTE", 0x110 + 0x20 * n, 64, "HPET 2.3.10", kFsbFields, std::size(kFsbFields) \
  }
constexpr RegisterInfo kTimers[] = {LAPWING_TIMER(0), LAPWING_TIMER(1), LAPWING_TIMER(2), LAPWING_TIMER(3),
                                    LAPWING_TIMER(4), LAPWING_TIMER(5), LAPWING_TIMER(6), LAPWING_TIMER(7)};
#undef LAPWING_TIMER
constexpr unsigned kRegistersPerTimer = 3;
static_assert(std::size(kTimers) == Hpet::kMaxComparators * kRegistersPerTimer);

}  // namespace

void Hpet::LegacyGate::set_line(unsigned line, bool level, CauseId cause) {
  if (line >= causes_.size()) return;
  levels_ = with_bit(levels_, line, level);
  causes_[line] = level ? cause : 0;
  if (!blocked_) out_.set_line(line, level, cause);
}

void Hpet::LegacyGate::block(bool blocked) {
  if (blocked == blocked_) return;
  blocked_ = blocked;
  for (const unsigned line : {kLegacyTimerLine, kLegacyRtcLine}) {
    if (bit_of(levels_, line)) out_.set_line(line, !blocked, causes_[line]);
  }
}

Hpet::Comparator::Comparator(Hpet& hpet, unsigned index)
    : timer(hpet.clock_, [&hpet, index](u64) {
        hpet.settle(index);
        hpet.rearm(index);
      }) {}

Hpet::Hpet(Clock& clock, IrqTrace& trace, LineSink& lines, LineSink& legacy_lines, MessageSink& messages,
           unsigned comparators)
    : clock_(clock), trace_(trace), lines_out_(lines), messages_(messages), legacy_(legacy_lines) {
  for (unsigned i = 0; i < std::clamp(comparators, 3u, kMaxComparators); ++i) {
    comparators_.push_back(std::make_unique<Comparator>(*this, i));
  }
  reset();
}

void Hpet::reset() {
  config_ = 0;
  status_ = 0;
  counter_base_ = 0;
  start_ns_ = 0;
  for (auto& comparator : comparators_) {
    comparator->config = 0;
    comparator->value = ~0ull;
    comparator->period = 0;
    comparator->fsb = 0;
    comparator->considered = 0;
    comparator->edge_high = false;
    comparator->cause = 0;
    comparator->timer.cancel();
  }
  legacy_.block(false);
  update_lines();
}

bool Hpet::enabled() const {
  return conf::Enable::get(config_);
}

bool Hpet::legacy_route() const {
  return conf::LegacyRoute::get(config_);
}

u64 Hpet::ticks_after(u64 ns) {
  return static_cast<u64>(static_cast<u128>(ns) * kFemtosecondsPerNs / kFemtosecondsPerTick);
}

u64 Hpet::ns_of(u64 ticks) {
  const u128 fs = static_cast<u128>(ticks) * kFemtosecondsPerTick;
  const u128 ns = (fs + kFemtosecondsPerNs - 1) / kFemtosecondsPerNs;
  return ns >= kNever ? kNever : static_cast<u64>(ns);
}

u64 Hpet::counter() const {
  return enabled() ? counter_base_ + ticks_after(clock_.now_ns() - start_ns_) : counter_base_;
}

u64 Hpet::capabilities() const {
  u64 value = cap::Revision::set(0, 1);
  value = cap::LastTimer::set(value, static_cast<u8>(comparators_.size() - 1));
  value = cap::CountSize64::set(value, true);
  value = cap::LegacyRoute::set(value, true);
  value = cap::Vendor::set(value, cap::kVendor);
  return cap::Period::set(value, static_cast<u32>(kFemtosecondsPerTick));
}

u32 Hpet::block_id() const {
  return static_cast<u32>(capabilities());
}

u64 Hpet::route_capability(unsigned index) const {
  return index < 2 ? kRoutes : kRoutesFromTimer2;
}

u64 Hpet::width_mask(const Comparator& comparator) const {
  return timer_conf::Mode32::get(comparator.config) ? kLow32 : ~0ull;
}

unsigned Hpet::line_of(unsigned index) const {
  if (legacy_route() && index == 0) return kLegacyTimerLine;
  if (legacy_route() && index == 1) return kLegacyRtcLine;
  const u8 route = timer_conf::Route::get(comparators_[index]->config);
  return bit_of(route_capability(index), route) ? route : kNoLine;
}

void Hpet::settle(unsigned index) {
  Comparator& comparator = *comparators_[index];
  if (!enabled()) return;
  const u64 now = counter();
  if (now + 1 == comparator.considered) return;
  const u64 mask = width_mask(comparator);
  const u64 span = now - comparator.considered;
  const u64 distance = (comparator.value - comparator.considered) & mask;
  comparator.considered = now + 1;
  if (distance > span) return;
  const u64 period = comparator.period & mask;
  if (timer_conf::Periodic::get(comparator.config) && period != 0) {
    const u64 matches = (span - distance) / period + 1;
    comparator.value = (comparator.value + matches * period) & mask;
  }
  signal(index);
}

void Hpet::settle_all() {
  for (unsigned i = 0; i < comparators_.size(); ++i) settle(i);
}

void Hpet::signal(unsigned index) {
  Comparator& comparator = *comparators_[index];
  const bool fsb = timer_conf::FsbEnable::get(comparator.config);
  const bool level = timer_conf::Level::get(comparator.config) && !fsb;
  const bool interrupts = timer_conf::InterruptEnable::get(comparator.config);
  if (level) {
    if (bit_of(status_, index)) return;
    status_ = with_bit(status_, index, true);
  }
  if (!interrupts) return;
  comparator.cause = trace_.new_cause();
  if (fsb) {
    trace_.add(IrqEventKind::kDeviceRaise, DeviceId::kHpet,
               {.cause = comparator.cause, .line = kNoLine, .instance = static_cast<u8>(index)});
    messages_.send({comparator.fsb >> 32, static_cast<u32>(comparator.fsb), comparator.cause});
    return;
  }
  trace_.add(IrqEventKind::kDeviceRaise, DeviceId::kHpet,
             {.cause = comparator.cause, .line = line_of(index), .instance = static_cast<u8>(index)});
  if (!level) {
    comparator.edge_high = false;
    update_lines();
    comparator.edge_high = true;
  }
  update_lines();
}

void Hpet::update_lines() {
  u32 levels = 0;
  std::array<CauseId, kNoLine> causes{};
  for (unsigned i = 0; i < comparators_.size(); ++i) {
    const Comparator& comparator = *comparators_[i];
    const u64 config = comparator.config;
    const unsigned line = line_of(i);
    if (!enabled() || !timer_conf::InterruptEnable::get(config) || timer_conf::FsbEnable::get(config))
      continue;
    const bool high = timer_conf::Level::get(config) ? bit_of(status_, i) : comparator.edge_high;
    if (line == kNoLine || !high) continue;
    levels |= 1u << line;
    if (causes[line] == 0) causes[line] = comparator.cause;
  }
  const u32 changed = levels ^ lines_;
  lines_ = levels;
  for (unsigned line = 0; line < kNoLine; ++line) {
    if (!bit_of(changed, line)) continue;
    const bool high = bit_of(levels, line);
    if (high) line_causes_[line] = causes[line] != 0 ? causes[line] : trace_.new_cause();
    trace_.add(high ? IrqEventKind::kLineRaised : IrqEventKind::kLineLowered, DeviceId::kHpet,
               {.cause = line_causes_[line], .line = line});
    lines_out_.set_line(line, high, line_causes_[line]);
  }
}

u64 Hpet::next_match_ns(const Comparator& comparator) const {
  const u64 distance = (comparator.value - comparator.considered) & width_mask(comparator);
  const u64 ticks = comparator.considered - counter_base_;
  if (ticks > kNever - distance) return kNever;
  const u64 ns = ns_of(ticks + distance);
  return ns >= kNever - start_ns_ ? kNever : start_ns_ + ns;
}

void Hpet::rearm(unsigned index) {
  Comparator& comparator = *comparators_[index];
  const bool interrupts = timer_conf::InterruptEnable::get(comparator.config);
  const bool level =
      timer_conf::Level::get(comparator.config) && !timer_conf::FsbEnable::get(comparator.config);
  // A level comparator sets its status bit even with interrupts disabled; once set, nothing more can be seen.
  const bool visible = level ? !bit_of(status_, index) : interrupts;
  u64 deadline = enabled() && visible ? next_match_ns(comparator) : kNever;
  // The host looks after faster periods no more often: their edges meet in one request.
  constexpr u64 kShortestPeriodNs = 1000;
  if (timer_conf::Periodic::get(comparator.config) && comparator.period != 0 &&
      ns_of(comparator.period) < kShortestPeriodNs && deadline != kNever)
    deadline = std::max(deadline, clock_.now_ns() + kShortestPeriodNs);
  if (deadline != comparator.timer.deadline()) comparator.timer.arm(deadline);
}

void Hpet::rearm_all() {
  for (unsigned i = 0; i < comparators_.size(); ++i) rearm(i);
}

u64 Hpet::read_register(u64 offset) const {
  switch (offset) {
    case kCapabilities: return capabilities();
    case kConfiguration: return config_;
    case kInterruptStatus: return status_;
    case kMainCounter: return counter();
    default: break;
  }
  if (offset < kFirstTimer) return 0;
  const auto index = static_cast<unsigned>((offset - kFirstTimer) / kTimerStride);
  if (index >= comparators_.size()) return 0;
  const Comparator& comparator = *comparators_[index];
  switch ((offset - kFirstTimer) % kTimerStride) {
    case kTimerConfig:
      return comparator.config | timer_conf::kFixed |
             timer_conf::RouteCapability::set(0, static_cast<u32>(route_capability(index)));
    case kTimerComparator: return comparator.value;
    case kTimerFsbRoute: return comparator.fsb;
    default: return 0;
  }
}

u64 Hpet::mmio_read(u64 offset, unsigned size) {
  if ((offset & ~7ull) != kMainCounter) {
    settle_all();
    rearm_all();
  }
  const u64 value = read_register(offset & ~7ull) >> ((offset & 7) * 8);
  return size >= 8 ? value : value & ((1ull << (size * 8)) - 1);
}

void Hpet::mmio_write(u64 offset, u64 value, unsigned size) {
  // Registers take aligned doubleword and quadword accesses only.
  if (size < 4 || offset % size != 0) return;
  trace_.add(IrqEventKind::kRegisterWrite, DeviceId::kHpet,
             {.line = static_cast<u32>(offset), .cpu = trace_.executing_cpu(), .data = value});
  const u64 shift = (offset & 7) * 8;
  const u64 mask = size >= 8 ? ~0ull : kLow32 << shift;
  settle_all();
  write_register(offset & ~7ull, value << shift, mask);
  update_lines();
  rearm_all();
}

void Hpet::write_register(u64 offset, u64 value, u64 mask) {
  switch (offset) {
    case kConfiguration: return write_config(merge(config_, value, mask));
    case kInterruptStatus: status_ &= ~static_cast<u32>(value & mask); return;
    case kMainCounter:
      // The counter must be halted to be written.
      if (enabled()) return;
      counter_base_ = merge(counter_base_, value, mask);
      for (auto& comparator : comparators_) comparator->considered = counter_base_;
      return;
    default: break;
  }
  if (offset < kFirstTimer) return;
  const auto index = static_cast<unsigned>((offset - kFirstTimer) / kTimerStride);
  if (index < comparators_.size()) {
    write_comparator_register(index, (offset - kFirstTimer) % kTimerStride, value, mask);
  }
}

void Hpet::write_config(u64 value) {
  const bool was_enabled = enabled();
  const u64 count = counter();
  config_ = value & conf::kWritable;
  counter_base_ = was_enabled == enabled() ? counter_base_ : count;
  if (enabled() && !was_enabled) {
    start_ns_ = clock_.now_ns();
    for (auto& comparator : comparators_) comparator->considered = count;
  }
  legacy_.block(legacy_route());
}

void Hpet::write_comparator_register(unsigned index, u64 offset, u64 value, u64 mask) {
  Comparator& comparator = *comparators_[index];
  switch (offset) {
    case kTimerConfig: write_timer_config(index, merge(comparator.config, value, mask)); break;
    case kTimerComparator: write_comparator(comparator, value, mask); break;
    case kTimerFsbRoute: comparator.fsb = merge(comparator.fsb, value, mask); break;
    default: break;
  }
}

void Hpet::write_timer_config(unsigned index, u64 value) {
  Comparator& comparator = *comparators_[index];
  value &= timer_conf::kWritable;
  // A route the timer does not have is not taken: the field reads back unchanged.
  if (!bit_of(route_capability(index), timer_conf::Route::get(value))) {
    value = timer_conf::Route::set(value, timer_conf::Route::get(comparator.config));
  }
  const bool kept_edge = !timer_conf::Level::get(value) && timer_conf::InterruptEnable::get(value);
  if (!kept_edge) comparator.edge_high = false;
  if (!timer_conf::Level::get(value)) status_ = with_bit(status_, index, false);
  comparator.config = value;
  comparator.value &= width_mask(comparator);
  comparator.period &= width_mask(comparator);
}

void Hpet::write_comparator(Comparator& comparator, u64 value, u64 mask) {
  const bool periodic = timer_conf::Periodic::get(comparator.config);
  const u64 width = width_mask(comparator);
  if (!periodic || timer_conf::ValueSet::get(comparator.config)) {
    comparator.value = merge(comparator.value, value, mask) & width;
    comparator.considered = counter();
  }
  if (periodic) comparator.period = merge(comparator.period, value, mask) & width;
  comparator.config = timer_conf::ValueSet::set(comparator.config, false);
}

void Hpet::save(StateWriter& out) const {
  for (const u64 value : {config_, counter_base_, start_ns_}) out.put_u64(value);
  out.put_u32(status_);
  out.put_u32(lines_);
  for (const auto& comparator : comparators_) {
    for (const u64 value : {comparator->config, comparator->value, comparator->period, comparator->fsb,
                            comparator->considered}) {
      out.put_u64(value);
    }
    out.put_bool(comparator->edge_high);
    out.put_u32(comparator->cause);
    comparator->timer.save(out);
  }
  for (const CauseId cause : line_causes_) out.put_u32(cause);
  out.put_bool(legacy_.blocked_);
  out.put_u32(legacy_.levels_);
  for (const CauseId cause : legacy_.causes_) out.put_u32(cause);
}

bool Hpet::load(StateReader& in) {
  for (u64* value : {&config_, &counter_base_, &start_ns_}) *value = in.get_u64();
  status_ = in.get_u32();
  lines_ = in.get_u32();
  for (auto& comparator : comparators_) {
    for (u64* value : {&comparator->config, &comparator->value, &comparator->period, &comparator->fsb,
                       &comparator->considered}) {
      *value = in.get_u64();
    }
    comparator->edge_high = in.get_bool();
    comparator->cause = in.get_u32();
    comparator->timer.load(in);
  }
  for (CauseId& cause : line_causes_) cause = in.get_u32();
  legacy_.blocked_ = in.get_bool();
  legacy_.levels_ = in.get_u32();
  for (CauseId& cause : legacy_.causes_) cause = in.get_u32();
  return in.ok();
}

std::vector<RegisterValue> Hpet::registers() const {
  std::vector<RegisterValue> values;
  for (const RegisterInfo& info : kGlobal) values.push_back({&info, read_register(info.offset)});
  for (unsigned i = 0; i < comparators_.size() * kRegistersPerTimer; ++i) {
    values.push_back({&kTimers[i], read_register(kTimers[i].offset)});
  }
  return values;
}

}  // namespace lapwing
