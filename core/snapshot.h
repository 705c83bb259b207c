// Saved state: named, versioned, checksummed sections of little-endian plain data. The same writer feeds the
// state hash, so whatever is saved is also what two machines are compared by.
//
// Layout of a snapshot: "LWSNAP01", then per section {u32 name length, name, u32 version, u64 size, bytes,
// u64 hash of name, version and bytes}, ended by a section of empty name whose hash covers all section
// hashes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/types.h"

namespace lapwing {

// A running 64-bit hash over bytes (multiply-rotate over 8-byte words; not cryptographic).
class StateHash {
 public:
  void add(const void* data, std::size_t size);
  u64 value() const;

 private:
  void add_word(u64 word);
  u64 state_ = 0x9E3779B97F4A7C15ull;
  u64 length_ = 0;
};

// Receives state. Derived sinks: a byte buffer, or only a hash.
class StateSink {
 public:
  virtual ~StateSink() = default;
  virtual void bytes(const void* data, std::size_t size) = 0;
};

// Writes the fields of one section; integers little-endian at their own width, bool as one byte.
class StateWriter {
 public:
  explicit StateWriter(StateSink& sink) : sink_(sink) {}
  void put_u8(u8 value);
  void put_u16(u16 value);
  void put_u32(u32 value);
  void put_u64(u64 value);
  void put_bool(bool value) { put_u8(value ? 1 : 0); }
  void put_bytes(const void* data, std::size_t size) { sink_.bytes(data, size); }
  void put_string(std::string_view text);  // u32 length, bytes

 private:
  StateSink& sink_;
};

// Reads what StateWriter wrote. Reading past the end yields zeros and makes ok() false; never traps.
class StateReader {
 public:
  StateReader(const u8* data, std::size_t size) : data_(data), size_(size) {}
  u8 get_u8();
  u16 get_u16();
  u32 get_u32();
  u64 get_u64();
  bool get_bool() { return get_u8() != 0; }
  void get_bytes(void* out, std::size_t size);
  std::string get_string();
  bool ok() const { return ok_; }
  std::size_t remaining() const { return size_ - position_; }
  // Marks the section as damaged (a value out of its range).
  void fail() { ok_ = false; }

 private:
  const u8* data_;
  std::size_t size_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

// Anything whose state is saved. load() must accept only what save() of the same version can produce, and may
// leave the object changed when it fails: the caller loads into a fresh machine and swaps only after full
// success.
class Saveable {
 public:
  virtual ~Saveable() = default;
  virtual void save(StateWriter& out) const = 0;
  virtual bool load(StateReader& in) = 0;
};

struct SnapshotSection {
  std::string name;
  u32 version;
  std::vector<u8> data;
};

// Assembles sections into a snapshot file image.
std::vector<u8> encode_snapshot(const std::vector<SnapshotSection>& sections);
// Checks magic, lengths and hashes, and splits the image; the error says which section is damaged.
Result<std::vector<SnapshotSection>> decode_snapshot(const u8* data, std::size_t size);

}  // namespace lapwing
