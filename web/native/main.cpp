// lapwing_native: runs a machine without a browser, for tests, for comparing with the wasm build and for
// debugging.
//
//   lapwing_native [key=value of the machine]... kernel=FILE [initrd=FILE[,ARGUMENTS]]... [bios=FILE]
//   [fw_cfg_file=FILE,NAME]... [cmdline=TEXT]
//   [disk=PROPERTIES,file=FILE]...  a drive (storage_config.h); writes stay in memory unless snapshot=off is
//                          among the properties
//     max=N                stop after N instructions          timeout_virtual=S   stop after S virtual
//     seconds: 124 stops=N,N,...        print "N hash" at these counts     hash_every=N        the same at
//     every multiple of N expect=REGEX         wait for this on the console, in order; all seen: exit status
//     0 send=TEXT            typed after the expect= before it (\n, \r, \t and \\ are understood) fail=REGEX
//     exit status 1 when seen            patience=SEED       returns from run() at random registers=1 print
//     registers at the end         query=COMMAND       print the answer at the end profile=1 sample RIP every
//     10,000 instructions and print the most frequent trace_irq=N          print the last N interrupt events
//     at the end record=FILE  replay=FILE   input log               save=FILE  restore=FILE   snapshot at the
//     end, at the start stats=1              instructions, CPU seconds and MIPS on standard error
// Exit status as INTERFACE: 0, 1 fail=, 2 usage, 3 triple fault, 124 timeout, or the guest's isa-debug-exit.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "devices/machine.h"
#include "web/native/file_disks.h"

namespace {

using namespace lapwing;

constexpr int kUsage = 2;
constexpr int kTripleFaultStatus = 3;
constexpr int kTimeoutStatus = 124;
constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u64 kSlice = 200'000;
constexpr u64 kProfileStep = 10'000;

struct Step {
  enum class Kind { kExpect, kSend } kind;
  std::string text;
};

struct Options {
  std::string machine;
  struct File {
    std::string kind, path;
  };
  std::vector<File> files;
  std::vector<std::string> disks;
  std::vector<Step> steps;
  std::vector<std::string> fails;
  std::vector<u64> stops;
  std::vector<std::string> queries;
  std::string record, replay, save, restore, screenshot;
  u64 max = kNever;
  u64 timeout_ns = kNever;
  u64 hash_every = 0;
  u64 patience = 0;
  u64 trace_irq = 0;
  bool registers = false;
  bool profile = false;
  bool stats = false;
};

[[noreturn]] void usage(const std::string& message) {
  std::fprintf(stderr, "lapwing_native: %s\n", message.c_str());
  std::exit(kUsage);
}

std::vector<u8> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) usage("cannot read '" + path + "'");
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::vector<u8>& data) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
  if (!out) usage("cannot write '" + path + "'");
}

std::string unescape(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    const char next = text[++i];
    result += next == 'n' ? '\n' : next == 'r' ? '\r' : next == 't' ? '\t' : next;
  }
  return result;
}

u64 number(const std::string& key, const std::string& text) {
  char* end = nullptr;
  const u64 value = std::strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end != '\0') usage(key + "=" + text + ": give a number");
  return value;
}

std::vector<u64> numbers(const std::string& key, std::string text) {
  std::vector<u64> result;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    result.push_back(number(key, text.substr(0, comma)));
    text = comma == std::string::npos ? "" : text.substr(comma + 1);
  }
  std::sort(result.begin(), result.end());
  return result;
}

