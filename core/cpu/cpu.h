// One logical processor: architectural state, translation, exceptions and interrupts, and the run loop over
// decoded blocks. It knows its interrupt unit (local APIC), physical memory, ports and clock only through
// interfaces.
#pragma once

#include <memory>
#include <string>

#include "core/clock.h"
#include "core/cpu/block_cache.h"
#include "core/cpu/decode/instruction.h"
#include "core/cpu/generated.h"
#include "core/cpu/model.h"
#include "core/cpu/pins.h"
#include "core/cpu/state.h"
#include "core/irq_trace.h"
#include "core/memory/paging.h"
#include "core/memory/physical.h"
#include "core/memory/tlb.h"

namespace lapwing {

// An exception on its way to delivery.
struct Fault {
  u8 vector = 0;
  bool has_error_code = false;
  u32 error_code = 0;
  bool is_trap = false;  // RIP of the next instruction is saved
};

// Why the inner loop stopped in the middle of a block.
enum class Interruption : u8 {
  kNone,
  kFault,  // fault_ holds it; the instruction had no effect
  kWait,   // it waits for an interrupt and is tried again then
  kSlow,   // the instruction needs MMIO, a code page or a watchpoint: run it alone in slow mode
};

// What the CPU asks of the machine after run().
enum class CpuRequest : u8 { kNone, kTripleFault };

class Cpu final : public CpuPins, public Saveable {
 public:
  struct Wiring {
    Clock& clock;
    IrqTrace& trace;
    PhysicalMemory& memory;
    PortSpace& ports;
    BlockCache& blocks;
    const CpuModel& model;
    unsigned index;          // 0 = bootstrap processor
    unsigned package_cores;  // CPUID shows packages of so many CPUs
  };
  explicit Cpu(const Wiring& wiring);
  ~Cpu() override;

  // The local APIC (or the adapter for a machine without one); set once, before the first run.
  void attach(InterruptUnit& unit) { unit_ = &unit; }
  // Without these pins x87 errors are ignored while CR0.NE = 0.
  void attach(FpuErrorPins& pins) { fpu_pins_ = &pins; }

  // RESET: power-on state of SDM vol. 3 table "IA-32 and Intel 64 Processor States Following Power-up, Reset,
  // or INIT".
  void reset();
  void init_reset();

  // Runs at most `max_instructions`, keeping the clock exact. Returns early when halted, after any access
  // that may have changed time, deadlines or pending events, and after yielding instructions (PAUSE, HLT).
  void run(u64 max_instructions);
  bool halted() const { return state.activity != Activity::kRunning; }
  // True when run() would make progress: running, or halted with a wake-up event pending.
  bool runnable() const;
  CpuRequest take_request();
  // The last run() ended at PAUSE (SMP round-robin passes the turn on).
  bool yielded() const { return yielded_; }

  // CpuPins
  void set_intr(bool level) override { intr_ = level; }
  void nmi(CauseId cause) override;
  void smi(CauseId cause) override;
  void init(CauseId cause) override;
  void sipi(u8 vector, CauseId cause) override;

  // RIP of the instruction being executed. Exact for `in` of the current block.
  u64 current_rip(const Instruction& in) const { return wrap_rip(state.gpr[kRipSlot] + in.offset); }
  u64 next_rip(const Instruction& in) const { return wrap_rip(state.gpr[kRipSlot] + in.next_offset()); }
  u64 wrap_rip(u64 rip) const { return rip & rip_mask_; }

  // Exceptions: recorded here, delivered by the run loop. All return false, so handlers can `return
  // cpu.raise(...)`.
  bool raise(Vector vector);  // without error code
  bool raise(Vector vector, u32 error_code);
  bool raise_page_fault(u64 linear, u32 error_code);
  bool raise_ud() { return raise(kUD); }
  bool raise_gp(u32 error_code = 0) { return raise(kGP, error_code); }

  // Makes the clock, and the trace's idea of who executes, exact for the instruction `in` (it counts as not
  // retired).
  void sync_time(const Instruction& in);
  u64 tsc(const Instruction& in);

  // Slow path of memory accesses (access.h holds the fast one); false = interrupted. size <= 64, may cross a
  // page.
  bool read_slow(u64 linear, void* out, unsigned size, bool stack, AccessMode mode);
  bool write_slow(u64 linear, const void* data, unsigned size, bool stack, AccessMode mode);
  // Write-checks all bytes without writing (read-modify-write, multi-part stores).
  bool probe_write(u64 linear, unsigned size, bool stack, AccessMode mode);
  // Where the bytes of [linear, linear + size), which lie in one page, are in host memory, for bulk string
  // operations; nullptr with no fault raised when they are not plain RAM for this access (use the ordinary
  // path then).
  u8* host_pointer(u64 linear, AccessType type, AccessMode mode);
  // Limit, type and presence checks of a legacy-mode segment; false = #GP / #SS raised.
  bool check_segment(u8 segment, u64 offset, unsigned size, bool write);

