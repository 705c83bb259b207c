// The machine: CPUs, memory, clock and the PC's board, and the loop that runs them. One thread, no globals; a
// Machine owns everything it uses except the RAM bytes, which its host allocates.
//
// run() is deterministic: where it returns is invisible to the guest. CPUs take turns (turns.h). Timers fire
// at the exact instruction. Inputs are applied between run() calls, or by replay at the recorded position.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/cpu/block_cache.h"
#include "core/cpu/cpu.h"
#include "core/input_log.h"
#include "core/irq_trace.h"
#include "core/memory/physical.h"
#include "core/result.h"
#include "devices/firmware/bios_rom.h"
#include "devices/firmware/boot_state.h"
#include "devices/firmware/memory_map.h"
#include "devices/machine_board.h"
#include "devices/machine_config.h"
#include "devices/turns.h"

namespace lapwing {

// Why run() returned. The numbers are those of the door (DoorStop).
enum class Stop : u32 {
  kPatience = 0,
  kHalted = 1,
  kBreakpoint = 2,
  kTraceFull = 3,
  kMissingData = 4,
  kPowerOff = 5,
  kReset = 6,
  kTripleFault = 7,
  kExitRequest = 8,
  kIdleForever = 9,
  kReplayEnd = 10,
};

// A file that the user gave: "kernel", "initrd" (several, for multiboot modules), "bios".
struct MachineFile {
  std::string kind;
  std::string arguments;
  std::vector<u8> data;
};

class Machine final : private BoardHost {
 public:
  // `ram` has config.memory zeroed bytes, page-aligned, and outlives the machine.
  // `disks` keeps the bytes of its drives; a machine without drives needs none.
  // `video` likewise, for a machine with a VGA (StdVga::kMemorySize bytes); without it the machine makes its
  // own.
  static Result<std::unique_ptr<Machine>> create(MachineConfig config, u8* ram, DiskHost* disks = nullptr,
                                                 u8* video = nullptr);
  ~Machine() override;

  Result<void> load_file(MachineFile file);
  // Resets everything and enters the kernel (direct boot) or the firmware.
  Result<void> boot();

  Stop run(u64 max_instructions, u64 halt_limit_ns);
  u32 exit_status() const { return exit_status_; }
  u64 halted_ns() const { return halted_ns_; }

  // An input takes effect now; recorded when a log is being made. The error is a sentence.
  Result<void> input(InputKind kind, u32 a, u32 b, const u8* data, std::size_t size);
  Result<void> set_rate(double ns_per_instruction);
  // Moves time of a halted machine to `ns`, at most to its next deadline.
  void advance(u64 ns);

  // Bytes that a UART (0-3) or a debug console (kDebugPort and up, in their order) sent.
  static constexpr unsigned kDebugPort = kMaxUarts;
  static constexpr unsigned kOutputPorts = kDebugPort + kMaxDebugConsoles;
  std::string& sent(unsigned port) { return sent_[port]; }

  // Brings the picture up to date: true when it changed. `time_ns` decides what blinks. Not seen by the
  // guest.
  bool update_screen(u64 time_ns);
  // nullptr without a VGA.
  const Screen* screen() const { return board_->screen(); }

  void start_recording();
  Result<void> start_replay(const u8* data, std::size_t size);
  // The log so far; nothing when none is being recorded.
  std::optional<std::vector<u8>> recorded_log() const;
  // Why a replay ended before its log did; empty if it did not.
  const std::string& replay_error() const { return replay_error_; }

  u64 hash() const;
  // One "name value" line per saved section, for finding the first difference of two machines.
  std::string state_summary() const;
  std::vector<u8> save_snapshot() const;
  // Checks everything that can be checked first; on an error from then on the machine must be booted anew.
  Result<void> load_snapshot(const u8* data, std::size_t size);

  // Answers a monitor command (machine_query.cpp); the error says what is not understood.
  Result<std::string> query(std::string_view command);
  // Copies guest memory without side effects; false when a byte is not RAM or not mapped.
  bool read_memory(bool is_virtual, u64 address, u8* out, u64 size);

  // Generated code instead of the interpreter alone; it outlives the machine's last run().
  void set_generated(GeneratedCode* generated);
  BlockCache& blocks() { return blocks_; }

  Clock& clock() { return clock_; }
  const Clock& clock() const { return clock_; }
  IrqTrace& trace() { return trace_; }
  PhysicalMemory& memory() { return memory_; }
  Board& board() { return *board_; }
  Cpu& cpu(unsigned index) { return *cpus_[index]; }
  unsigned cpu_count() const { return static_cast<unsigned>(cpus_.size()); }
  const MachineConfig& config() const { return config_; }

