// Packed SSE arithmetic on host floating point, under the same conditions as sse_float.cpp in every lane.
#include "wasm_jit/frontend/families.h"
#include "wasm_jit/frontend/sse.h"

namespace lapwing::jit::family {

using namespace sse;

namespace {

constexpr u32 kAnd = 78, kAndNot = 79, kOr = 80, kAnyTrue = 83;

// Opcodes for lanes of 4 and 8 bytes, and the bounds of the conditions.
struct PackedOps {
  u32 add, subtract, multiply, divide, abs, equal, less, greater_equal;
  u64 least_normal, least_safe, infinity;  // in every lane
};
constexpr PackedOps kSingles{
    228, 229, 230, 231, 224, 65, 67, 70, 0x0080000000800000, 0x0100000001000000, 0x7F8000007F800000};
constexpr PackedOps kDoubles{
    240, 241, 242, 243, 236, 71, 73, 76, 0x0010000000000000, 0x0020000000000000, 0x7FF0000000000000};

struct Packed {
  Translator& t;
  const PackedOps& ops;

  Value two(u32 op, Value a, Value b) const { return t.b().simd(op, Type::kV128, a, b); }
  Value all(u64 lane) const { return t.b().const128(lane, lane); }
  Value abs(Value a) const { return t.b().simd(ops.abs, Type::kV128, a); }
  Value is_zero(Value a) const { return two(ops.equal, a, all(0)); }
  // Not zero and below the least normal number.
  Value is_denormal(Value a) const {
    return two(kAndNot, two(ops.less, abs(a), all(ops.least_normal)), is_zero(a));
  }
  Value is_safe(Value a) const {
    const Value magnitude = abs(a);
    return two(kAnd, two(ops.greater_equal, magnitude, all(ops.least_safe)),
               two(ops.less, magnitude, all(ops.infinity)));
  }
  void exit_if_any(Value mask) const { t.b().exit_if(t.b().simd(kAnyTrue, Type::kI32, mask), t.here()); }
};

}  // namespace

bool sse_packed(Translator& t, const Instruction& in) {
  t.check_sse();
  t.check_mxcsr();
  const bool singles = in.op == Op::ADDPS || in.op == Op::SUBPS || in.op == Op::MULPS || in.op == Op::DIVPS;
  const Packed p{t, singles ? kSingles : kDoubles};
  const Value b = load_vector(t, in, true);
  const Value a = read_xmm(t, in.reg);
  const bool multiplies = in.op == Op::MULPS || in.op == Op::MULPD;
  const bool divides = in.op == Op::DIVPS || in.op == Op::DIVPD;
  u32 op = p.ops.add;
  if (in.op == Op::SUBPS || in.op == Op::SUBPD) op = p.ops.subtract;
  if (multiplies) op = p.ops.multiply;
  if (divides) op = p.ops.divide;
  const Value result = p.two(op, a, b);
  // A zero must be exact: of a product a factor is zero, of a quotient the dividend.
  Value zero = p.is_zero(result);
  if (multiplies) zero = p.two(kAnd, zero, p.two(kOr, p.is_zero(a), p.is_zero(b)));
  if (divides) zero = p.two(kAnd, zero, p.is_zero(a));
  const Value good = p.two(kOr, p.is_safe(result), zero);
  const Value denormal = p.two(kOr, p.is_denormal(a), p.is_denormal(b));
  const Value fine = p.two(kAndNot, good, denormal);
  p.exit_if_any(t.b().simd(77, Type::kV128, fine));
  write_xmm(t, in.reg, result);
  return true;
}

}  // namespace lapwing::jit::family
