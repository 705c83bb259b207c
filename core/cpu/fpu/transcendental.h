// The x87 transcendental instructions, computed with a 128-bit significand and rounded once, so within one
// unit in the last place everywhere and nearly always correctly rounded. Same bits on every host. Intel SDM
// vol. 1, 8.3.8 (pi: arguments are reduced by the 66-bit value), 8.3.10; vol. 2: operand tables of each page.
// As on the hardware, precision control is ignored, a finite non-zero result always reports inexact, and
// operands outside the documented ranges of F2XM1 and FYL2XP1 give the operand itself.
#pragma once

#include "core/cpu/fpu/float80.h"

namespace lapwing::float80 {

// 2^a - 1 for -1 <= a <= 1.
Float80 f2xm1(FpContext& context, Float80 a);
// y * log2(x).
Float80 fyl2x(FpContext& context, Float80 x, Float80 y);
// y * log2(x + 1).
Float80 fyl2xp1(FpContext& context, Float80 x, Float80 y);
// arctan(y / x) in the quadrant of (x, y).
Float80 fpatan(FpContext& context, Float80 x, Float80 y);

// `incomplete` (C2): |a| >= 2^63, nothing is changed.
struct Trigonometric {
  Float80 value;   // sine, cosine or tangent
  Float80 second;  // FSINCOS: the cosine, which is pushed; FPTAN: 1.0 (or the NaN), which is pushed
  bool incomplete = false;
};
Trigonometric fsin(FpContext& context, Float80 a);
Trigonometric fcos(FpContext& context, Float80 a);
Trigonometric fsincos(FpContext& context, Float80 a);
Trigonometric fptan(FpContext& context, Float80 a);

}  // namespace lapwing::float80
