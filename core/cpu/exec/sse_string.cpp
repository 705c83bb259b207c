// SSE4.2 string comparison PCMPESTRx and PCMPISTRx (Intel SDM vol. 2, 4.1: imm8 control byte operation).
#include <algorithm>

#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/sse.h"

namespace lapwing {

namespace {

using namespace sse;

enum class Aggregation : u8 { kEqualAny, kRanges, kEqualEach, kEqualOrdered };

struct Control {
  bool words;
  bool is_signed;
  Aggregation aggregation;
  bool negative;
  bool masked;  // negate only valid elements of the second operand
  bool last;    // index of the most significant bit; for masks: expand to elements
};

Control decode_control(u64 imm) {
  return {bit_of(imm, 0), bit_of(imm, 1), static_cast<Aggregation>((imm >> 2) & 3),
          bit_of(imm, 4), bit_of(imm, 5), bit_of(imm, 6)};
}

// One operand as numbers, and how many of them are valid.
struct Text {
  std::array<i32, 16> element;
  unsigned valid;
};

unsigned element_count(const Control& control) {
  return control.words ? 8 : 16;
}

template <class T>
void fill(Text& text, const XmmRegister& value) {
  const Lanes<T> lane = lanes<T>(value);
  for (std::size_t i = 0; i < lane.size(); ++i) text.element[i] = lane[i];
}

Text read_text(const Control& control, const XmmRegister& value) {
  Text text{};
  if (control.words) {
    control.is_signed ? fill<i16>(text, value) : fill<u16>(text, value);
  } else {
    control.is_signed ? fill<i8>(text, value) : fill<u8>(text, value);
  }
  return text;
}

unsigned implicit_length(const Control& control, const Text& text) {
  unsigned length = 0;
  while (length < element_count(control) && text.element[length] != 0) ++length;
  return length;
}

// |RAX| or |EAX| (RDX, EDX), saturated to the number of elements.
unsigned explicit_length(const Control& control, u64 value, bool wide) {
  const i64 length = wide ? static_cast<i64>(value) : static_cast<i32>(value);
  const u64 magnitude = length < 0 ? u64{0} - static_cast<u64>(length) : static_cast<u64>(length);
  return static_cast<unsigned>(std::min<u64>(magnitude, element_count(control)));
}

bool in_any(const Text& set, i32 value) {
  return std::find(set.element.begin(), set.element.begin() + set.valid, value) !=
         set.element.begin() + set.valid;
}

// A range needs both its ends valid.
bool in_ranges(const Text& ranges, i32 value) {
  for (unsigned i = 0; i + 1 < ranges.valid; i += 2) {
    if (value >= ranges.element[i] && value <= ranges.element[i + 1]) return true;
  }
  return false;
}

bool equal_each(const Text& a, const Text& b, unsigned i) {
  const bool a_valid = i < a.valid;
  const bool b_valid = i < b.valid;
  return a_valid && b_valid ? a.element[i] == b.element[i] : a_valid == b_valid;
}

// Whether `needle` stands at `at`; past the register's end it counts as found so far.
bool stands_at(const Text& needle, const Text& haystack, unsigned at, unsigned count) {
  for (unsigned i = 0; i < needle.valid && at + i < count; ++i) {
    if (at + i >= haystack.valid || needle.element[i] != haystack.element[at + i]) return false;
  }
  return true;
}

// IntRes1, then IntRes2 by the polarity.
u32 compare_texts(const Control& control, const Text& a, const Text& b) {
  const unsigned count = element_count(control);
  u32 result = 0;
  for (unsigned i = 0; i < count; ++i) {
    bool bit = false;
    switch (control.aggregation) {
      case Aggregation::kEqualAny: bit = i < b.valid && in_any(a, b.element[i]); break;
      case Aggregation::kRanges: bit = i < b.valid && in_ranges(a, b.element[i]); break;
      case Aggregation::kEqualEach: bit = equal_each(a, b, i); break;
      case Aggregation::kEqualOrdered: bit = stands_at(a, b, i, count); break;
    }
    const bool negates = control.negative && (!control.masked || i < b.valid);
    result |= static_cast<u32>(bit != negates) << i;
  }
  return result;
}

void write_index(CpuState& s, const Control& control, u32 result) {
  u32 index = element_count(control);
  if (result != 0) {
    index = static_cast<u32>(control.last ? 31 - std::countl_zero(result) : std::countr_zero(result));
  }
  write_reg<u32>(s, kRcx * 8, index);
}

void write_mask(CpuState& s, const Control& control, u32 result) {
  if (!control.last) {
    s.xmm[0] = {result, 0};
  } else if (control.words) {
    Lanes<u16> lane;
    for (unsigned i = 0; i < lane.size(); ++i) lane[i] = bit_of(result, i) ? 0xFFFF : 0;
    s.xmm[0] = to_xmm(lane);
  } else {
    Lanes<u8> lane;
    for (unsigned i = 0; i < lane.size(); ++i) lane[i] = bit_of(result, i) ? 0xFF : 0;
    s.xmm[0] = to_xmm(lane);
  }
}

bool compare(Cpu& cpu, const Instruction& in, bool explicit_lengths, bool to_index) {
  CpuState& s = cpu.state;
  XmmRegister source;
  if (!check_available(cpu) || !load_vector(cpu, in, source, false)) return false;
  const Control control = decode_control(in.imm);
  Text a = read_text(control, s.xmm[in.reg]);
  Text b = read_text(control, source);
  const bool wide = (in.prefixes & kPrefixRexW) != 0;
  a.valid = explicit_lengths ? explicit_length(control, s.gpr[kRax], wide) : implicit_length(control, a);
  b.valid = explicit_lengths ? explicit_length(control, s.gpr[kRdx], wide) : implicit_length(control, b);
  const u32 result = compare_texts(control, a, b);
  if (to_index) {
    write_index(s, control, result);
  } else {
    write_mask(s, control, result);
  }
  const unsigned count = element_count(control);
  set_status_flags(s, (result != 0 ? rflags::kCf : 0) | (b.valid < count ? rflags::kZf : 0) |
                          (a.valid < count ? rflags::kSf : 0) | (bit_of(result, 0) ? rflags::kOf : 0));
  return true;
}

}  // namespace

bool exec_PCMPESTRI(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, true, true);
}
bool exec_PCMPESTRM(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, true, false);
}
bool exec_PCMPISTRI(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, false, true);
}
bool exec_PCMPISTRM(Cpu& cpu, const Instruction& in) {
  return compare(cpu, in, false, false);
}

}  // namespace lapwing
