// Hardware task switch through 16-bit and 32-bit TSSs. SDM vol. 3, "Task Management".
#include "core/cpu/debug.h"
#include "core/cpu/descriptor.h"
#include "core/cpu/exec/access.h"
#include "core/cpu/exec/flags.h"

namespace lapwing {

namespace {

// What a TSS holds of a task, either width.
struct TaskImage {
  u32 cr3 = 0;
  u32 eip = 0;
  u32 eflags = 0;
  u32 gpr[8] = {};
  u16 seg[6] = {};
  u16 ldt = 0;
  bool trap = false;
};

constexpr u32 kTss16Size = 0x2C;
constexpr u32 kTss32Size = 0x68;

bool is_tss32(const Descriptor& d) {
  return (d.type() & 8) != 0;
}
bool is_available_tss(const Descriptor& d) {
  return d.system_type() == SystemType::kTss16Available || d.system_type() == SystemType::kTss32Available;
}
bool is_busy_tss(const Descriptor& d) {
  return d.system_type() == SystemType::kTss16Busy || d.system_type() == SystemType::kTss32Busy;
}

bool read_task(Cpu& cpu, u64 base, bool wide, TaskImage& task) {
  const auto field = [&](u32 offset, u32& out) {
    if (wide) return load_system(cpu, (base + offset) & 0xFFFFFFFF, out);
    u16 narrow = 0;
    const bool ok = load_system(cpu, (base + offset) & 0xFFFFFFFF, narrow);
    out = narrow;
    return ok;
  };
  const u32 step = wide ? 4 : 2;
  const u32 eip_at = wide ? 0x20 : 0x0E;
  u32 value = 0;
  if (wide && !field(0x1C, task.cr3)) return false;
  if (!field(eip_at, task.eip) || !field(eip_at + step, task.eflags)) return false;
  for (u32 i = 0; i < 8; ++i) {
    if (!field(eip_at + 2 * step + i * step, task.gpr[i])) return false;
    if (!wide) task.gpr[i] |= 0xFFFF0000;
  }
  const u32 seg_at = wide ? 0x48 : 0x22;
  const u32 segments = wide ? 6 : 4;
  for (u32 i = 0; i < segments; ++i) {
    if (!field(seg_at + i * step, value)) return false;
    task.seg[i] = static_cast<u16>(value);
  }
  if (!field(seg_at + segments * step, value)) return false;
  task.ldt = static_cast<u16>(value);
  if (wide) {
    if (!load_system(cpu, (base + 0x64) & 0xFFFFFFFF, value)) return false;
    task.trap = (value & 1) != 0;
  }
  return true;
}

// Saves the dynamic fields of the current task.
bool write_task(Cpu& cpu, const SegmentRegister& tr, u64 rip, u64 eflags) {
  const CpuState& s = cpu.state;
  const bool wide = bit_of(tr.attributes, 3);
  const u32 step = wide ? 4 : 2;
  const auto field = [&](u32 offset, u64 value) {
    const u64 address = (tr.base + offset) & 0xFFFFFFFF;
    return wide ? store_system(cpu, address, static_cast<u32>(value))
                : store_system(cpu, address, static_cast<u16>(value));
  };
  const u32 eip_at = wide ? 0x20 : 0x0E;
  if (!field(eip_at, rip) || !field(eip_at + step, eflags)) return false;
  for (u32 i = 0; i < 8; ++i) {
    if (!field(eip_at + 2 * step + i * step, s.gpr[i])) return false;
  }
  const u32 seg_at = wide ? 0x48 : 0x22;
  for (u32 i = 0; i < (wide ? 6u : 4u); ++i) {
    if (!store_system(cpu, (tr.base + seg_at + i * step) & 0xFFFFFFFF, s.seg[i].selector)) return false;
  }
  return true;
}

// All stores of the switch must be possible before the first is done.
bool probe_stores(Cpu& cpu, u64 old_tss, bool old_wide, u64 old_descriptor, u64 new_tss, u64 new_descriptor) {
  const auto probe = [&](u64 linear, unsigned size) {
    return cpu.probe_write(linear & 0xFFFFFFFF, size, false, cpu.system_mode());
  };
  const unsigned from = old_wide ? 0x20 : 0x0E;
  const unsigned to = old_wide ? 0x5E : 0x2A;
  return probe(old_tss + from, to - from) && probe(old_descriptor + 5, 1) && probe(new_tss, 2) &&
         probe(new_descriptor + 5, 1);
}

// The busy bit is bit 1 of the descriptor's type.
bool set_busy(Cpu& cpu, u64 descriptor_address, bool busy) {
  const u64 address = (descriptor_address + 5) & 0xFFFFFFFF;
  u8 access;
  if (!load_system(cpu, address, access)) return false;
  return store_system(cpu, address, with_bit(access, 1, busy));
}

bool load_task_ldt(Cpu& cpu, u16 selector) {
  SegmentRegister& ldtr = cpu.state.seg[kLdtr];
  ldtr = SegmentRegister{.base = 0, .limit = 0, .selector = selector, .attributes = 0};
  if (is_null_selector(selector)) return true;
  const u32 error = selector & kSelectorMask;
  if ((selector & 4) != 0) return cpu.raise(kTS, error);
  Descriptor descriptor;
  if (!read_descriptor(cpu, selector, kTS, descriptor)) return false;
  if (descriptor.is_code_or_data() || descriptor.system_type() != SystemType::kLdt || !descriptor.present()) {
    return cpu.raise(kTS, error);
  }
  ldtr = make_segment(selector, descriptor);
  return true;
}

bool load_task_code(Cpu& cpu, u16 selector) {
  const u32 error = selector & kSelectorMask;
  Descriptor code;
  if (is_null_selector(selector)) return cpu.raise(kTS, 0);
  if (!read_descriptor(cpu, selector, kTS, code)) return false;
  const u8 rpl = selector & 3;
  const bool level_ok = code.conforming() ? code.dpl() <= rpl : code.dpl() == rpl;
  if (!code.is_code() || !level_ok) return cpu.raise(kTS, error);
  if (!code.present()) return cpu.raise(kNP, error);
  if (!set_accessed(cpu, code)) return false;
  cpu.state.seg[kCs] = make_segment(selector, code);
  return true;
}

bool load_task_data(Cpu& cpu, Seg seg, u16 selector) {
  if (is_null_selector(selector)) return true;
  const u32 error = selector & kSelectorMask;
  Descriptor data;
  if (!read_descriptor(cpu, selector, kTS, data)) return false;
  const u8 rpl = selector & 3;
  const bool data_rights = !data.is_code() || !data.conforming();
  if (!data.is_code_or_data() || !data.readable()) return cpu.raise(kTS, error);
  if (data_rights && (rpl > data.dpl() || cpu.state.cpl > data.dpl())) return cpu.raise(kTS, error);
  if (!data.present()) return cpu.raise(kNP, error);
  if (!set_accessed(cpu, data)) return false;
  cpu.state.seg[seg] = make_segment(selector, data);
  return true;
}

// The new task's segments: faults from here on belong to the new task.
bool load_task_segments(Cpu& cpu, const TaskImage& task) {
  CpuState& s = cpu.state;
  if (!load_task_ldt(cpu, task.ldt)) return false;
  if (s.v8086()) {
    for (unsigned i = 0; i < 6; ++i) s.seg[i] = v8086_segment(task.seg[i]);
    s.cpl = 3;
    return true;
  }
  for (unsigned i = 0; i < 6; ++i) {
    s.seg[i] = SegmentRegister{.base = 0, .limit = 0, .selector = task.seg[i], .attributes = 0};
  }
  s.cpl = task.seg[kCs] & 3;
  if (!load_task_code(cpu, task.seg[kCs])) return false;
  Descriptor stack;
  if (!read_stack_segment(cpu, task.seg[kSs], s.cpl, kTS, stack)) return false;
  s.seg[kSs] = make_segment(task.seg[kSs], stack);
  for (const Seg seg : {kDs, kEs, kFs, kGs}) {
    if (!load_task_data(cpu, seg, task.seg[seg])) return false;
  }
  return true;
}

bool check_new_tss(Cpu& cpu, u16 selector, TaskSwitchKind kind, Descriptor& tss) {
  const u32 error = selector & kSelectorMask;
  const bool returning = kind == TaskSwitchKind::kReturn;
  const Vector vector = returning ? kTS : kGP;
  if (is_null_selector(selector) || (selector & 4) != 0) return cpu.raise(vector, error);
  if (!read_descriptor(cpu, selector, vector, tss)) return false;
  if (tss.is_code_or_data() || !(returning ? is_busy_tss(tss) : is_available_tss(tss))) {
    return cpu.raise(vector, error);
  }
  if (!tss.present()) return cpu.raise(kNP, error);
  if (tss.limit() < (is_tss32(tss) ? kTss32Size : kTss16Size) - 1) return cpu.raise(kTS, error);
  return true;
}

}  // namespace

bool switch_task(Cpu& cpu, u16 selector, TaskSwitchKind kind, u64 next_rip, bool has_error_code,
                 u32 error_code) {
  // The busy bits change on the way, so the switch must not be started twice.
  if (!cpu.slow_mode()) return cpu.need_slow();
  CpuState& s = cpu.state;
  Descriptor tss;
  if (!check_new_tss(cpu, selector, kind, tss)) return false;
  const bool wide = is_tss32(tss);
  const bool nests = kind == TaskSwitchKind::kCall || kind == TaskSwitchKind::kInterrupt;
  TaskImage task;
  if (!read_task(cpu, tss.base(), wide, task)) return false;

  const SegmentRegister old_tr = s.seg[kTr];
  const u64 old_descriptor = s.gdtr.base + (old_tr.selector & 0xFFF8);
  if (!probe_stores(cpu, old_tr.base, bit_of(old_tr.attributes, 3), old_descriptor, tss.base(),
                    tss.address)) {
    return false;
  }
  u64 old_flags = get_rflags(s);
  if (kind == TaskSwitchKind::kReturn) old_flags &= ~rflags::kNt;
  if (!write_task(cpu, old_tr, next_rip, old_flags)) return false;
  if (!nests && !set_busy(cpu, old_descriptor, false)) return false;
  if (nests && !store_system(cpu, tss.base() & 0xFFFFFFFF, old_tr.selector)) return false;
  if (kind != TaskSwitchKind::kReturn && !set_busy(cpu, tss.address, true)) return false;

  s.seg[kTr] = make_segment(selector, tss);
  s.seg[kTr].attributes |= 2;
  s.cr0 |= cr0::kTs;
  s.dr[7] &= ~0x155ull;  // local breakpoints and LE
  if (wide && (s.cr0 & cr0::kPg) != 0 && !cpu.set_cr3(task.cr3)) return false;
  const u64 flags = task.eflags | (nests ? rflags::kNt : 0);
  set_status_flags(s, flags);
  constexpr u64 kKept = rflags::kTf | rflags::kIf | rflags::kDf | rflags::kIopl | rflags::kNt | rflags::kRf |
                        rflags::kVm | rflags::kAc | rflags::kVif | rflags::kVip | rflags::kId;
  s.rflags_rest = (flags & kKept) | rflags::kFixed;
  for (unsigned i = 0; i < 8; ++i) s.gpr[i] = task.gpr[i];
  s.rip = task.eip;
  cpu.enter_new_task();
  const bool loaded = load_task_segments(cpu, task);
  cpu.update_mode();
  if (!loaded) return false;
  if (has_error_code) {
    const SegmentRegister ss = s.seg[kSs];
    StackWriter stack(cpu, ss, stack_pointer(s), s.cpl, false);
    if (!stack.push(error_code, wide ? 4 : 2)) return false;
    set_stack_pointer(s, stack.sp());
  }
  if (task.trap) cpu.add_debug_trap(dr6::kBt);
  return check_code_offset(cpu, s.seg[kCs], s.rip);
}

}  // namespace lapwing
