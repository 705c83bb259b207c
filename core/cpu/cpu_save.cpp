// Saving and restoring one CPU. One list of fields serves both directions.
#include "core/cpu/cpu.h"
#include "core/cpu/exec/flags.h"

namespace lapwing {

namespace {

struct Saver {
  StateWriter& out;
  void operator()(const u8& v) { out.put_u8(v); }
  void operator()(const bool& v) { out.put_bool(v); }
  void operator()(const u16& v) { out.put_u16(v); }
  void operator()(const u32& v) { out.put_u32(v); }
  void operator()(const u64& v) { out.put_u64(v); }
};

struct Loader {
  StateReader& in;
  void operator()(u8& v) { v = in.get_u8(); }
  void operator()(bool& v) { v = in.get_bool(); }
  void operator()(u16& v) { v = in.get_u16(); }
  void operator()(u32& v) { v = in.get_u32(); }
  void operator()(u64& v) { v = in.get_u64(); }
};

template <class Visitor, class Fpu>
void visit_fpu(Visitor& visit, Fpu& fpu) {
  for (auto& reg : fpu.st) {
    visit(reg.mantissa);
    visit(reg.sign_exponent);
  }
  visit(fpu.control);
  visit(fpu.status);
  visit(fpu.valid);
  visit(fpu.opcode);
  visit(fpu.ip);
  visit(fpu.dp);
  visit(fpu.cs);
  visit(fpu.ds);
}

template <class Visitor, class State>
void visit_state(Visitor& visit, State& s) {
  for (unsigned i = 0; i < kZeroSlot; ++i) visit(s.gpr[i]);
  visit(s.rip);
  visit(s.rflags_rest);
  visit(s.cpl);
  visit(s.interrupt_shadow);
  visit(s.shadow_is_mov_ss);
  visit(s.nmi_blocked);
  for (auto& seg : s.seg) {
    visit(seg.base);
    visit(seg.limit);
    visit(seg.selector);
    visit(seg.attributes);
  }
  visit(s.gdtr.base);
  visit(s.gdtr.limit);
  visit(s.idtr.base);
  visit(s.idtr.limit);
  for (auto* reg : {&s.cr0, &s.cr2, &s.cr3, &s.cr4, &s.efer, &s.xcr0}) visit(*reg);
  for (auto& reg : s.dr) visit(reg);
  visit(s.pkru);
  visit(s.mxcsr);
  for (auto& reg : s.xmm) {
    visit(reg.lo);
    visit(reg.hi);
  }
  visit_fpu(visit, s.fpu);
  for (auto* msr : {&s.star, &s.lstar, &s.cstar, &s.fmask, &s.kernel_gs_base, &s.sysenter_cs, &s.sysenter_esp,
                    &s.sysenter_eip, &s.pat, &s.tsc_offset, &s.tsc_adjust, &s.tsc_aux, &s.misc_enable,
                    &s.mtrr_def_type, &s.mcg_status, &s.spec_ctrl, &s.debugctl, &s.random_state}) {
    visit(*msr);
  }
  for (auto& msr : s.mtrr_fixed) visit(msr);
  for (auto& msr : s.mtrr_variable) visit(msr);
}

}  // namespace

void Cpu::save(StateWriter& out) const {
  Saver saver{out};
  visit_state(saver, state);
  // How the lazy flags are encoded depends on the last instruction; what they mean does not.
  out.put_u64(status_flags(state));
  out.put_u8(static_cast<u8>(state.activity));
  for (const u64& pdpte : pdptes_) out.put_u64(pdpte);
  out.put_bool(intr_);
  out.put_u8(nmi_pending_);
  out.put_bool(init_pending_);
  out.put_bool(sipi_pending_);
  out.put_u8(sipi_vector_);
  out.put_u32(nmi_cause_);
  out.put_u32(sipi_cause_);
  out.put_u64(pending_debug_);
  tlb_.save(out);
}

bool Cpu::load(StateReader& in) {
  Loader loader{in};
  visit_state(loader, state);
  set_status_flags(state, in.get_u64());
  const u8 activity = in.get_u8();
  if (activity > static_cast<u8>(Activity::kShutdown) || state.cpl > 3) {
    in.fail();
    return false;
  }
  state.activity = static_cast<Activity>(activity);
  for (u64& pdpte : pdptes_) pdpte = in.get_u64();
  intr_ = in.get_bool();
  nmi_pending_ = in.get_u8() % 3;
  init_pending_ = in.get_bool();
  sipi_pending_ = in.get_bool();
  sipi_vector_ = in.get_u8();
  nmi_cause_ = in.get_u32();
  sipi_cause_ = in.get_u32();
  pending_debug_ = in.get_u64();
  if (!tlb_.load(in, memory)) return false;
  update_mode();
  return in.ok();
}

}  // namespace lapwing
