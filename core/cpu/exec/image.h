// A processor state image in guest memory (FSAVE, FXSAVE, XSAVE areas), moved through a buffer so that a
// fault anywhere in it leaves registers and memory as they were.
#pragma once

#include <algorithm>
#include <cstring>

#include "core/cpu/exec/access.h"

namespace lapwing {

class MemoryImage {
 public:
  static constexpr unsigned kCapacity = 2752;  // an XSAVE area up to and including PKRU

  template <class T>
  void put(unsigned offset, T value) {
    std::memcpy(bytes_ + offset, &value, sizeof(T));
  }
  template <class T>
  T get(unsigned offset) const {
    T value;
    std::memcpy(&value, bytes_ + offset, sizeof(T));
    return value;
  }

  // The first `size` bytes from or to the memory operand of `in`. As in CPUs, the first word (whose alignment
  // may be checked) and the last byte are looked at before the rest.
  bool load(Cpu& cpu, const Instruction& in, unsigned size) {
    u64 linear;
    u8 last;
    const bool stack = is_stack(in.segment);
    return locate(cpu, in, size, false, linear) &&
           cpu.read_slow(linear, bytes_, word_size(in), stack, cpu.data_mode()) &&
           load_linear(cpu, (linear + size - 1) & cpu.linear_mask(), stack, last) &&
           load_range(cpu, in, linear, 0, size);
  }
  bool store(Cpu& cpu, const Instruction& in, unsigned size) {
    u64 linear;
    const bool stack = is_stack(in.segment);
    return locate(cpu, in, size, true, linear) &&
           cpu.probe_write(linear, word_size(in), stack, cpu.data_mode()) &&
           cpu.probe_write((linear + size - 1) & cpu.linear_mask(), 1, stack, cpu.data_mode()) &&
           probe(cpu, in, linear, 0, size) && store_range(cpu, in, linear, 0, size);
  }

  // The same by parts, for areas with holes: `linear` is that of the whole area's first byte.
  static bool locate(Cpu& cpu, const Instruction& in, unsigned size, bool write, u64& linear) {
    return linear_address(cpu, in.segment, effective_address(cpu.state, in), size, write, linear);
  }
  bool load_range(Cpu& cpu, const Instruction& in, u64 linear, unsigned first, unsigned size) {
    const bool stack = is_stack(in.segment);
    for (unsigned done = first; done < first + size;) {
      const u64 at = (linear + done) & cpu.linear_mask();
      const unsigned step = chunk(at, first + size - done);
      Block block;
      if (step == sizeof(Block)) {
        if (!load_linear(cpu, at, stack, block)) return false;
        std::memcpy(bytes_ + done, &block, sizeof block);
      } else if (!cpu.read_slow(at, bytes_ + done, step, stack, cpu.data_mode())) {
        return false;
      }
      done += step;
    }
    return true;
  }
  bool store_range(Cpu& cpu, const Instruction& in, u64 linear, unsigned first, unsigned size) const {
    const bool stack = is_stack(in.segment);
    for (unsigned done = first; done < first + size;) {
      const u64 at = (linear + done) & cpu.linear_mask();
      const unsigned step = chunk(at, first + size - done);
      if (step == sizeof(Block)) {
        if (!store_linear(cpu, at, stack, get<Block>(done))) return false;
      } else if (!cpu.write_slow(at, bytes_ + done, step, stack, cpu.data_mode())) {
        return false;
      }
      done += step;
    }
    return true;
  }
  // Write-checks the range, page by page.
  static bool probe(Cpu& cpu, const Instruction& in, u64 linear, unsigned first, unsigned size) {
    for (unsigned done = first; done < first + size;) {
      const u64 at = (linear + done) & cpu.linear_mask();
      const unsigned step =
          std::min(first + size - done, static_cast<unsigned>(kPageSize - (at & kPageMask)));
      if (!cpu.probe_write(at, step, is_stack(in.segment), cpu.data_mode())) return false;
      done += step;
    }
    return true;
  }

 private:
  struct Block {
    u64 words[2];
  };
  static unsigned word_size(const Instruction& in) { return in.operand_size == 2 ? 2 : 4; }

  // Pieces of at most 16 bytes that stay within aligned 16-byte blocks, so none crosses a page.
  static unsigned chunk(u64 linear, unsigned left) {
    return std::min(left, static_cast<unsigned>(sizeof(Block)) - static_cast<unsigned>(linear & 15));
  }

  alignas(16) u8 bytes_[kCapacity] = {};
};

}  // namespace lapwing
