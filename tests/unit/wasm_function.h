// A small interpreter for the WebAssembly that wasm_jit/backend emits, so that generated functions run in
// native tests: one function's body, its memory an array. Structured control flow, i32 and i64; calls go to
// `call`.
#pragma once

#include <bit>
#include <cstring>
#include <functional>
#include <vector>

#include "core/types.h"

namespace lapwing::test {

class WasmFunction {
 public:
  explicit WasmFunction(std::vector<u8> body) : body_(std::move(body)) {
    u64 runs = unsigned_at(start_);
    for (; runs > 0; --runs) {
      const u64 count = unsigned_at(start_);
      ++start_;
      locals_ += count;
    }
    match_ends();
  }

  std::vector<u8>* memory = nullptr;
  // Pops its arguments from the back of the stack, pushes its result.
  std::function<void(u64 index, std::vector<u64>& stack)> call;
  bool failed = false;  // a trap or something this interpreter does not know
  u64 steps_left = 1'000'000;

  u32 run(u32 argument) {
    std::vector<u64> locals(1 + locals_, 0);
    locals[0] = argument;
    std::vector<u64> stack;
    std::vector<Label> labels;
    std::size_t pc = start_;
    while (!failed) {
      if (pc >= body_.size() || steps_left-- == 0) {
        failed = true;
        break;
      }
      const std::size_t at = pc;
      const u8 op = body_[pc++];
      switch (op) {
        case 0x02:
        case 0x03:
          ++pc;
          labels.push_back({op == 0x03, at, stack.size()});
          break;
        case 0x04:
          ++pc;
          if (static_cast<u32>(pop(stack)) != 0) {
            labels.push_back({false, at, stack.size()});
          } else {
            pc = ends_[at] + 1;
          }
          break;
        case 0x0B:
          if (labels.empty()) return stack.empty() ? fail() : static_cast<u32>(stack.back());
          labels.pop_back();
          break;
        case 0x0C: pc = branch(unsigned_at(pc), labels, stack); break;
        case 0x0D: {
          const u64 depth = unsigned_at(pc);
          if (static_cast<u32>(pop(stack)) != 0) pc = branch(depth, labels, stack);
          break;
        }
        case 0x0E: {
          const u64 index = static_cast<u32>(pop(stack));
          const u64 count = unsigned_at(pc);
          u64 depth = 0;
          for (u64 i = 0; i <= count; ++i) {
            const u64 target = unsigned_at(pc);
            if (i <= index) depth = target;
          }
          pc = branch(depth, labels, stack);
          break;
        }
        case 0x10: call(unsigned_at(pc), stack); break;
        case 0x1A: pop(stack); break;
        case 0x1B: {
          const bool first = static_cast<u32>(pop(stack)) != 0;
          const u64 other = pop(stack);
          if (!first) stack.back() = other;
          break;
        }
        case 0x20: stack.push_back(locals[unsigned_at(pc)]); break;
        case 0x21: locals[unsigned_at(pc)] = pop(stack); break;
        case 0x22: locals[unsigned_at(pc)] = stack.back(); break;
        case 0x41: stack.push_back(static_cast<u32>(signed_at(pc))); break;
        case 0x42: stack.push_back(static_cast<u64>(signed_at(pc))); break;
        default:
          if (op >= 0x28 && op <= 0x3E) {
            ++pc;
            access(op, unsigned_at(pc), stack);
          } else {
            numeric(op, stack);
          }
      }
    }
    return fail();
  }

 private:
  struct Label {
    bool loop;
    std::size_t at;
    std::size_t height;
  };

  u32 fail() {
    failed = true;
    return 0;
  }
  static u64 pop(std::vector<u64>& stack) {
    const u64 value = stack.back();
    stack.pop_back();
    return value;
  }
  u64 unsigned_at(std::size_t& pc) const {
    u64 value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const u8 byte = body_[pc++];
      value |= static_cast<u64>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
  }
  i64 signed_at(std::size_t& pc) const {
    u64 value = 0;
    for (unsigned shift = 0;;) {
      const u8 byte = body_[pc++];
      value |= static_cast<u64>(byte & 0x7F) << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if ((byte & 0x40) != 0 && shift < 64) value |= ~0ull << shift;
      return static_cast<i64>(value);
    }
  }
  // Where each block, loop and if ends.
  void match_ends() {
    ends_.assign(body_.size(), 0);
    std::vector<std::size_t> open;
    for (std::size_t pc = start_; pc < body_.size();) {
      const std::size_t at = pc;
      const u8 op = body_[pc++];
      if (op >= 0x02 && op <= 0x04) {
        ++pc;
        open.push_back(at);
      } else if (op == 0x0B && !open.empty()) {
        ends_[open.back()] = at;
        open.pop_back();
      } else if (op == 0x0C || op == 0x0D || op == 0x10 || (op >= 0x20 && op <= 0x22)) {
        unsigned_at(pc);
      } else if (op == 0x0E) {
        for (u64 left = unsigned_at(pc) + 1; left > 0; --left) unsigned_at(pc);
      } else if (op >= 0x28 && op <= 0x3E) {
        ++pc;
        unsigned_at(pc);
      } else if (op == 0x41 || op == 0x42) {
        signed_at(pc);
      }
    }
  }
  std::size_t branch(u64 depth, std::vector<Label>& labels, std::vector<u64>& stack) {
    labels.resize(labels.size() - static_cast<std::size_t>(depth));
    const Label label = labels.back();
    stack.resize(label.height);
    if (label.loop) return label.at + 2;
    labels.pop_back();
    return ends_[label.at] + 1;
  }

