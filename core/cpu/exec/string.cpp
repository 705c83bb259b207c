#include "core/cpu/exec/string.h"

#include "core/cpu/exec/alu.h"
#include "core/cpu/exec/handlers.h"

namespace lapwing {

StringSpan string_span(Cpu& cpu, u8 segment, u64 offset, u64 offset_mask, bool write, unsigned size) {
  const CpuState& s = cpu.state;
  u64 linear = offset;
  if (segment < kFlat) {
    if (!bit_of(cpu.simple_segments(), segment)) return {};
    linear = (offset + s.seg[segment].base) & cpu.linear_mask();
  }
  const TlbEntry& entry = cpu.tlb_entries()[Tlb::index_of(linear)];
  const auto place_in_page = [&] { return linear - (write ? entry.tag_write : entry.tag_read); };
  u64 in_page = place_in_page();
  if (in_page > kPageSize - size) {
    // Source and target may share a TLB slot, so each span fills it for itself. What fails here fails again
    // in the ordinary path.
    u64 ignored;
    const bool filled = (linear & kPageMask) <= kPageSize - size &&
                        (write ? cpu.probe_write(linear, size, false, cpu.data_mode())
                               : cpu.read_slow(linear, &ignored, size, false, cpu.data_mode()));
    in_page = place_in_page();
    if (!filled || in_page > kPageSize - size) return {};
  }
  u64 bytes_on = kPageSize - in_page;
  u64 offsets_on = offset_mask - offset;  // one less than the bytes before the offset wraps
  if (runs_backward(s)) {
    bytes_on = in_page + size;
    offsets_on = offset + size - 1;
  }
  const u64 count = std::min(bytes_on / size, offsets_on / size + (offsets_on % size == size - 1 ? 1 : 0));
  return {reinterpret_cast<u8*>(static_cast<std::uintptr_t>(linear) + entry.addend), count};
}

namespace {

constexpr u8 kAl = 8 * kRax;

template <class T>
std::ptrdiff_t host_step(const CpuState& s) {
  constexpr auto kSize = static_cast<std::ptrdiff_t>(sizeof(T));
  return runs_backward(s) ? -kSize : kSize;
}

template <class T>
T host_load(const u8* pointer) {
  T value;
  std::memcpy(&value, pointer, sizeof(T));
  return value;
}

template <class T>
StringSpan source_span(Cpu& cpu, const Instruction& in, const StringAddress& address) {
  return string_span(cpu, in.segment, address.get(cpu.state, kRsi), address.mask, false, sizeof(T));
}

template <class T>
StringSpan target_span(Cpu& cpu, const Instruction& in, const StringAddress& address, bool write) {
  return string_span(cpu, in.reg, address.get(cpu.state, kRdi), address.mask, write, sizeof(T));
}

// [rDI] <- [rSI]
template <class T>
struct MoveElement {
  static constexpr bool kCompares = false;

  static void truncate(CpuState& s, const StringAddress& address) {
    address.set(s, kRsi, s.gpr[kRsi]);
    address.set(s, kRdi, s.gpr[kRdi]);
  }

  static bool one(Cpu& cpu, const Instruction& in) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    T value;
    if (!load(cpu, in.segment, address.get(s, kRsi), value)) return false;
    if (!store(cpu, in.reg, address.get(s, kRdi), value)) return false;
    address.advance(s, kRsi, 1, sizeof(T));
    address.advance(s, kRdi, 1, sizeof(T));
    return true;
  }

  static u64 bulk(Cpu& cpu, const Instruction& in, u64 limit) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    const StringSpan source = source_span<T>(cpu, in, address);
    const StringSpan target = target_span<T>(cpu, in, address, true);
    const u64 count = std::min({source.count, target.count, limit});
    if (count == 0) return 0;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    const std::ptrdiff_t step = host_step<T>(s);
    // Elements that were just written and are read again repeat a pattern; memmove would not.
    const bool repeats_pattern = static_cast<std::size_t>(target.pointer - source.pointer) < bytes;
    if (step > 0 && !repeats_pattern) {
      std::memmove(target.pointer, source.pointer, bytes);
    } else {
      std::ptrdiff_t at = 0;
      for (u64 i = 0; i < count; ++i, at += step)
        std::memcpy(target.pointer + at, source.pointer + at, sizeof(T));
    }
    address.advance(s, kRsi, count, sizeof(T));
    address.advance(s, kRdi, count, sizeof(T));
    return count;
  }
};

// [rDI] <- rAX
template <class T>
struct StoreElement {
  static constexpr bool kCompares = false;

  static void truncate(CpuState& s, const StringAddress& address) { address.set(s, kRdi, s.gpr[kRdi]); }

