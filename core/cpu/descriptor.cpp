#include "core/cpu/descriptor.h"

#include "core/cpu/exec/access.h"

namespace lapwing {

namespace {

constexpr u16 kTableIndicator = 4;

// Finds the `size` bytes of a selector's descriptor; false when beyond the table.
bool locate_descriptor(const CpuState& s, u16 selector, unsigned size, u64& address) {
  const u64 offset = selector & 0xFFF8;
  // The tables' addresses are 64 bits wide in all of IA-32e mode, compatibility mode too.
  const u64 mask = s.long_mode_active() ? ~0ull : 0xFFFFFFFFull;
  if ((selector & kTableIndicator) == 0) {
    address = (s.gdtr.base + offset) & mask;
    return offset + size - 1 <= s.gdtr.limit;
  }
  const SegmentRegister& ldtr = s.seg[kLdtr];
  address = (ldtr.base + offset) & mask;
  return ldtr.present() && !is_null_selector(ldtr.selector) && offset + size - 1 <= ldtr.limit;
}

bool read_at(Cpu& cpu, u16 selector, unsigned size, Vector vector, Descriptor& out) {
  if (!locate_descriptor(cpu.state, selector, size, out.address)) {
    return cpu.raise(vector, selector & kSelectorMask);
  }
  if (!load_system(cpu, out.address, out.low)) return false;
  out.high = 0;
  return size == 8 || load_system(cpu, out.address + 8, out.high);
}

}  // namespace

bool read_descriptor(Cpu& cpu, u16 selector, Vector vector, Descriptor& out) {
  return read_at(cpu, selector, 8, vector, out);
}

bool read_system_descriptor(Cpu& cpu, u16 selector, Vector vector, Descriptor& out) {
  return read_at(cpu, selector, cpu.state.long_mode_active() ? 16 : 8, vector, out);
}

bool set_accessed(Cpu& cpu, Descriptor& descriptor) {
  constexpr u64 kAccessed = 1ull << 40;
  if ((descriptor.low & kAccessed) != 0) return true;
  descriptor.low |= kAccessed;
  return store_system(cpu, descriptor.address + 5, static_cast<u8>(descriptor.low >> 40));
}

SegmentRegister make_segment(u16 selector, const Descriptor& descriptor) {
  return SegmentRegister{.base = descriptor.base(),
                         .limit = descriptor.limit(),
                         .selector = selector,
                         .attributes = descriptor.attributes()};
}

SegmentRegister real_mode_segment(const SegmentRegister& old, u16 selector) {
  SegmentRegister segment = old;  // limit and attributes stay (that is what "unreal mode" uses)
  segment.selector = selector;
  segment.base = static_cast<u64>(selector) << 4;
  return segment;
}

SegmentRegister v8086_segment(u16 selector) {
  return SegmentRegister{
      .base = static_cast<u64>(selector) << 4, .limit = 0xFFFF, .selector = selector, .attributes = 0xF3};
}

bool is_canonical_address(u64 linear) {
  const i64 sign = static_cast<i64>(linear) >> 47;
  return sign == 0 || sign == -1;
}

bool check_code_offset(Cpu& cpu, const SegmentRegister& cs, u64 offset) {
  const bool code64 = cpu.state.long_mode_active() && cs.long_mode();
  const bool ok = code64 ? is_canonical_address(offset) : offset <= cs.limit;
  return ok ? true : cpu.raise_gp(0);
}

bool read_stack_segment(Cpu& cpu, u16 selector, u8 cpl, Vector vector, Descriptor& out) {
  const u32 error = selector & kSelectorMask;
  if (is_null_selector(selector)) return cpu.raise(vector, 0);
  if (!read_descriptor(cpu, selector, vector, out)) return false;
  if ((selector & 3) != cpl || !out.is_code_or_data() || !out.writable() || out.dpl() != cpl) {
    return cpu.raise(vector, error);
  }
  if (!out.present()) return cpu.raise(kSS, error);
  return set_accessed(cpu, out);
}

namespace {

bool load_stack_segment(Cpu& cpu, u16 selector) {
  CpuState& s = cpu.state;
  if (is_null_selector(selector)) {
    // 64-bit mode runs with a null SS below CPL 3.
    if (!s.code64() || s.cpl == 3 || (selector & 3) != s.cpl) return cpu.raise_gp(0);
    s.seg[kSs] = SegmentRegister{.base = 0,
                                 .limit = 0xFFFFFFFF,
                                 .selector = selector,
                                 .attributes = static_cast<u16>(0xC013 | (s.cpl << 5))};
    return true;
  }
  Descriptor descriptor;
  if (!read_stack_segment(cpu, selector, s.cpl, kGP, descriptor)) return false;
  s.seg[kSs] = make_segment(selector, descriptor);
  return true;
}

bool load_data_segment(Cpu& cpu, Seg seg, u16 selector) {
  CpuState& s = cpu.state;
  if (is_null_selector(selector)) {
    // The base is cleared, as Intel CPUs do; a null selector is unusable in legacy modes.
    s.seg[seg] = SegmentRegister{.base = 0, .limit = 0, .selector = selector, .attributes = 0};
    return true;
  }
  const u32 error = selector & kSelectorMask;
  Descriptor descriptor;
  if (!read_descriptor(cpu, selector, kGP, descriptor)) return false;
  const bool data_rights = !descriptor.is_code() || !descriptor.conforming();
  const u8 rpl = selector & 3;
  if (!descriptor.is_code_or_data() || !descriptor.readable()) return cpu.raise_gp(error);
  if (data_rights && (rpl > descriptor.dpl() || s.cpl > descriptor.dpl())) return cpu.raise_gp(error);
  if (!descriptor.present()) return cpu.raise(kNP, error);
  if (!set_accessed(cpu, descriptor)) return false;
  s.seg[seg] = make_segment(selector, descriptor);
  return true;
}

}  // namespace

bool load_segment(Cpu& cpu, Seg seg, u16 selector) {
  CpuState& s = cpu.state;
  if (s.v8086()) {
    s.seg[seg] = v8086_segment(selector);
  } else if (!s.protected_mode()) {
    s.seg[seg] = real_mode_segment(s.seg[seg], selector);
  } else if (seg == kSs ? !load_stack_segment(cpu, selector) : !load_data_segment(cpu, seg, selector)) {
    return false;
  }
  cpu.update_mode();
  return true;
}

void drop_inner_segments(Cpu& cpu) {
  for (const Seg seg : {kEs, kDs, kFs, kGs}) {
    SegmentRegister& segment = cpu.state.seg[seg];
    const bool data_rights = !segment.is_code() || !segment.conforming();
    if (!segment.present() || !data_rights || segment.dpl() >= cpu.state.cpl) continue;
    // Null, but the base stays: 64-bit code reaches its thread area through it still.
    segment.selector = 0;
    segment.attributes &= static_cast<u16>(~0x80u);
  }
}

bool within_limit(const SegmentRegister& segment, u64 offset, unsigned size) {
  const u64 last = offset + size - 1;
  if (!segment.is_code() && segment.is_code_or_data() && segment.expand_down()) {
    const u64 top = segment.big() ? 0xFFFFFFFF : 0xFFFF;
    return offset > segment.limit && last <= top;
  }
  // At a limit of 4 GiB accesses wrap around, as CPUs do.
  return last <= segment.limit || segment.limit == 0xFFFFFFFF;
}

bool Cpu::check_segment(u8 number, u64 offset, unsigned size, bool write) {
  const SegmentRegister& segment = state.seg[number];
  const bool rights = segment.present() && (write ? segment.writable() : segment.readable());
  const bool real = !state.protected_mode() || state.v8086();
  if ((rights || real) && within_limit(segment, offset, size)) return true;
  return raise(number == kSs ? kSS : kGP, 0);
}

bool read_tss64_pointer(Cpu& cpu, unsigned slot, bool ist, u64& rsp) {
  const SegmentRegister& tr = cpu.state.seg[kTr];
  const u32 offset = ist ? 0x24 + (slot - 1) * 8 : 4 + slot * 8;
  if (offset + 7 > tr.limit) return cpu.raise(kTS, tr.selector & kSelectorMask);
  if (!load_system(cpu, tr.base + offset, rsp)) return false;
  return is_canonical_address(rsp) ? true : cpu.raise(kSS, 0);
}

bool read_tss_stack(Cpu& cpu, u8 level, u16& ss, u64& sp) {
  const SegmentRegister& tr = cpu.state.seg[kTr];
  const bool wide = bit_of(tr.attributes, 3);
  const u32 offset = wide ? 4u + level * 8u : 2u + level * 4u;
  if (offset + (wide ? 5 : 3) > tr.limit) return cpu.raise(kTS, tr.selector & kSelectorMask);
  const u64 address = tr.base + offset;
  if (!wide) {
    u16 sp16;
    if (!load_system(cpu, address & 0xFFFFFFFF, sp16)) return false;
    sp = sp16;
    return load_system(cpu, (address + 2) & 0xFFFFFFFF, ss);
  }
  u32 sp32;
  if (!load_system(cpu, address & 0xFFFFFFFF, sp32)) return false;
  sp = sp32;
  return load_system(cpu, (address + 4) & 0xFFFFFFFF, ss);
}

StackWriter::StackWriter(Cpu& cpu, const SegmentRegister& ss, u64 sp, u8 cpl, bool wide64, u32 limit_error)
    : cpu_(cpu),
      ss_(ss),
      sp_(sp),
      mask_(wide64 ? ~0ull : (ss.big() ? 0xFFFFFFFFull : 0xFFFFull)),
      mode_(cpl == 3 ? AccessMode::kUser : cpu.system_mode()),
      wide64_(wide64),
      limit_error_(limit_error) {}

bool StackWriter::push(u64 value, unsigned size) {
  const u64 sp = (sp_ - size) & mask_;
  if (!wide64_ && !within_limit(ss_, sp, size)) return cpu_.raise(kSS, limit_error_);
  u64 linear = sp + (wide64_ ? 0 : ss_.base);
  if (!wide64_) linear &= 0xFFFFFFFF;
  if (wide64_ && !is_canonical_address(linear)) return cpu_.raise(kSS, 0);
  if (!cpu_.write_slow(linear, &value, size, true, mode_)) return false;
  sp_ = wide64_ ? sp : (sp_ & ~mask_) | sp;
  return true;
}

}  // namespace lapwing
