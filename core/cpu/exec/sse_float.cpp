// SSE arithmetic and comparison on binary32 and binary64 (Intel SDM vol. 1, 10.4, 11.4; vol. 2).
#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/sse.h"
#include "core/cpu/fpu/fast_sse.h"
#include "core/cpu/fpu/soft_float.h"

namespace lapwing {

namespace {

using namespace sse;

// Each operation: `fast` may decline, `soft` always answers.
struct Add {
  template <class T>
  static bool fast(T a, T b, T& result) {
    return fast_sse::add(a, b, result);
  }
  template <class T>
  static T soft(FpContext& context, T a, T b) {
    return soft_float::add<T>(context, a, b);
  }
};

struct Subtract {
  template <class T>
  static bool fast(T a, T b, T& result) {
    return fast_sse::subtract(a, b, result);
  }
  template <class T>
  static T soft(FpContext& context, T a, T b) {
    return soft_float::subtract<T>(context, a, b);
  }
};

struct Multiply {
  template <class T>
  static bool fast(T a, T b, T& result) {
    return fast_sse::multiply(a, b, result);
  }
  template <class T>
  static T soft(FpContext& context, T a, T b) {
    return soft_float::multiply<T>(context, a, b);
  }
};

struct Divide {
  template <class T>
  static bool fast(T a, T b, T& result) {
    return fast_sse::divide(a, b, result);
  }
  template <class T>
  static T soft(FpContext& context, T a, T b) {
    return soft_float::divide<T>(context, a, b);
  }
};

struct SquareRoot {
  template <class T>
  static bool fast(T, T b, T& result) {
    return fast_sse::square_root(b, result);
  }
  template <class T>
  static T soft(FpContext& context, T, T b) {
    return soft_float::square_root<T>(context, b);
  }
};

struct Minimum {
  template <class T>
  static bool fast(T, T, T&) {
    return false;
  }
  template <class T>
  static T soft(FpContext& context, T a, T b) {
    return soft_float::minimum<T>(context, a, b);
  }
};

struct Maximum {
  template <class T>
  static bool fast(T, T, T&) {
    return false;
  }
  template <class T>
  static T soft(FpContext& context, T a, T b) {
    return soft_float::maximum<T>(context, a, b);
  }
};

// One lane at a time, on the host where that is exact.
class Calculator {
 public:
  explicit Calculator(const Cpu& cpu)
      : context(sse_context(cpu.state.mxcsr)), fast_(fast_sse::allowed(cpu.state.mxcsr)) {}

  template <class Op, class T>
  T run(T a, T b) {
    T result;
    if (fast_ && Op::fast(a, b, result)) return result;
    return Op::template soft<T>(context, a, b);
  }

  FpContext context;

 private:
  bool fast_;
};

template <class Op, class T>
bool scalar(Cpu& cpu, const Instruction& in) {
  T b;
  if (!check_available(cpu) || !load_scalar(cpu, in, b)) return false;
  XmmRegister& target = cpu.state.xmm[in.reg];
  Calculator calculator(cpu);
  const T result = calculator.run<Op>(low<T>(target), b);
  if (!finish(cpu, calculator.context)) return false;
  set_low(target, result);
  return true;
}

// xmm[reg] <- compute(calculator, lanes, lanes).
template <class T, class Compute>
bool vector(Cpu& cpu, const Instruction& in, Compute compute) {
  XmmRegister source;
  if (!check_available(cpu) || !load_vector(cpu, in, source)) return false;
  XmmRegister& target = cpu.state.xmm[in.reg];
  Calculator calculator(cpu);
  const XmmRegister result = to_xmm(compute(calculator, lanes<T>(target), lanes<T>(source)));
  if (!finish(cpu, calculator.context)) return false;
  target = result;
  return true;
}

template <class Op, class T>
bool vertical(Cpu& cpu, const Instruction& in) {
  return vector<T>(cpu, in, [](Calculator& calculator, auto a, const auto& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = calculator.run<Op>(a[i], b[i]);
    return a;
  });
}

// HADDxx, HSUBxx: neighbours of a, then neighbours of b.
template <class Op, class T>
bool horizontal(Cpu& cpu, const Instruction& in) {
  return vector<T>(cpu, in, [](Calculator& calculator, const auto& a, const auto& b) {
    Lanes<T> result;
    constexpr std::size_t kHalf = result.size() / 2;
    for (std::size_t i = 0; i < kHalf; ++i) {
      result[i] = calculator.run<Op>(a[2 * i], a[2 * i + 1]);
      result[kHalf + i] = calculator.run<Op>(b[2 * i], b[2 * i + 1]);
    }
    return result;
  });
}

template <class T>
bool add_subtract(Cpu& cpu, const Instruction& in) {
  return vector<T>(cpu, in, [](Calculator& calculator, auto a, const auto& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i] = i % 2 == 0 ? calculator.run<Subtract>(a[i], b[i]) : calculator.run<Add>(a[i], b[i]);
    }
    return a;
  });
}