  // Access mode of ordinary data accesses, and of accesses that are always supervisor (descriptor tables,
  // TSS, IDT).
  AccessMode data_mode() const { return data_mode_; }
  AccessMode system_mode() const;
  TlbEntry* tlb_entries() const { return tlb_entries_; }
  // Bit n: segment register n (Seg) needs no limit or rights check for data reads and writes.
  u32 simple_segments() const { return simple_segments_; }
  // Linear addresses are 32 bits wide outside 64-bit mode.
  u64 linear_mask() const { return linear_mask_; }

  // Re-derives everything that depends on CPL, CR0, CR3, CR4, EFER, RFLAGS.AC/VM or segment registers: access
  // mode, decoder mode, stack mask. Call after changing any of them.
  void update_mode();
  void flush_tlb(bool including_global);
  void invalidate_page(u64 linear);
  // CR3 changes: reloads PDPTEs under PAE (false = #GP raised) and flushes as SDM vol. 3 demands.
  bool set_cr3(u64 value);
  void drop_write_tags(u64 physical_page) { tlb_.drop_write_tags(physical_page); }
  void drop_write_tags_of(const u8* begin, u64 size) { tlb_.drop_write_tags_of(begin, size); }
  void drop_translations_to(u64 base, u64 size) { tlb_.drop_translations_to(base, size); }

  // An x87 error met while CR0.NE = 0. False: the instruction waits for an interrupt.
  bool report_fpu_error();
  void note_fpu_error() {
    if (fpu_pins_ != nullptr && (state.cr0 & cr0::kNe) == 0) fpu_pins_->error_recorded();
  }

  // For handlers that halt, yield, or need the run loop to look for events (kAttrLeave rows already do the
  // last).
  void halt() { state.activity = Activity::kHalted; }
  void yield_turn() { yielded_ = true; }
  void request_leave() { leave_ = true; }
  // A task switch has replaced the registers: faults raised from here on belong to the new task.
  void enter_new_task() { in_new_task_ = true; }
  // The current instruction retires without a single-step trap, or has its own.
  void suppress_step_trap() { no_step_trap_ = true; }
  // What MOV SS held back comes with the #DB of an INT1 behind it.
  void join_debug_traps() {
    state.dr[6] |= pending_debug_;
    pending_debug_ = 0;
  }
  // A debug trap (DR6 bits) to be taken when the current instruction has retired.
  void add_debug_trap(u64 bits) { pending_debug_ |= bits; }
  void triple_fault();

  // Interrupt and exception delivery (core/cpu/interrupts.cpp). False = a nested fault was raised instead.
  enum class EventKind : u8 { kException, kExternal, kSoftware, kInt3, kInt1, kNmi };
  bool deliver(u8 vector, EventKind kind, const Fault* fault, u64 return_rip);

  void save(StateWriter& out) const override;
  bool load(StateReader& in) override;

  // Linear to physical without side effects; false when not mapped. For debuggers and the view.
  bool probe_linear(u64 linear, u64& physical) const;

  CpuState state;
  GeneratedView view;  // directly behind state

  // Generated code.
  void set_generated(GeneratedCode* generated) { generated_ = generated; }
  // The block at state.rip. nullptr: a fault was raised, or (no fault) the code must be stepped through.
  Block* find_block();
  u32 packed_mode() const { return packed_mode_; }
  // Changes when a translation of code was dropped.
  u64 fetch_generation() const { return tlb_.fetch_generation(); }
  const ModeKey& mode() const { return mode_; }
  // Behind an instruction that asks for the run loop, RIP being exact: whether that has nothing to do, so
  // that whoever executes goes on with the block at RIP.
  bool goes_on();
  // A handler called from generated code belongs to `block`.
  void set_executing(const Block* block) { block_ = block; }

  // A place in guest memory as the slow path found it.
  struct HostPointer {
    u8* pointer;  // nullptr: a device window
    u64 physical;
  };

  // The machine, as handlers see it.
  Clock& clock;
  IrqTrace& trace;
  PhysicalMemory& memory;
  PortSpace& ports;
  const CpuModel& model;
  const unsigned index;
  const unsigned package_cores;
  InterruptUnit& unit() { return *unit_; }

  // Asks for slow mode: the instruction is run again, alone, with access to everything. Returns false.
  bool need_slow();
  bool slow_mode() const { return slow_mode_; }
  Interruption interruption() const { return interruption_; }
  const Fault& fault() const { return fault_; }

