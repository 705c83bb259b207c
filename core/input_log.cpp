#include "core/input_log.h"

#include <cstring>

#include "core/snapshot.h"

namespace lapwing {

namespace {

constexpr char kMagic[] = "LWINPUT1";
constexpr std::size_t kMagicSize = 8;
constexpr std::size_t kHashSize = 8;
constexpr u32 kVersion = 1;

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

void put_position(StateWriter& out, const Position& at) {
  out.put_u64(at.instructions);
  out.put_u64(at.ns);
  out.put_u64(at.sequence);
}

Position get_position(StateReader& in) {
  Position at;
  at.instructions = in.get_u64();
  at.ns = in.get_u64();
  at.sequence = in.get_u64();
  return at;
}

InputEntry get_entry(StateReader& in) {
  InputEntry entry;
  entry.at = get_position(in);
  const u8 kind = in.get_u8();
  if (kind >= kInputKinds) in.fail();
  entry.kind = static_cast<InputKind>(kind);
  entry.a = in.get_u32();
  entry.b = in.get_u32();
  const u32 size = in.get_u32();
  if (size > in.remaining()) in.fail();
  if (!in.ok()) return entry;
  entry.data.resize(size);
  in.get_bytes(entry.data.data(), size);
  return entry;
}

bool ordered(const Position& earlier, const Position& later) {
  return earlier.instructions <= later.instructions && earlier.ns <= later.ns &&
         earlier.sequence <= later.sequence;
}

u64 hash_of(const u8* data, std::size_t size) {
  StateHash hash;
  hash.add(data, size);
  return hash.value();
}

}  // namespace

std::vector<u8> InputLog::encode() const {
  std::vector<u8> file(kMagic, kMagic + kMagicSize);
  VectorSink sink(file);
  StateWriter out(sink);
  out.put_u32(kVersion);
  out.put_string(config);
  out.put_u32(static_cast<u32>(images.size()));
  for (const Image& image : images) {
    out.put_string(image.name);
    out.put_u64(image.hash);
  }
  put_position(out, start);
  out.put_u32(static_cast<u32>(entries.size()));
  for (const InputEntry& entry : entries) {
    put_position(out, entry.at);
    out.put_u8(static_cast<u8>(entry.kind));
    out.put_u32(entry.a);
    out.put_u32(entry.b);
    out.put_u32(static_cast<u32>(entry.data.size()));
    out.put_bytes(entry.data.data(), entry.data.size());
  }
  put_position(out, end);
  out.put_u64(hash_of(file.data(), file.size()));
  return file;
}

Result<InputLog> InputLog::decode(const u8* data, std::size_t size) {
  const Error damaged{"the input log is damaged or truncated; record it again"};
  if (size < kMagicSize || std::memcmp(data, kMagic, kMagicSize) != 0) {
    return Error{"this is not a Lapwing input log (its first bytes are not LWINPUT1)"};
  }
  if (size < kMagicSize + kHashSize) return damaged;
  StateReader tail(data + size - kHashSize, kHashSize);
  if (tail.get_u64() != hash_of(data, size - kHashSize)) return damaged;

  StateReader in(data + kMagicSize, size - kMagicSize - kHashSize);
  const u32 version = in.get_u32();
  if (version != kVersion) {
    return Error{"the input log has version " + std::to_string(version) + "; this Lapwing reads version " +
                 std::to_string(kVersion)};
  }
  InputLog log;
  log.config = in.get_string();
  for (u32 left = in.get_u32(); left > 0 && in.ok(); --left) {
    Image image;
    image.name = in.get_string();
    image.hash = in.get_u64();
    log.images.push_back(std::move(image));
  }
  log.start = get_position(in);
  Position last = log.start;
  for (u32 left = in.get_u32(); left > 0 && in.ok(); --left) {
    InputEntry entry = get_entry(in);
    if (!ordered(last, entry.at)) in.fail();
    last = entry.at;
    log.entries.push_back(std::move(entry));
  }
  log.end = get_position(in);
  if (!ordered(last, log.end) || !in.ok() || in.remaining() != 0) return damaged;
  return log;
}

}  // namespace lapwing
