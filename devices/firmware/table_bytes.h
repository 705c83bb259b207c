// Little-endian bytes of a firmware table under construction.
#pragma once

#include <cstring>
#include <string_view>
#include <vector>

#include "core/types.h"

namespace lapwing {

class TableBytes {
 public:
  TableBytes& add(u64 value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) bytes_.push_back(static_cast<u8>(value >> (i * 8)));
    return *this;
  }
  TableBytes& add(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  TableBytes& add(const std::vector<u8>& bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  void set(std::size_t offset, u64 value, unsigned size) {
    std::memcpy(bytes_.data() + offset, &value, size);
  }
  // Makes bytes [first, first + size) sum to zero through the byte at `at`.
  void set_checksum(std::size_t at, std::size_t first, std::size_t size) {
    bytes_[at] = 0;
    u8 sum = 0;
    for (std::size_t i = first; i < first + size; ++i) sum = static_cast<u8>(sum + bytes_[i]);
    bytes_[at] = static_cast<u8>(0 - sum);
  }
  std::size_t size() const { return bytes_.size(); }
  const std::vector<u8>& bytes() const { return bytes_; }

 private:
  std::vector<u8> bytes_;
};

}  // namespace lapwing
