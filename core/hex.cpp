#include "core/hex.h"

namespace lapwing {

std::string hex(u64 value, unsigned digits) {
  std::string text;
  for (; value != 0 || text.size() < digits; value >>= 4) text += "0123456789abcdef"[value & 15];
  return {text.rbegin(), text.rend()};
}

}  // namespace lapwing
