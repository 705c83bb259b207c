// State of the whole machine: hash, snapshot, comparison.
#include <algorithm>

#include "core/hex.h"
#include "devices/machine.h"

namespace lapwing {

namespace {

constexpr u32 kSectionVersion = 2;
constexpr char kSettings[] = "settings";
constexpr char kLoop[] = "machine";
constexpr char kRam[] = "memory";

class HashSink final : public StateSink {
 public:
  void bytes(const void* data, std::size_t size) override { hash_.add(data, size); }
  u64 value() const { return hash_.value(); }

 private:
  StateHash hash_;
};

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

// What must agree between the machine that saved and the one that loads.
std::string settings_of(const MachineConfig& config) {
  std::string text = "memory=" + std::to_string(config.memory) + " cpus=" + std::to_string(config.cpus) +
                     " cpu=" + config.cpu.name + " apic=" + std::to_string(config.apic) +
                     " hpet=" + std::to_string(config.hpet) + " vga=" + std::to_string(config.vga) +
                     " serial=" + std::to_string(config.uarts);
  for (const IsaDeviceConfig& device : config.devices) {
    text += " device=" + std::to_string(static_cast<unsigned>(device.kind)) + "@" +
            std::to_string(device.base) + "+" + std::to_string(device.size);
  }
  return text + config.storage.summary();
}

}  // namespace

// The order is part of the snapshot format: memory first, since CPUs rebuild translations from it.
std::vector<Machine::Section> Machine::sections() const {
  std::vector<Section> result;
  result.push_back({"clock", const_cast<Clock*>(&clock_)});
  result.push_back({"trace", const_cast<IrqTrace*>(&trace_)});
  result.push_back({"bios", const_cast<BiosRom*>(&bios_)});
  for (const Board::Part& part : board_->parts()) result.push_back({part.name, part.object});
  for (unsigned index = 0; index < cpu_count(); ++index) {
    result.push_back({"cpu." + std::to_string(index), cpus_[index].get()});
  }
  return result;
}

void Machine::save_loop(StateWriter& out) const {
  turns_.save(out);
  for (const bool flag :
       {asleep_, reset_requested_, cpu_reset_requested_, suspend_requested_, wake_requested_})
    out.put_bool(flag);
}

bool Machine::load_loop(StateReader& in) {
  turns_.load(in);
  for (bool* flag :
       {&asleep_, &reset_requested_, &cpu_reset_requested_, &suspend_requested_, &wake_requested_})
    *flag = in.get_bool();
  return in.ok();
}

u64 Machine::hash() const {
  HashSink sink;
  StateWriter out(sink);
  save_loop(out);
  memory_.save(out);
  for (const Section& section : sections()) section.object->save(out);
  return sink.value();
}

std::string Machine::state_summary() const {
  std::string text;
  const auto add = [&text](const std::string& name, const auto& save) {
    HashSink sink;
    StateWriter out(sink);
    save(out);
    text += name + " " + hex(sink.value(), 16) + "\n";
  };
  text += "instructions " + std::to_string(clock_.instructions()) + "\n";
  text += "ns " + std::to_string(clock_.now_ns()) + "\n";
  add(kLoop, [this](StateWriter& out) { save_loop(out); });
  add(kRam, [this](StateWriter& out) { memory_.save(out); });
  for (const Section& section : sections()) {
    add(section.name, [&section](StateWriter& out) { section.object->save(out); });
  }
  return text + registers_text();
}

std::vector<u8> Machine::save_snapshot() const {
  std::vector<SnapshotSection> saved;
  const auto add = [&saved](const std::string& name, const auto& save) {
    SnapshotSection& section = saved.emplace_back(SnapshotSection{name, kSectionVersion, {}});
    VectorSink sink(section.data);
    StateWriter out(sink);
    save(out);
  };
  add(kSettings, [this](StateWriter& out) { out.put_string(settings_of(config_)); });
  add(kLoop, [this](StateWriter& out) { save_loop(out); });
  add(kRam, [this](StateWriter& out) { memory_.save(out); });
  for (const Section& section : sections()) {
    add(section.name, [&section](StateWriter& out) { section.object->save(out); });
  }
  return encode_snapshot(saved);
}

Result<void> Machine::load_snapshot(const u8* data, std::size_t size) {
  Result<std::vector<SnapshotSection>> decoded = decode_snapshot(data, size);
  if (!decoded.ok()) return Error{decoded.error()};
  const std::vector<SnapshotSection>& saved = decoded.value();
  const std::vector<Section> parts = sections();
  constexpr std::size_t kOwn = 3;  // settings, loop, memory
  std::vector<std::string> names = {kSettings, kLoop, kRam};
  for (const Section& part : parts) names.push_back(part.name);
  for (std::size_t i = 0; i < std::max(names.size(), saved.size()); ++i) {
    if (i >= saved.size() || i >= names.size() || saved[i].name != names[i]) {
      const std::string& name = i < names.size() ? names[i] : saved[i].name;
      return Error{"the snapshot does not fit this machine: its section '" + name +
                   "' is missing or not expected"};
    }
    if (saved[i].version != kSectionVersion) {
      return Error{"the snapshot's section '" + names[i] + "' has a version that this Lapwing does not read"};
    }
  }
  StateReader settings(saved[0].data.data(), saved[0].data.size());
  if (const std::string made_by = settings.get_string(); made_by != settings_of(config_)) {
    return Error{"the snapshot was made by a machine with other settings: " + made_by};
  }
  const auto load = [&saved](std::size_t index, const auto& take) {
    StateReader in(saved[index].data.data(), saved[index].data.size());
    return take(in) && in.ok() && in.remaining() == 0;
  };
  bool good = load(1, [this](StateReader& in) { return load_loop(in); });
  good = good && load(2, [this](StateReader& in) { return memory_.load(in); });
  std::size_t failed = kOwn - 1;
  for (std::size_t i = 0; good && i < parts.size(); ++i) {
    failed = kOwn + i;
    good = load(failed, [&parts, i](StateReader& in) { return parts[i].object->load(in); });
  }
  if (!good) return Error{"the snapshot's section '" + saved[failed].name + "' holds impossible values"};
  ended_.reset();
  power_off_requested_ = exit_requested_ = false;
  recording_.reset();
  replay_.reset();
  return {};
}

}  // namespace lapwing