 private:
  // What a CPU's local APIC drives. Another CPU that is told something runs next, so the executing one leaves
  // its loop at the end of the instruction.
  class PinRelay final : public CpuPins {
   public:
    PinRelay(Machine& machine, Cpu& cpu) : machine_(machine), cpu_(cpu) {}
    void set_intr(bool level) override;
    void nmi(CauseId cause) override;
    void smi(CauseId cause) override;
    void init(CauseId cause) override;
    void sipi(u8 vector, CauseId cause) override;

   private:
    void call();
    Machine& machine_;
    Cpu& cpu_;
  };

  struct Section {
    std::string name;
    Saveable* object;
  };

  Machine(MachineConfig config, u8* ram, DiskHost* disks);
  Result<void> build(u8* video);
  std::vector<Section> sections() const;

  // BoardHost
  void serial_output(unsigned uart, u8 value) override { sent_[uart].push_back(static_cast<char>(value)); }
  // Kept up to a limit: nobody may be listening.
  void debug_output(unsigned console, u8 value) override {
    constexpr std::size_t kMostKept = 1 << 20;
    std::string& sent = sent_[kDebugPort + console];
    if (sent.size() < kMostKept) sent.push_back(static_cast<char>(value));
  }
  void request_reset() override { reset_requested_ = true; }
  void request_cpu_reset() override { cpu_reset_requested_ = true; }
  void request_suspend() override { suspend_requested_ = true; }
  void request_wake() override { wake_requested_ = true; }
  void request_power_off() override { power_off_requested_ = true; }
  void request_exit(u32 status) override;

  // Run loop
  std::optional<Stop> service_requests();
  std::optional<Stop> reboot(Stop reason);
  // Power (machine_power.cpp)
  std::optional<Stop> reset_cpus(Stop reason);
  void suspend();
  std::optional<Stop> wake();
  void enter_real_mode(u16 segment, u16 offset);
  bool enter_warm_vector();
  bool choose_cpu();
  u32 runnable_cpus() const;  // a bit each
  std::optional<Stop> idle(u64 halt_limit_ns);
  u64 budget(u64 end) const;
  bool run_current(u64 limit);

  // Boot
  const MachineFile* file(std::string_view kind) const;
  static void set_boot_msrs(CpuState& state);
  Result<BootState> load_kernel(const MachineFile& kernel, const MemoryMap& map);
  void enter(const BootState& boot);

  // Inputs
  void apply(const InputEntry& entry);
  bool replaying() const { return replay_.has_value(); }
  const Position* next_replay_position() const;
  std::optional<Stop> replay_due();
  void stop_replay(const std::string& reason);

  void save_loop(StateWriter& out) const;
  bool load_loop(StateReader& in);

  // Queries
  std::string query_info(std::string_view what, bool& known);
  std::string registers_text() const;
  std::string stats_json() const;
  Result<std::string> examine(std::string_view arguments, bool is_virtual);
  Result<std::string> disassembly(std::string_view where, unsigned count, bool is_virtual);
  std::string irq_text() const;
  std::string interrupt_state_json() const;  // interrupt_state.cpp
  std::string translations_text();

  MachineConfig config_;
  Clock clock_;
  IrqTrace trace_;
  DiskHost* disks_;
  PhysicalMemory memory_;
  BlockCache blocks_;
  GeneratedCode* generated_ = nullptr;
  BiosRom bios_{memory_};
  std::unique_ptr<Board> board_;
  std::vector<std::unique_ptr<Cpu>> cpus_;
  std::deque<PinRelay> pins_;
  std::vector<std::unique_ptr<MachineFile>> files_;

  Turns turns_;
  // Linear addresses at which run() returns, a debugger's. Not part of the machine's state.
  std::vector<u64> breakpoints_;
  bool executing_ = false;

  bool reset_requested_ = false;
  bool cpu_reset_requested_ = false;
  bool suspend_requested_ = false;
  bool wake_requested_ = false;
  bool asleep_ = false;  // suspended to RAM (machine state)
  bool power_off_requested_ = false;
  bool exit_requested_ = false;
  u32 exit_status_ = 0;
  std::optional<Stop> ended_;
  u64 halted_ns_ = 0;
  std::string sent_[kOutputPorts];

  std::optional<InputLog> recording_;
  std::optional<InputLog> replay_;
  std::size_t replay_next_ = 0;
  std::string replay_error_;
};

}  // namespace lapwing
