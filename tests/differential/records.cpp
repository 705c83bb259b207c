#include "tests/differential/records.h"

#include <cstdlib>

namespace lapwing::differential {

namespace {

constexpr unsigned kMemories = 64;

struct Change {
  u16 at;
  u8 value;
  u8 unused;
};

}  // namespace

// The layout of what is written as it lies in memory is the same for x86-64 and wasm32.
static_assert(sizeof(Outcome) == 688 && offsetof(Outcome, cr2) == 664);

void memory_of(u64 seed, Memory& memory) {
  Generator::fill_memory(seed % kMemories, memory);
}

RecordHeader::RecordHeader(const GeneratorOptions& options, const CpuModel& model)
    : integer(options.integer),
      x87(options.x87),
      sse(options.sse),
      same_maker(options.same_maker),
      modes64(options.modes64),
      modes32(options.modes32),
      max_pieces(static_cast<u8>(options.max_pieces)) {
  std::memcpy(words, model.words, sizeof words);
}

GeneratorOptions RecordHeader::options() const {
  return GeneratorOptions{.integer = integer != 0,
                          .x87 = x87 != 0,
                          .sse = sse != 0,
                          .modes64 = modes64 != 0,
                          .modes32 = modes32 != 0,
                          .max_pieces = max_pieces,
                          .only = {},
                          .same_maker = same_maker != 0};
}

CpuModel RecordHeader::model() const {
  Result<CpuModel> model = make_cpu_model("max");
  if (!model.ok()) std::abort();
  std::memcpy(model.value().words, words, sizeof words);
  return model.value();
}

void RecordWriter::add(const RecordHeader& header) {
  put(&header, sizeof header);
}

void RecordWriter::add(const Record& record) {
  Memory before;
  memory_of(record.seed, before);
  std::vector<Change> changes;
  for (unsigned at = 0; at < kDataSize; ++at) {
    if (before.bytes[at] == record.memory.bytes[at]) continue;
    changes.push_back({static_cast<u16>(at), record.memory.bytes[at], 0});
  }
  const auto count = static_cast<u32>(changes.size());
  put(&record.seed, sizeof record.seed);
  put(&record.host, sizeof record.host);
  put(&count, sizeof count);
  if (count > 0) put(changes.data(), count * sizeof(Change));
}

bool RecordReader::take(void* out, std::size_t size) {
  if (bytes_.size() < size) return false;
  std::memcpy(out, bytes_.data(), size);
  bytes_ = bytes_.subspan(size);
  return true;
}

bool RecordReader::next(RecordHeader& header) {
  return take(&header, sizeof header) && header.magic == RecordHeader::kMagic;
}

bool RecordReader::next(Record& record) {
  u32 count;
  if (!take(&record.seed, sizeof record.seed) || !take(&record.host, sizeof record.host)) return false;
  if (!take(&count, sizeof count)) return false;
  memory_of(record.seed, record.memory);
  for (u32 i = 0; i < count; ++i) {
    Change change;
    if (!take(&change, sizeof change) || change.at >= kDataSize) return false;
    record.memory.bytes[change.at] = change.value;
  }
  return true;
}

}  // namespace lapwing::differential
