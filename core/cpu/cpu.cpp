#include "core/cpu/cpu.h"

#include <algorithm>

#include "core/cpu/debug.h"
#include "core/cpu/decode/op_info.h"
#include "core/cpu/exec/dispatch.h"
#include "core/cpu/exec/flags.h"
#include "core/cpu/interpreter.h"

namespace lapwing {

namespace {

// A guest whose exception handler faults on its first instruction never retires one; after so many deliveries
// run() returns so that the host keeps control.
constexpr unsigned kMaxDeliveriesWithoutProgress = 1000;

bool is_contributory(u8 vector) {
  return vector == kDE || vector == kTS || vector == kNP || vector == kSS || vector == kGP || vector == kCP;
}

// SDM vol. 3, "Conditions for Generating a Double Fault".
bool makes_double_fault(u8 first, u8 second) {
  if (first == kPF) return second == kPF || is_contributory(second);
  return is_contributory(first) && is_contributory(second);
}

bool is_repeated_string(const Instruction& in) {
  return (op_info(in.op).attributes & kAttrRepBranch) != 0 &&
         (in.prefixes & (kPrefixRep | kPrefixRepne)) != 0;
}

}  // namespace

Cpu::Cpu(const Wiring& wiring)
    : clock(wiring.clock),
      trace(wiring.trace),
      memory(wiring.memory),
      ports(wiring.ports),
      model(wiring.model),
      index(wiring.index),
      package_cores(wiring.package_cores),
      blocks_(wiring.blocks),
      paging_features_{.physical_mask = wiring.model.physical_mask(),
                       .pse36 = wiring.model.has(Feature::PSE36),
                       .gib_pages = wiring.model.has(Feature::PDPE1GB)},
      scratch_block_(std::make_unique<Block>()),
      tail_block_(std::make_unique<Block>()) {
  view.cpu = this;
  ASSERT(reinterpret_cast<u8*>(&view) == reinterpret_cast<u8*>(&state) + sizeof state);
  scratch_block_->first = scratch_;
  scratch_block_->count = 1;
  blocks_.set_model(model);
  reset();
}

Cpu::~Cpu() = default;

void Cpu::reset() {
  const u64 random = state.random_state;
  state = CpuState{};
  state.random_state = random;
  init_reset();
  state.activity = index == 0 ? Activity::kRunning : Activity::kWaitForSipi;
}

void Cpu::init_reset() {
  // What INIT leaves alone: XMM/x87 state, most MSRs, XCR0, CR0.CD/NW and the APIC (SDM vol. 3, table of
  // states following power-up, reset, or INIT).
  const u64 cache_bits = state.cr0 & (cr0::kCd | cr0::kNw);
  for (u64& value : state.gpr) value = 0;
  state.gpr[kRdx] = (model.family > 15 ? 15u : model.family) << 8 | (model.model & 0xF) << 4 |
                    model.stepping | (model.model >> 4) << 16;
  set_status_flags(state, 0);
  state.rflags_rest = rflags::kFixed;
  state.rip = 0xFFF0;
  for (unsigned i = 0; i < kSegCount; ++i) {
    state.seg[i] = SegmentRegister{.base = 0, .limit = 0xFFFF, .selector = 0, .attributes = 0x93};
  }
  state.seg[kCs] =
      SegmentRegister{.base = 0xFFFF0000, .limit = 0xFFFF, .selector = 0xF000, .attributes = 0x9B};
  state.seg[kLdtr].attributes = 0x82;
  state.seg[kTr].attributes = 0x8B;
  state.gdtr = DescriptorTable{.base = 0, .limit = 0xFFFF};
  state.idtr = DescriptorTable{.base = 0, .limit = 0xFFFF};
  state.cr0 = cr0::kEt | cache_bits;
  state.cr2 = state.cr3 = state.cr4 = state.efer = 0;
  for (unsigned i = 0; i < 4; ++i) state.dr[i] = 0;
  state.dr[6] = 0xFFFF0FF0;
  state.dr[7] = 0x400;
  state.pkru = 0;
  state.cpl = 0;
  state.activity = index == 0 ? Activity::kRunning : Activity::kWaitForSipi;
  state.interrupt_shadow = state.shadow_is_mov_ss = state.nmi_blocked = false;
  pending_debug_ = 0;
  nmi_pending_ = 0;
  init_pending_ = sipi_pending_ = smi_pending_ = false;
  for (u64& pdpte : pdptes_) pdpte = 0;
  tlb_.flush_all();
  update_mode();
}

void Cpu::run(u64 max_instructions) {
  constexpr u64 kLongest = 1ull << 40;
  state.budget = static_cast<i64>(max_instructions < kLongest ? max_instructions : kLongest);
  slice_budget_ = state.budget;
  leave_ = false;
  yielded_ = false;
  deliveries_ = 0;
  in_new_task_ = false;
  epoch_ = clock.epoch();
  while (state.budget > 0) {
    if (has_events()) service_events();
    if (halted() || leave_) break;
    if (needs_step()) {
      step();
    } else {
      run_blocks();
    }
    if (wants_out()) break;
  }
  retire_executed();
  if (state.activity == Activity::kHalted) {
    trace.add(IrqEventKind::kCpuHalt, DeviceId::kCpu, {.cpu = static_cast<u8>(index)});
  }
}

void Cpu::retire_executed() {
  if (slice_budget_ > state.budget) deliveries_ = 0;
  clock.retire(static_cast<u64>(slice_budget_ - state.budget));
  slice_budget_ = state.budget;
}

// The clock was charged for an access that changed nothing else, by the instruction that is executing: the
// slice goes on, but no further than to the next deadline.
void Cpu::keep_slice() {
  const u64 left = clock.instructions_until(clock.next_deadline());
  if (left <= 1 || beyond_ != 0 || trace.wants_drain()) return;
  const i64 excess = left > static_cast<u64>(state.budget) ? 0 : state.budget - static_cast<i64>(left - 1);
  state.budget -= excess;
  slice_budget_ -= excess;
  epoch_ = clock.epoch();
}

void Cpu::sync_time(const Instruction& in) {
  trace.set_executing(static_cast<u8>(index), current_rip(in));
  // The block was charged whole at its entry; `in` and what follows it has not retired yet.
  const i64 remaining = block_->first + block_->count - &in;
  const i64 executed = slice_budget_ - (state.budget + remaining);
  clock.retire(static_cast<u64>(executed));
  slice_budget_ -= executed;
}

u64 Cpu::tsc(const Instruction& in) {
  sync_time(in);
  return clock.now_ns() + state.tsc_offset;
}

void Cpu::refresh_stamp() {
  if (seen_invalidations_ == blocks_.invalidations() && seen_fetch_generation_ == tlb_.fetch_generation())
    return;
  seen_invalidations_ = blocks_.invalidations();
  seen_fetch_generation_ = tlb_.fetch_generation();
  link_stamp_ = blocks_.new_stamp();
}

// With CR4.VME or CR4.PVI a program of CPL 3 and IOPL < 3 has a virtual interrupt flag; while it is set, a
// virtual interrupt pending is #GP (SDM vol. 3, "Interrupt and Exception Handling in Virtual-8086 Mode").
bool Cpu::virtual_interrupt_due() const {
  constexpr u64 kBoth = rflags::kVif | rflags::kVip;
  if ((state.rflags_rest & kBoth) != kBoth || state.cpl != 3) return false;
  if ((state.rflags_rest & rflags::kIopl) == rflags::kIopl) return false;
  return (state.cr4 & (state.v8086() ? cr4::kVme : cr4::kPvi)) != 0;
}

bool Cpu::needs_step() const {
  return virtual_interrupt_due() || (state.rflags_rest & (rflags::kTf | rflags::kRf)) != 0 ||
         (state.interrupt_shadow && shadow_holds_back()) || breakpoints_enabled(state);
}

// Whether something waits for the end of the shadow. Where nothing does, nothing can come before the next
// instruction has retired: events come from devices, which run between slices or at a device access.
bool Cpu::shadow_holds_back() const {
  const bool maskable = intr_ && (state.rflags_rest & rflags::kIf) != 0;
  return pending_debug_ != 0 || nmi_pending_ != 0 || maskable;
}

bool Cpu::goes_on() {
  if (state.budget <= 0 || wants_out() || has_events() || needs_step()) return false;
  in_new_task_ = false;
  state.interrupt_shadow = state.shadow_is_mov_ss = false;
  return true;
}

void Cpu::run_blocks() {
  refresh_stamp();
  in_new_task_ = false;
  state.interrupt_shadow = state.shadow_is_mov_ss = false;
  Block* block = find_block();
  if (block == nullptr) {
    if (interruption_ == Interruption::kFault) {
      deliver_fault();
    } else {
      step();
    }
    return;
  }
  switch (Interpreter::run(*this, block)) {
    case Interpreter::End::kBudget: run_tail(); break;
    case Interpreter::End::kNoBlock:
      if (interruption_ == Interruption::kFault) deliver_fault();
      break;
    case Interpreter::End::kLeave:
    case Interpreter::End::kInterrupted: break;
  }
}

// The budget does not reach the end of the block at RIP: as much of it as fits.
void Cpu::run_tail() {
  if (state.budget <= 0) return;
  const Block* block = find_block();
  if (block == nullptr) return step();
  const unsigned count = static_cast<unsigned>(std::min<i64>(state.budget, block->count));
  std::copy_n(block->first, count, tail_);
  tail_[count - 1].handler = generic_handler(tail_[count - 1].op);
  tail_[count] = closing_instruction(tail_[count - 1], BlockEnd::kLeave);
  *tail_block_ = Block{.physical = block->physical,
                       .second_page = block->second_page,
                       .mode = block->mode,
                       .count = static_cast<u16>(count),
                       .bytes = tail_[count].offset,
                       .first = tail_};
  Interpreter::run(*this, tail_block_.get());
}

// An instruction breakpoint is a fault: RF holds it back for the instruction that the handler returns to.
bool Cpu::at_code_breakpoint(u64 linear) {
  if (!breakpoints_enabled(state) || (state.rflags_rest & rflags::kRf) != 0) return false;
  if (state.interrupt_shadow && state.shadow_is_mov_ss) return false;
  const u64 hits = matching_breakpoints(state, linear, 1, kind_bit(BreakOn::kExecute), true);
  if (hits == 0) return false;
  state.dr[6] = (state.dr[6] & ~dr6::kBreakpoints) | hits;
  state.dr[7] &= ~dr7::kGd;
  raise(kDB);
  return true;
}

bool Cpu::step_trap_due(bool trap_flag_before) const {
  if (in_new_task_) return false;  // the old task's flag
  return trap_flag_before && !no_step_trap_;
}

// The instruction at `physical` into scratch_, from the block that begins with it where there is one.
bool Cpu::prepare_step(u64 linear, u64 physical) {
  const Block* block = blocks_.find(physical, packed_mode_);
  if (block != nullptr && block->second_page == kNoSecondPage) {
    scratch_[0] = *block->first;
    // A branch's own fast form goes on to the next block.
    scratch_[0].handler = generic_handler(scratch_[0].op);
    scratch_[1] = closing_instruction(scratch_[0], BlockEnd::kLeave);
    return true;
  }
  if (blocks_.decode_one(physical, mode_, kNoSecondPage, scratch_)) return true;
  u64 second_page;
  return find_second_page(linear, second_page) && blocks_.decode_one(physical, mode_, second_page, scratch_);
}

// Executes exactly one instruction, whatever it is, with all checks that the fast loop leaves out.
void Cpu::step() {
  const bool trap_flag = (state.rflags_rest & rflags::kTf) != 0;
  const bool had_rf = (state.rflags_rest & rflags::kRf) != 0;
  const u64 start = state.rip;
  in_new_task_ = false;
  no_step_trap_ = false;
  refresh_stamp();
  u64 linear;
  u64 physical;
  interruption_ = Interruption::kNone;
  if (virtual_interrupt_due()) {
    raise_gp(0);
    return deliver_fault();
  }
  if (!fetch_address(linear)) return deliver_fault();
  const bool breaks = at_code_breakpoint(linear);
  const bool in_shadow = state.interrupt_shadow;
  state.interrupt_shadow = false;
  state.shadow_is_mov_ss = false;
  if (breaks || !translate_fetch(linear, physical)) return deliver_fault();
  if (!prepare_step(linear, physical)) return deliver_fault();
  if (mode_.checked && state.rip + scratch_[0].length - 1 > state.seg[kCs].limit) {
    raise_gp(0);
    return deliver_fault();
  }
  slow_completed_ = false;
  const Op op = scratch_[0].op;
  const bool repeats = is_repeated_string(scratch_[0]);
  // What the shadow held back comes after one iteration of a repeated string, however long the slice is.
  beyond_ = in_shadow ? state.budget - 1 : 0;
  state.budget -= beyond_;
  slice_budget_ -= beyond_;
  const bool done =
      Interpreter::run(*this, scratch_block_.get()) == Interpreter::End::kLeave || slow_completed_;
  state.budget += beyond_;
  slice_budget_ += beyond_;
  beyond_ = 0;
  if (!done) return;
  // RF lasts until the instruction after the one that set it has completed, with all its iterations.
  const bool unfinished = repeats && state.rip == start;
  if (had_rf && op != Op::IRET && !in_new_task_ && !unfinished) state.rflags_rest &= ~rflags::kRf;
  // Loading SS loses the single-step trap and delays the others (SDM vol. 2, "MOV").
  const bool loaded_ss = state.interrupt_shadow && state.shadow_is_mov_ss;
  const bool branched = !repeats && state.rip != wrap_rip(start + scratch_[0].length);
  const bool passed_over = (state.debugctl & debugctl::kBtf) != 0 && !branched;
  if (step_trap_due(trap_flag) && !loaded_ss && !passed_over) pending_debug_ |= dr6::kBs;
}

void Cpu::handle_interruption(const Instruction& in) {
  const i64 remaining = block_->first + block_->count - &in;
  state.budget += remaining;
  if (!in_new_task_) state.rip = current_rip(in);
  if (interruption_ == Interruption::kSlow) {
    run_slow(in);
  } else if (interruption_ == Interruption::kWait) {
    halt();
  } else {
    if (slow_mode_) pending_debug_ = debug_before_slow_;
    deliver_fault();
  }
}

bool Cpu::report_fpu_error() {
  if (fpu_pins_ == nullptr || fpu_pins_->report_error()) return true;
  interruption_ = Interruption::kWait;
  return false;
}

// Runs one instruction alone with access to everything: MMIO, code pages, watched pages.
void Cpu::run_slow(const Instruction& in) {
  ASSERT(!slow_mode_);
  const Instruction copy = in;
  scratch_[0] = copy;
  scratch_[0].handler = generic_handler(copy.op);
  scratch_[0].imm -= copy.form == Form::kJ ? copy.offset : 0;
  if (copy.base == kRipSlot) scratch_[0].disp -= copy.offset;
  scratch_[0].offset = 0;
  scratch_[1] = closing_instruction(scratch_[0], BlockEnd::kLeave);
  slow_mode_ = true;
  debug_before_slow_ = pending_debug_;
  interruption_ = Interruption::kNone;
  slow_completed_ = Interpreter::run(*this, scratch_block_.get()) == Interpreter::End::kLeave;
  slow_mode_ = false;
}

void Cpu::deliver_fault() {
  Fault first = fault_;
  if (first.vector == kDB) state.debugctl &= ~debugctl::kBtf;
  if (++deliveries_ > kMaxDeliveriesWithoutProgress) leave_ = true;
  const bool was_slow = slow_mode_;
  slow_mode_ = true;
  block_ = nullptr;
  retire_executed();
  trace.set_executing(static_cast<u8>(index), state.rip);
  trace.add(IrqEventKind::kCpuException, DeviceId::kCpu,
            {.vector = first.vector, .cpu = static_cast<u8>(index), .data = first.error_code});
  bool double_fault = false;
  while (!deliver(first.vector, EventKind::kException, &first, state.rip)) {
    const Fault second = fault_;
    if (double_fault && (is_contributory(second.vector) || second.vector == kPF)) {
      triple_fault();
      break;
    }
    if (makes_double_fault(first.vector, second.vector)) {
      first = Fault{.vector = kDF, .has_error_code = true};
      double_fault = true;
    } else {
      first = second;
    }
  }
  slow_mode_ = was_slow;
  in_new_task_ = false;
  interruption_ = Interruption::kNone;
}

// Delivers an interrupt or trap at an instruction boundary; faults met on the way are delivered instead.
bool Cpu::deliver_event(u8 vector, EventKind kind) {
  slow_mode_ = true;
  block_ = nullptr;
  const bool entered = deliver(vector, kind, nullptr, state.rip);
  if (!entered) {
    slow_mode_ = false;
    deliver_fault();
  }
  slow_mode_ = false;
  interruption_ = Interruption::kNone;
  return entered;
}

void Cpu::triple_fault() {
  state.activity = Activity::kShutdown;
  request_ = CpuRequest::kTripleFault;
  leave_ = true;
}

CpuRequest Cpu::take_request() {
  const CpuRequest request = request_;
  request_ = CpuRequest::kNone;
  return request;
}

// One NMI waits while another is being handled (SDM vol. 3, "Handling Multiple NMIs"). Of two that come
// before an instruction boundary the first counts as being handled.
void Cpu::nmi(CauseId cause) {
  const unsigned most = state.nmi_blocked ? 1 : 2;
  if (nmi_pending_ < most) ++nmi_pending_;
  nmi_cause_ = cause;
}

// There is no SMM: CPUID and SMRAM say so, and the chipset's SMI command port is handled by the
// power-management block.
void Cpu::smi(CauseId cause) {
  trace.add(IrqEventKind::kSmi, DeviceId::kCpu, {.cause = cause, .cpu = static_cast<u8>(index)});
}

void Cpu::init(CauseId cause) {
  init_pending_ = true;
  trace.add(IrqEventKind::kInit, DeviceId::kCpu, {.cause = cause, .cpu = static_cast<u8>(index)});
}

void Cpu::sipi(u8 vector, CauseId cause) {
  // Ignored unless waiting for it (SDM vol. 3, "MP Initialization Protocol").
  if (state.activity != Activity::kWaitForSipi && !init_pending_) return;
  sipi_pending_ = true;
  sipi_vector_ = vector;
  sipi_cause_ = cause;
}

}  // namespace lapwing
