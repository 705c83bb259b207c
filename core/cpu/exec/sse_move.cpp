// SSE and MMX data movement (Intel SDM vol. 1, 9.4.4, 10.4.1, 10.4.6, 11.4.1.1; vol. 2).
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/sse.h"

namespace lapwing {

namespace {

using namespace sse;

bool is_store(const Instruction& in) {
  return in.form == Form::kMR;
}

// Whole-register moves.
bool move_vector(Cpu& cpu, const Instruction& in, bool aligned) {
  if (!check_available(cpu)) return false;
  if (!is_store(in)) {
    XmmRegister source;
    if (!load_vector(cpu, in, source, aligned)) return false;
    cpu.state.xmm[in.reg] = source;
    return true;
  }
  if (in.rm_is_memory()) return store_vector(cpu, in, cpu.state.xmm[in.reg], aligned);
  cpu.state.xmm[in.rm] = cpu.state.xmm[in.reg];
  return true;
}

// MOVSS, MOVSD: between registers only the low part moves; a load clears the rest.
template <class T>
bool move_scalar(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  XmmRegister* xmm = cpu.state.xmm;
  if (is_store(in)) {
    if (in.rm_is_memory()) return store_operand<T>(cpu, in, low<T>(xmm[in.reg]));
    set_low(xmm[in.rm], low<T>(xmm[in.reg]));
    return true;
  }
  T source;
  if (!load_scalar(cpu, in, source)) return false;
  if (in.rm_is_memory()) {
    xmm[in.reg] = {source, 0};
  } else {
    set_low(xmm[in.reg], source);
  }
  return true;
}

// MOVLPx and MOVHPx: half a register and memory.
bool move_half(Cpu& cpu, const Instruction& in, u64 XmmRegister::* half) {
  if (!check_available(cpu)) return false;
  u64& place = cpu.state.xmm[in.reg].*half;
  if (is_store(in)) return store_operand<u64>(cpu, in, place);
  u64 source;
  if (!load_operand(cpu, in, source)) return false;
  place = source;
  return true;
}

template <class T>
bool move_general(Cpu& cpu, const Instruction& in) {
  XmmRegister& xmm = cpu.state.xmm[in.reg];
  if (is_store(in)) return write_rm<T>(cpu, in, low<T>(xmm));
  T source;
  if (!read_rm(cpu, in, source)) return false;
  xmm = {source, 0};
  return true;
}

template <class T>
bool move_general_mmx(Cpu& cpu, const Instruction& in) {
  if (is_store(in)) {
    return mmx::stored(cpu, write_rm<T>(cpu, in, static_cast<T>(mmx::read(cpu, in.reg))));
  }
  T source;
  if (!read_rm(cpu, in, source)) return false;
  mmx::write(cpu, in.reg, source);
  return true;
}

template <class T, std::size_t count>
u32 sign_mask(const std::array<T, count>& lane) {
  u32 mask = 0;
  for (unsigned i = 0; i < count; ++i) mask |= static_cast<u32>(lane[i] >> (8 * sizeof(T) - 1)) << i;
  return mask;
}

template <class T>
bool move_mask(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  write_reg<u32>(cpu.state, in.reg, sign_mask(lanes<T>(cpu.state.xmm[in.rm])));
  return true;
}

// Stores the bytes whose mask bit is set to segment:[rDI]. First all bytes are checked, whatever the mask
// says, eight at a time, the upper eight first (so do Intel CPUs; the manual leaves it open).
bool masked_store(Cpu& cpu, const Instruction& in, const u8* data, const u8* mask, unsigned count) {
  const CpuState& s = cpu.state;
  const u64 wrap = in.address_size == 8 ? ~u64{0} : in.address_size == 4 ? 0xFFFFFFFF : 0xFFFF;
  const bool stack = is_stack(in.segment);
  u64 linear;
  for (unsigned i = count; i > 0; i -= 8) {
    if (!linear_address(cpu, in.segment, (s.gpr[kRdi] + i - 8) & wrap, 8, true, linear)) return false;
    if (!cpu.probe_write(linear, 8, stack, cpu.data_mode())) return false;
  }
  for (unsigned i = 0; i < count; ++i) {
    if ((mask[i] & 0x80) == 0) continue;
    if (!linear_address(cpu, in.segment, (s.gpr[kRdi] + i) & wrap, 1, true, linear)) return false;
    if (!store_linear<u8>(cpu, linear, stack, data[i])) return false;
  }
  return true;
}

}  // namespace

bool exec_MOVAPS(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, true);
}
bool exec_MOVAPD(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, true);
}
bool exec_MOVDQA(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, true);
}
bool exec_MOVUPS(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, false);
}
bool exec_MOVUPD(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, false);
}
bool exec_MOVDQU(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, false);
}
bool exec_LDDQU(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, false);
}
bool exec_MOVNTPS(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, true);
}
bool exec_MOVNTPD(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, true);
}
bool exec_MOVNTDQ(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, true);
}
bool exec_MOVNTDQA(Cpu& cpu, const Instruction& in) {
  return move_vector(cpu, in, true);
}

bool exec_MOVSS(Cpu& cpu, const Instruction& in) {
  return move_scalar<u32>(cpu, in);
}
bool exec_MOVSD(Cpu& cpu, const Instruction& in) {
  return move_scalar<u64>(cpu, in);
}
bool exec_MOVLPS(Cpu& cpu, const Instruction& in) {
  return move_half(cpu, in, &XmmRegister::lo);
}
bool exec_MOVLPD(Cpu& cpu, const Instruction& in) {
  return move_half(cpu, in, &XmmRegister::lo);
}
bool exec_MOVHPS(Cpu& cpu, const Instruction& in) {
  return move_half(cpu, in, &XmmRegister::hi);
}
bool exec_MOVHPD(Cpu& cpu, const Instruction& in) {
  return move_half(cpu, in, &XmmRegister::hi);
}

