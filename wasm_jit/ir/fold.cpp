#include "wasm_jit/ir/fold.h"

#include <bit>

namespace lapwing::jit {

namespace {

template <class T>
struct Signed;
template <>
struct Signed<u32> {
  using type = i32;
};
template <>
struct Signed<u64> {
  using type = i64;
};

// `op` as its 32-bit name.
template <class T>
bool evaluate_as(IrOp op, T a, T b, u64& result) {
  using S = typename Signed<T>::type;
  constexpr T kMask = 8 * sizeof(T) - 1;
  const auto sa = static_cast<S>(a);
  const auto sb = static_cast<S>(b);
  const int places = static_cast<int>(b & kMask);
  switch (op) {
    case IrOp::kAdd32: result = static_cast<T>(a + b); return true;
    case IrOp::kSub32: result = static_cast<T>(a - b); return true;
    case IrOp::kMul32: result = static_cast<T>(a * b); return true;
    case IrOp::kAnd32: result = a & b; return true;
    case IrOp::kOr32: result = a | b; return true;
    case IrOp::kXor32: result = a ^ b; return true;
    case IrOp::kShl32: result = static_cast<T>(a << places); return true;
    case IrOp::kShrS32: result = static_cast<T>(sa >> places); return true;
    case IrOp::kShrU32: result = static_cast<T>(a >> places); return true;
    case IrOp::kRotl32: result = std::rotl(a, places); return true;
    case IrOp::kRotr32: result = std::rotr(a, places); return true;
    case IrOp::kClz32: result = static_cast<u64>(std::countl_zero(a)); return true;
    case IrOp::kCtz32: result = static_cast<u64>(std::countr_zero(a)); return true;
    case IrOp::kPopcnt32: result = static_cast<u64>(std::popcount(a)); return true;
    case IrOp::kEqz32: result = a == 0; return true;
    case IrOp::kEq32: result = a == b; return true;
    case IrOp::kNe32: result = a != b; return true;
    case IrOp::kLtS32: result = sa < sb; return true;
    case IrOp::kLtU32: result = a < b; return true;
    case IrOp::kGtS32: result = sa > sb; return true;
    case IrOp::kGtU32: result = a > b; return true;
    case IrOp::kLeS32: result = sa <= sb; return true;
    case IrOp::kLeU32: result = a <= b; return true;
    case IrOp::kGeS32: result = sa >= sb; return true;
    case IrOp::kGeU32: result = a >= b; return true;
    case IrOp::kSext832: result = static_cast<T>(static_cast<S>(static_cast<i8>(a))); return true;
    case IrOp::kSext1632: result = static_cast<T>(static_cast<S>(static_cast<i16>(a))); return true;
    default: return false;
  }
}

}  // namespace

bool evaluate(IrOp op, u64 a, u64 b, u64& result) {
  switch (op) {
    case IrOp::kWrap:
    case IrOp::kExtendU: result = static_cast<u32>(a); return true;
    case IrOp::kExtendS: result = static_cast<u64>(static_cast<i64>(static_cast<i32>(a))); return true;
    default: break;
  }
  if (op < IrOp::kAdd32 || op > IrOp::kSext1664) return false;
  const auto distance = static_cast<u8>(static_cast<u8>(op) - static_cast<u8>(IrOp::kAdd32));
  if (distance % 2 == 0) return evaluate_as<u32>(op, static_cast<u32>(a), static_cast<u32>(b), result);
  return evaluate_as<u64>(static_cast<IrOp>(static_cast<u8>(op) - 1), a, b, result);
}

}  // namespace lapwing::jit