void parse(Options& options, const std::string& argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos) usage("'" + argument + "' is not key=value");
  const std::string key = argument.substr(0, equals), value = argument.substr(equals + 1);
  if (key == "kernel" || key == "initrd" || key == "bios" || key == "vgabios")
    options.files.push_back({key, value});
  else if (key == "fw_cfg_file")
    options.files.push_back({"fw_cfg", value});
  else if (key == "disk")
    options.disks.push_back(value);
  else if (key == "max")
    options.max = number(key, value);
  else if (key == "timeout_virtual")
    options.timeout_ns = static_cast<u64>(std::atof(value.c_str()) * 1e9);
  else if (key == "stops")
    options.stops = numbers(key, value);
  else if (key == "hash_every")
    options.hash_every = number(key, value);
  else if (key == "patience")
    options.patience = number(key, value);
  else if (key == "trace_irq")
    options.trace_irq = number(key, value);
  else if (key == "expect")
    options.steps.push_back({Step::Kind::kExpect, value});
  else if (key == "send")
    options.steps.push_back({Step::Kind::kSend, unescape(value)});
  else if (key == "fail")
    options.fails.push_back(value);
  else if (key == "query")
    options.queries.push_back(value);
  else if (key == "registers")
    options.registers = number(key, value) != 0;
  else if (key == "profile")
    options.profile = number(key, value) != 0;
  else if (key == "stats")
    options.stats = number(key, value) != 0;
  else if (key == "record")
    options.record = value;
  else if (key == "replay")
    options.replay = value;
  else if (key == "save")
    options.save = value;
  else if (key == "restore")
    options.restore = value;
  else if (key == "screenshot")
    options.screenshot = value;
  else
    options.machine += argument + "\n";
}

class Host {
 public:
  explicit Host(Options options) : options_(std::move(options)), random_(options_.patience) {}
  int run();

 private:
  void create();
  std::string open_disks();
  void restore_snapshot();
  bool output();
  bool advance_steps();
  u64 next_stop() const;
  Stop run_to_boundary();
  int finish(int status);
  void print_profile() const;
  void print_trace();
  std::vector<u8> picture();
  void type(const std::string& text);
  int status_of(Stop stop) const;

  Options options_;
  FileDisks disks_;
  std::unique_ptr<Machine> machine_;
  std::string console_;
  std::size_t step_ = 0;
  std::size_t stop_index_ = 0;
  bool is_halted_ = false;
  std::mt19937_64 random_;
  std::map<u64, u64> profile_;
  std::clock_t start_ = 0;
};

template <class T>
T must(Result<T> result) {
  if (!result.ok()) usage(result.error());
  return std::move(result.value());
}

void must(const Result<void>& result) {
  if (!result.ok()) usage(result.error());
}

// Opens the images and returns the machine's drive= lines.
std::string Host::open_disks() {
  std::string lines;
  for (const std::string& text : options_.disks) {
    const std::size_t file = text.find("file=");
    const std::string path = file == std::string::npos ? "" : text.substr(file + 5);
    std::string properties = text.substr(0, file);
    if (!properties.empty() && properties.back() == ',') properties.pop_back();
    constexpr std::string_view kDirect = "snapshot=off";
    const std::size_t direct = properties.find(kDirect);
    if (direct != std::string::npos) properties.erase(direct, kDirect.size() + 1);
    const u64 size = must(disks_.open(path, direct != std::string::npos));
    lines += "drive=" + properties + (properties.empty() ? "" : ",") + "size=" + std::to_string(size) + "\n";
  }
  return lines;
}

void Host::restore_snapshot() {
  std::vector<u8> image = read_file(options_.restore);
  must(disks_.take_overlays(image));
  must(machine_->load_snapshot(image.data(), image.size()));
}