bool exec_MOVHLPS(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  cpu.state.xmm[in.reg].lo = cpu.state.xmm[in.rm].hi;
  return true;
}

bool exec_MOVLHPS(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  cpu.state.xmm[in.reg].hi = cpu.state.xmm[in.rm].lo;
  return true;
}

bool exec_MOVDDUP(Cpu& cpu, const Instruction& in) {
  u64 source;
  if (!check_available(cpu) || !load_scalar(cpu, in, source)) return false;
  cpu.state.xmm[in.reg] = {source, source};
  return true;
}

bool exec_MOVSLDUP(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u32>(cpu, in,
                         [](const auto&, const auto& b) { return Lanes<u32>{b[0], b[0], b[2], b[2]}; });
}

bool exec_MOVSHDUP(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u32>(cpu, in,
                         [](const auto&, const auto& b) { return Lanes<u32>{b[1], b[1], b[3], b[3]}; });
}

bool exec_MOVD(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  return in.operand_size == 8 ? move_general<u64>(cpu, in) : move_general<u32>(cpu, in);
}

bool exec_MOVD_MMX(Cpu& cpu, const Instruction& in) {
  if (!mmx::check_available(cpu)) return false;
  return in.operand_size == 8 ? move_general_mmx<u64>(cpu, in) : move_general_mmx<u32>(cpu, in);
}

bool exec_MOVQ(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  XmmRegister* xmm = cpu.state.xmm;
  if (is_store(in)) {
    if (in.rm_is_memory()) return store_operand<u64>(cpu, in, xmm[in.reg].lo);
    xmm[in.rm] = {xmm[in.reg].lo, 0};
    return true;
  }
  u64 source;
  if (!load_scalar(cpu, in, source)) return false;
  xmm[in.reg] = {source, 0};
  return true;
}

bool exec_MOVQ_MMX(Cpu& cpu, const Instruction& in) {
  if (!mmx::check_available(cpu)) return false;
  if (!is_store(in)) {
    u64 source;
    if (!mmx::load(cpu, in, source)) return false;
    mmx::write(cpu, in.reg, source);
    return true;
  }
  const u64 value = mmx::read(cpu, in.reg);
  if (in.rm_is_memory()) {
    return mmx::stored(cpu, store_operand<u64>(cpu, in, value));
  }
  mmx::write(cpu, in.rm, value);
  return true;
}

bool exec_MOVNTQ(Cpu& cpu, const Instruction& in) {
  return mmx::check_available(cpu) && mmx::stored(cpu, store_operand<u64>(cpu, in, mmx::read(cpu, in.reg)));
}

// MOVNTI works on general registers: no CR0.TS, no MMX or SSE state.
bool exec_MOVNTI(Cpu& cpu, const Instruction& in) {
  return in.operand_size == 8 ? store_operand<u64>(cpu, in, read_reg<u64>(cpu.state, in.reg))
                              : store_operand<u32>(cpu, in, read_reg<u32>(cpu.state, in.reg));
}

bool exec_MOVQ2DQ(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu) || !mmx::check_available(cpu)) return false;
  cpu.state.xmm[in.reg] = {mmx::read(cpu, in.rm), 0};
  mmx::enter(cpu);
  return true;
}

bool exec_MOVDQ2Q(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu) || !mmx::check_available(cpu)) return false;
  mmx::write(cpu, in.reg, cpu.state.xmm[in.rm].lo);
  return true;
}

bool exec_MOVMSKPS(Cpu& cpu, const Instruction& in) {
  return move_mask<u32>(cpu, in);
}
bool exec_MOVMSKPD(Cpu& cpu, const Instruction& in) {
  return move_mask<u64>(cpu, in);
}

bool exec_PMOVMSKB(Cpu& cpu, const Instruction& in) {
  if (in.operand_size == 16) return move_mask<u8>(cpu, in);
  if (!mmx::check_available(cpu)) return false;
  write_reg<u32>(cpu.state, in.reg, sign_mask(std::bit_cast<Lanes<u8, 8>>(mmx::read(cpu, in.rm))));
  mmx::enter(cpu);
  return true;
}

bool exec_MASKMOVQ(Cpu& cpu, const Instruction& in) {
  if (!mmx::check_available(cpu)) return false;
  const auto data = std::bit_cast<Lanes<u8, 8>>(mmx::read(cpu, in.reg));
  const auto mask = std::bit_cast<Lanes<u8, 8>>(mmx::read(cpu, in.rm));
  mmx::enter(cpu);
  return masked_store(cpu, in, data.data(), mask.data(), 8);
}

bool exec_MASKMOVDQU(Cpu& cpu, const Instruction& in) {
  if (!check_available(cpu)) return false;
  const auto data = lanes<u8>(cpu.state.xmm[in.reg]);
  const auto mask = lanes<u8>(cpu.state.xmm[in.rm]);
  return masked_store(cpu, in, data.data(), mask.data(), 16);
}

bool exec_EMMS(Cpu& cpu, const Instruction&) {
  if (!mmx::check_available(cpu)) return false;
  x87::set_top(cpu.state.fpu, 0);
  cpu.state.fpu.valid = 0;
  return true;
}

}  // namespace lapwing
