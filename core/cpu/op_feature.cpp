#include "core/cpu/op_feature.h"

#include <array>

namespace lapwing {

namespace {

constexpr std::size_t kOps = static_cast<std::size_t>(Op::kCount);
constexpr Feature kAlways = Feature::kCount;

// The feature of an op; of its XMM form when it has an MMX form too (operand_size 8 and 16).
struct OpFeature {
  Feature feature = kAlways;
  Feature xmm_form = kAlways;  // kAlways: the same
};
using Table = std::array<OpFeature, kOps>;

template <class... Ops>
constexpr void one(Table& table, Feature feature, Ops... ops) {
  ((table[static_cast<std::size_t>(ops)] = OpFeature{feature, kAlways}), ...);
}

template <class... Ops>
constexpr void pair(Table& table, Feature mmx, Feature xmm, Ops... ops) {
  ((table[static_cast<std::size_t>(ops)] = OpFeature{mmx, xmm}), ...);
}

constexpr void general(Table& t) {
  using enum Op;
  one(t, Feature::CMOV, CMOVCC, FCMOVB, FCMOVNB, FCMOVE, FCMOVNE, FCMOVBE, FCMOVNBE, FCMOVU, FCMOVNU, FCOMI,
      FCOMIP, FUCOMI, FUCOMIP);
  one(t, Feature::CX8, CMPXCHG8B);
  one(t, Feature::CX16, CMPXCHG16B);
  one(t, Feature::POPCNT, POPCNT);
  one(t, Feature::MOVBE, MOVBE);
  one(t, Feature::ADX, ADCX, ADOX);
  one(t, Feature::BMI1, ANDN, BEXTR, BLSI, BLSMSK, BLSR);
  one(t, Feature::BMI2, BZHI, MULX, PDEP, PEXT, RORX, SARX, SHLX, SHRX);
  one(t, Feature::SEP, SYSENTER, SYSEXIT);
  one(t, Feature::SYSCALL, SYSCALL, SYSRET);
  one(t, Feature::INVPCID, INVPCID);
  one(t, Feature::CLFSH, CLFLUSH);
  one(t, Feature::CLFLUSHOPT, CLFLUSHOPT);
  one(t, Feature::FXSR, FXSAVE, FXRSTOR);
  one(t, Feature::XSAVEOPT, XSAVEOPT);
  one(t, Feature::XSAVEC, XSAVEC);
  one(t, Feature::SSE3, FISTTP);
}

constexpr void mmx(Table& t) {
  using enum Op;
  one(t, Feature::MMX, MOVD_MMX, MOVQ_MMX, EMMS);
  pair(t, Feature::MMX, Feature::SSE2, PUNPCKLBW, PUNPCKLWD, PUNPCKLDQ, PUNPCKHBW, PUNPCKHWD, PUNPCKHDQ,
       PACKSSWB, PACKUSWB, PACKSSDW, PCMPGTB, PCMPGTW, PCMPGTD, PCMPEQB, PCMPEQW, PCMPEQD, PADDB, PADDW,
       PADDD, PADDSB, PADDSW, PADDUSB, PADDUSW, PSUBB, PSUBW, PSUBD, PSUBSB, PSUBSW, PSUBUSB, PSUBUSW, PMULLW,
       PMULHW, PMADDWD, PAND, PANDN, POR, PXOR, PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD, PSLLW, PSLLD, PSLLQ);
  // The Pentium III's additions to MMX.
  pair(t, Feature::SSE, Feature::SSE2, PAVGB, PAVGW, PINSRW, PEXTRW, PMINUB, PMAXUB, PMINSW, PMAXSW, PMULHUW,
       PSADBW, PMOVMSKB);
  one(t, Feature::SSE, PSHUFW, MASKMOVQ, MOVNTQ);
  one(t, Feature::SSE2, PADDQ, PSUBQ, PMULUDQ);
}

constexpr void sse(Table& t) {
  using enum Op;
  one(t, Feature::SSE, LDMXCSR, STMXCSR, SFENCE, MOVAPS, MOVUPS, MOVSS, MOVLPS, MOVHPS, MOVHLPS, MOVLHPS,
      MOVNTPS, MOVMSKPS, ADDPS, ADDSS, MULPS, MULSS, SUBPS, SUBSS, MINPS, MINSS, DIVPS, DIVSS, MAXPS, MAXSS,
      SQRTPS, SQRTSS, RSQRTPS, RSQRTSS, RCPPS, RCPSS, ANDPS, ANDNPS, ORPS, XORPS, UNPCKLPS, UNPCKHPS, SHUFPS,
      CMPPS, CMPSS, UCOMISS, COMISS, CVTSI2SS, CVTTSS2SI, CVTSS2SI, CVTPI2PS, CVTTPS2PI, CVTPS2PI);
  one(t, Feature::SSE2, LFENCE, MFENCE, MOVNTI, MOVD, MOVQ, MOVDQA, MOVDQU, MOVAPD, MOVUPD, MOVSD, MOVLPD,
      MOVHPD, MOVQ2DQ, MOVDQ2Q, MOVNTPD, MOVNTDQ, MASKMOVDQU, MOVMSKPD, ADDPD, ADDSD, MULPD, MULSD, SUBPD,
      SUBSD, MINPD, MINSD, DIVPD, DIVSD, MAXPD, MAXSD, SQRTPD, SQRTSD, ANDPD, ANDNPD, ORPD, XORPD, UNPCKLPD,
      UNPCKHPD, SHUFPD, CMPPD, CMPSD, UCOMISD, COMISD, CVTSI2SD, CVTTSD2SI, CVTSD2SI, CVTPI2PD, CVTTPD2PI,
      CVTPD2PI, CVTPS2PD, CVTPD2PS, CVTSS2SD, CVTSD2SS, CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ, CVTDQ2PD, CVTPD2DQ,
      CVTTPD2DQ, PUNPCKLQDQ, PUNPCKHQDQ, PSHUFD, PSHUFHW, PSHUFLW, PSLLDQ, PSRLDQ);
  one(t, Feature::SSE3, LDDQU, MOVDDUP, MOVSLDUP, MOVSHDUP, HADDPS, HADDPD, HSUBPS, HSUBPD, ADDSUBPS,
      ADDSUBPD);
  one(t, Feature::SSSE3, PSHUFB, PHADDW, PHADDD, PHADDSW, PMADDUBSW, PHSUBW, PHSUBD, PHSUBSW, PSIGNB, PSIGNW,
      PSIGND, PMULHRSW, PABSB, PABSW, PABSD, PALIGNR);
  one(t, Feature::SSE4_1, MOVNTDQA, PBLENDVB, BLENDVPS, BLENDVPD, PTEST, PMOVSXBW, PMOVSXBD, PMOVSXBQ,
      PMOVSXWD, PMOVSXWQ, PMOVSXDQ, PMOVZXBW, PMOVZXBD, PMOVZXBQ, PMOVZXWD, PMOVZXWQ, PMOVZXDQ, PMULDQ,
      PCMPEQQ, PACKUSDW, PMINSB, PMINSD, PMINUW, PMINUD, PMAXSB, PMAXSD, PMAXUW, PMAXUD, PMULLD, PHMINPOSUW,
      ROUNDPS, ROUNDPD, ROUNDSS, ROUNDSD, BLENDPS, BLENDPD, PBLENDW, DPPS, DPPD, MPSADBW, INSERTPS, PEXTRB,
      PEXTRD, EXTRACTPS, PINSRB, PINSRD);
  one(t, Feature::SSE4_2, CRC32, PCMPGTQ, PCMPESTRM, PCMPESTRI, PCMPISTRM, PCMPISTRI);
  one(t, Feature::AES, AESIMC, AESENC, AESENCLAST, AESDEC, AESDECLAST, AESKEYGENASSIST);
  one(t, Feature::PCLMULQDQ, PCLMULQDQ);
}

constexpr Table make_table() {
  Table table{};
  general(table);
  mmx(table);
  sse(table);
  return table;
}
constexpr Table kTable = make_table();

// The multi-byte NOP came with CMOV; before it 0F 1F is undefined.
bool hint_exists(const CpuModel& model, const Instruction& in) {
  if (in.op != Op::NOP || in.form != Form::kM) return true;
  return model.has(Feature::CMOV);
}

}  // namespace

bool model_has(const CpuModel& model, const Instruction& in) {
  const OpFeature& row = kTable[static_cast<std::size_t>(in.op)];
  // The word form of PEXTRW to memory is SSE4.1's (its operand_size is 2).
  if (in.op == Op::PEXTRW && in.operand_size == 2) return model.has(Feature::SSE4_1);
  const bool xmm = row.xmm_form != kAlways && in.operand_size == 16;
  const Feature feature = xmm ? row.xmm_form : row.feature;
  return (feature == kAlways || model.has(feature)) && hint_exists(model, in);
}

}  // namespace lapwing