void Host::create() {
  MachineConfig config = must(parse_machine_config(options_.machine + open_disks()));
  void* ram = mmap(nullptr, config.memory, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (ram == MAP_FAILED) usage("no room for the guest's memory");
  machine_ = must(Machine::create(std::move(config), static_cast<u8*>(ram), &disks_));
  for (const Options::File& file : options_.files) {
    const std::size_t comma = file.path.find(',');
    MachineFile loaded{file.kind, comma == std::string::npos ? "" : file.path.substr(comma + 1),
                       read_file(file.path.substr(0, comma))};
    must(machine_->load_file(std::move(loaded)));
  }
  if (options_.trace_irq > 0) machine_->trace().start(options_.trace_irq, true);
  must(machine_->boot());
  if (!options_.restore.empty()) restore_snapshot();
  if (!options_.record.empty()) machine_->start_recording();
  if (!options_.replay.empty()) {
    const std::vector<u8> log = read_file(options_.replay);
    must(machine_->start_replay(log.data(), log.size()));
  }
}

// Passes the guest's output on; false when a fail= expression was seen.
bool Host::output() {
  for (unsigned port = 0; port < Machine::kOutputPorts; ++port) {
    std::string& sent = machine_->sent(port);
    if (port == 0 || port >= Machine::kDebugPort) std::fwrite(sent.data(), 1, sent.size(), stdout);
    if (port == 0) console_ += sent;
    sent.clear();
  }
  std::fflush(stdout);
  for (const std::string& pattern : options_.fails) {
    if (std::regex_search(console_, std::regex(pattern))) return false;
  }
  return true;
}

void Host::type(const std::string& text) {
  must(machine_->input(InputKind::kSerial, 0, 0, reinterpret_cast<const u8*>(text.data()), text.size()));
}

// Goes through expect= and send= as far as the console allows; true when there were steps and all are done.
bool Host::advance_steps() {
  while (step_ < options_.steps.size()) {
    const Step& step = options_.steps[step_];
    if (step.kind == Step::Kind::kSend) {
      if (options_.replay.empty()) type(step.text);
    } else {
      std::smatch match;
      if (!std::regex_search(console_, match, std::regex(step.text))) break;
      console_ = match.suffix();
    }
    ++step_;
  }
  constexpr std::size_t kKept = 1 << 16;
  if (console_.size() > 2 * kKept) console_.erase(0, console_.size() - kKept);
  return !options_.steps.empty() && step_ == options_.steps.size();
}

u64 Host::next_stop() const {
  const u64 now = machine_->clock().instructions();
  u64 next = options_.max;
  if (stop_index_ < options_.stops.size()) next = std::min(next, options_.stops[stop_index_]);
  if (options_.hash_every > 0) next = std::min(next, (now / options_.hash_every + 1) * options_.hash_every);
  return next;
}

// Runs to the next boundary: a multiple of kSlice, a stop, or a halt. Output is answered only there, at
// places that depend on the guest alone (the same ones as in web/src/engine/pump.ts).
Stop Host::run_to_boundary() {
  const Clock& clock = machine_->clock();
  const u64 boundary = std::min((clock.instructions() / kSlice + 1) * kSlice, next_stop());
  const u64 limit = is_halted_ ? std::min(clock.next_deadline(), options_.timeout_ns) : 0;
  Stop stop = Stop::kPatience;
  do {
    u64 count = boundary - std::min(boundary, clock.instructions());
    if (options_.patience > 0) count = std::min<u64>(count, 1 + random_() % 100'000);
    if (options_.profile) count = std::min(count, kProfileStep);
    stop = machine_->run(count, limit);
    if (options_.profile) ++profile_[machine_->cpu(0).state.rip];
  } while ((stop == Stop::kPatience || stop == Stop::kTraceFull) && clock.instructions() < boundary);
  is_halted_ = stop == Stop::kHalted;
  return stop;
}

int Host::status_of(Stop stop) const {
  switch (stop) {
    case Stop::kPowerOff: return 0;
    case Stop::kExitRequest: return static_cast<int>(machine_->exit_status() & 0xFF);
    case Stop::kTripleFault: return kTripleFaultStatus;
    case Stop::kReset: return 0;
    case Stop::kReplayEnd: return machine_->replay_error().empty() ? 0 : 1;
    default: return 0;
  }
}

int Host::run() {
  create();
  start_ = std::clock();
  for (;;) {
    const u64 now = machine_->clock().instructions();
    const Stop stop = run_to_boundary();
    if (!output()) return finish(1);
    const u64 reached = machine_->clock().instructions();
    const bool listed = stop_index_ < options_.stops.size() && reached == options_.stops[stop_index_];
    const bool regular = options_.hash_every > 0 && reached % options_.hash_every == 0 && reached > now;
    if (stop == Stop::kPatience && (listed || regular)) {
      std::fprintf(stderr, "%llu %016llx\n", static_cast<unsigned long long>(reached),
                   static_cast<unsigned long long>(machine_->hash()));
      if (listed) ++stop_index_;
      if (listed && stop_index_ == options_.stops.size() && options_.max == kNever) return finish(0);
    }
    if (advance_steps()) return finish(0);
    if (reached >= options_.max) return finish(0);
    const bool sleeps_too_long =
        stop == Stop::kHalted && machine_->clock().next_deadline() > options_.timeout_ns;
    if (machine_->clock().now_ns() >= options_.timeout_ns || sleeps_too_long) {
      std::fprintf(stderr, "lapwing_native: virtual time is up\n");
      return finish(kTimeoutStatus);
    }
    if (stop == Stop::kPatience || stop == Stop::kTraceFull || stop == Stop::kHalted) continue;
    if (stop == Stop::kIdleForever)
      std::fprintf(stderr, "lapwing_native: halted for ever, nothing is pending\n");
    if (stop == Stop::kTripleFault) std::fprintf(stderr, "lapwing_native: triple fault\n");
    if (!machine_->replay_error().empty())
      std::fprintf(stderr, "lapwing_native: %s\n", machine_->replay_error().c_str());
    return finish(status_of(stop));
  }
}

void Host::print_profile() const {
  std::vector<std::pair<u64, u64>> rows;
  for (const auto& [rip, count] : profile_) rows.push_back({count, rip});
  std::sort(rows.rbegin(), rows.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), 40); ++i) {
    std::fprintf(stderr, "%8llu %016llx\n", static_cast<unsigned long long>(rows[i].first),
                 static_cast<unsigned long long>(rows[i].second));
  }
}

