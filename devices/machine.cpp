#include "devices/machine.h"

#include <algorithm>

namespace lapwing {

namespace {

// run() returns to its host after this many jumps or empty turns without an instruction retired: a guest that
// can never run again (interrupts off, timers ticking) must not keep it.
constexpr unsigned kMaxIdleRounds = 20'000;

constexpr double kSlowestNsPerInstruction = 1000.0;

}  // namespace

void Machine::PinRelay::call() {
  Machine& m = machine_;
  Cpu& current = *m.cpus_[m.turns_.current()];
  if (m.executing_ && &current == &cpu_) return;
  m.turns_.call(cpu_.index);
  if (m.executing_) current.request_leave();
}

void Machine::PinRelay::set_intr(bool level) {
  cpu_.set_intr(level);
  if (level) call();
}

void Machine::PinRelay::nmi(CauseId cause) {
  cpu_.nmi(cause);
  call();
}

void Machine::PinRelay::smi(CauseId cause) {
  cpu_.smi(cause);
  call();
}

void Machine::PinRelay::init(CauseId cause) {
  cpu_.init(cause);
  call();
}

void Machine::PinRelay::sipi(u8 vector, CauseId cause) {
  cpu_.sipi(vector, cause);
  call();
}

Machine::Machine(MachineConfig config, u8* ram, DiskHost* disks)
    : config_(std::move(config)),
      trace_(clock_),
      disks_(disks),
      memory_(ram, config_.memory),
      blocks_(memory_),
      turns_(config_.cpus) {}

Machine::~Machine() = default;

Result<std::unique_ptr<Machine>> Machine::create(MachineConfig config, u8* ram, DiskHost* disks, u8* video) {
  std::unique_ptr<Machine> machine(new Machine(std::move(config), ram, disks));
  if (Result<void> built = machine->build(video); !built.ok()) return Error{built.error()};
  return machine;
}

Result<void> Machine::build(u8* video) {
  BoardHost& host = *this;
  board_ = std::make_unique<Board>(config_, clock_, trace_, memory_, host, disks_);
  board_->set_video_memory(video);
  std::vector<CpuPins*> pins;
  for (unsigned index = 0; index < config_.cpus; ++index) {
    const Cpu::Wiring wiring{clock_,  trace_,      memory_, board_->ports(),
                             blocks_, config_.cpu, index,   config_.cores};
    cpus_.push_back(std::make_unique<Cpu>(wiring));
    cpus_.back()->state.random_state = config_.seed * kMaxCpus + index;
    pins.push_back(&pins_.emplace_back(*this, *cpus_.back()));
  }
  if (Result<void> built = board_->build(pins); !built.ok()) return built;
  for (unsigned index = 0; index < config_.cpus; ++index) cpus_[index]->attach(board_->interrupt_unit(index));
  cpus_[0]->attach(board_->fpu_error_pins());

  memory_.on_mmio_access(
      [this](u64 address, u64 value, unsigned, bool write) { board_->note_mmio(address, value, write); });
  memory_.on_code_write([this](u64 address, u64 size) { blocks_.invalidate(address, size); });
  memory_.on_map_change([this] {
    blocks_.flush();
    for (const auto& cpu : cpus_) cpu->flush_tlb(true);
  });
  memory_.on_direct_change([this](u64 base, u64 size) {
    for (const auto& cpu : cpus_) cpu->drop_translations_to(base, size);
  });
  memory_.on_first_code([this](u64 page) {
    for (const auto& cpu : cpus_) cpu->drop_write_tags(page);
  });
  return {};
}

void Machine::set_generated(GeneratedCode* generated) {
  generated_ = generated;
  blocks_.set_generated(generated);
  for (const auto& cpu : cpus_) cpu->set_generated(generated);
}

bool Machine::update_screen(u64 time_ns) {
  Screen* screen = board_->screen();
  if (screen == nullptr) return false;
  const bool changed = screen->update(time_ns);
  if (screen->took_marks()) {
    const DirectMemory& memory = board_->vga()->vga().memory();
    for (const auto& cpu : cpus_) cpu->drop_write_tags_of(memory.bytes(), memory.size());
  }
  return changed;
}

void Machine::request_exit(u32 status) {
  exit_requested_ = true;
  exit_status_ = status;
}

// What devices asked for during the last turn takes effect here, between two instructions.
std::optional<Stop> Machine::service_requests() {
  if (exit_requested_) return ended_ = Stop::kExitRequest;
  if (power_off_requested_) return ended_ = Stop::kPowerOff;
  if (reset_requested_) return reboot(Stop::kReset);
  for (const auto& cpu : cpus_) {
    if (cpu->take_request() == CpuRequest::kTripleFault) return reset_cpus(Stop::kTripleFault);
  }
  if (cpu_reset_requested_) return reset_cpus(Stop::kReset);
  if (suspend_requested_) suspend();
  if (asleep_) return wake();
  return std::nullopt;
}

std::optional<Stop> Machine::reboot(Stop reason) {
  reset_requested_ = false;
  if (config_.no_reboot) return ended_ = reason;
  if (Result<void> booted = boot(); !booted.ok()) return ended_ = reason;
  return std::nullopt;
}

// Decides whose turn it is; false when no CPU can run.
bool Machine::choose_cpu() {
  u32 halted = 0;
  for (u32 index = 0; index < cpu_count(); ++index)
    if (cpus_[index]->halted()) halted |= 1u << index;
  return !asleep_ && turns_.choose(runnable_cpus(), halted);
}

u32 Machine::runnable_cpus() const {
  u32 runnable = 0;
  for (u32 index = 0; index < cpu_count(); ++index)
    if (cpus_[index]->runnable()) runnable |= 1u << index;
  return runnable;
}

// Instructions until something other than the CPU itself has to happen.
u64 Machine::budget(u64 end) const {
  u64 count = std::min(end - clock_.instructions(), turns_.left());
  count = std::min(count, clock_.instructions_until(clock_.next_deadline()));
  if (const Position* next = next_replay_position()) {
    count = std::min(count, next->instructions - clock_.instructions());
  }
  return count;
}

// Runs the current CPU for at most `limit` instructions; false when it retired none.
bool Machine::run_current(u64 limit) {
  Cpu& cpu = *cpus_[turns_.current()];
  const u64 before = clock_.instructions();
  executing_ = true;
  cpu.run(limit);
  executing_ = false;
  trace_.set_executing(kNoCpu, 0);
  const u64 used = clock_.instructions() - before;
  turns_.ran(used, cpu.yielded() || cpu.halted());
  return used > 0;
}

// All CPUs are halted: time jumps to the next thing that happens.
std::optional<Stop> Machine::idle(u64 halt_limit_ns) {
  u64 target = clock_.next_deadline();
  const Position* next = next_replay_position();
  if (next != nullptr && next->instructions == clock_.instructions()) target = std::min(target, next->ns);
  if (target == kNever) return Stop::kIdleForever;
  if (target > halt_limit_ns) return Stop::kHalted;
  const u64 now = clock_.now_ns();
  if (target > now) {
    halted_ns_ += target - now;
    clock_.jump_to(target);
  }
  return std::nullopt;
}

Stop Machine::run(u64 max_instructions, u64 halt_limit_ns) {
  if (ended_) return *ended_;
  const u64 start = clock_.instructions();
  const u64 end = max_instructions > kNever - start ? kNever : start + max_instructions;
  unsigned idle_rounds = 0;
  while (idle_rounds < kMaxIdleRounds) {
    if (const auto stop = replay_due()) return *stop;
    if (const auto stop = service_requests()) return *stop;
    if (trace_.wants_drain()) return Stop::kTraceFull;
    if (clock_.timer_due()) {
      if (board_->disk_bytes_missing()) return Stop::kMissingData;
      clock_.run_due_timers();
      continue;
    }
    // Whose turn it is, is decided when it begins, not when the host stops before it.
    if (runnable_cpus() != 0 && clock_.instructions() == end) return Stop::kPatience;
    if (!choose_cpu()) {
      if (const auto stop = idle(halt_limit_ns)) return *stop;
      ++idle_rounds;
      continue;
    }
    const Cpu& cpu = *cpus_[turns_.current()];
    const u64 limit = breakpoints_.empty() ? budget(end) : std::min<u64>(budget(end), 1);
    if (limit == 0 && clock_.instructions() == end) return Stop::kPatience;
    if (limit == 0 && replaying()) {
      stop_replay("the guest went on where the recorded one was halted");
      return Stop::kReplayEnd;
    }
    idle_rounds = run_current(limit) ? 0 : idle_rounds + 1;
    if (std::find(breakpoints_.begin(), breakpoints_.end(), cpu.state.seg[kCs].base + cpu.state.rip) !=
        breakpoints_.end())
      return Stop::kBreakpoint;
  }
  return Stop::kPatience;
}

Result<void> Machine::input(InputKind kind, u32 a, u32 b, const u8* data, std::size_t size) {
  if (replaying()) return Error{"inputs are refused while a log is replayed"};
  if (kind == InputKind::kSerial && a >= config_.uarts) {
    return Error{"this machine has no serial port " + std::to_string(a)};
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (kind == InputKind::kDisc) {
    const Result<void> possible = board_->check_disc_change(text);
    if (!possible.ok()) return possible;
  }
  InputEntry entry;
  entry.at = clock_.position();
  entry.at.sequence = clock_.next_sequence();
  entry.kind = kind;
  entry.a = a;
  entry.b = b;
  entry.data.assign(data, data + size);
  apply(entry);
  if (recording_) recording_->entries.push_back(std::move(entry));
  if (kind == InputKind::kDisc && !board_->disc_changed())
    return Error{"the guest has locked the tray; it has been told"};
  return {};
}

Result<void> Machine::set_rate(double ns_per_instruction) {
  if (!(ns_per_instruction > 0 && ns_per_instruction <= kSlowestNsPerInstruction)) {
    return Error{"the rate must be above 0 and at most 1000 ns per instruction"};
  }
  const u64 rate =
      std::max<u64>(1, static_cast<u64>(ns_per_instruction * static_cast<double>(1u << kRateShift)));
  if (rate == clock_.rate()) return {};
  return input(InputKind::kRate, static_cast<u32>(rate), static_cast<u32>(rate >> 32), nullptr, 0);
}

void Machine::advance(u64 ns) {
  if (runnable_cpus() != 0 || replaying()) return;
  const u64 now = clock_.now_ns();
  const u64 target = std::min(ns, clock_.next_deadline());
  if (target <= now) return;
  halted_ns_ += target - now;
  clock_.jump_to(target);
}

void Machine::apply(const InputEntry& entry) {
  const auto half = [](u32 word, unsigned index) { return static_cast<i16>(word >> (16 * index)); };
  switch (entry.kind) {
    case InputKind::kSerial: board_->serial_input(entry.a, entry.data.data(), entry.data.size()); break;
    case InputKind::kKey:
      board_->keyboard_controller().press_key(entry.a, entry.b != 0);
      if (asleep_ && entry.b != 0) request_wake();
      break;
    case InputKind::kMouse:
      board_->keyboard_controller().move_mouse(half(entry.a, 0), half(entry.a, 1),
                                               static_cast<i8>(entry.b >> 8), static_cast<u8>(entry.b));
      break;
    case InputKind::kPowerButton: board_->press_power_button(); break;
    case InputKind::kReset: reset_requested_ = true; break;
    case InputKind::kDisc:
      board_->change_disc({reinterpret_cast<const char*>(entry.data.data()), entry.data.size()});
      break;
    case InputKind::kRate: clock_.set_rate(entry.a | static_cast<u64>(entry.b) << 32); break;
  }
}

}  // namespace lapwing
