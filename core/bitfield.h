// Named bit ranges of a register: Field<T, Storage, lo, width> reads and writes one field of a plain integer.
#pragma once

#include "core/types.h"

namespace lapwing {

// A field of type T in bits [lo, lo + width) of an integer of type Storage.
template <class T, class Storage, unsigned lo, unsigned width>
struct Field {
  static_assert(lo + width <= sizeof(Storage) * 8);
  static constexpr Storage kMax = static_cast<Storage>(
      width == sizeof(Storage) * 8 ? ~Storage{0} : (Storage{1} << (width % (sizeof(Storage) * 8))) - 1);
  static constexpr Storage kMask = static_cast<Storage>(kMax << lo);
  static constexpr unsigned kLo = lo;
  static constexpr unsigned kWidth = width;

  static constexpr T get(Storage value) { return static_cast<T>((value >> lo) & kMax); }
  static constexpr Storage set(Storage value, T field) {
    const auto bits = static_cast<Storage>((static_cast<Storage>(field) & kMax) << lo);
    return static_cast<Storage>((value & static_cast<Storage>(~kMask)) | bits);
  }
};

// Tells whether bit number `bit` of `value` is set.
template <class Storage>
constexpr bool bit_of(Storage value, unsigned bit) {
  return ((value >> bit) & 1) != 0;
}

// Returns `value` with bit number `bit` set to `on`.
template <class Storage>
constexpr Storage with_bit(Storage value, unsigned bit, bool on) {
  const auto mask = static_cast<Storage>(Storage{1} << bit);
  return static_cast<Storage>(on ? (value | mask) : (value & static_cast<Storage>(~mask)));
}

// One field of a device register as the interrupt view and the monitor show it.
struct FieldInfo {
  const char* name;
  u8 lo;
  u8 width;
};

// One register of a device: its name in the manual's spelling, where it lies, its fields and the manual's
// section.
struct RegisterInfo {
  const char* name;
  u32 offset;
  u8 width;  // bits
  const char* section;
  const FieldInfo* fields;
  u8 field_count;
};

}  // namespace lapwing