void Host::print_trace() {
  std::vector<IrqEvent> events(options_.trace_irq);
  events.resize(machine_->trace().drain(events.data(), events.size()));
  for (const IrqEvent& event : events) {
    std::fprintf(
        stderr,
        "%12llu %14llu ns cpu %3u rip %016llx kind %2u device %2u.%u line %5x vector %4x data %llx #%u\n",
        static_cast<unsigned long long>(event.instructions), static_cast<unsigned long long>(event.ns),
        event.cpu, static_cast<unsigned long long>(event.rip), event.kind, event.device, event.instance,
        event.line, event.vector, static_cast<unsigned long long>(event.data), event.cause);
  }
}

// The screen as a portable pixmap.
std::vector<u8> Host::picture() {
  machine_->update_screen(machine_->clock().now_ns());
  const Screen* screen = machine_->screen();
  if (screen == nullptr) usage("screenshot= needs vga=std");
  const PictureMode& mode = screen->mode();
  const std::string header =
      "P6\n" + std::to_string(mode.width) + " " + std::to_string(mode.height) + "\n255\n";
  std::vector<u8> file(header.begin(), header.end());
  for (const u32 pixel : screen->pixels()) {
    for (unsigned shift = 0; shift < 24; shift += 8) file.push_back(static_cast<u8>(pixel >> shift));
  }
  return file;
}

int Host::finish(int status) {
  const double seconds = static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC;
  if (options_.trace_irq > 0) print_trace();
  if (options_.profile) print_profile();
  if (options_.registers) options_.queries.push_back("registers");
  for (const std::string& query : options_.queries) {
    const Result<std::string> answer = machine_->query(query);
    std::fprintf(stderr, "%s\n", answer.ok() ? answer.value().c_str() : answer.error().c_str());
  }
  if (!options_.screenshot.empty()) write_file(options_.screenshot, picture());
  if (!options_.record.empty()) write_file(options_.record, *machine_->recorded_log());
  if (!options_.save.empty()) {
    if (disks_.any_direct()) usage("save= needs disks without snapshot=off");
    std::vector<u8> snapshot = machine_->save_snapshot();
    disks_.append_overlays(snapshot);
    write_file(options_.save, snapshot);
  }
  if (options_.stats) {
    const auto instructions = static_cast<double>(machine_->clock().instructions());
    std::fprintf(stderr, "%.0f instructions, %.3f virtual s, %.3f CPU s, %.1f MIPS\n", instructions,
                 static_cast<double>(machine_->clock().now_ns()) / static_cast<double>(kNsPerSecond), seconds,
                 instructions / seconds / 1e6);
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) parse(options, argv[i]);
  return Host(std::move(options)).run();
}
