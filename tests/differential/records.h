// What the host CPU made of sequences, in a file: for runs of the same sequences where the host CPU is out of
// reach. A header, then records; a sequence follows from its seed, so a record has the outcome and the bytes
// of memory that changed.
#pragma once

#include <cstdio>
#include <span>

#include "core/cpu/model.h"
#include "tests/differential/generator.h"

namespace lapwing::differential {

struct RecordHeader {
  static constexpr u32 kMagic = 0x53524C57;
  u32 magic = kMagic;
  u8 integer = 0, x87 = 0, sse = 0, same_maker = 0;
  u8 modes64 = 0, modes32 = 0, max_pieces = 0, unused = 0;
  u32 words[static_cast<unsigned>(FeatureWord::kCount)] = {};

  RecordHeader() = default;
  RecordHeader(const GeneratorOptions& options, const CpuModel& model);
  GeneratorOptions options() const;
  CpuModel model() const;
};
static_assert(sizeof(RecordHeader) == 56);

struct Record {
  u64 seed = 0;
  Outcome host;
  Memory memory;  // after
};

class RecordWriter {
 public:
  explicit RecordWriter(std::FILE* file) : file_(file) {}
  void add(const RecordHeader& header);
  void add(const Record& record);
  bool failed() const { return failed_; }

 private:
  void put(const void* data, std::size_t size) { failed_ |= std::fwrite(data, size, 1, file_) != 1; }
  std::FILE* file_;
  bool failed_ = false;
};

class RecordReader {
 public:
  explicit RecordReader(std::span<const u8> bytes) : bytes_(bytes) {}
  // False: the bytes are not those of a header, or of another record.
  bool next(RecordHeader& header);
  bool next(Record& record);
  bool at_end() const { return bytes_.empty(); }

 private:
  bool take(void* out, std::size_t size);
  std::span<const u8> bytes_;
};

// Where a sequence's memory comes from.
void memory_of(u64 seed, Memory& memory);

}  // namespace lapwing::differential