template <class T>
T compare_mask(FpContext& context, T a, T b, u64 imm) {
  return soft_float::compare_predicate<T>(context, a, b, static_cast<u8>(imm & 7)) ? ~T{0} : T{0};
}

template <class T>
bool compare_vector(Cpu& cpu, const Instruction& in) {
  return vector<T>(cpu, in, [&](Calculator& calculator, auto a, const auto& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = compare_mask<T>(calculator.context, a[i], b[i], in.imm);
    return a;
  });
}

// xmm[reg] low <- compute(context, low, source).
template <class T, class Compute>
bool scalar_soft(Cpu& cpu, const Instruction& in, Compute compute) {
  T b;
  if (!check_available(cpu) || !load_scalar(cpu, in, b)) return false;
  XmmRegister& target = cpu.state.xmm[in.reg];
  FpContext context = sse_context(cpu.state.mxcsr);
  const T result = compute(context, low<T>(target), b);
  if (!finish(cpu, context)) return false;
  set_low(target, result);
  return true;
}

template <class T>
bool compare_scalar(Cpu& cpu, const Instruction& in) {
  return scalar_soft<T>(cpu, in,
                        [&](FpContext& context, T a, T b) { return compare_mask<T>(context, a, b, in.imm); });
}

template <class T>
bool compare_to_flags(Cpu& cpu, const Instruction& in, bool quiet) {
  T b;
  if (!check_available(cpu) || !load_scalar(cpu, in, b)) return false;
  const T a = low<T>(cpu.state.xmm[in.reg]);
  FpContext context = sse_context(cpu.state.mxcsr);
  const FpOrder order =
      quiet ? soft_float::compare_quiet<T>(context, a, b) : soft_float::compare<T>(context, a, b);
  if (!finish(cpu, context)) return false;
  constexpr u64 kByOrder[] = {rflags::kCf, rflags::kZf, 0, rflags::kCf | rflags::kPf | rflags::kZf};
  set_status_flags(cpu.state, kByOrder[static_cast<unsigned>(order)]);
  return true;
}

// The imm8 of ROUNDxx: bit 3 suppresses the precision exception, bit 2 takes MXCSR's rounding.
template <class T>
T round_lane(FpContext& context, T a, u64 imm) {
  const Rounding rounding = bit_of(imm, 2) ? context.rounding : static_cast<Rounding>(imm & 3);
  return soft_float::round_to_integral<T>(context, a, rounding, bit_of(imm, 3));
}

template <class T>
bool round_vector(Cpu& cpu, const Instruction& in) {
  return vector<T>(cpu, in, [&](Calculator& calculator, const auto&, auto b) {
    for (T& lane : b) lane = round_lane<T>(calculator.context, lane, in.imm);
    return b;
  });
}

template <class T>
bool round_scalar(Cpu& cpu, const Instruction& in) {
  return scalar_soft<T>(cpu, in,
                        [&](FpContext& context, T, T b) { return round_lane<T>(context, b, in.imm); });
}

// RCP and RSQRT touch no flag.
bool approximate_vector(Cpu& cpu, const Instruction& in, u32 (*compute)(u32)) {
  return packed_xmm<u32>(cpu, in, [&](const auto&, auto b) {
    for (u32& lane : b) lane = compute(lane);
    return b;
  });
}

bool approximate_scalar(Cpu& cpu, const Instruction& in, u32 (*compute)(u32)) {
  u32 b;
  if (!check_available(cpu) || !load_scalar(cpu, in, b)) return false;
  set_low(cpu.state.xmm[in.reg], compute(b));
  return true;
}

// DPPS, DPPD: products that imm8 selects, added with those of the neighbours and (DPPS) of the other half,
// kept in the lanes that imm8 selects. Which of two NaNs a lane keeps follows from the order of the operands,
// as on the hardware.
// Every step ends with its flags: an unmasked exception of a later one does not take them back, and keeps the
// steps after it from happening.
template <class T>
bool dot_product(Cpu& cpu, const Instruction& in) {
  const auto step_faults = [&](const FpContext& context) {
    if (context.unmasked(kFpAllExceptions)) return true;
    cpu.state.mxcsr |= context.flags & kFpAllExceptions;
    return false;
  };
  return vector<T>(cpu, in, [&](Calculator& calculator, auto product, const auto& b) {
    for (unsigned i = 0; i < product.size(); ++i) {
      product[i] = bit_of(in.imm, 4 + i) ? calculator.run<Multiply>(product[i], b[i]) : T{0};
    }
    if (step_faults(calculator.context)) return product;
    Lanes<T> sum;
    if constexpr (sizeof(T) == 4) {
      Lanes<T> pair;
      for (unsigned i = 0; i < 4; ++i) pair[i] = calculator.run<Add>(product[i ^ 1], product[i]);
      if (step_faults(calculator.context)) return product;
      for (unsigned i = 0; i < 4; ++i) sum[i] = calculator.run<Add>(pair[i], pair[i ^ 2]);
    } else {
      for (unsigned i = 0; i < 2; ++i) sum[i] = calculator.run<Add>(product[i], product[i ^ 1]);
    }
    for (unsigned i = 0; i < sum.size(); ++i) sum[i] = bit_of(in.imm, i) ? sum[i] : T{0};
    return sum;
  });
}

}  // namespace