  void access(u8 op, u64 offset, std::vector<u64>& stack) {
    static constexpr u8 kBytes[] = {4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4, 4, 8, 4, 8, 1, 2, 1, 2, 4};
    const bool store = op >= 0x36;
    const std::size_t size = kBytes[op - 0x28];
    u64 value = store ? pop(stack) : 0;
    const u64 address = static_cast<u32>(pop(stack)) + offset;
    if (address + size > memory->size()) {
      failed = true;
      return;
    }
    if (store) {
      std::memcpy(memory->data() + address, &value, size);
      return;
    }
    std::memcpy(&value, memory->data() + address, size);
    stack.push_back(value);
  }

  template <class T, class S>
  static u64 binary(unsigned which, T a, T b, bool& trapped) {
    constexpr T kMask = 8 * sizeof(T) - 1;
    const auto sa = static_cast<S>(a);
    const auto sb = static_cast<S>(b);
    const int places = static_cast<int>(b & kMask);
    if (which >= 3 && which <= 6 && b == 0) trapped = true;
    if (which == 3 && sb == -1 && a == T{1} << kMask) trapped = true;
    if (trapped) return 0;
    switch (which) {
      case 0: return static_cast<T>(a + b);
      case 1: return static_cast<T>(a - b);
      case 2: return static_cast<T>(a * b);
      case 3: return static_cast<T>(sa / sb);
      case 4: return a / b;
      case 5: return sb == -1 ? 0 : static_cast<T>(sa % sb);
      case 6: return a % b;
      case 7: return a & b;
      case 8: return a | b;
      case 9: return a ^ b;
      case 10: return static_cast<T>(a << places);
      case 11: return static_cast<T>(sa >> places);
      case 12: return a >> places;
      case 13: return std::rotl(a, places);
      default: return std::rotr(a, places);
    }
  }
  template <class T, class S>
  static bool compare(unsigned which, T a, T b) {
    const auto sa = static_cast<S>(a);
    const auto sb = static_cast<S>(b);
    switch (which) {
      case 0: return a == b;
      case 1: return a != b;
      case 2: return sa < sb;
      case 3: return a < b;
      case 4: return sa > sb;
      case 5: return a > b;
      case 6: return sa <= sb;
      case 7: return a <= b;
      case 8: return sa >= sb;
      default: return a >= b;
    }
  }

  void numeric(u8 op, std::vector<u64>& stack) {
    const u64 b = pop(stack);
    const auto b32 = static_cast<u32>(b);
    const auto extend = [](auto value) { return static_cast<u64>(static_cast<i64>(value)); };
    const auto with_first = [&](auto operation) {
      const u64 a = pop(stack);
      stack.push_back(operation(a));
    };
    if (op >= 0x46 && op <= 0x4F) {
      return with_first([&](u64 a) { return u64{compare<u32, i32>(op - 0x46u, static_cast<u32>(a), b32)}; });
    }
    if (op >= 0x51 && op <= 0x5A)
      return with_first([&](u64 a) { return u64{compare<u64, i64>(op - 0x51u, a, b)}; });
    if (op >= 0x6A && op <= 0x78) {
      return with_first(
          [&](u64 a) { return binary<u32, i32>(op - 0x6Au, static_cast<u32>(a), b32, failed); });
    }
    if (op >= 0x7C && op <= 0x8A)
      return with_first([&](u64 a) { return binary<u64, i64>(op - 0x7Cu, a, b, failed); });
    switch (op) {
      case 0x45: stack.push_back(b32 == 0); break;
      case 0x50: stack.push_back(b == 0); break;
      case 0x67: stack.push_back(static_cast<u64>(std::countl_zero(b32))); break;
      case 0x68: stack.push_back(static_cast<u64>(std::countr_zero(b32))); break;
      case 0x69: stack.push_back(static_cast<u64>(std::popcount(b32))); break;
      case 0x79: stack.push_back(static_cast<u64>(std::countl_zero(b))); break;
      case 0x7A: stack.push_back(static_cast<u64>(std::countr_zero(b))); break;
      case 0x7B: stack.push_back(static_cast<u64>(std::popcount(b))); break;
      case 0xA7:
      case 0xAD: stack.push_back(b32); break;
      case 0xAC: stack.push_back(extend(static_cast<i32>(b))); break;
      case 0xC0: stack.push_back(static_cast<u32>(extend(static_cast<i8>(b)))); break;
      case 0xC1: stack.push_back(static_cast<u32>(extend(static_cast<i16>(b)))); break;
      case 0xC2: stack.push_back(extend(static_cast<i8>(b))); break;
      case 0xC3: stack.push_back(extend(static_cast<i16>(b))); break;
      default: failed = true;
    }
  }

  std::vector<u8> body_;
  std::size_t start_ = 0;
  u64 locals_ = 0;
  std::vector<std::size_t> ends_;
};

}  // namespace lapwing::test
