// Lazy status flags in one uniform representation, so that reading never depends on which instruction wrote
// them.
//   flags_result   the result, sign-extended to 64 bits
//   flags_carries  bit 63 = CF, bit 62 = carry into the top bit (OF = bit 63 ^ bit 62), bit 3 = carry out of
//   bit 3 (AF),
//                  bits 15:8 = byte XORed into the result's low byte before taking parity, bit 0 = XORed into
//                  SF.
// ZF = (result == 0), SF = result[63] ^ carries[0], PF = even parity of result[7:0] ^ carries[15:8].
#pragma once

#include <bit>
#include <type_traits>

#include "core/cpu/state.h"

namespace lapwing {

constexpr u64 kCarryCf = 1ull << 63;
constexpr u64 kCarryPo = 1ull << 62;
constexpr u64 kCarryAf = 1ull << 3;

// Sign-extends an operand of its own width.
template <class T>
constexpr u64 sign_extend(T value) {
  return static_cast<u64>(static_cast<i64>(static_cast<std::make_signed_t<T>>(value)));
}

// Moves the carries of a T-wide addition to the representation above.
template <class T>
constexpr u64 pack_carries(T carries) {
  constexpr unsigned kShift = 64 - 8 * sizeof(T);
  return ((static_cast<u64>(carries) << kShift) & (kCarryCf | kCarryPo)) | (carries & kCarryAf);
}

template <class T>
inline void set_flags_add(CpuState& s, T a, T b, T result) {
  s.flags_result = sign_extend(result);
  s.flags_carries = pack_carries<T>(static_cast<T>((a & b) | ((a | b) & static_cast<T>(~result))));
}

template <class T>
inline void set_flags_sub(CpuState& s, T a, T b, T result) {
  const T not_a = static_cast<T>(~a);
  s.flags_result = sign_extend(result);
  s.flags_carries = pack_carries<T>(static_cast<T>((not_a & b) | ((not_a | b) & result)));
}

template <class T>
inline void set_flags_logic(CpuState& s, T result) {
  s.flags_result = sign_extend(result);
  s.flags_carries = 0;
}

inline bool flag_cf(const CpuState& s) {
  return (s.flags_carries >> 63) != 0;
}
inline bool flag_of(const CpuState& s) {
  return ((s.flags_carries ^ (s.flags_carries << 1)) >> 63) != 0;
}
inline bool flag_zf(const CpuState& s) {
  return s.flags_result == 0;
}
inline bool flag_sf(const CpuState& s) {
  return ((s.flags_result >> 63) ^ (s.flags_carries & 1)) != 0;
}
inline bool flag_af(const CpuState& s) {
  return (s.flags_carries & kCarryAf) != 0;
}
inline bool flag_pf(const CpuState& s) {
  const auto byte = static_cast<u8>(s.flags_result ^ (s.flags_carries >> 8));
  return (std::popcount(byte) & 1) == 0;
}

// The six status flags in their RFLAGS positions.
inline u64 status_flags(const CpuState& s) {
  return (flag_cf(s) ? rflags::kCf : 0) | (flag_pf(s) ? rflags::kPf : 0) | (flag_af(s) ? rflags::kAf : 0) |
         (flag_zf(s) ? rflags::kZf : 0) | (flag_sf(s) ? rflags::kSf : 0) | (flag_of(s) ? rflags::kOf : 0);
}

// Sets all six from RFLAGS positions; the result is a canonical encoding.
inline void set_status_flags(CpuState& s, u64 flags) {
  const bool zero = (flags & rflags::kZf) != 0;
  s.flags_result = zero ? 0 : 1;
  const bool cf = (flags & rflags::kCf) != 0;
  const bool of = (flags & rflags::kOf) != 0;
  // Parity of 0 is even, of 1 odd.
  const bool flip_parity = ((flags & rflags::kPf) != 0) != zero;
  s.flags_carries = (cf ? kCarryCf : 0) | (cf != of ? kCarryPo : 0) |
                    ((flags & rflags::kAf) != 0 ? kCarryAf : 0) | (flip_parity ? 1ull << 8 : 0) |
                    ((flags & rflags::kSf) != 0 ? 1ull : 0);
}

inline void set_cf(CpuState& s, bool cf) {
  if (flag_cf(s) != cf) s.flags_carries ^= kCarryCf | kCarryPo;  // OF keeps its value
}

inline u64 get_rflags(const CpuState& s) {
  return s.rflags_rest | status_flags(s);
}

// Condition codes of Jcc, SETcc, CMOVcc by their encoding (SDM vol. 1, appendix "EFLAGS Condition Codes").
template <unsigned code>
inline bool condition_holds(const CpuState& s) {
  constexpr unsigned kKind = code >> 1;
  bool holds = false;
  if constexpr (kKind == 0) holds = flag_of(s);
  if constexpr (kKind == 1) holds = flag_cf(s);
  if constexpr (kKind == 2) holds = flag_zf(s);
  if constexpr (kKind == 3) holds = flag_cf(s) || flag_zf(s);
  if constexpr (kKind == 4) holds = flag_sf(s);
  if constexpr (kKind == 5) holds = flag_pf(s);
  if constexpr (kKind == 6) holds = flag_sf(s) != flag_of(s);
  if constexpr (kKind == 7) holds = flag_zf(s) || flag_sf(s) != flag_of(s);
  return holds != ((code & 1) != 0);
}

bool condition_holds(const CpuState& s, unsigned code);

}  // namespace lapwing
