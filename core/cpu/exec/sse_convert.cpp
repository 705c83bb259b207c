// Conversions between integers, binary32 and binary64 (Intel SDM vol. 1, 10.4.4 and 11.4.1.6; vol. 2).
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/sse.h"
#include "core/cpu/fpu/soft_float.h"

namespace lapwing {

namespace {

using namespace sse;

template <class T>
i64 signed_value(T value) {
  return static_cast<i64>(static_cast<std::make_signed_t<T>>(value));
}

template <class T>
u32 to_dword(FpContext& context, T value, bool truncates) {
  const Rounding rounding = truncates ? Rounding::truncate : context.rounding;
  return static_cast<u32>(soft_float::to_i32<T>(context, value, rounding));
}

// CVTSI2xx: T from an integer of type Int.
template <class T, class Int>
bool from_integer(Cpu& cpu, const Instruction& in) {
  Int source;
  if (!check_available(cpu) || !read_rm(cpu, in, source)) return false;
  FpContext context = sse_context(cpu.state.mxcsr);
  const T result = soft_float::from_i64<T>(context, signed_value(source));
  if (!finish(cpu, context)) return false;
  set_low(cpu.state.xmm[in.reg], result);
  return true;
}

template <class T>
bool from_integer_any(Cpu& cpu, const Instruction& in) {
  return in.operand_size == 8 ? from_integer<T, u64>(cpu, in) : from_integer<T, u32>(cpu, in);
}

// CVTxx2SI and CVTTxx2SI.
template <class T>
bool to_integer(Cpu& cpu, const Instruction& in, bool truncates) {
  T source;
  if (!check_available(cpu) || !load_scalar(cpu, in, source)) return false;
  FpContext context = sse_context(cpu.state.mxcsr);
  const Rounding rounding = truncates ? Rounding::truncate : context.rounding;
  const bool wide = in.operand_size == 8;
  const u64 result = wide ? static_cast<u64>(soft_float::to_i64<T>(context, source, rounding))
                          : to_dword<T>(context, source, truncates);
  if (!finish(cpu, context)) return false;
  if (wide) {
    write_reg<u64>(cpu.state, in.reg, result);
  } else {
    write_reg<u32>(cpu.state, in.reg, static_cast<u32>(result));
  }
  return true;
}

// The source of a conversion that reads 8 bytes (two 4-byte lanes) or 16.
bool load_half(Cpu& cpu, const Instruction& in, Lanes<u32, 8>& out) {
  u64 bits;
  if (!load_scalar(cpu, in, bits)) return false;
  out = std::bit_cast<Lanes<u32, 8>>(bits);
  return true;
}

// xmm[reg] <- compute(context, source), flags permitting.
template <class Source, class Compute>
bool convert(Cpu& cpu, const Instruction& in, const Source& source, Compute compute) {
  FpContext context = sse_context(cpu.state.mxcsr);
  const XmmRegister result = compute(context, source);
  if (!finish(cpu, context)) return false;
  cpu.state.xmm[in.reg] = result;
  return true;
}

template <class Compute>
bool convert_half(Cpu& cpu, const Instruction& in, Compute compute) {
  Lanes<u32, 8> source;
  return check_available(cpu) && load_half(cpu, in, source) && convert(cpu, in, source, compute);
}

template <class T, class Compute>
bool convert_full(Cpu& cpu, const Instruction& in, Compute compute) {
  XmmRegister source;
  return check_available(cpu) && load_vector(cpu, in, source) && convert(cpu, in, lanes<T>(source), compute);
}

u64 join(u32 low_lane, u32 high_lane) {
  return low_lane | static_cast<u64>(high_lane) << 32;
}

bool single_to_dwords(Cpu& cpu, const Instruction& in, bool truncates) {
  return convert_full<u32>(cpu, in, [&](FpContext& context, Lanes<u32> lane) {
    for (u32& value : lane) value = to_dword<u32>(context, value, truncates);
    return to_xmm(lane);
  });
}

bool double_to_dwords(Cpu& cpu, const Instruction& in, bool truncates) {
  return convert_full<u64>(cpu, in, [&](FpContext& context, const Lanes<u64>& lane) {
    const u32 first = to_dword<u64>(context, lane[0], truncates);
    return XmmRegister{join(first, to_dword<u64>(context, lane[1], truncates)), 0};
  });
}

// mm[reg] <- two integers; needs both the SSE and the MMX unit.
bool write_mmx(Cpu& cpu, const Instruction& in, FpContext& context, u64 result) {
  if (!finish(cpu, context)) return false;
  mmx::write(cpu, in.reg, result);
  return true;
}

bool single_to_mmx(Cpu& cpu, const Instruction& in, bool truncates) {
  Lanes<u32, 8> source;
  if (!check_available(cpu) || !mmx::check_available(cpu) || !load_half(cpu, in, source)) return false;
  mmx::enter(cpu);
  FpContext context = sse_context(cpu.state.mxcsr);
  const u32 first = to_dword<u32>(context, source[0], truncates);
  return write_mmx(cpu, in, context, join(first, to_dword<u32>(context, source[1], truncates)));
}

bool double_to_mmx(Cpu& cpu, const Instruction& in, bool truncates) {
  XmmRegister source;
  if (!check_available(cpu) || !mmx::check_available(cpu) || !load_vector(cpu, in, source)) return false;
  mmx::enter(cpu);
  FpContext context = sse_context(cpu.state.mxcsr);
  const u32 first = to_dword<u64>(context, source.lo, truncates);
  return write_mmx(cpu, in, context, join(first, to_dword<u64>(context, source.hi, truncates)));
}

// The source of CVTPI2xx. Only an MMX register, not a memory operand, makes the x87 state an MMX one.
bool load_mmx_source(Cpu& cpu, const Instruction& in, Lanes<u32, 8>& out) {
  if (!check_available(cpu)) return false;
  if (in.rm_is_memory()) return load_half(cpu, in, out);
  if (!mmx::check_available(cpu)) return false;
  mmx::enter(cpu);
  out = std::bit_cast<Lanes<u32, 8>>(mmx::read(cpu, in.rm));
  return true;
}

}  // namespace

bool exec_CVTSI2SS(Cpu& cpu, const Instruction& in) {
  return from_integer_any<u32>(cpu, in);
}
bool exec_CVTSI2SD(Cpu& cpu, const Instruction& in) {
  return from_integer_any<u64>(cpu, in);
}
bool exec_CVTSS2SI(Cpu& cpu, const Instruction& in) {
  return to_integer<u32>(cpu, in, false);
}
bool exec_CVTSD2SI(Cpu& cpu, const Instruction& in) {
  return to_integer<u64>(cpu, in, false);
}
bool exec_CVTTSS2SI(Cpu& cpu, const Instruction& in) {
  return to_integer<u32>(cpu, in, true);
}
bool exec_CVTTSD2SI(Cpu& cpu, const Instruction& in) {
  return to_integer<u64>(cpu, in, true);
}

bool exec_CVTPS2DQ(Cpu& cpu, const Instruction& in) {
  return single_to_dwords(cpu, in, false);
}
bool exec_CVTTPS2DQ(Cpu& cpu, const Instruction& in) {
  return single_to_dwords(cpu, in, true);
}
bool exec_CVTPD2DQ(Cpu& cpu, const Instruction& in) {
  return double_to_dwords(cpu, in, false);
}
bool exec_CVTTPD2DQ(Cpu& cpu, const Instruction& in) {
  return double_to_dwords(cpu, in, true);
}

bool exec_CVTDQ2PS(Cpu& cpu, const Instruction& in) {
  return convert_full<u32>(cpu, in, [](FpContext& context, Lanes<u32> lane) {
    for (u32& value : lane) value = soft_float::from_i64<u32>(context, signed_value(value));
    return to_xmm(lane);
  });
}

bool exec_CVTDQ2PD(Cpu& cpu, const Instruction& in) {
  return convert_half(cpu, in, [](FpContext& context, const Lanes<u32, 8>& lane) {
    return XmmRegister{soft_float::from_i64<u64>(context, signed_value(lane[0])),
                       soft_float::from_i64<u64>(context, signed_value(lane[1]))};
  });
}

bool exec_CVTPS2PD(Cpu& cpu, const Instruction& in) {
  return convert_half(cpu, in, [](FpContext& context, const Lanes<u32, 8>& lane) {
    return XmmRegister{soft_float::to_f64(context, lane[0]), soft_float::to_f64(context, lane[1])};
  });
}

bool exec_CVTPD2PS(Cpu& cpu, const Instruction& in) {
  return convert_full<u64>(cpu, in, [](FpContext& context, const Lanes<u64>& lane) {
    const u32 first = soft_float::to_f32(context, lane[0]);
    return XmmRegister{join(first, soft_float::to_f32(context, lane[1])), 0};
  });
}

bool exec_CVTSS2SD(Cpu& cpu, const Instruction& in) {
  u32 source;
  if (!check_available(cpu) || !load_scalar(cpu, in, source)) return false;
  FpContext context = sse_context(cpu.state.mxcsr);
  const u64 result = soft_float::to_f64(context, source);
  if (!finish(cpu, context)) return false;
  cpu.state.xmm[in.reg].lo = result;
  return true;
}

bool exec_CVTSD2SS(Cpu& cpu, const Instruction& in) {
  u64 source;
  if (!check_available(cpu) || !load_scalar(cpu, in, source)) return false;
  FpContext context = sse_context(cpu.state.mxcsr);
  const u32 result = soft_float::to_f32(context, source);
  if (!finish(cpu, context)) return false;
  set_low(cpu.state.xmm[in.reg], result);
  return true;
}

bool exec_CVTPS2PI(Cpu& cpu, const Instruction& in) {
  return single_to_mmx(cpu, in, false);
}
bool exec_CVTTPS2PI(Cpu& cpu, const Instruction& in) {
  return single_to_mmx(cpu, in, true);
}
bool exec_CVTPD2PI(Cpu& cpu, const Instruction& in) {
  return double_to_mmx(cpu, in, false);
}
bool exec_CVTTPD2PI(Cpu& cpu, const Instruction& in) {
  return double_to_mmx(cpu, in, true);
}

bool exec_CVTPI2PS(Cpu& cpu, const Instruction& in) {
  Lanes<u32, 8> source;
  if (!load_mmx_source(cpu, in, source)) return false;
  FpContext context = sse_context(cpu.state.mxcsr);
  const u32 first = soft_float::from_i64<u32>(context, signed_value(source[0]));
  const u32 second = soft_float::from_i64<u32>(context, signed_value(source[1]));
  if (!finish(cpu, context)) return false;
  cpu.state.xmm[in.reg].lo = join(first, second);
  return true;
}

bool exec_CVTPI2PD(Cpu& cpu, const Instruction& in) {
  Lanes<u32, 8> source;
  if (!load_mmx_source(cpu, in, source)) return false;
  FpContext exact;
  cpu.state.xmm[in.reg] = {soft_float::from_i64<u64>(exact, signed_value(source[0])),
                           soft_float::from_i64<u64>(exact, signed_value(source[1]))};
  return true;
}

}  // namespace lapwing
