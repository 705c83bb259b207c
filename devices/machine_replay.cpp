// Recording and replaying of inputs.
#include "devices/machine.h"

namespace lapwing {

namespace {

u64 hash_of(const std::vector<u8>& data) {
  StateHash hash;
  hash.add(data.data(), data.size());
  return hash.value();
}

bool same_place(const Position& a, const Position& b) {
  return a.instructions == b.instructions && a.ns == b.ns && a.sequence == b.sequence;
}

}  // namespace

void Machine::start_recording() {
  replay_.reset();
  InputLog log;
  log.config = config_.text;
  for (const auto& file : files_) log.images.push_back({file->kind, hash_of(file->data)});
  log.start = clock_.position();
  recording_ = std::move(log);
}

std::optional<std::vector<u8>> Machine::recorded_log() const {
  if (!recording_) return std::nullopt;
  InputLog log = *recording_;
  log.end = clock_.position();
  return log.encode();
}

Result<void> Machine::start_replay(const u8* data, std::size_t size) {
  Result<InputLog> read = InputLog::decode(data, size);
  if (!read.ok()) return Error{read.error()};
  InputLog& log = read.value();
  if (log.config != config_.text) {
    return Error{"the input log was recorded on another machine; its settings are:\n" + log.config};
  }
  bool same_files = log.images.size() == files_.size();
  for (std::size_t i = 0; same_files && i < files_.size(); ++i) {
    same_files = log.images[i].name == files_[i]->kind && log.images[i].hash == hash_of(files_[i]->data);
  }
  if (!same_files) return Error{"the input log was recorded with other files (kernel, initrd)"};
  if (!same_place(log.start, clock_.position())) {
    return Error{"the input log starts at instruction " + std::to_string(log.start.instructions) +
                 ", where this machine is not"};
  }
  recording_.reset();
  replay_ = std::move(log);
  replay_next_ = 0;
  replay_error_.clear();
  return {};
}

// Position of the next entry, or of the end of the recording.
const Position* Machine::next_replay_position() const {
  if (!replay_) return nullptr;
  return replay_next_ < replay_->entries.size() ? &replay_->entries[replay_next_].at : &replay_->end;
}

void Machine::stop_replay(const std::string& reason) {
  replay_error_ = "replay diverged at instruction " + std::to_string(clock_.instructions()) + ": " + reason;
  replay_.reset();
}

// Applies the entries whose position this is. Timers that fired here before an input have taken their
// sequence numbers, so an entry is due exactly when its number is the next one.
std::optional<Stop> Machine::replay_due() {
  while (replay_) {
    const Position now = clock_.position();
    const Position& next = *next_replay_position();
    const bool at_end = replay_next_ == replay_->entries.size();
    const u64 last_before = at_end ? next.sequence : next.sequence - 1;
    if (now.instructions > next.instructions || now.ns > next.ns || now.sequence > last_before) {
      stop_replay("an input is overdue");
      return Stop::kReplayEnd;
    }
    if (now.instructions != next.instructions || now.ns != next.ns || now.sequence != last_before)
      return std::nullopt;
    if (at_end) {
      replay_.reset();
      return Stop::kReplayEnd;
    }
    clock_.next_sequence();
    apply(replay_->entries[replay_next_++]);
  }
  return std::nullopt;
}

}  // namespace lapwing