#define LAPWING_SSE_ARITHMETIC(name, op)                  \
  bool exec_##name##PS(Cpu& cpu, const Instruction& in) { \
    return vertical<op, u32>(cpu, in);                    \
  }                                                       \
  bool exec_##name##PD(Cpu& cpu, const Instruction& in) { \
    return vertical<op, u64>(cpu, in);                    \
  }                                                       \
  bool exec_##name##SS(Cpu& cpu, const Instruction& in) { \
    return scalar<op, u32>(cpu, in);                      \
  }                                                       \
  bool exec_##name##SD(Cpu& cpu, const Instruction& in) { \
    return scalar<op, u64>(cpu, in);                      \
  }

LAPWING_SSE_ARITHMETIC(ADD, Add)
LAPWING_SSE_ARITHMETIC(SUB, Subtract)
LAPWING_SSE_ARITHMETIC(MUL, Multiply)
LAPWING_SSE_ARITHMETIC(DIV, Divide)
LAPWING_SSE_ARITHMETIC(SQRT, SquareRoot)
LAPWING_SSE_ARITHMETIC(MIN, Minimum)
LAPWING_SSE_ARITHMETIC(MAX, Maximum)
#undef LAPWING_SSE_ARITHMETIC

bool exec_CMPPS(Cpu& cpu, const Instruction& in) {
  return compare_vector<u32>(cpu, in);
}
bool exec_CMPPD(Cpu& cpu, const Instruction& in) {
  return compare_vector<u64>(cpu, in);
}
bool exec_CMPSS(Cpu& cpu, const Instruction& in) {
  return compare_scalar<u32>(cpu, in);
}
bool exec_CMPSD(Cpu& cpu, const Instruction& in) {
  return compare_scalar<u64>(cpu, in);
}
bool exec_COMISS(Cpu& cpu, const Instruction& in) {
  return compare_to_flags<u32>(cpu, in, false);
}
bool exec_COMISD(Cpu& cpu, const Instruction& in) {
  return compare_to_flags<u64>(cpu, in, false);
}
bool exec_UCOMISS(Cpu& cpu, const Instruction& in) {
  return compare_to_flags<u32>(cpu, in, true);
}
bool exec_UCOMISD(Cpu& cpu, const Instruction& in) {
  return compare_to_flags<u64>(cpu, in, true);
}

bool exec_HADDPS(Cpu& cpu, const Instruction& in) {
  return horizontal<Add, u32>(cpu, in);
}
bool exec_HADDPD(Cpu& cpu, const Instruction& in) {
  return horizontal<Add, u64>(cpu, in);
}
bool exec_HSUBPS(Cpu& cpu, const Instruction& in) {
  return horizontal<Subtract, u32>(cpu, in);
}
bool exec_HSUBPD(Cpu& cpu, const Instruction& in) {
  return horizontal<Subtract, u64>(cpu, in);
}
bool exec_ADDSUBPS(Cpu& cpu, const Instruction& in) {
  return add_subtract<u32>(cpu, in);
}
bool exec_ADDSUBPD(Cpu& cpu, const Instruction& in) {
  return add_subtract<u64>(cpu, in);
}

bool exec_ROUNDPS(Cpu& cpu, const Instruction& in) {
  return round_vector<u32>(cpu, in);
}
bool exec_ROUNDPD(Cpu& cpu, const Instruction& in) {
  return round_vector<u64>(cpu, in);
}
bool exec_ROUNDSS(Cpu& cpu, const Instruction& in) {
  return round_scalar<u32>(cpu, in);
}
bool exec_ROUNDSD(Cpu& cpu, const Instruction& in) {
  return round_scalar<u64>(cpu, in);
}

bool exec_RCPPS(Cpu& cpu, const Instruction& in) {
  return approximate_vector(cpu, in, soft_float::reciprocal);
}
bool exec_RCPSS(Cpu& cpu, const Instruction& in) {
  return approximate_scalar(cpu, in, soft_float::reciprocal);
}
bool exec_RSQRTPS(Cpu& cpu, const Instruction& in) {
  return approximate_vector(cpu, in, soft_float::reciprocal_square_root);
}
bool exec_RSQRTSS(Cpu& cpu, const Instruction& in) {
  return approximate_scalar(cpu, in, soft_float::reciprocal_square_root);
}

bool exec_DPPS(Cpu& cpu, const Instruction& in) {
  return dot_product<u32>(cpu, in);
}
bool exec_DPPD(Cpu& cpu, const Instruction& in) {
  return dot_product<u64>(cpu, in);
}

}  // namespace lapwing