  static bool one(Cpu& cpu, const Instruction& in) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    if (!store(cpu, in.reg, address.get(s, kRdi), read_reg<T>(s, kAl))) return false;
    address.advance(s, kRdi, 1, sizeof(T));
    return true;
  }

  static u64 bulk(Cpu& cpu, const Instruction& in, u64 limit) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    const StringSpan target = target_span<T>(cpu, in, address, true);
    const u64 count = std::min(target.count, limit);
    if (count == 0) return 0;
    const T value = read_reg<T>(s, kAl);
    const auto byte = static_cast<u8>(value);
    const std::ptrdiff_t step = host_step<T>(s);
    if (step > 0 && value == static_cast<T>(byte * static_cast<T>(static_cast<T>(~T{0}) / 0xFF))) {
      std::memset(target.pointer, byte, static_cast<std::size_t>(count) * sizeof(T));
    } else {
      std::ptrdiff_t at = 0;
      for (u64 i = 0; i < count; ++i, at += step) std::memcpy(target.pointer + at, &value, sizeof(T));
    }
    address.advance(s, kRdi, count, sizeof(T));
    return count;
  }
};

// rAX <- [rSI]
template <class T>
struct LoadElement {
  static constexpr bool kCompares = false;

  static void truncate(CpuState&, const StringAddress&) {}

  static bool one(Cpu& cpu, const Instruction& in) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    T value;
    if (!load(cpu, in.segment, address.get(s, kRsi), value)) return false;
    write_reg<T>(s, kAl, value);
    address.advance(s, kRsi, 1, sizeof(T));
    return true;
  }

  static u64 bulk(Cpu&, const Instruction&, u64) { return 0; }
};

// rAX - [rDI]
template <class T>
struct ScanElement {
  static constexpr bool kCompares = true;

  static void truncate(CpuState&, const StringAddress&) {}

  static bool one(Cpu& cpu, const Instruction& in) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    T value;
    if (!load(cpu, in.reg, address.get(s, kRdi), value)) return false;
    alu_compute<Op::CMP, T>(s, read_reg<T>(s, kAl), value);
    address.advance(s, kRdi, 1, sizeof(T));
    return true;
  }

  static u64 bulk(Cpu& cpu, const Instruction& in, u64 limit) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    const StringSpan target = target_span<T>(cpu, in, address, false);
    const u64 count = std::min(target.count, limit);
    if (count == 0) return 0;
    const T wanted = read_reg<T>(s, kAl);
    const bool while_equal = (in.prefixes & kPrefixRep) != 0;
    const std::ptrdiff_t step = host_step<T>(s);
    const u8* pointer = target.pointer;
    u64 done = 1;
    while (done < count && (host_load<T>(pointer) == wanted) == while_equal) {
      pointer += step;
      ++done;
    }
    alu_compute<Op::CMP, T>(s, wanted, host_load<T>(pointer));
    address.advance(s, kRdi, done, sizeof(T));
    return done;
  }
};

// [rSI] - [rDI]
template <class T>
struct CompareElement {
  static constexpr bool kCompares = true;

  static void truncate(CpuState&, const StringAddress&) {}

  static bool one(Cpu& cpu, const Instruction& in) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    T first;
    T second;
    // In the order of CPUs, seen when both fault.
    if (!load(cpu, in.reg, address.get(s, kRdi), second)) return false;
    if (!load(cpu, in.segment, address.get(s, kRsi), first)) return false;
    alu_compute<Op::CMP, T>(s, first, second);
    address.advance(s, kRsi, 1, sizeof(T));
    address.advance(s, kRdi, 1, sizeof(T));
    return true;
  }

  static u64 bulk(Cpu& cpu, const Instruction& in, u64 limit) {
    CpuState& s = cpu.state;
    const StringAddress address(in);
    const StringSpan source = source_span<T>(cpu, in, address);
    const StringSpan target = target_span<T>(cpu, in, address, false);
    const u64 count = std::min({source.count, target.count, limit});
    if (count == 0) return 0;
    const bool while_equal = (in.prefixes & kPrefixRep) != 0;
    const std::ptrdiff_t step = host_step<T>(s);
    std::ptrdiff_t at = 0;
    u64 done = 1;
    while (done < count &&
           (host_load<T>(source.pointer + at) == host_load<T>(target.pointer + at)) == while_equal) {
      at += step;
      ++done;
    }
    alu_compute<Op::CMP, T>(s, host_load<T>(source.pointer + at), host_load<T>(target.pointer + at));
    address.advance(s, kRsi, done, sizeof(T));
    address.advance(s, kRdi, done, sizeof(T));
    return done;
  }
};

}  // namespace

bool exec_MOVS(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return run_string<MoveElement<decltype(zero)>>(cpu, in); });
}

bool exec_STOS(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return run_string<StoreElement<decltype(zero)>>(cpu, in); });
}

bool exec_LODS(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return run_string<LoadElement<decltype(zero)>>(cpu, in); });
}

bool exec_SCAS(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return run_string<ScanElement<decltype(zero)>>(cpu, in); });
}

bool exec_CMPS(Cpu& cpu, const Instruction& in) {
  return by_size(in, [&](auto zero) { return run_string<CompareElement<decltype(zero)>>(cpu, in); });
}

}  // namespace lapwing
