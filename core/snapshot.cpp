#include "core/snapshot.h"

#include <cstring>

namespace lapwing {

namespace {

constexpr char kMagic[] = "LWSNAP01";
constexpr std::size_t kMagicSize = 8;
constexpr u64 kMultiplier = 0xD6E8FEB86659FD93ull;

class VectorSink final : public StateSink {
 public:
  explicit VectorSink(std::vector<u8>& out) : out_(out) {}
  void bytes(const void* data, std::size_t size) override {
    const auto* begin = static_cast<const u8*>(data);
    out_.insert(out_.end(), begin, begin + size);
  }

 private:
  std::vector<u8>& out_;
};

u64 hash_of(const SnapshotSection& section) {
  StateHash hash;
  hash.add(section.name.data(), section.name.size());
  hash.add(&section.version, sizeof section.version);
  hash.add(section.data.data(), section.data.size());
  return hash.value();
}

}  // namespace

void StateHash::add_word(u64 word) {
  state_ ^= word;
  state_ *= kMultiplier;
  state_ ^= state_ >> 32;
}

void StateHash::add(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const u8*>(data);
  length_ += size;
  while (size >= 8) {
    u64 word;
    std::memcpy(&word, bytes, 8);
    add_word(word);
    bytes += 8;
    size -= 8;
  }
  if (size > 0) {
    u64 word = 0;
    std::memcpy(&word, bytes, size);
    add_word(word);
  }
}

u64 StateHash::value() const {
  u64 result = (state_ ^ length_) * kMultiplier;
  result ^= result >> 32;
  return result * kMultiplier;
}

void StateWriter::put_u8(u8 value) {
  sink_.bytes(&value, 1);
}

void StateWriter::put_u16(u16 value) {
  put_u8(static_cast<u8>(value));
  put_u8(static_cast<u8>(value >> 8));
}

void StateWriter::put_u32(u32 value) {
  const u8 bytes[4] = {static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
                       static_cast<u8>(value >> 24)};
  sink_.bytes(bytes, sizeof bytes);
}

void StateWriter::put_u64(u64 value) {
  put_u32(static_cast<u32>(value));
  put_u32(static_cast<u32>(value >> 32));
}

void StateWriter::put_string(std::string_view text) {
  put_u32(static_cast<u32>(text.size()));
  sink_.bytes(text.data(), text.size());
}

void StateReader::get_bytes(void* out, std::size_t size) {
  if (size == 0) return;  // `out` may be null
  if (size > remaining()) {
    ok_ = false;
    std::memset(out, 0, size);
    return;
  }
  std::memcpy(out, data_ + position_, size);
  position_ += size;
}

u8 StateReader::get_u8() {
  u8 value;
  get_bytes(&value, 1);
  return value;
}

u16 StateReader::get_u16() {
  const u16 low = get_u8();
  return static_cast<u16>(low | (get_u8() << 8));
}

u32 StateReader::get_u32() {
  const u32 low = get_u16();
  return low | (static_cast<u32>(get_u16()) << 16);
}

u64 StateReader::get_u64() {
  const u64 low = get_u32();
  return low | (static_cast<u64>(get_u32()) << 32);
}

std::string StateReader::get_string() {
  const u32 size = get_u32();
  if (size > remaining()) {
    ok_ = false;
    return {};
  }
  std::string text(size, '\0');
  get_bytes(text.data(), size);
  return text;
}

std::vector<u8> encode_snapshot(const std::vector<SnapshotSection>& sections) {
  std::vector<u8> image(kMagic, kMagic + kMagicSize);
  VectorSink sink(image);
  StateWriter out(sink);
  StateHash total;
  for (const SnapshotSection& section : sections) {
    const u64 hash = hash_of(section);
    total.add(&hash, sizeof hash);
    out.put_string(section.name);
    out.put_u32(section.version);
    out.put_u64(section.data.size());
    out.put_bytes(section.data.data(), section.data.size());
    out.put_u64(hash);
  }
  out.put_string("");
  out.put_u64(total.value());
  return image;
}

Result<std::vector<SnapshotSection>> decode_snapshot(const u8* data, std::size_t size) {
  if (size < kMagicSize || std::memcmp(data, kMagic, kMagicSize) != 0) {
    return Error{"this is not a Lapwing snapshot (its first bytes are not LWSNAP01)"};
  }
  StateReader in(data + kMagicSize, size - kMagicSize);
  std::vector<SnapshotSection> sections;
  StateHash total;
  for (;;) {
    SnapshotSection section;
    section.name = in.get_string();
    if (!in.ok()) return Error{"the snapshot is truncated; save it again"};
    if (section.name.empty()) break;
    section.version = in.get_u32();
    const u64 length = in.get_u64();
    if (!in.ok() || length > in.remaining()) {
      return Error{"the snapshot is truncated in section '" + section.name + "'; save it again"};
    }
    section.data.resize(static_cast<std::size_t>(length));
    in.get_bytes(section.data.data(), section.data.size());
    const u64 hash = in.get_u64();
    if (!in.ok() || hash != hash_of(section)) {
      return Error{"the snapshot is damaged in section '" + section.name + "'; save it again"};
    }
    total.add(&hash, sizeof hash);
    sections.push_back(std::move(section));
  }
  if (in.get_u64() != total.value() || !in.ok())
    return Error{"the snapshot is damaged at its end; save it again"};
  return sections;
}

}  // namespace lapwing
