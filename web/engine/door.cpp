// The exports of door.inc over one Machine. One wasm instance is one machine, so its state is the module's
// state.
#ifdef __wasm__
#include "web/engine/door.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "devices/machine.h"
#include "wasm_jit/runtime/jit.h"
#include "web/engine/module_host.h"

namespace lapwing {

namespace {

static_assert(static_cast<u32>(Stop::kReplayEnd) == static_cast<u32>(DoorStop::kReplayEnd));
static_assert(static_cast<u32>(InputKind::kReset) == static_cast<u32>(DoorInput::kReset));
static_assert(static_cast<u32>(InputKind::kDisc) == static_cast<u32>(DoorInput::kDisc));
static_assert(sizeof(void*) == 4);

constexpr u32 kDone = 0;
constexpr u32 kFailed = 1;
constexpr u64 kWasmPage = 65536;

// The address and size of the last answer, read in place by the host.
struct TextBlock {
  u32 pointer = 0;
  u32 size = 0;
};

extern "C" {
#define DOOR(result, name, parameters, meaning)
#define DOOR_CALL(result, name, parameters, meaning) \
  __attribute__((import_module("env"), import_name(#name))) result name parameters;
#include "web/engine/door.inc"
#undef DOOR
}

// The host's disks behind the door.
class DoorDisks final : public DiskHost {
 public:
  bool ready(unsigned drive, u64 offset, u32 size) override {
    return disk_ready(drive, static_cast<double>(offset), size) != 0;
  }
  bool read(unsigned drive, u64 offset, u8* out, u32 size) override {
    return disk_read(drive, static_cast<double>(offset), reinterpret_cast<u32>(out), size) == kDone;
  }
  bool write(unsigned drive, u64 offset, const u8* data, u32 size) override {
    return disk_write(drive, static_cast<double>(offset), reinterpret_cast<u32>(data), size) == kDone;
  }
  bool flush(unsigned drive) override { return disk_flush(drive) == kDone; }
};

class Door {
 public:
  u32 create(std::string_view text);
  u32 load(std::string_view kind, const u8* data, u32 size);
  u32 boot();
  u32 run(double max_instructions, double halt_limit_ns);
  u32 input(u32 kind, u32 a, u32 b, const u8* data, u32 size);
  void set_rate(double ns_per_instruction);
  void advance(double ns);
  u32 serial_read(u32 port, char* out, u32 capacity);
  const DoorScreen* screen(double time_ns);
  u32 query(std::string_view command);
  u32 read_memory(bool is_virtual, double address, u8* out, u32 size);
  u32 snapshot_save();
  void snapshot_done();
  u32 snapshot_load(const u8* data, u32 size);
  void trace_start(u32 records, bool overwrite);
  u32 trace_read(IrqEvent* out, u32 max_records);
  u32 log_start(bool replay, const u8* data, u32 size);
  u32 log_take();
  const DoorStatus* status();
  const TextBlock* text() const { return &text_block_; }

 private:
  u32 answer(std::string text, u32 result);
  u32 answer_bytes(std::vector<u8> bytes);
  u32 outcome(const Result<void>& result) { return result.ok() ? kDone : answer(result.error(), kFailed); }
  u32 no_machine() { return answer("no machine has been created yet", kFailed); }
  void refresh_status();
  static u8* guest_ram(u64 size);

  DoorDisks disks_;
  std::unique_ptr<Machine> machine_;
  WasmModuleHost modules_;
  std::unique_ptr<Jit> jit_;
  u8* ram_ = nullptr;
  std::string answer_;
  std::vector<u8> bytes_;
  TextBlock text_block_;
  DoorStatus status_{};
  DoorScreen screen_{};
};

Door& door() {
  static Door instance;
  return instance;
}

extern "C" char __heap_end;

// Guest RAM: the memory above the engine's heap, which the loader provides zeroed (or which is grown here).
u8* Door::guest_ram(u64 size) {
  const u64 base = (reinterpret_cast<u32>(&__heap_end) + kWasmPage - 1) / kWasmPage * kWasmPage;
  const u64 present = __builtin_wasm_memory_size(0) * kWasmPage;
  if (present < base + size) {
    const u64 pages = (base + size - present + kWasmPage - 1) / kWasmPage;
    if (__builtin_wasm_memory_grow(0, static_cast<u32>(pages)) == ~std::size_t{0}) return nullptr;
  }
  return reinterpret_cast<u8*>(static_cast<u32>(base));
}

u64 to_u64(double value) {
  constexpr double kLimit = 18446744073709549568.0;  // the largest double below 2^64
  if (!(value > 0)) return 0;
  return value >= kLimit ? kNever : static_cast<u64>(value);
}

u32 Door::answer(std::string text, u32 result) {
  answer_ = std::move(text);
  text_block_ = {reinterpret_cast<u32>(answer_.data()), static_cast<u32>(answer_.size())};
  return result;
}

u32 Door::answer_bytes(std::vector<u8> bytes) {
  bytes_ = std::move(bytes);
  text_block_ = {reinterpret_cast<u32>(bytes_.data()), static_cast<u32>(bytes_.size())};
  return kDone;
}

u32 Door::create(std::string_view text) {
  if (machine_ != nullptr) return answer("this engine already has a machine; start another one", kFailed);
  Result<MachineConfig> config = parse_machine_config(text);
  if (!config.ok()) return answer(config.error(), kFailed);
  std::optional<JitOptions> options;
  if (config.value().jit) {
    Result<JitOptions> parsed = parse_jit_options(*config.value().jit);
    if (!parsed.ok()) return answer(parsed.error(), kFailed);
    options = parsed.value();
  }
  const u64 memory = config.value().memory;
  const bool vga = config.value().vga;
  ram_ = guest_ram(memory + (vga ? StdVga::kMemorySize : 0));
  if (ram_ == nullptr) {
    return answer("the host has no room for " + std::to_string(config.value().memory >> 20) +
                      " MiB of guest memory; give the machine less",
                  kFailed);
  }
  Result<std::unique_ptr<Machine>> made =
      Machine::create(std::move(config.value()), ram_, &disks_, vga ? ram_ + memory : nullptr);
  if (!made.ok()) return answer(made.error(), kFailed);
  machine_ = std::move(made.value());
  if (options) {
    jit_ = std::make_unique<Jit>(modules_, machine_->blocks(), machine_->config().cpu, options.value());
    machine_->set_generated(jit_.get());
  }
  refresh_status();
  return kDone;
}

u32 Door::load(std::string_view kind, const u8* data, u32 size) {
  if (machine_ == nullptr) return no_machine();
  const std::size_t space = kind.find(' ');
  MachineFile file;
  file.kind = kind.substr(0, space);
  if (space != std::string_view::npos) file.arguments = kind.substr(space + 1);
  file.data.assign(data, data + size);
  return outcome(machine_->load_file(std::move(file)));
}

u32 Door::boot() {
  if (machine_ == nullptr) return no_machine();
  const u32 result = outcome(machine_->boot());
  refresh_status();
  return result;
}

u32 Door::run(double max_instructions, double halt_limit_ns) {
  if (machine_ == nullptr) return static_cast<u32>(DoorStop::kIdleForever);
  if (jit_ != nullptr) jit_->tick(machine_->clock().instructions());
  const Stop stop = machine_->run(to_u64(max_instructions), to_u64(halt_limit_ns));
  if (stop == Stop::kReplayEnd) answer(machine_->replay_error(), kDone);
  status_.stop = static_cast<u32>(stop);
  refresh_status();
  return status_.stop;
}

void Door::refresh_status() {
  if (machine_ == nullptr) return;
  const Clock& clock = machine_->clock();
  status_.instructions = clock.instructions();
  status_.ns = clock.now_ns();
  status_.next_deadline_ns = clock.next_deadline();
  status_.halted_ns = machine_->halted_ns();
  status_.exit_status = machine_->exit_status();
  status_.keyboard_leds = machine_->board().keyboard_controller().leds();
  for (unsigned port = 0; port < kMaxUarts; ++port) {
    status_.serial_pending[port] = static_cast<u32>(machine_->sent(port).size());
  }
}

const DoorStatus* Door::status() {
  refresh_status();
  return &status_;
}

u32 Door::input(u32 kind, u32 a, u32 b, const u8* data, u32 size) {
  if (machine_ == nullptr) return no_machine();
  if (kind > static_cast<u32>(DoorInput::kReset) && kind != static_cast<u32>(DoorInput::kDisc))
    return answer("unknown kind of input", kFailed);
  const u32 result = outcome(machine_->input(static_cast<InputKind>(kind), a, b, data, size));
  refresh_status();
  return result;
}

void Door::set_rate(double ns_per_instruction) {
  if (machine_ != nullptr) outcome(machine_->set_rate(ns_per_instruction));
}

void Door::advance(double ns) {
  if (machine_ == nullptr) return;
  machine_->advance(to_u64(ns));
  refresh_status();
}

u32 Door::serial_read(u32 port, char* out, u32 capacity) {
  if (machine_ == nullptr || port >= Machine::kOutputPorts) return 0;
  std::string& sent = machine_->sent(port);
  const u32 count = std::min(capacity, static_cast<u32>(sent.size()));
  std::memcpy(out, sent.data(), count);
  sent.erase(0, count);
  refresh_status();
  return count;
}

const DoorScreen* Door::screen(double time_ns) {
  if (machine_ == nullptr || machine_->screen() == nullptr) return nullptr;
  machine_->update_screen(to_u64(time_ns));
  static_assert(sizeof(ScreenBand) == 8);
  const Screen& screen = *machine_->screen();
  const PictureMode& mode = screen.mode();
  screen_ = {.pixels = reinterpret_cast<u32>(screen.pixels().data()),
             .width = mode.width,
             .height = mode.height,
             .columns = mode.columns,
             .rows = mode.columns == 0 ? 0 : (mode.height + mode.row_lines - 1) / mode.row_lines,
             .square = mode.square ? 1u : 0u,
             .generation = screen.generation(),
             .bands = reinterpret_cast<u32>(screen.bands().data()),
             .band_count = static_cast<u32>(screen.bands().size())};
  status_.screen_generation = screen.generation();
  return &screen_;
}

u32 Door::query(std::string_view command) {
  if (machine_ == nullptr) return no_machine();
  if (command == "generated") return answer(jit_ == nullptr ? "" : jit_->take_listing(), kDone);
  if (command == "generated last") return answer(jit_ == nullptr ? "" : jit_->last_region(), kDone);
  Result<std::string> reply = machine_->query(command);
  return reply.ok() ? answer(std::move(reply.value()), kDone) : answer(reply.error(), kFailed);
}

u32 Door::read_memory(bool is_virtual, double address, u8* out, u32 size) {
  if (machine_ == nullptr) return no_machine();
  if (machine_->read_memory(is_virtual, to_u64(address), out, size)) return kDone;
  return answer("that range is not guest memory", kFailed);
}

u32 Door::snapshot_save() {
  if (machine_ == nullptr) return no_machine();
  return answer_bytes(machine_->save_snapshot());
}

void Door::snapshot_done() {
  bytes_ = {};
  text_block_ = {};
}

u32 Door::snapshot_load(const u8* data, u32 size) {
  if (machine_ == nullptr) return no_machine();
  const u32 result = outcome(machine_->load_snapshot(data, size));
  refresh_status();
  return result;
}

void Door::trace_start(u32 records, bool overwrite) {
  if (machine_ == nullptr) return;
  if (records == 0) {
    machine_->trace().stop();
  } else {
    machine_->trace().start(records, overwrite);
  }
}

u32 Door::trace_read(IrqEvent* out, u32 max_records) {
  return machine_ == nullptr ? 0 : static_cast<u32>(machine_->trace().drain(out, max_records));
}

u32 Door::log_start(bool replay, const u8* data, u32 size) {
  if (machine_ == nullptr) return no_machine();
  if (replay) return outcome(machine_->start_replay(data, size));
  machine_->start_recording();
  return kDone;
}

u32 Door::log_take() {
  if (machine_ == nullptr) return no_machine();
  std::optional<std::vector<u8>> log = machine_->recorded_log();
  if (!log) return answer("no input log is being recorded", kFailed);
  return answer_bytes(std::move(*log));
}

template <class T>
T* at(u32 pointer) {
  return reinterpret_cast<T*>(pointer);
}

std::string_view text_at(u32 pointer, u32 size) {
  return {at<const char>(pointer), size};
}

}  // namespace

// Every function of door.inc, declared so that a definition with another signature does not compile.
#define DOOR(result, name, parameters, meaning) \
  extern "C" __attribute__((export_name(#name))) result name parameters;
#include "web/engine/door.inc"
#undef DOOR

u32 lw_door_version() {
  return kDoorVersion;
}
u32 lw_alloc(u32 size) {
  return reinterpret_cast<u32>(std::malloc(size));
}
void lw_free(u32 pointer) {
  std::free(at<void>(pointer));
}
u32 lw_create(u32 text, u32 size) {
  return door().create(text_at(text, size));
}
u32 lw_load(u32 kind, u32 kind_size, u32 data, u32 size) {
  return door().load(text_at(kind, kind_size), at<const u8>(data), size);
}
u32 lw_boot() {
  return door().boot();
}
u32 lw_run(double max_instructions, double halt_limit_ns) {
  return door().run(max_instructions, halt_limit_ns);
}
u32 lw_status() {
  return reinterpret_cast<u32>(door().status());
}
u32 lw_input(u32 kind, u32 a, u32 b, u32 data, u32 size) {
  return door().input(kind, a, b, at<const u8>(data), size);
}
void lw_set_rate(double ns_per_instruction) {
  door().set_rate(ns_per_instruction);
}
void lw_advance(double ns) {
  door().advance(ns);
}
u32 lw_serial_read(u32 port, u32 data, u32 capacity) {
  return door().serial_read(port, at<char>(data), capacity);
}
u32 lw_screen(double time_ns) {
  return reinterpret_cast<u32>(door().screen(time_ns));
}
u32 lw_query(u32 text, u32 size) {
  return door().query(text_at(text, size));
}
u32 lw_text() {
  return reinterpret_cast<u32>(door().text());
}
u32 lw_read_memory(u32 is_virtual, double address, u32 data, u32 size) {
  return door().read_memory(is_virtual != 0, address, at<u8>(data), size);
}
u32 lw_snapshot_save() {
  return door().snapshot_save();
}
void lw_snapshot_done() {
  door().snapshot_done();
}
u32 lw_snapshot_load(u32 data, u32 size) {
  return door().snapshot_load(at<const u8>(data), size);
}
void lw_trace_start(u32 records, u32 overwrite) {
  door().trace_start(records, overwrite != 0);
}
u32 lw_trace_read(u32 data, u32 max_records) {
  return door().trace_read(at<IrqEvent>(data), max_records);
}
u32 lw_log_start(u32 replay, u32 data, u32 size) {
  return door().log_start(replay != 0, at<const u8>(data), size);
}
u32 lw_log_take() {
  return door().log_take();
}

}  // namespace lapwing
#endif