 private:
  friend class Interpreter;
  // Stamp that links made now carry; links with another one are stale.
  u64 link_stamp() const { return link_stamp_; }
  // The same for links within one page.
  u64 page_stamp() const { return blocks_.page_stamp(); }
  // CS has a limit to compare: blocks are not linked, find_block() checks each.
  bool cs_checked() const { return mode_.checked; }

  bool wants_out() const { return leave_ || clock.epoch() != epoch_ || halted(); }
  bool has_events() const;
  bool nmi_ready() const;
  void service_events();
  bool take_start_events();
  void take_debug_trap();
  void take_nmi();
  void take_interrupt();
  bool needs_step() const;
  bool shadow_holds_back() const;
  bool virtual_interrupt_due() const;
  void step();
  bool prepare_step(u64 linear, u64 physical);
  void run_blocks();
  void run_tail();
  void handle_interruption(const Instruction& in);
  bool step_trap_due(bool trap_flag_before) const;
  bool at_code_breakpoint(u64 linear);
  void run_slow(const Instruction& in);
  void deliver_fault();
  // False when a fault was taken instead of the handler.
  bool deliver_event(u8 vector, EventKind kind);
  void enter_handler(u8 vector, EventKind kind, CauseId cause);
  bool translate_fetch(u64 linear, u64& physical);
  bool fetch_address(u64& linear);
  bool find_second_page(u64 linear, u64& second_page);
  void retire_executed();
  void keep_slice();
  void refresh_stamp();
  void restore_write_tag(u64 linear, AccessMode mode, const u8* page);
  bool locate(u64 linear, unsigned size, AccessType type, bool stack, AccessMode mode, HostPointer& out);
  bool locate_page(u64 linear, AccessType type, AccessMode mode, u64& physical);
  void fill_entry(u64 linear, AccessMode mode, const Translation& found);
  bool transfer(u64 linear, u8* data, unsigned size, bool write, bool stack, AccessMode mode);
  bool transfer_piece(u64 linear, u8* data, unsigned size, bool write, bool stack, AccessMode mode);
  void mmio_transfer(u64 physical, u8* data, unsigned size, bool write);
  bool raise_address(bool stack);
  u64 following_page(u64 linear) const;
  bool alignment_faults(u64 linear, unsigned size) const;
  bool page_watched(u64 linear) const;

  InterruptUnit* unit_ = nullptr;
  FpuErrorPins* fpu_pins_ = nullptr;
  BlockCache& blocks_;
  GeneratedCode* generated_ = nullptr;
  Tlb tlb_;
  TlbEntry* tlb_entries_ = nullptr;  // of data_mode_
  AccessMode data_mode_ = AccessMode::kKernel;
  bool checks_alignment_ = false;  // CR0.AM, RFLAGS.AC and CPL 3
  const PagingFeatures paging_features_;
  u64 pdptes_[4] = {};
  u64 rip_mask_ = 0xFFFF;
  u64 linear_mask_ = 0xFFFFFFFF;
  u32 simple_segments_ = 0;
  ModeKey mode_{};
  u32 packed_mode_ = 0;
  u64 link_stamp_ = 0;
  u64 seen_invalidations_ = 0;
  u64 seen_fetch_generation_ = 0;
  u64 epoch_ = 0;         // the clock's when run() began
  i64 beyond_ = 0;        // of the budget, what step() keeps back
  i64 slice_budget_ = 0;  // state.budget at the last clock synchronisation
  const Block* block_ = nullptr;
  Instruction scratch_[2];  // the instruction that step() runs, and its closing pseudo-instruction
  std::unique_ptr<Block> scratch_block_;
  Instruction tail_[kMaxBlockInstructions + 1];  // what run_tail() runs
  std::unique_ptr<Block> tail_block_;
  bool slow_mode_ = false;
  bool slow_completed_ = false;  // the instruction that run_slow() ran retired
  unsigned deliveries_ = 0;      // since an instruction last retired
  bool leave_ = false;
  bool in_new_task_ = false;
  bool yielded_ = false;
  Interruption interruption_ = Interruption::kNone;
  Fault fault_;
  CpuRequest request_ = CpuRequest::kNone;

  // Inputs latched from the pins.
  bool intr_ = false;
  u8 nmi_pending_ = 0;  // 2: the second came before the first could be taken
  bool init_pending_ = false;
  bool sipi_pending_ = false;
  bool smi_pending_ = false;
  u8 sipi_vector_ = 0;
  CauseId nmi_cause_ = 0;
  CauseId sipi_cause_ = 0;
  // Debug traps of the instruction that just retired (DR6 bits), delivered before the next one.
  u64 pending_debug_ = 0;
  u64 debug_before_slow_ = 0;  // pending_debug_ when run_slow() began: a faulting instruction leaves no traps
  bool no_step_trap_ = false;
};

}  // namespace lapwing
